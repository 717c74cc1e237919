"""What holds of the games that are explained: of what coalitions of players are worth."""

import numpy as np
from hypothesis import strategies as st

from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.testing.invariant import Case, apply_only, attribution, demand
from whyrec.testing.strategies import people
from whyrec.testing.subject import Subject, one_pair, scale_of
from whyrec.types import BoolArray, Float64Array

_SINGLE = 1e-4
"""How far values that were float32 on their way may be apart, over the larger of 1 and them."""

_N_COALITIONS = 6


@attribution
def the_value_of_everybody_is_the_score(on: Subject, case: Case) -> None:
    """What is explained must be the score that ranked the item."""
    histories, pairs = on.games(case)
    everybody = [np.ones((1, n), bool) for n in _counts(on, histories, pairs)]
    _demand_close(on.values(histories, pairs, everybody), on.scores(histories, pairs), "v(all)")


@attribution
def the_value_of_nobody_is_that_of_the_item_alone(on: Subject, case: Case) -> None:
    """The base value is of somebody of whom nothing is known, so it is the same for all."""
    histories, pair = on.game(case)
    other = on.histories([case.draw("another", people(on.dataset, most_events=3))])
    values = [
        on.values(each, pair, [np.zeros((1, n), bool)])
        for each in (histories, other)
        for n in _counts(on, each, pair)
    ]
    _demand_close(values[0], values[1], "v(none)")


@attribution
def a_stranger_scores_the_value_of_nobody_and_the_features(on: Subject, case: Case) -> None:
    """Absent players must be as good as never there, not as good as zeros."""
    histories, pair = on.game(case)
    (by_kind,) = on.players(histories, pair).counts_by_kind()
    coalition = np.arange(by_kind.sum()) >= by_kind[:2].sum()
    stranger = on.dataset.visitor([], {})
    found = on.values(histories, pair, [coalition[None]])
    _demand_close(found, on.scores(stranger, pair), "without events and attributes, v")


@attribution
def absent_events_leave_no_trace(on: Subject, case: Case) -> None:
    """An event is absent as if it had never happened, or its absence is a reason by itself."""
    histories, pair = on.game(case, least_events=1)
    coalitions = _drawn(on, case, histories, pair)
    n_events = len(histories.items)
    coalitions[:, n_events:] = True
    values = on.values(histories, pair, [coalitions])
    for coalition, value in zip(coalitions, values, strict=True):
        left = histories.only_events(coalition[:n_events])
        _demand_close(np.array([value]), on.scores(left, pair), "with events left out, v")


@attribution
def a_value_does_not_depend_on_what_else_is_asked(on: Subject, case: Case) -> None:
    """A value that moves with its batch makes the same reasons come out otherwise."""
    histories, pairs = on.games(case)
    seed = case.draw("seed", st.integers(0, 99))
    random = np.random.default_rng(seed)
    matrices = [random.random((2, n)) < 0.6 for n in _counts(on, histories, pairs)]
    together = on.values(histories, pairs, matrices).reshape(len(pairs), 2)
    for pair, row in enumerate(pairs.rows.tolist()):
        history = histories.take(np.array([row]))
        alone = on.values(history, one_pair(int(pairs.items[pair])), [matrices[pair]])
        same = alone.tobytes() == together[pair].tobytes()
        demand(same, f"pair {pair} alone has the values {alone}, not {together[pair]}")


@attribution
def the_order_of_coalitions_says_nothing(on: Subject, case: Case) -> None:
    """Coalitions are asked in the order of the draws, which means nothing."""
    histories, pair = on.game(case)
    coalitions = _drawn(on, case, histories, pair)
    there = on.values(histories, pair, [coalitions])
    back = on.values(histories, pair, [coalitions[::-1].copy()])
    _demand_close(back[::-1], there, "in another order, v")


@attribution
def a_coalition_asked_again_has_the_same_value(on: Subject, case: Case) -> None:
    """A game that changes while it is played has no Shapley values."""
    histories, pair = on.game(case)
    coalitions = _drawn(on, case, histories, pair)
    first, again = (on.values(histories, pair, [coalitions]) for _ in range(2))
    demand(first.tobytes() == again.tobytes(), f"asked again, the values are {again}, not {first}")


@attribution
def every_coalition_has_a_finite_value(on: Subject, case: Case) -> None:
    """A user of whom little is known is a coalition too, and must be answered."""
    histories, pair = on.game(case)
    values = on.values(histories, pair, [_drawn(on, case, histories, pair)])
    demand(bool(np.isfinite(values).all()), f"the values are {values}")
    demand(values.dtype == np.float64, f"the values are {values.dtype}, not float64")


@attribution
def asking_for_values_changes_no_argument(on: Subject, case: Case) -> None:
    """Arrays that are written into are others in the caller's next call."""
    histories, pair = on.game(case)
    coalitions = _drawn(on, case, histories, pair)
    before = [each.tobytes() for each in (coalitions, histories.items, histories.values)]
    on.values(histories, pair, [coalitions])
    after = [each.tobytes() for each in (coalitions, histories.items, histories.values)]
    demand(before == after, "after the call, coalitions or histories are others")


def _counts(on: Subject, histories: Histories, pairs: Pairs) -> list[int]:
    counts: list[int] = on.players(histories, pairs).counts().tolist()
    return counts


def _drawn(on: Subject, case: Case, histories: Histories, pair: Pairs) -> BoolArray:
    """Draw coalitions of the players of one pair, bool [n, n_players]."""
    (n_players,) = _counts(on, histories, pair)
    apply_only(n_players > 0, "every pair drawn has no players")
    random = np.random.default_rng(case.draw("seed", st.integers(0, 99)))
    coalitions: BoolArray = random.random((_N_COALITIONS, n_players)) < 0.6
    return coalitions


def _demand_close(found: Float64Array, expected: Float64Array, what: str) -> None:
    scale = scale_of(*expected.tolist())
    close = bool((np.abs(found - expected) <= _SINGLE * scale).all())
    demand(close, f"{what} is {found.tolist()}, not {expected.tolist()}")
