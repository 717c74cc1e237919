"""Corrects contributions of some players by what they add to a few coalitions of their pair."""

from dataclasses import dataclass

import numpy as np

from whyrec import _native
from whyrec.data.coalitions import Coalitions
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.data.rows import gather_rows, offsets_of
from whyrec.explain.attribution import Attributions
from whyrec.explain.keys import keys_of, numbers_of
from whyrec.explain.margin import in_catalog
from whyrec.explain.sampling import parts
from whyrec.explain.values import coalition_values
from whyrec.models.recommender import Recommender
from whyrec.types import BoolArray, Float64Array, Int64Array

_CELLS = 1 << 22
"""Players times coalitions that are held at once."""


@dataclass(frozen=True, slots=True)
class Corrections:
    """What is to be added to contributions of some players of each pair, in logits."""

    chosen: Int64Array
    """int64 [n_chosen]: the players, pair by pair."""

    offsets: Int64Array
    """int64 [n_pairs + 1]: those of pair p are chosen[offsets[p]] to chosen[offsets[p + 1]]."""

    by_draw: Float64Array
    """float64 [n_chosen, 1 + n_draws], whose sums are the corrections.

    First is that of nobody and of all, which is left to no chance, then those of each draw.
    """

    def totals(self) -> Float64Array:
        """Return float64 [n_chosen]: what is to be added to each contribution."""
        totals: Float64Array = self.by_draw.sum(axis=1)
        return totals

    def standard_errors(self) -> Float64Array:
        """Return float64 [n_chosen]: of the totals."""
        return _standard_errors(self.by_draw)

    def standard_errors_by_pair(self) -> Float64Array:
        """Return float64 [n_pairs]: of the sum of a pair's totals, whose draws are the same."""
        pairs = np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))
        sums = np.zeros((len(self.offsets) - 1, self.by_draw.shape[1]))
        np.add.at(sums, pairs, self.by_draw)
        return _standard_errors(sums)


def _standard_errors(by_draw: Float64Array) -> Float64Array:
    """Return the errors of sums over strata of one draw each, by successive differences.

    What differs from one stratum to the next, beside chance, counts too: they are rather too large.
    Source: W. Cochran, Sampling Techniques, 1977.
    """
    n_draws = by_draw.shape[1] - 1
    squares = (np.diff(by_draw[:, 1:], axis=1) ** 2).sum(axis=1)
    errors: Float64Array = np.sqrt(squares * n_draws / (2 * (n_draws - 1)))
    return errors


def strongest(attributions: Attributions, n_top: int) -> Int64Array:
    """Return the players of the largest |φ| of each pair, at most so many, none whose φ is 0."""
    offsets, contributions = attributions.players.offsets, attributions.contributions
    _, places = _native.strongest(offsets, contributions, n_top, _native.Strength.ABSOLUTE)
    return np.sort(places[contributions[places] != 0])


def correct(
    recommender: Recommender,
    histories: Histories,
    attributions: Attributions,
    chosen: Int64Array,
    n_draws: int,
    seed: int,
) -> Corrections:
    """Draw coalitions of each pair, and see what the chosen players add to them.

    The corrections are unbiased: on average over the draws, they make each chosen contribution the
    Shapley value. They are of pairs, not of batches: see `keys_of`.

    Args:
        recommender: whose values they are.
        histories: what the pairs are about.
        attributions: what is to be corrected.
        chosen: int64 [n_chosen], players in rising order.
        n_draws: how many coalitions are drawn of a pair, 2 or more; each has its complement
            beside it.
        seed: of the draws.

    Raises:
        ScoreError: a value is no finite number.
    """
    pairs, n_players = attributions.pairs, attributions.players.counts()
    offsets = np.searchsorted(chosen, attributions.players.offsets)
    places = chosen - np.repeat(attributions.players.offsets[:-1], np.diff(offsets))
    by_draw = np.zeros((len(chosen), 1 + n_draws))
    keys = keys_of(histories, in_catalog(recommender, pairs))
    refined = np.flatnonzero(np.diff(offsets))
    n_versions = 2 * (1 + n_draws) * (1 + np.diff(offsets)[refined])
    for part in parts(n_versions * n_players[refined], _CELLS):
        some = refined[part]
        _, rows = gather_rows(offsets, some)
        drawn = _drawn(n_players[some], keys[some], n_draws, seed)
        added = _added(
            recommender, histories, pairs.take(some), drawn, places[rows], np.diff(offsets)[some]
        )
        of_row = np.repeat(np.arange(len(some)), np.diff(offsets)[some])
        over = added - attributions.contributions[chosen[rows], None]
        by_draw[rows] = drawn.weights[of_row] * over
    return Corrections(chosen, offsets, by_draw)


