"""Shapley values of the events of a history for all items at once, sampled with little noise."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from whyrec.types import BoolArray, Float64Array, Int64Array

Queries = Callable[[BoolArray], Float64Array]
"""From coalitions, bool [n, n_events], none of them empty, to queries, float64 [n, dimension]."""


@dataclass(frozen=True, slots=True, eq=False)
class Sampled:
    """Two independent estimates, whose mean is the reference and whose agreement is its noise."""

    halves: tuple[Float64Array, Float64Array]
    """float64 [n_events, dimension] each; the product with an item's vector is its φ."""

    @property
    def mean(self) -> Float64Array:
        """Return float64 [n_events, dimension]."""
        return (self.halves[0] + self.halves[1]) / 2


def sample(
    queries: Queries, n_events: int, n_permutations: int, random: np.random.Generator
) -> Sampled:
    """Return Shapley values of queries by permutations, half of them in each estimate.

    Queries of no event are 0. What the last two events of a coalition say by themselves, as if
    there were no others, is a game whose Shapley values are known; only what the model makes of
    coalitions beyond it is sampled. For a model of sequences that is little, so that the same
    number of permutations tells much more.

    Source: the control variate is the standard one; R. Mitchell et al., Sampling Permutations for
    Shapley Value Estimation, 2022, for the reversed permutations.
    """
    alone = np.eye(n_events, dtype=bool)
    firsts, lasts = np.triu_indices(n_events, 1)
    singles = queries(alone)
    of_two = np.zeros((n_events + 1, n_events, singles.shape[1]))
    of_two[n_events] = singles  # the row of nobody before
    if len(firsts):
        of_two[firsts, lasts] = queries(alone[firsts] | alone[lasts])
    known = values_of_last_two(of_two)
    estimates = []
    for _ in range(2):
        orders = [random.permutation(n_events) for _ in range(n_permutations // 4)]
        drawn = np.array([order for each in orders for order in (each, each[::-1])])
        ranks = np.argsort(drawn, axis=1)
        present = ranks[:, None] < np.arange(1, n_events + 1)[:, None]
        found = queries(present.reshape(-1, n_events)).reshape(*present.shape[:2], -1)
        beyond = found - of_two[_last_two(present)]
        gains = np.diff(beyond, axis=1, prepend=np.zeros_like(beyond[:, :1]))
        sums = np.zeros_like(singles)
        np.add.at(sums, drawn.ravel(), gains.reshape(-1, gains.shape[2]))
        estimates.append(known + sums / len(drawn))
    return Sampled((estimates[0], estimates[1]))


def values_of_last_two(of_two: Float64Array) -> Float64Array:
    """Return float64 [n_events, dimension]: exact values of the game of the last two events.

    Of a game that is 1 where s players are there and m others are not, each of the s gets
    (s − 1)! m! / (s + m)!, and each of the m the negative of s! (m − 1)! / (s + m)!.

    Args:
        of_two: float64 [n_events + 1, n_events, dimension]: what the event of the column says
            where that of the row is the one before it; the last row is that of none before.
    """
    n_events = of_two.shape[1]
    values = np.zeros(of_two.shape[1:])
    for last in range(n_events):
        for first in (*range(last), n_events):
            there = [last] if first == n_events else [first, last]
            begin = 0 if first == n_events else first
            absent = [each for each in range(begin, n_events) if each not in there]
            said, s, m = of_two[first, last], len(there), len(absent)
            # 1 over the binomial of s + m over s, as a share of each.
            whole = 1.0
            for place in range(1, s + 1):
                whole *= place / (m + place)
            values[there] += said * whole / s
            if m:
                values[absent] -= said * whole / m
    return values


def _last_two(present: BoolArray) -> tuple[Int64Array, Int64Array]:
    """Return the last event but one of coalitions, n_events where there is none, and the last."""
    n_events = present.shape[-1]
    places = np.where(present, np.arange(n_events), -1)
    last = places.max(axis=-1)
    before = np.where(places == last[..., None], -1, places).max(axis=-1)
    return np.where(before < 0, n_events, before), last
