"""What holds of the lists of items that must not come, or alone may."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import partial

from hypothesis import strategies as st

from whyrec.testing.invariant import Case, apply_only, demand, demand_same, ranking
from whyrec.testing.subject import Entry, Subject, ids


@ranking
def what_is_excluded_never_comes(on: Subject, case: Case) -> None:
    """What an application rules out is sold out, forbidden or offensive."""
    user, k, exclude = on.user(case), on.k(case), on.some_items(case, "exclude", least=1)
    found = {*exclude} & {*ids(on.top(user, k, exclude=exclude))}
    demand(not found, f"excluded, and there: {sorted(map(repr, found))}")


@ranking
def what_is_excluded_never_comes_with_reasons(on: Subject, case: Case) -> None:
    """Both calls must obey the same rules, or the one with reasons shows what is forbidden."""
    user, exclude = on.user(case), on.some_items(case, "exclude", least=1)
    k = on.k(case, 5)
    answer = on.system.recommend_with_reasons(user, k, exclude=exclude)
    found = {*exclude} & {each.item_id for each in answer}
    demand(not found, f"excluded, and there: {sorted(map(repr, found))}")


@ranking
def an_exclusion_holds_for_every_user_of_a_batch(on: Subject, case: Case) -> None:
    """A rule that reaches the first user alone is found by the second."""
    users, k, exclude = on.several(case), on.k(case), on.some_items(case, "exclude", least=1)
    for user, answer in zip(users, on.system.recommend(users, k, exclude=exclude), strict=True):
        found = {*exclude} & {each.item_id for each in answer}
        demand(not found, f"excluded, and there for {user!r}: {sorted(map(repr, found))}")


@ranking
def an_exclusion_takes_nothing_else_away(on: Subject, case: Case) -> None:
    """The next best must move up unchanged; what else a filter loses nobody notices."""
    user, exclude = on.user(case), on.some_items(case, "exclude")
    kept = [each for each in on.every_item(user) if each[0] not in exclude]
    demand_same(on.every_item(user, exclude=exclude), kept, "the list without them is")


@ranking
def excluding_what_is_not_in_the_answer_changes_nothing(on: Subject, case: Case) -> None:
    """An answer must not depend on items that are not in it."""
    user, k = on.user(case), on.k(case)
    most = on.n_ranked
    apply_only(most is None, "a second stage sees items that are not in the answer")
    found = on.top(user, k)
    exclude = [item for item in on.some_items(case, "exclude") if item not in ids(found)]
    demand_same(on.top(user, k, exclude=exclude), found, "the list is")


@ranking
def only_what_is_allowed_comes(on: Subject, case: Case) -> None:
    """An allow-list is what a shop has in stock, or what may be shown to a child."""
    user, k, only = on.user(case), on.k(case), on.some_items(case, "only")
    found = {*ids(on.top(user, k, only=only, include_seen=True))} - {*only}
    demand(not found, f"not allowed, and there: {sorted(map(repr, found))}")


@ranking
def all_that_is_allowed_comes_in_its_order(on: Subject, case: Case) -> None:
    """Filtering before ranking and after it must give the same list."""
    user, only = on.user(case), on.some_items(case, "only")
    kept = [each for each in on.every_item(user) if each[0] in only]
    demand_same(on.every_item(user, only=only), kept, "the list of those is")


@ranking
def a_candidate_more_changes_the_order_of_no_other(on: Subject, case: Case) -> None:
    """A new item may push others down, but never past each other."""
    user, only = on.user(case), on.some_items(case, "only", least=2)
    *fewer, added = only
    with_it = [each for each in on.every_item(user, only=only) if each[0] != added]
    demand_same(with_it, on.every_item(user, only=fewer), f"beside {added!r}, the others are")


@ranking
def an_exclusion_beats_an_allowance(on: Subject, case: Case) -> None:
    """Where two rules meet, what is forbidden must stay forbidden."""
    user, only, exclude = (
        on.user(case),
        on.some_items(case, "only"),
        on.some_items(case, "exclude"),
    )
    expected = {*only} - {*exclude}
    found = {*ids(on.every_item(user, only=only, exclude=exclude))}
    demand_same(found, expected, "allowed and not excluded are")


@ranking
def nothing_allowed_gives_an_empty_answer(on: Subject, case: Case) -> None:
    """An empty allow-list means that nothing may come, not that there is no rule."""
    user, k = on.user(case), on.k(case)
    demand_same(on.top(user, k, only=[]), [], "with an empty allow-list, the list is")


@ranking
def everything_excluded_gives_an_empty_answer(on: Subject, case: Case) -> None:
    """Absence is a shorter list, never an error nor an item that is forbidden."""
    user, k = on.user(case), on.k(case)
    found = on.top(user, k, only=on.items, exclude=on.items)
    demand_same(found, [], "with everything excluded, the list is")


@ranking
def the_order_of_an_exclusion_list_says_nothing(on: Subject, case: Case) -> None:
    """Lists of ids come from sets and databases, in any order."""
    ask, items = _listed(on, case, "exclude")
    turned = case.draw("turned", st.permutations(items))
    demand_same(ask(exclude=turned), ask(exclude=items), "with the list in another order, it is")


@ranking
def the_order_of_an_allow_list_says_nothing(on: Subject, case: Case) -> None:
    """Candidates come from another system in any order; it is the scores that rank them."""
    ask, items = _listed(on, case, "only")
    turned = case.draw("turned", st.permutations(items))
    demand_same(ask(only=turned), ask(only=items), "with the list in another order, it is")


@ranking
def an_id_twice_in_a_list_counts_once(on: Subject, case: Case) -> None:
    """Lists that are joined name an item twice; that must neither fail nor fill two slots."""
    ask, items = _listed(on, case, "items")
    demand_same(ask(exclude=items * 2), ask(exclude=items), "with exclusions twice, the list is")
    demand_same(ask(only=items * 2), ask(only=items), "with allowances twice, the list is")


@ranking
def ids_may_come_in_any_iterable(on: Subject, case: Case) -> None:
    """A generator that is read twice is empty the second time, and the rule is gone."""
    ask, items = _listed(on, case, "items")
    kinds: dict[str, Callable[[], Iterable[Hashable]]] = {
        "a tuple": lambda: tuple(items),
        "the keys of a dict": lambda: dict.fromkeys(items),
        "a generator": lambda: (item for item in items),
    }
    for kind, made in kinds.items():
        demand_same(ask(exclude=made()), ask(exclude=items), f"with exclusions as {kind}, it is")
        demand_same(ask(only=made()), ask(only=items), f"with allowances as {kind}, it is")


@ranking
def arguments_are_left_as_they_were(on: Subject, case: Case) -> None:
    """A list that a call changes is another list in the caller's next call."""
    users, k = on.several(case), on.k(case)
    exclude, only = on.some_items(case, "exclude"), on.some_items(case, "only")
    given = [[*each] for each in (users, exclude, only)]
    on.system.recommend(users, k, exclude=exclude, only=only)
    demand_same([users, exclude, only], given, "after the call, the arguments are")


@ranking
def shards_merge_to_the_whole(on: Subject, case: Case) -> None:
    """A catalog that is spread over servers must rank as one, ties and all."""
    user, k = on.user(case), on.k(case)
    apply_only(on.n_ranked is None, "a second stage scores a part of each shard only")
    whole = [*on.some_items(case, "items", least=1)]
    cut = case.draw("cut", st.integers(0, len(whole)))
    shards = [on.top(user, k, only=part, include_seen=True) for part in (whole[:cut], whole[cut:])]
    merged = sorted(shards[0] + shards[1], key=partial(_by_score, on))[:k]
    demand_same(merged, on.top(user, k, only=whole, include_seen=True), "merged, the list is")


def _listed(
    on: Subject, case: Case, name: str
) -> tuple[Callable[..., Sequence[Entry]], list[Hashable]]:
    """Return what asks for a user's whole list under some rules, and items for these."""
    return partial(on.every_item, on.user(case)), on.some_items(case, name)


def _by_score(on: Subject, entry: Entry) -> tuple[float, int]:
    item, score = entry
    return -score, on.dataset.items.index_of(item)
