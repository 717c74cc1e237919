"""What is known of a score before its coalitions are sampled: its expansion along the path."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from whyrec.data.coalitions import Coalitions
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.explain.attribution import Players
from whyrec.explain.batches import batches
from whyrec.explain.path import path_gradients
from whyrec.models.recommender import DifferentiableRecommender
from whyrec.types import BoolArray, Float32Array, Float64Array, Int64Array

_POINTS = 2.0 ** (np.arange(-20, 1) / 2)
"""Presences of all players at which a score is expanded: dense where there are few events."""

_WHOLE = 1 << 23
"""Sums of whole numbers up to this are exact in float32."""


@dataclass(frozen=True, slots=True, eq=False)
class Expansions:
    """Games of some pairs that are near their scores, and whose Shapley values are known.

    To first order about all of n players being present at the share q = m / n, a coalition S of m
    players scores

        g(S) = V(q) − V(0) + Σ over all players i of (1 if i is in S, or else 0, − q) · ∂ᵢV(q).

    That is a sum over the players in S of what each is worth among m, and so has Shapley values in
    closed form. What a score is beyond it can be sampled by itself: a control variate. Players of
    no gradient are no players of g, so that they add nothing to it either.

    Source of control variates: J. Hammersley and D. Handscomb, Monte Carlo Methods, 1964.
    """

    offsets: Int64Array
    """int64 [n_games + 1]: the players of each game."""

    slopes: Float32Array
    """float32 [n_players of all games, n_points]: ∂ᵢV in units of the game, whole numbers."""

    units: Float64Array
    """float64 [n_games], in logits."""

    values_above: Float64Array
    """float64 [n_games, n_points]: V(q) − V(0), in logits."""

    @classmethod
    def of(
        cls,
        recommender: DifferentiableRecommender[Any],
        histories: Histories,
        pairs: Pairs,
    ) -> "Expansions":
        """Expand the scores of some pairs, each the same whatever the others are."""
        players = Players.of(histories, recommender.item_features, pairs)
        points = torch.from_numpy(_POINTS).float()
        slopes = np.zeros((len(players.kinds), len(points)))
        values = np.zeros((len(pairs), 1 + len(points)))
        for batch in batches(players, pairs):
            embedded = recommender.embed_pairs(histories, batch.rows, batch.items, batch.widths)
            present = torch.from_numpy(batch.places >= 0)
            gradients, found = path_gradients(recommender, embedded, present, points)
            batch.put(gradients.transpose(2, 3), slopes, found, values)
        with np.errstate(invalid="ignore"):
            above = values[:, 1:] - values[:, :1]
        counts, largest = players.counts(), np.zeros(len(pairs))
        sizes = np.where(np.isfinite(slopes), np.abs(slopes), np.inf).max(axis=1)
        np.maximum.at(largest, np.repeat(np.arange(len(pairs)), counts), sizes)
        # A game that is not finite, or has nothing to it, is left to the sampling.
        is_known = np.isfinite(above).all(axis=1) & (largest > 0) & (largest < np.inf)
        units = np.where(is_known, largest, 1.0) * counts.clip(1) / _WHOLE
        is_known = np.repeat(is_known, counts)[:, None]
        whole = np.rint(np.where(is_known, slopes, 0) / np.repeat(units, counts)[:, None])
        return cls(players.offsets, whole.astype(np.float32), units, above)

    def values(self, games: Int64Array, coalitions: Coalitions) -> Float64Array:
        """Return g of coalitions of games, float64 [n_coalitions], in logits."""
        values = np.zeros(coalitions.counts.sum())
        ends = coalitions.offsets()
        for place, game in enumerate(games.tolist()):
            slopes, counted = self._of(game)
            if counted.any():
                # Whole numbers: they add up to the same in any order.
                present = coalitions.of(place).astype(np.float32)
                sums = (present @ slopes).astype(np.float64) * self.units[game]
                sizes = np.rint(present @ counted.astype(np.float32)).astype(np.int64)
                values[ends[place] : ends[place + 1]] = self._game(game, sums, sizes)
        return values

    def contributions(self) -> Float64Array:
        """Return float64 [n_players of all games], the Shapley values of g, in logits.

        A player who comes as the m-th finds, on average, (m − 1) / (n − 1) of each of the others.
        """
        found = np.zeros(self.offsets[-1])
        for game in range(len(self.units)):
            slopes, counted = self._of(game)
            n_players = int(counted.sum())
            if not n_players:
                continue
            weights = _interpolation(np.arange(n_players + 1), n_players)
            others = np.arange(n_players) / max(1, n_players - 1)
            moved = others @ np.diff(weights, axis=0)
            own = slopes[counted].astype(np.float64) * self.units[game]
            total = own.sum(axis=0)
            level = self.values_above[game, -1] - total[-1]
            mine = own @ (weights[1:].sum(axis=0) - moved) + total @ moved + level
            found[self.offsets[game] : self.offsets[game + 1]][counted] = mine / n_players
        return found

    def _of(self, game: int) -> tuple[Float32Array, BoolArray]:
        """Return the slopes of a game, and which of its players count."""
        slopes = self.slopes[self.offsets[game] : self.offsets[game + 1]]
        counted: BoolArray = (slopes != 0).any(axis=1)
        return slopes, counted

    def _game(self, game: int, sums: Float64Array, sizes: Int64Array) -> Float64Array:
        """Return g of coalitions of so many players, whose slopes sum up to float64 [n, n_points].

        Between the points all is linear in log q.
        """
        slopes, counted = self._of(game)
        n_players = int(counted.sum())
        totals = slopes.sum(axis=0, dtype=np.float64) * self.units[game]
        weights = _interpolation(np.arange(n_players + 1), n_players)
        shares = np.arange(n_players + 1) / n_players
        levels = weights @ self.values_above[game] - shares * (weights @ totals)
        found: Float64Array = levels[sizes] + (weights[sizes] * sums).sum(axis=1)
        return found


def _interpolation(sizes: Int64Array, n_players: int) -> Float64Array:
    """Return float64 [n_sizes, n_points]: what each point counts for so many players, none at 0."""
    places = np.interp(
        np.log2(np.maximum(sizes, 1) / n_players), np.log2(_POINTS), np.arange(len(_POINTS))
    )
    weights: Float64Array = np.maximum(0, 1 - np.abs(places[:, None] - np.arange(len(_POINTS))))
    return weights * (sizes > 0)[:, None]
