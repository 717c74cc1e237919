"""What holds of the contributions that the explainer gives to the players of a game."""

import numpy as np
from hypothesis import strategies as st

from whyrec.data.features import Features
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.explain.attribution import Attributions
from whyrec.testing.invariant import Case, apply_only, attribution, demand, demand_same
from whyrec.testing.subject import Subject, one_pair, scale_of
from whyrec.types import Float64Array, Int64Array

_SINGLE = 1e-4
"""How far numbers that were float32 on their way may be apart, over the larger of 1 and them."""

_ERRORS = 10
"""Standard errors that a contribution may be off: of few samples, they are unsure themselves."""


@attribution
def contributions_and_base_value_are_the_score(on: Subject, case: Case) -> None:
    """Efficiency: what the players are worth together must be shared out, all of it."""
    found = on.attributed(*on.games(case))
    scale = scale_of(*found.full_values.tolist(), *found.contributions.tolist())
    gaps = found.efficiency_gaps()
    demand(bool((np.abs(gaps) <= 1e-5 * scale).all()), f"the gaps are {gaps.tolist()}")


@attribution
def the_full_values_are_those_given(on: Subject, case: Case) -> None:
    """The score is the ranking's to say; an explainer may not explain another one."""
    histories, pairs = on.games(case)
    given = on.scores(histories, pairs)
    found = on.system.explainer.explain(histories, pairs, given.copy()).full_values
    demand_same(found.tolist(), given.tolist(), "the full values are")


@attribution
def the_base_value_is_the_value_of_nobody(on: Subject, case: Case) -> None:
    """A gap can be hidden in the base value; there the recommender can be asked."""
    histories, pairs = on.games(case)
    found = on.attributed(histories, pairs)
    nobody = [np.zeros((1, n), bool) for n in found.players.counts().tolist()]
    expected = on.values(histories, pairs, nobody)
    close = np.abs(found.base_values - expected) <= _SINGLE * scale_of(*expected.tolist())
    demand(bool(close.all()), f"they are {found.base_values.tolist()}, not {expected.tolist()}")


@attribution
def the_players_are_those_of_the_pair_in_their_order(on: Subject, case: Case) -> None:
    """A contribution at another player's place is told as that player's."""
    histories, pairs = on.games(case)
    found, expected = on.attributed(histories, pairs).players, on.players(histories, pairs)
    for name in ("offsets", "kinds", "sources"):
        one, other = (getattr(each, name).tolist() for each in (found, expected))
        demand_same(one, other, f"the {name} of the players are")


@attribution
def a_batch_of_pairs_is_explained_one_by_one(on: Subject, case: Case) -> None:
    """Padding, caches and shared draws leak from one explanation into another."""
    histories, pairs = on.games(case)
    found = on.attributed(histories, pairs)
    for pair, (row, item) in enumerate(zip(pairs.rows.tolist(), pairs.items, strict=True)):
        alone = on.attributed(histories.take(np.array([row])), one_pair(int(item)))
        _demand_same_bits(alone, 0, found, pair, "alone")


@attribution
def the_order_of_pairs_changes_no_contribution(on: Subject, case: Case) -> None:
    """Pairs come in the order of the lists, which says nothing about why."""
    histories, pairs = on.games(case)
    order = case.draw("order", st.permutations(range(len(pairs))))
    found = on.attributed(histories, pairs)
    turned = on.attributed(histories, pairs.take(np.array(order)))
    for place, pair in enumerate(order):
        _demand_same_bits(turned, place, found, pair, "in another order")


@attribution
def the_order_of_rows_changes_no_contribution(on: Subject, case: Case) -> None:
    """Who stands where in a batch says nothing about them."""
    histories, pairs = on.games(case)
    order = np.array(case.draw("order", st.permutations(range(len(histories)))))
    moved = Pairs(np.argsort(order)[pairs.rows].astype(np.int32), pairs.items)
    found, turned = on.attributed(histories, pairs), on.attributed(histories.take(order), moved)
    for pair in range(len(pairs)):
        _demand_same_bits(turned, pair, found, pair, "with the rows in another order")


@attribution
def a_pair_twice_is_explained_twice_alike(on: Subject, case: Case) -> None:
    """An item in two carousels of a page must have the same reasons in both."""
    histories, pairs = on.games(case)
    twice = pairs.take(np.arange(2 * len(pairs)) % len(pairs))
    found = on.attributed(histories, twice)
    for pair in range(len(pairs)):
        _demand_same_bits(found, len(pairs) + pair, found, pair, "the second time")


