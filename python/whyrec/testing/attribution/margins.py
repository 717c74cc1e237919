"""What holds where an item is held against others."""

import math
from collections.abc import Hashable

import numpy as np
from hypothesis import strategies as st

from whyrec.testing.attribution.sums import ROUNDING
from whyrec.testing.invariant import Case, apply_only, attribution, demand, demand_same
from whyrec.testing.subject import Subject, one_pair, scale_of

_SINGLE = 1e-5
"""How far numbers that were float32 on their way may be apart, over the larger of 1 and them."""


@attribution
def the_parts_of_a_margin_add_up(on: Subject, case: Case) -> None:
    """Why this rather than that is asked of the difference, so it is that which has to add up."""
    user, item, others = _asked(on, case)
    each = on.system.explain(user, item, against=others)
    demand(each.margin is not None, "there is no margin")
    numbers = [each.base_value or 0.0, each.efficiency_gap or 0.0]
    numbers += [reason.contribution for reason in each.reasons]
    total, margin = math.fsum(numbers), each.margin or 0.0
    close = abs(total - margin) <= ROUNDING * scale_of(margin, *numbers)
    demand(close, f"the parts add up to {total}, not {margin}")


@attribution
def the_parts_of_a_recommended_margin_add_up(on: Subject, case: Case) -> None:
    """A list can be held against the next best, and then tells why each item stands above them."""
    user, k, n_rivals = on.user(case), on.k(case, 3), case.draw("against", st.integers(1, 3))
    apply_only(len(on.top(user, k + 1)) > k, "nothing is left to hold the list against")
    for each in on.told(user, k, against=n_rivals):
        demand(each.margin is not None, f"{each.item_id!r} has no margin")
        numbers = [each.base_value or 0.0, each.efficiency_gap or 0.0]
        numbers += [reason.contribution for reason in each.reasons]
        total, margin = math.fsum(numbers), each.margin or 0.0
        close = abs(total - margin) <= ROUNDING * scale_of(margin, *numbers)
        demand(close, f"of {each.item_id!r} the parts add up to {total}, not {margin}")


@attribution
def a_margin_is_the_score_less_the_mean_of_the_others(on: Subject, case: Case) -> None:
    """It must be possible to check by the scores that are shown."""
    user, item, others = _asked(on, case)
    scores = [on.system.explain(user, each).score for each in others]
    found = on.system.explain(user, item, against=others)
    expected = found.score - math.fsum(scores) / len(scores)
    close = abs((found.margin or 0.0) - expected) <= _SINGLE * scale_of(found.score, *scores)
    demand(close, f"the margin is {found.margin}, not {expected}")


@attribution
def held_against_each_other_two_items_mirror(on: Subject, case: Case) -> None:
    """If this scores more than that by so much, that scores less by as much."""
    user, item, (other, *_) = _asked(on, case)
    there = on.system.explain(user, item, against=[other]).margin or 0.0
    back = on.system.explain(user, other, against=[item]).margin or 0.0
    demand(abs(there + back) <= _SINGLE * scale_of(there), f"the margins are {there} and {back}")


@attribution
def the_items_held_against_are_those_asked_for(on: Subject, case: Case) -> None:
    """A comparison must say what it compares with."""
    user, item, others = _asked(on, case)
    found = on.system.explain(user, item, against=others).against
    demand_same(sorted(map(repr, found)), sorted(map(repr, others)), "held against are")


@attribution
def the_order_of_the_others_says_nothing(on: Subject, case: Case) -> None:
    """A mean does not depend on the order of what is averaged."""
    user, item, others = _asked(on, case)
    turned = case.draw("turned", st.permutations(others))
    one, two = (on.system.explain(user, item, against=each) for each in (others, turned))
    scale = scale_of(one.margin, *(reason.contribution for reason in one.reasons))
    close = abs((one.margin or 0.0) - (two.margin or 0.0)) <= _SINGLE * scale
    demand(close, f"in another order, the margin is {two.margin}, not {one.margin}")


@attribution
def contributions_to_a_margin_are_differences(on: Subject, case: Case) -> None:
    """Shapley values are additive over games: a player is worth the difference of its worths."""
    # Features of the other are no players of the margin, so it may have none.
    bare = np.flatnonzero(np.diff(on.dataset.item_features.offsets) == 0).tolist()
    other = on.dataset.items[on.one_of(case, "other_index", bare, "item without features")]
    user, item = on.user(case), on.item(case)
    apply_only(item != other, "an item is not held against itself")
    history = on.dataset.histories(np.array([on.dataset.users.index_of(user)]))
    for each in (item, other):
        found = on.attributed(history, one_pair(on.dataset.items.index_of(each)))
        exact = found.tier in ("closed form", "shapley") and not np.any(found.standard_errors)
        apply_only(exact, f"the tier {found.tier} estimates; it need not be additive")
    own, theirs, between = (
        {
            reason.players: reason.contribution
            for reason in on.system.explain(user, each, against=against).reasons
            if reason.kind in ("history", "user_attribute")
        }
        for each, against in ((item, None), (other, None), (item, [other]))
    )
    for players, contribution in between.items():
        expected = own.get(players, 0.0) - theirs.get(players, 0.0)
        close = abs(contribution - expected) <= 1e-4 * scale_of(*own.values(), *theirs.values())
        demand(close, f"players {players} contribute {contribution} to the margin, not {expected}")


def _asked(on: Subject, case: Case) -> tuple[Hashable, Hashable, list[Hashable]]:
    """Draw a user, an item and others to hold it against."""
    user = on.user(case)
    item, *others = on.some_items(case, "items", least=2)
    return user, item, others[:4]
