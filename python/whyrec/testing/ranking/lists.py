"""What holds of one list for one user."""

import math
from itertools import pairwise

from hypothesis import strategies as st

from whyrec.testing.invariant import Case, apply_only, demand, demand_same, ranking
from whyrec.testing.subject import Subject, ids


@ranking
def the_best_come_first(on: Subject, case: Case) -> None:
    """Readers look at the first item first, so no item may score more than one above it."""
    found = on.top(on.user(case), on.k(case))
    for (item, score), (after, more) in pairwise(found):
        demand(score >= more, f"{item!r} with {score} stands above {after!r} with {more}")


@ranking
def ranks_count_from_one(on: Subject, case: Case) -> None:
    """Positions are logged and paid for, so they have to be those of the list."""
    answer = on.system.recommend(on.user(case), on.k(case))
    found = [each.rank for each in answer]
    demand_same(found, list(range(1, len(answer) + 1)), "the ranks are")


@ranking
def equal_scores_go_by_the_order_of_the_catalog(on: Subject, case: Case) -> None:
    """Without a rule for ties, two servers or two runs show the same person different lists."""
    found = on.every_item(on.user(case))
    place = on.dataset.items.index_of
    ties = [(one, other) for (one, score), (other, same) in pairwise(found) if score == same]
    apply_only(len(ties) > 0, "no two items score the same for a user who was drawn")
    for one, other in ties:
        demand(place(one) < place(other), f"{one!r} and {other!r} tie, and the later comes first")


@ranking
def a_smaller_k_is_a_prefix(on: Subject, case: Case) -> None:
    """Who pages through an answer must neither meet an item twice nor miss one."""
    most = len(on.items) + 2 if on.n_ranked is None else on.n_ranked
    user = on.user(case)
    few = case.draw("few", st.integers(1, min(most, 5)))
    many = case.draw("many", st.integers(few, min(most, 60)))
    longer = on.top(user, many)
    demand_same(on.top(user, few), longer[:few], f"the best {few} of {many} are")


@ranking
def as_many_as_asked_for_or_all_there_are(on: Subject, case: Case) -> None:
    """A slot that stays empty while an item is left is lost, and padding shows what is no item."""
    user, k = on.user(case), on.k(case)
    n_left = on.dataset.n_items - len(on.seen(user))
    demand_same(len(on.top(user, k)), min(k, n_left), "the number of items is")


@ranking
def a_k_beyond_the_catalog_gives_every_item_once(on: Subject, case: Case) -> None:
    """Every item must be reachable, or it can never be recommended to anybody."""
    user, beyond = on.user(case), case.draw("beyond", st.integers(1, 5))
    found = ids(on.top(user, len(on.items) + beyond, only=on.items, include_seen=True))
    demand_same(sorted(map(repr, found)), sorted(map(repr, on.items)), "the items are")


@ranking
def no_item_comes_twice(on: Subject, case: Case) -> None:
    """A second slot for the same item is a slot that is wasted."""
    found = ids(on.top(on.user(case), on.k(case)))
    twice = [item for item in set(found) if found.count(item) > 1]
    demand(not twice, f"more than once in the list: {twice}")


@ranking
def every_item_is_one_of_the_catalog(on: Subject, case: Case) -> None:
    """An id that the catalog does not have, or has in another type, cannot be looked up."""
    known = on.dataset.items
    for item in ids(on.top(on.user(case), on.k(case))):
        demand(item in known, f"{item!r} is no item")
        own = known[known.index_of(item)]
        demand_same(type(item), type(own), f"the type of the id {item!r} is")


@ranking
def scores_are_finite(on: Subject, case: Case) -> None:
    """What is not finite has no order, so what stands around it is arbitrary."""
    for item, score in on.every_item(on.user(case)):
        demand(math.isfinite(score), f"{item!r} scores {score}")


@ranking
def what_was_seen_does_not_come(on: Subject, case: Case) -> None:
    """Nobody wants to be told what they have already, unless the application asks for it."""
    user = on.active_user(case)
    found = on.seen(user) & set(ids(on.top(user, on.k(case))))
    demand(not found, f"of the user's own history: {sorted(map(repr, found))}")


@ranking
def what_was_seen_only_joins_the_others(on: Subject, case: Case) -> None:
    """Letting seen items in is a filter; it must not score or order the others anew."""
    user = on.active_user(case)
    seen = on.seen(user)
    others = [each for each in on.every_item(user) if each[0] not in seen]
    demand_same(on.whole(user), others, "without what was seen, the list is")


@ranking
def an_item_scores_the_same_in_every_list(on: Subject, case: Case) -> None:
    """A score that moves with k or with the filters cannot be compared, logged or thresholded."""
    user, k, only = on.user(case), on.k(case), on.some_items(case, "only")
    scores = dict(on.every_item(user))
    for item, score in on.top(user, k) + on.top(user, k, only=only, include_seen=True):
        if item in scores:
            demand_same(score, scores[item], f"the score of {item!r} is")


@ranking
def what_scores_more_stands_above(on: Subject, case: Case) -> None:
    """The list must be that of the scores: what is left out may not beat what is in it."""
    user, k = on.user(case), on.k(case)
    apply_only(on.n_ranked is None or k >= on.dataset.n_items, "a second stage scores a part only")
    found, seen = on.top(user, k), on.seen(user)
    apply_only(len(found) > 0, "nothing is left to recommend")
    (worst, least), there = found[-1], {item for item, _ in found} | seen
    left = [item for item in on.items if item not in there]
    other = on.one_of(case, "left_out", left, "item left out of the list")
    score = on.system.explain(user, other).score
    demand(score <= least, f"{other!r} scores {score} and is left out, {worst!r} {least}")
