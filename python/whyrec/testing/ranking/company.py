"""What holds of an answer whatever else is asked: in its batch, before it, or at the same time."""

import hashlib
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, is_dataclass
from functools import partial

import numpy as np
import torch
from hypothesis import strategies as st

from whyrec.data.dataset import Dataset
from whyrec.errors import ArgumentError, UnknownItemError, UnknownUserError
from whyrec.testing.invariant import Case, apply_only, demand, demand_same, ranking
from whyrec.testing.subject import Entry, Subject, entries

_THREADS = 8


@ranking
def asked_again_the_answer_is_the_same(on: Subject, case: Case) -> None:
    """A list that changes on reload cannot be tested, cached or explained."""
    user, k = on.user(case), on.k(case)
    first = on.top(user, k)
    for _ in range(2):
        demand_same(on.top(user, k), first, "asked again, the list is")


@ranking
def a_batch_is_answered_one_by_one(on: Subject, case: Case) -> None:
    """Scores that depend on who else is asked for differ between the nightly batch and the page."""
    users, k = on.several(case), on.k(case)
    for user, answer in zip(users, on.system.recommend(users, k), strict=True):
        demand_same(entries(answer), on.top(user, k), f"in a batch, the list of {user!r} is")


@ranking
def the_order_of_users_changes_no_answer(on: Subject, case: Case) -> None:
    """Users come in any order, and each must get the answer that is theirs."""
    users, k = on.several(case), on.k(case)
    turned = case.draw("turned", st.permutations(users))
    expected = dict(zip(users, map(entries, on.system.recommend(users, k)), strict=True))
    for user, answer in zip(turned, on.system.recommend(turned, k), strict=True):
        demand_same(entries(answer), expected[user], f"in another order, the list of {user!r} is")


@ranking
def a_batch_may_be_cut_anywhere(on: Subject, case: Case) -> None:
    """How many users an application asks for at once is a matter of memory, not of results."""
    users, k = on.several(case), on.k(case)
    cut = case.draw("cut", st.integers(0, len(users)))
    parts = [*on.system.recommend(users[:cut], k), *on.system.recommend(users[cut:], k)]
    whole = [entries(each) for each in on.system.recommend(users, k)]
    demand_same([entries(each) for each in parts], whole, "in two parts, the lists are")


@ranking
def a_user_twice_in_a_batch_is_answered_twice(on: Subject, case: Case) -> None:
    """Answers are put beside what was asked; one that is dropped moves all that follow."""
    users, k = on.several(case), on.k(case)
    twice = [*users, users[0]]
    answers = [entries(each) for each in on.system.recommend(twice, k)]
    demand_same(len(answers), len(twice), "the number of answers is")
    demand_same(answers[-1], answers[0], f"the second answer for {users[0]!r} is")


@ranking
def answers_stand_in_the_order_of_the_users(on: Subject, case: Case) -> None:
    """Somebody else's list is a wrong one, and may be a breach of privacy."""
    users, k = on.several(case), on.k(case)
    for answers in (on.system.recommend(users, k), on.system.recommend_with_reasons(users, 1)):
        demand_same([each.user_id for each in answers], users, "the answers are of")


@ranking
def one_id_is_answered_as_a_list_of_one(on: Subject, case: Case) -> None:
    """Both ways of asking are the same question."""
    user, k = on.user(case), on.k(case)
    answers = on.system.recommend([user], k)
    demand_same(len(answers), 1, "the number of answers is")
    demand_same(entries(answers[0]), on.top(user, k), "in a list of one, the answer is")


@ranking
def no_users_have_no_answers(on: Subject, case: Case) -> None:
    """An empty batch is what is left of a segment that nobody is in; it is no error."""
    k = on.k(case)
    for answers in (on.system.recommend([], k), on.system.recommend_with_reasons([], k)):
        demand_same(len(answers), 0, "the number of answers to nobody is")


@ranking
def what_was_asked_before_changes_nothing(on: Subject, case: Case) -> None:
    """An answer that is kept under too little of its question comes back to another one."""
    user, other, k = on.user(case), on.user(case, "other"), on.k(case)
    apply_only(on.n_ranked is None or k < on.n_ranked, "a second stage ranks fewer items")
    exclude = on.some_items(case, "exclude", least=1)
    asked: list[Callable[[int], list[Entry]]] = [
        partial(on.top, user),
        partial(on.top, user, exclude=exclude),
        partial(on.top, user, include_seen=True),
        partial(on.top, other),
    ]
    # For one item more: what was kept of the first time may not serve the second.
    there = [ask(k) for ask in asked]
    back = [ask(k + 1)[:k] for ask in reversed(asked)]
    demand_same(back[::-1], there, "asked in another order, the lists are")