@attribution
def contributions_asked_again_are_the_same(on: Subject, case: Case) -> None:
    """The same seed gives the same bits, or nothing that was measured holds tomorrow."""
    histories, pairs = on.games(case)
    first, again = (on.attributed(histories, pairs) for _ in range(2))
    for pair in range(len(pairs)):
        _demand_same_bits(again, pair, first, pair, "asked again")


@attribution
def a_player_who_does_nothing_gets_nothing(on: Subject, case: Case) -> None:
    """The null player: credit for what has no effect is made up."""
    histories, pair = on.game(case)
    coalitions, values = on.every_value(histories, pair)
    worths = values.reshape((2,) * coalitions.shape[1])
    rounding = 1e-6 * scale_of(*values.tolist())
    # The first player is the lowest bit, and so the last axis.
    idle = [
        player
        for player, axis in enumerate(reversed(range(worths.ndim)))
        if np.abs(np.diff(worths, axis=axis)).max(initial=0) <= rounding / 10
    ]
    apply_only(
        0 < len(idle) < worths.ndim and bool(np.ptp(values) > 0.001),
        "every player in the games drawn does something, or none does",
    )
    contributions = on.attributed(histories, pair).contributions
    for player in idle:
        paid = abs(contributions[player]) <= _SINGLE * scale_of(*values.tolist())
        demand(paid, f"player {player} does nothing and gets {contributions[player]}")


@attribution
def two_players_alike_get_the_same(on: Subject, case: Case) -> None:
    """Symmetry: two events that do the same in every coalition deserve the same."""
    histories, pair = on.game(case, least_events=1)
    again = with_events(histories, np.append(np.arange(len(histories.items)), -1))
    last = len(again.items) - 1
    coalitions, values = on.every_value(again, pair)
    numbers = np.arange(len(coalitions))
    # Those with one of the two, and the same with the other in its place.
    one = numbers[coalitions[:, last] & ~coalitions[:, last - 1]]
    other = one ^ (1 << last) ^ (1 << (last - 1))
    alike = np.abs(values[one] - values[other]).max() <= 1e-5 * scale_of(*values.tolist())
    apply_only(bool(alike), "the recommender tells an event from its repetition")
    found = on.attributed(again, pair)
    contributions = found.contributions[last - 1 : last + 1]
    apart = abs(contributions[0] - contributions[1])
    close = apart <= _allowed(found, last) + _allowed(found, last - 1)
    demand(close, f"two events alike get {contributions.tolist()}")


@attribution
def the_order_of_players_says_nothing(on: Subject, case: Case) -> None:
    """Anonymity: where the recommender sees no order, neither may the explainer."""
    histories, pair = on.game(case, least_events=2)
    n_events = len(histories.items)
    order = np.array(case.draw("order", st.permutations(range(n_events))))
    moved = with_events(histories, order)
    coalitions, values = on.every_value(histories, pair)
    after = np.append(order, np.arange(n_events, coalitions.shape[1]))
    theirs = on.values(moved, pair, [coalitions[:, after]])
    scale = scale_of(*values.tolist())
    same = bool((np.abs(values - theirs) <= 1e-5 * scale).all())
    apply_only(same, "the recommender sees the order of events")
    found, turned = on.attributed(histories, pair), on.attributed(moved, pair)
    for place, player in enumerate(after.tolist()):
        apart = abs(turned.contributions[place] - found.contributions[player])
        close = apart <= _allowed(found, player) + _allowed(turned, place)
        demand(
            bool(close),
            f"player {player} gets {found.contributions[player]}, and "
            f"{turned.contributions[place]} at place {place}",
        )


