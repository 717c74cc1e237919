"""Shapley values of many games by sampled coalitions: planned and reduced in Rust."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from whyrec import _native
from whyrec.data.coalitions import Coalitions
from whyrec.data.rows import gather_rows, offsets_of
from whyrec.explain.sampling import Limits, Round, sample
from whyrec.explain.values import Value
from whyrec.types import BoolArray, Float64Array, Int64Array

_FEWEST_PAIRS = 64
"""Pairs of coalitions of a game; of few players, fewer might all be alike."""


class Estimator(StrEnum):
    """How Shapley values are estimated where not every coalition is evaluated."""

    PERMUTATIONS = "permutations"
    """Means of what players add in random orders: unbiased, and 0 for who never adds anything.

    Of the scores of `TwoTower` they come closer than paired coalitions at the same cost.
    """

    PAIRED_COALITIONS = "paired coalitions"
    """Least squares over coalitions and their complements, as KernelSHAP does."""


@dataclass(frozen=True, slots=True)
class Games:
    """Games that are estimated, of at least one player each."""

    value: Value

    n_players: Int64Array
    """int64 [n_games]."""

    keys: Int64Array
    """int64 [n_games]: what is drawn for a game depends on its key and the seed."""

    seed: int

    known: Float64Array | None = None
    """float64 [n_players of all games]: contributions known beforehand, of which values tell
    nothing; None where there are none.
    """

    def plan(self, chosen: Int64Array, first: Int64Array, counts: Int64Array) -> _native.Plan:
        """Plan draws of some games."""
        return _native.Plan(self.n_players[chosen], self.keys[chosen], first, counts, self.seed)


@dataclass(frozen=True, slots=True)
class Estimates:
    """What is known of games."""

    offsets: Int64Array
    """int64 [n_games + 1]: the players of each game."""

    contributions: Float64Array
    """float64 [n_players of all games]."""

    standard_errors: Float64Array
    """float64 [n_players of all games]."""

    base_values: Float64Array
    """float64 [n_games]: the value of nobody."""

    evaluations: Int64Array
    """int64 [n_games]: how many coalitions were evaluated."""

    @classmethod
    def none(cls, n_players: Int64Array) -> "Estimates":
        """Return zeros for games of so many players."""
        offsets, n_games = offsets_of(n_players), len(n_players)
        contributions, errors = np.zeros((2, offsets[-1]))
        return cls(offsets, contributions, errors, np.zeros(n_games), np.zeros(n_games, np.int64))

    def put(
        self, games: Int64Array, contributions: Float64Array, standard_errors: Float64Array
    ) -> None:
        """Put what was found of some games where it belongs."""
        _, places = gather_rows(self.offsets, games)
        self.contributions[places], self.standard_errors[places] = contributions, standard_errors

    def is_open(self, of: Games, games: Int64Array, tolerance: float) -> BoolArray:
        """Tell of which games, of at least one player, an error is above the tolerance."""
        offsets, places = gather_rows(self.offsets, games)
        contributions = self.contributions[places]
        if of.known is not None:
            contributions = contributions + of.known[places]
        sizes = np.add.reduceat(np.abs(contributions), offsets[:-1])
        largest = np.maximum.reduceat(self.standard_errors[places], offsets[:-1])
        is_open: BoolArray = largest > tolerance * sizes / np.diff(offsets)
        return is_open


class _Quartets:
    """Four orders of the players in a draw."""

    def __init__(
        self, games: Games, ends: Float64Array, estimates: Estimates, limits: Limits
    ) -> None:
        self._games, self._estimates, self._limits = games, estimates, limits
        self._base, self._full = ends.T
        self._squares = np.zeros(estimates.offsets[-1])
        self.coalitions = 4 * (games.n_players - 1)
        self.cells = self.coalitions * games.n_players
        self.at_once = np.maximum(2, limits.cells // self.cells.clip(1))
        self.most = np.full(len(games.keys), limits.max_permutations // 4)
        if limits.max_evaluations is not None:
            self.most = np.maximum(2, (limits.max_evaluations - 2) // self.coalitions.clip(1))
        # By the clock the first round is short, since it is made of all games in any case.
        self.begin_with = np.minimum(8 if limits.deadline is None else 2, self.most)

    def evaluate(self, chosen: Int64Array, first: Int64Array, counts: Int64Array) -> Float64Array:
        """Return the values of so many quartets."""
        _, cells = _native.permutation_coalitions(self._games.plan(chosen, first, counts))
        n_coalitions = counts * self.coalitions[chosen]
        coalitions = Coalitions(self._games.n_players[chosen], n_coalitions, cells)
        return self._games.value(chosen, coalitions)

    def reduce(self, new: Round) -> None:
        """Take up new values."""
        _, places = gather_rows(self._estimates.offsets, new.chosen)
        means, self._squares[places], errors = _native.permutation_shapley(
            self._games.plan(new.chosen, new.first, new.counts),
            new.values,
            self._base[new.chosen],
            self._full[new.chosen],
            self._estimates.contributions[places],
            self._squares[places],
        )
        self._estimates.put(new.chosen, means, errors)

    def is_open(self, chosen: Int64Array) -> BoolArray:
        """Tell which games have an error above the tolerance."""
        return self._estimates.is_open(self._games, chosen, self._limits.tolerance)


class _PairedCoalitions:
    """A coalition and its complement in a draw; all are solved for together."""

    def __init__(
        self, games: Games, ends: Float64Array, estimates: Estimates, limits: Limits
    ) -> None:
        self._games, self._estimates, self._limits = games, estimates, limits
        self._base, self._full = ends.T
        n_players = games.n_players
        self._values, self._offsets = np.zeros(0), np.zeros(len(n_players) + 1, np.int64)
        self.coalitions = np.where(n_players > 1, 2, 0)
        self.cells = self.coalitions * n_players
        fewest = np.maximum(3 * n_players, _FEWEST_PAIRS)
        self.most = np.maximum(limits.max_permutations * (n_players - 1) // 2, _FEWEST_PAIRS)
        if limits.max_evaluations is not None:
            self.most = np.maximum(fewest, (limits.max_evaluations - 2) // 2)
        first = np.maximum(8 * (n_players - 1), _FEWEST_PAIRS)
        self.begin_with = np.minimum(first if limits.deadline is None else fewest, self.most)
        self.at_once = np.maximum(self.begin_with, limits.cells // self.cells.clip(1))

    def evaluate(self, chosen: Int64Array, first: Int64Array, counts: Int64Array) -> Float64Array:
        """Return the values of so many pairs."""
        _, cells = _native.paired_coalitions(self._games.plan(chosen, first, counts))
        n_coalitions = counts * self.coalitions[chosen]
        coalitions = Coalitions(self._games.n_players[chosen], n_coalitions, cells)
        return self._games.value(chosen, coalitions)

    def reduce(self, new: Round) -> None:
        """Take up new values."""
        drawn = new.first + new.counts
        earlier, positions = gather_rows(self._offsets, new.chosen)
        counts = np.zeros(len(self._games.keys), np.int64)
        counts[new.chosen] = drawn * self.coalitions[new.chosen]
        self._offsets = offsets_of(counts)
        self._values = _joined(earlier, self._values[positions], counts[new.chosen], new.values)
        contributions, errors = _native.paired_shapley(
            self._games.plan(new.chosen, np.zeros_like(drawn), drawn),
            self._values,
            self._base[new.chosen],
            self._full[new.chosen],
        )
        self._estimates.put(new.chosen, contributions, errors)

    def is_open(self, chosen: Int64Array) -> BoolArray:
        """Tell which games have an error above the tolerance."""
        return self._estimates.is_open(self._games, chosen, self._limits.tolerance)


def estimate(games: Games, estimator: Estimator, limits: Limits) -> Estimates:
    """Estimate the Shapley values of games of at least one player each."""
    n_players, n_games = games.n_players, len(games.keys)
    nobody_and_all = np.repeat(np.tile([False, True], n_games), np.repeat(n_players, 2))
    twice = Coalitions(n_players, np.full(n_games, 2), nobody_and_all)
    ends = games.value(np.arange(n_games), twice).reshape(n_games, 2)
    estimates = Estimates.none(n_players)
    kind = _Quartets if estimator == Estimator.PERMUTATIONS else _PairedCoalitions
    method = kind(games, ends, estimates, limits)
    drawn = sample(method, limits)
    if games.known is not None:
        estimates.contributions[:] += games.known
    estimates.base_values[:] = ends[:, 0]
    estimates.evaluations[:] = 2 + drawn * method.coalitions
    return estimates


def _joined(
    offsets: Int64Array, values: Float64Array, counts: Int64Array, more: Float64Array
) -> Float64Array:
    """Return so many values of each game: those that there are, and behind them some more."""
    ends = offsets_of(counts)
    joined = np.empty(ends[-1])
    is_old = np.zeros(ends[-1], bool)
    is_old[np.arange(len(values)) + np.repeat(ends[:-1] - offsets[:-1], np.diff(offsets))] = True
    joined[is_old], joined[~is_old] = values, more
    return joined