@ranking
def an_answer_stays_as_it_was_given(on: Subject, case: Case) -> None:
    """What was handed out is the caller's own; a later call may not write into it."""
    user, other, k = on.user(case), on.user(case, "other"), on.k(case)
    answer = on.system.recommend(user, k)
    before = entries(answer)
    on.system.recommend([other, user], k + 1, exclude=on.some_items(case, "exclude"))
    demand_same(entries(answer), before, "after another call, the first answer is")


@ranking
def threads_give_the_same_answers(on: Subject, case: Case) -> None:
    """Servers answer several people at once; what they share must not mix."""
    users, k = on.several(case), on.k(case)
    expected = [on.top(user, k) for user in users]
    with ThreadPoolExecutor(_THREADS) as pool:
        found = list(pool.map(lambda user: on.top(user, k), users * 3))
    demand_same(found, expected * 3, "of several threads, the lists are")


@ranking
def recommend_and_recommend_with_reasons_agree(on: Subject, case: Case) -> None:
    """Reasons are told beside a list that was ranked; they must not change it."""
    user, k = on.user(case), on.k(case, 6)
    exclude, seen = on.some_items(case, "exclude"), case.draw("include_seen", st.booleans())
    found = entries(on.told(user, k, exclude=exclude, include_seen=seen))
    expected = on.top(user, k, exclude=exclude, include_seen=seen)
    demand_same(found, expected, "with reasons, the list is")


@ranking
def an_answer_is_personalised_where_there_is_a_history(on: Subject, case: Case) -> None:
    """The application words its page by it: "for you", or "popular now"."""
    user = on.user(case)
    personalised = on.system.recommend(user, 1).personalised
    demand_same(personalised, bool(on.seen(user)), f"for {user!r}, personalised is")


@ranking
def what_was_saved_ranks_to_the_same_bits(on: Subject, case: Case) -> None:
    """The server that loads a model must show what was evaluated before it was saved."""
    user, k = on.user(case), on.k(case)
    found = entries(on.loaded.recommend(user, k, include_seen=True))
    demand_same(found, on.top(user, k, include_seen=True), "saved and loaded, the list is")


@ranking
def asking_changes_no_data(on: Subject, case: Case) -> None:
    """A call that writes into the histories changes what everybody after it is told."""
    before, k = digest(on.dataset), on.k(case, 5)
    users = on.several(case)
    on.system.recommend(users, k)
    on.system.recommend_with_reasons(users, k)
    demand(digest(on.dataset) == before, "after two calls, an array of the data set is another")


@ranking
def asking_leaves_the_random_state_of_the_host_alone(on: Subject, case: Case) -> None:
    """What draws in a call is not the same twice, and disturbs the draws of the application."""
    user, k = on.user(case), on.k(case, 5)
    python, torchs = random.getstate(), torch.get_rng_state()
    on.system.recommend(user, k)
    on.system.recommend_with_reasons(user, k)
    demand(random.getstate() == python, "the state of Python's generator is another")
    demand(
        torch.equal(torch.get_rng_state(), torchs), "the state of PyTorch's generator is another"
    )


@ranking
def an_unknown_user_is_refused(on: Subject, case: Case) -> None:
    """An answer for nobody hides that the id is wrong, until somebody asks why it is so bad."""
    users, stranger = on.several(case), ("nobody", "has", "this", "id")
    place = case.draw("place", st.integers(0, len(users)))
    try:
        on.system.recommend([*users[:place], stranger, *users[place:]])
    except UnknownUserError as error:
        demand(repr(stranger) in str(error), f"the refusal does not name the user: {error}")
    else:
        demand(False, f"a batch with the user {stranger!r} was answered")


@ranking
def an_unknown_item_is_refused(on: Subject, case: Case) -> None:
    """A rule that names no item is one that does not work, and nobody hears of it."""
    user, stranger = on.user(case), ("no", "item", "has", "this", "id")
    name = case.draw("rule", st.sampled_from(["exclude", "only"]))
    try:
        on.top(user, 1, **{name: [stranger]})
    except UnknownItemError as error:
        demand(repr(stranger) in str(error), f"the refusal does not name the item: {error}")
    else:
        demand(False, f"{name} with the item {stranger!r} was answered")


@ranking
def a_k_below_one_is_refused(on: Subject, case: Case) -> None:
    """No list has fewer than no items; what asks for it is a fault to be told of."""
    user, k = on.user(case), case.draw("k", st.integers(-3, 0))
    try:
        on.top(user, k)
    except ArgumentError:
        return
    demand(False, f"k = {k} was answered")


def digest(dataset: Dataset) -> str:
    """Tell whether any array of a data set has changed by a single bit."""
    found, waiting = hashlib.sha256(), [object(), dataset]
    while waiting:
        part = waiting.pop()
        if isinstance(part, np.ndarray):
            found.update(part.tobytes())
        elif is_dataclass(part):
            waiting += [getattr(part, each.name) for each in fields(part)]
    return found.hexdigest()
