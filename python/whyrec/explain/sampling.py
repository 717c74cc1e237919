"""Shapley values of many games by sampled coalitions: planned in Rust, evaluated, reduced in Rust.

All games take part in every round until their errors are small enough; each round doubles what is
known of them. What is drawn for a game, and in which pieces, depends on no other game.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from whyrec import _native
from whyrec.data.rows import gather_rows, offsets_of
from whyrec.types import BoolArray, Float64Array, Int64Array

Game = Callable[[BoolArray], Float64Array]
"""From coalitions, bool [n_coalitions, n_players], to their values, float64 [n_coalitions]."""

_CELLS = 1 << 25
"""Players times coalitions that are held at once."""

_FEWEST_PAIRS = 64
"""Pairs of coalitions of a game; of few players, fewer might all be alike."""


class Estimator(StrEnum):
    """How Shapley values are estimated where not every coalition is evaluated."""

    PERMUTATIONS = "permutations"
    """Means of what players add in random orders: unbiased, and 0 for who never adds anything."""

    PAIRED_COALITIONS = "paired coalitions"
    """Least squares over coalitions and their complements, as KernelSHAP does."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampling:
    """How to sample, and up to which error."""

    estimator: Estimator
    tolerance: float
    max_permutations: int
    seed: int


@dataclass(frozen=True, slots=True)
class _Round:
    """Some of the games with new values."""

    games: Int64Array
    """int64 [n_chosen]: which they are."""

    first: Int64Array
    """int64 [n_chosen]: how many draws were made before."""

    counts: Int64Array
    """int64 [n_chosen]: how many draws the new values are of."""

    values: list[Float64Array]
    """Of each game, float64 [n_coalitions]."""

    ends: Float64Array
    """float64 [n_chosen, 2]: the values of nobody and of all players."""


class _Quartets:
    """Four orders of the players in a draw."""

    plan = staticmethod(_native.permutation_coalitions)

    def __init__(self, n_players: Int64Array, keys: Int64Array, settings: Sampling) -> None:
        self._n_players, self._keys, self._seed = n_players, keys, settings.seed
        self._offsets = offsets_of(n_players)
        self._means, self._squares = np.zeros((2, self._offsets[-1]))
        self.coalitions = 4 * (n_players - 1)
        self.begin_with = np.full(len(n_players), 8)
        self.at_once = np.maximum(2, _CELLS // (self.coalitions * n_players).clip(1))
        self.most = np.full(len(n_players), settings.max_permutations // 4)

    def reduce(self, new: _Round) -> tuple[Float64Array, Float64Array]:
        """Take up new values; return contributions and standard errors."""
        _, places = gather_rows(self._offsets, new.games)
        self._means[places], self._squares[places], errors = _native.permutation_shapley(
            self._n_players[new.games],
            self._keys[new.games],
            new.first,
            new.counts,
            self._seed,
            np.concatenate(new.values),
            np.ascontiguousarray(new.ends[:, 0]),
            np.ascontiguousarray(new.ends[:, 1]),
            self._means[places],
            self._squares[places],
        )
        return self._means[places], errors


class _PairedCoalitions:
    """A coalition and its complement in a draw; all are solved for together."""

    plan = staticmethod(_native.paired_coalitions)

    def __init__(self, n_players: Int64Array, keys: Int64Array, settings: Sampling) -> None:
        self._n_players, self._keys, self._seed = n_players, keys, settings.seed
        self._values: list[list[Float64Array]] = [[] for _ in n_players]
        self.coalitions = np.where(n_players > 1, 2, 0)
        self.begin_with = np.maximum(8 * (n_players - 1), _FEWEST_PAIRS)
        self.at_once = np.maximum(self.begin_with, _CELLS // (2 * n_players))
        self.most = np.maximum(settings.max_permutations * (n_players - 1) // 2, _FEWEST_PAIRS)

    def reduce(self, new: _Round) -> tuple[Float64Array, Float64Array]:
        """Take up new values; return contributions and standard errors."""
        for game, values in zip(new.games, new.values, strict=True):
            self._values[game].append(values)
        return _native.paired_shapley(
            self._n_players[new.games],
            self._keys[new.games],
            np.zeros(len(new.games), np.int64),
            new.first + new.counts,
            self._seed,
            np.concatenate([values for game in new.games for values in self._values[game]]),
            np.ascontiguousarray(new.ends[:, 0]),
            np.ascontiguousarray(new.ends[:, 1]),
        )


def sample(
    games: Sequence[Game], n_players: Int64Array, keys: Int64Array, settings: Sampling
) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Estimate the Shapley values of games of at least one player each.

    Returns:
        Contributions and their standard errors, float64 [n_players of all games], and the values
        of nobody, float64 [n_games].
    """
    kind = _Quartets if settings.estimator == Estimator.PERMUTATIONS else _PairedCoalitions
    method = kind(n_players, keys, settings)
    ends = np.zeros((len(games), 2))
    for each, game in enumerate(games):
        ends[each] = game(np.array([[False], [True]]).repeat(n_players[each], axis=1))
    offsets = offsets_of(n_players)
    contributions, errors = np.zeros((2, offsets[-1]))
    drawn, left = np.zeros(len(games), np.int64), np.arange(len(games))
    while len(left):
        doubled = np.where(drawn[left], drawn[left], method.begin_with[left])
        counts = np.minimum(doubled, np.minimum(method.at_once, method.most - drawn)[left])
        n_coalitions = counts * method.coalitions[left]
        for part in parts(n_coalitions * n_players[left]):
            chosen = left[part]
            drawing = n_players[chosen], keys[chosen], drawn[chosen], counts[part]
            planned = method.plan(*drawing, settings.seed)
            values = evaluate(
                [games[game] for game in chosen.tolist()], planned, n_coalitions[part]
            )
            _, places = gather_rows(offsets, chosen)
            contributions[places], errors[places] = method.reduce(
                _Round(chosen, drawn[chosen], counts[part], values, ends[chosen])
            )
        drawn[left] += counts
        sizes = np.add.reduceat(np.abs(contributions), offsets[:-1]) / n_players
        largest = np.maximum.reduceat(errors, offsets[:-1])
        left = left[((largest > settings.tolerance * sizes) & (drawn < method.most))[left]]
    return contributions, errors, ends[:, 0]


def evaluate(
    games: Sequence[Game], planned: tuple[Int64Array, BoolArray], n_coalitions: Int64Array
) -> list[Float64Array]:
    """Return the values of the planned coalitions of each game: one call for each."""
    offsets, cells = planned
    return [
        game(cells[start:end].reshape(n, -1)) if n else np.zeros(0)
        for game, start, end, n in zip(games, offsets, offsets[1:], n_coalitions, strict=False)
    ]


def parts(cells: Int64Array) -> Iterator[slice]:
    """Cut games, with so many cells each, into runs that can be held at once."""
    start = 0
    while start < len(cells):
        n_together = int(np.searchsorted(np.cumsum(cells[start:]), _CELLS, side="right"))
        end = start + max(1, n_together)
        yield slice(start, end)
        start = end