@dataclass(frozen=True, slots=True)
class _Drawn:
    """Coalitions of some pairs: nobody, and those that were drawn."""

    n_players: Int64Array
    """int64 [n_pairs]."""

    weights: Float64Array
    """float64 [n_pairs, 1 + n_draws]: of each coalition with its complement."""

    cells: BoolArray
    """bool [n_cells], a row of n_players for each coalition."""


def _drawn(n_players: Int64Array, keys: Int64Array, n_draws: int, seed: int) -> _Drawn:
    """Draw a size from each stratum, and a coalition of that size.

    The Shapley value takes each size of 0 to n with the same weight. Nobody and all are taken as
    they are; from 1 to n − 1 a size s is drawn as 1 + ⌊(n − 1) sin² θ⌋, from strata of θ of the
    same width, and weighted by what it should be drawn by over what it is. The complement stands
    for the other half of the sizes.
    """
    n_pairs, n_rows = len(n_players), 1 + n_draws
    of_row = np.repeat(n_players, n_rows)
    numbers = numbers_of(keys, n_rows * (1 + n_players), seed)
    # The first number of each row says its size, the others the order in which players come.
    starts = offsets_of(1 + of_row)[:-1]
    is_order = np.ones(len(numbers), bool)
    is_order[starts] = False
    strata = (np.tile(np.arange(n_rows), n_pairs) - 1 + numbers[starts]) / n_draws
    inner = np.maximum(of_row - 1, 1)
    sizes = np.minimum(1 + np.floor(inner * np.sin(strata * np.pi / 4) ** 2), inner)
    chances = np.arcsin(np.sqrt(sizes / inner)) - np.arcsin(np.sqrt((sizes - 1) / inner))
    of_ends = 2 / (n_players + 1)
    weights = (np.pi / 2 / (inner * chances)).reshape(n_pairs, n_rows)
    weights *= ((1 - of_ends) / n_draws)[:, None]
    weights[:, 0] = of_ends
    sizes[::n_rows] = 0
    rows = np.repeat(np.arange(len(of_row)), of_row)
    order = np.lexsort([numbers[is_order], rows])
    cells = np.empty(len(rows), bool)
    cells[order] = np.arange(len(rows)) - offsets_of(of_row)[rows] < sizes[rows]
    return _Drawn(n_players, weights, cells)


def _added(
    recommender: Recommender,
    histories: Histories,
    pairs: Pairs,
    drawn: _Drawn,
    places: Int64Array,
    n_chosen: Int64Array,
) -> Float64Array:
    """Return float64 [n_chosen of all pairs, 1 + n_draws]: v(T ∪ j) − v(T ∖ j).

    It is the mean of that for T and for its complement.

    Args:
        recommender: whose values they are.
        histories: what the pairs are about.
        pairs: those that the coalitions are of.
        drawn: the coalitions T.
        places: int64, which players of its pair are chosen, pair by pair.
        n_chosen: int64 [n_pairs], how many of them each pair has.
    """
    n_rows = drawn.weights.shape[1]
    # Of each coalition: itself and its complement, as it is and with each chosen player changed.
    n_changes = 1 + n_chosen
    counts = 2 * n_rows * n_changes
    pair = np.repeat(np.arange(len(pairs)), counts)
    version = np.arange(len(pair)) - offsets_of(counts)[pair]
    side, change = np.divmod(version, n_changes[pair])
    row, is_complement = pair * n_rows + side // 2, side % 2 == 1
    offsets, positions = gather_rows(offsets_of(np.repeat(drawn.n_players, n_rows)), row)
    cells = drawn.cells[positions] ^ np.repeat(is_complement, np.diff(offsets))
    changed = np.flatnonzero(change)
    player = offsets_of(n_chosen)[pair[changed]] + change[changed] - 1
    cell = offsets[changed] + places[player]
    was_there = cells[cell]
    cells[cell] = ~was_there
    values = coalition_values(
        recommender, histories, pairs, Coalitions(drawn.n_players, counts, cells)
    )
    lost = values[changed - change[changed]] - values[changed]
    added = np.zeros((len(places), n_rows, 2))
    added[player, side[changed] // 2, side[changed] % 2] = np.where(was_there, lost, -lost)
    means: Float64Array = added.mean(axis=-1)
    return means
