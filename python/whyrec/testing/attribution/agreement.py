"""What holds of reasons whatever else is asked, and however it is asked."""

import json
from collections.abc import Hashable
from concurrent.futures import ThreadPoolExecutor

from hypothesis import strategies as st

from whyrec.errors import ArgumentError
from whyrec.testing.invariant import Case, apply_only, attribution, demand, demand_same
from whyrec.testing.subject import Subject
from whyrec.testing.system import Answer, Explained, Explanation

_K = 4
_THREADS = 8


def said(answer: Answer | Explanation) -> str:
    """Return all that an answer says, but for its own name and time."""
    content = json.loads(answer.to_json())
    for name in ("request_id", "created_at"):
        content.pop(name, None)
    return json.dumps(content)


@attribution
def explain_and_recommend_with_reasons_agree(on: Subject, case: Case) -> None:
    """Who asks why of an item in the list must hear the reasons that stood beside it."""
    user = on.user(case)
    for each in on.told(user, on.k(case, _K)):
        asked = on.system.explain(user, each.item_id)
        demand_same(asked.score, each.score, f"asked alone, the score of {each.item_id!r} is")
        _demand_same_parts(asked, each, "asked alone")


@attribution
def reasons_asked_again_are_the_same(on: Subject, case: Case) -> None:
    """A reason that is another one on reload is taken for made up, and rightly."""
    user, k = on.user(case), on.k(case, _K)
    first = said(on.told(user, k))
    demand_same(said(on.told(user, k)), first, "asked again, the answer is")


@attribution
def reasons_of_a_batch_are_those_of_each_alone(on: Subject, case: Case) -> None:
    """Reasons made overnight must be those that the page would make."""
    users, k = on.several(case, 4), on.k(case, _K)
    answers = on.system.recommend_with_reasons(users, k, max_reasons=None)
    for user, answer in zip(users, answers, strict=True):
        demand_same(said(answer), said(on.told(user, k)), f"in a batch, of {user!r}")


@attribution
def the_order_of_users_changes_no_reason(on: Subject, case: Case) -> None:
    """Each user must get the reasons that are theirs, wherever they stand in the batch."""
    users, k = on.several(case, 4), on.k(case, _K)
    turned = case.draw("turned", st.permutations(users))
    expected = {
        user: said(answer)
        for user, answer in zip(users, on.system.recommend_with_reasons(users, k), strict=True)
    }
    for user, answer in zip(turned, on.system.recommend_with_reasons(turned, k), strict=True):
        demand_same(said(answer), expected[user], f"in another order, of {user!r}")


@attribution
def threads_give_the_same_reasons(on: Subject, case: Case) -> None:
    """Servers answer several people at once, and must not mix their reasons."""
    users, k = on.several(case, 3), on.k(case, 2)
    expected = [said(on.told(user, k)) for user in users]
    with ThreadPoolExecutor(_THREADS) as pool:
        found = list(pool.map(lambda user: said(on.told(user, k)), users * 3))
    demand_same(found, expected * 3, "of several threads, the answers are")


@attribution
def the_number_of_items_changes_no_reason(on: Subject, case: Case) -> None:
    """Why an item scores as it does has nothing to do with how many others are shown."""
    user, k, more = on.user(case), on.k(case, 3), case.draw("more", st.integers(1, 3))
    apply_only(on.n_ranked is None or k + more <= on.n_ranked, "a second stage ranks fewer items")
    longer = on.told(user, k + more)
    for short, long in zip(on.told(user, k), longer, strict=False):
        demand_same(short.item_id, long.item_id, "the item is")
        _demand_same_parts(long, short, "in a longer list")


@attribution
def rules_change_no_reason(on: Subject, case: Case) -> None:
    """Reasons describe the model's score; filters are told of otherwise."""
    user, exclude = on.user(case), on.some_items(case, "exclude")
    for each in on.told(user, 3, exclude=exclude, include_seen=True):
        _demand_same_parts(on.system.explain(user, each.item_id), each, "without the rules")


@attribution
def interactions_change_no_contribution(on: Subject, case: Case) -> None:
    """Telling which feature an event goes with is more words, not other numbers."""
    user, k = on.user(case), on.k(case, 2)
    try:
        answer = on.told(user, k, interactions=True)
    except ArgumentError as error:
        apply_only(False, str(error))
    for told, plain in zip(answer, on.told(user, k), strict=True):
        _demand_same_parts(told, plain, "with interactions")


@attribution
def what_was_explained_before_changes_nothing(on: Subject, case: Case) -> None:
    """Attributions that are kept under too little of their question come back to another one."""
    user, other = on.user(case), on.user(case, "other")
    item, second = on.item(case), on.item(case, "second")
    asked: list[tuple[Hashable, Hashable]] = [(user, item), (user, second), (other, item)]
    there = [said(on.system.explain(*each)) for each in asked]
    back = [said(on.system.explain(*each)) for each in reversed(asked)]
    demand_same(back[::-1], there, "asked in another order, the explanations are")


@attribution
def what_was_saved_explains_to_the_same_bits(on: Subject, case: Case) -> None:
    """The explainer that was measured must be the one that is served."""
    user, k = on.user(case), on.k(case, _K)
    found = said(on.loaded.recommend_with_reasons(user, k, max_reasons=None))
    demand_same(found, said(on.told(user, k)), "saved and loaded, the answer is")


def _demand_same_parts(found: Explained, expected: Explained, how: str) -> None:
    """Demand the same base value, reasons and gap, to the bit."""
    item = expected.item_id
    demand_same(found.base_value, expected.base_value, f"{how}, the base value of {item!r} is")
    one, other = (
        [(reason.players, reason.contribution) for reason in each.reasons]
        for each in (found, expected)
    )
    demand_same(one, other, f"{how}, players and contributions of {item!r} are")
    gaps = [each.efficiency_gap or 0.0 for each in (found, expected)]
    demand(abs(gaps[0] - gaps[1]) <= 1e-9, f"{how}, the gaps of {item!r} are {gaps}")