@attribution
def of_one_player_the_contribution_is_its_whole_effect(on: Subject, case: Case) -> None:
    """With one player there is nothing to share out, so any explainer must be exact."""
    histories, pair = on.game(case)
    bare = np.flatnonzero(np.diff(on.dataset.item_features.offsets) == 0).tolist()
    if bare:
        pair = one_pair(case.draw("bare", st.sampled_from(bare)))
    alone = with_events(histories, np.arange(len(histories.items))[-1:])
    alone = Histories(
        alone.offsets,
        alone.items,
        alone.kinds,
        alone.values,
        alone.ages,
        Features.none(1, alone.attributes.schema),
    )
    found = on.attributed(alone, pair)
    apply_only(len(found.contributions) == 1, "every pair drawn has more players, or none")
    effect = float(found.full_values[0] - on.values(alone, pair, [np.zeros((1, 1), bool)])[0])
    contribution = float(found.contributions[0])
    close = abs(contribution - effect) <= _SINGLE * scale_of(*found.full_values.tolist())
    demand(close, f"it is {contribution}, not {effect}")


@attribution
def a_pair_without_players_is_all_base_value(on: Subject, case: Case) -> None:
    """Where nobody is there to be credited, nothing may be shared out nor lost."""
    bare = np.flatnonzero(np.diff(on.dataset.item_features.offsets) == 0).tolist()
    item = on.one_of(case, "item_index", bare, "item without features")
    found = on.attributed(on.dataset.visitor([], {}), one_pair(item))
    demand_same(found.contributions.tolist(), [], "the contributions are")
    base, full = found.base_values[0], found.full_values[0]
    demand(abs(base - full) <= _SINGLE * scale_of(full), f"the base value is {base}, not {full}")


@attribution
def no_pairs_have_no_contributions(on: Subject, case: Case) -> None:
    """A user for whom nothing is left to recommend has nothing to explain."""
    histories, _ = on.games(case)
    nothing = np.zeros(0, np.int32)
    found = on.attributed(histories, Pairs(nothing, nothing))
    shapes = (found.contributions.shape, found.base_values.shape, found.full_values.shape)
    demand_same(shapes, ((0,), (0,), (0,)), "the shapes are")


@attribution
def contributions_are_finite_float64(on: Subject, case: Case) -> None:
    """They are summed in thousands, and have to add up afterwards."""
    found = on.attributed(*on.games(case))
    for name in ("contributions", "base_values", "full_values"):
        numbers: Float64Array = getattr(found, name)
        demand_same(str(numbers.dtype), "float64", f"the {name} are of type")
        demand(bool(np.isfinite(numbers).all()), f"the {name} are {numbers.tolist()}")


@attribution
def a_standard_error_is_no_less_than_nothing(on: Subject, case: Case) -> None:
    """An estimate that does not say how far it may be off cannot be told from the truth."""
    found = on.attributed(*on.games(case))
    errors = found.standard_errors
    apply_only(errors is not None, "the explainer states no standard errors")
    assert errors is not None
    demand_same(errors.shape, found.contributions.shape, "the errors have the shape")
    demand(bool((errors >= 0).all()), f"the errors are {errors.tolist()}")


@attribution
def explaining_changes_no_argument(on: Subject, case: Case) -> None:
    """Arrays that are written into are others in the caller's next call."""
    histories, pairs = on.games(case)
    scores = on.scores(histories, pairs)
    given = (histories.items, histories.values, histories.ages, pairs.rows, pairs.items, scores)
    before = [each.tobytes() for each in given]
    on.system.explainer.explain(histories, pairs, scores)
    demand([each.tobytes() for each in given] == before, "after the call, an argument is another")


def with_events(histories: Histories, positions: Int64Array) -> Histories:
    """Return one row with its events at some positions, which may come again or be left out."""
    return Histories(
        np.array([0, len(positions)], np.int64),
        histories.items[positions],
        histories.kinds[positions],
        histories.values[positions],
        histories.ages[positions],
        histories.attributes,
    )


def _allowed(found: Attributions, player: int) -> float:
    """Return how far a contribution may be off."""
    scale = scale_of(*found.full_values.tolist(), *found.contributions.tolist())
    errors = found.standard_errors
    return _SINGLE * scale + (0.0 if errors is None else _ERRORS * float(errors[player]))


def _demand_same_bits(
    found: Attributions, at: int, expected: Attributions, pair: int, how: str
) -> None:
    """Demand the same contributions and base value of a pair in two batches, to the bit."""
    one, other = found.contributions[found.of(at)], expected.contributions[expected.of(pair)]
    demand_same(one.tolist(), other.tolist(), f"{how}, the contributions of pair {pair} are")
    values = [float(each.base_values[n]) for each, n in ((found, at), (expected, pair))]
    demand_same(values[0], values[1], f"{how}, the base value of pair {pair} is")
