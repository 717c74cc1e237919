"""The reference: Shapley values by every coalition, or by sampled permutations with their error."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.errors import ArgumentError
from whyrec.explain.attribution import Attributions, Players, close_gaps
from whyrec.models.recommender import Recommender
from whyrec.types import BoolArray, Float32Array, Float64Array, Int64Array

Game = Callable[[BoolArray], Float64Array]
"""From coalitions, bool [n_coalitions, n_players], to their values, float64 [n_coalitions]."""

_MOST_EXACT = 20
_CELLS = 1 << 25
"""Players times coalitions that are held at once."""


@dataclass(frozen=True, kw_only=True)
class ShapleyConfig:
    """Settings of `Shapley`."""

    exact_players: int = 12
    """Up to so many players every coalition is evaluated; at most 20."""

    tolerance: float = 0.02
    """Sampling goes on until the largest standard error is below this share of the mean |φ|."""

    max_permutations: int = 1_024
    """The most permutations of a pair, each with its reverse counted as two."""

    seed: int = 0
    """The same pair and seed give the same estimate, in any batch."""

    def __post_init__(self) -> None:
        if not 0 <= self.exact_players <= _MOST_EXACT:
            raise ArgumentError(
                f"exact_players must be from 0 to {_MOST_EXACT}, not {self.exact_players}"
            )
        if not (np.isfinite(self.tolerance) and self.tolerance >= 0):
            raise ArgumentError(f"tolerance must be a number from 0, not {self.tolerance}")
        if self.max_permutations < 4:
            raise ArgumentError(f"max_permutations must be at least 4, not {self.max_permutations}")

    def fit(
        self,
        recommender: Recommender,
        dataset: Dataset,  # noqa: ARG002
        *,
        progress: bool = True,  # noqa: ARG002
    ) -> "Shapley":
        """Return the explainer; there is nothing to learn."""
        return Shapley(recommender, self)

    def restore(
        self,
        recommender: Recommender,
        arrays: Mapping[str, Float32Array],  # noqa: ARG002
    ) -> "Shapley":
        """Return the explainer."""
        return Shapley(recommender, self)


class Shapley:
    """Evaluates coalitions of any recommender, one pair after the other.

    Sources: L. S. Shapley, A Value for n-Person Games, 1953; J. Castro, D. Gómez and J. Tejada,
    Polynomial Calculation of the Shapley Value Based on Sampling, 2009; R. Mitchell et al.,
    Sampling Permutations for Shapley Value Estimation, 2022, for the reversed permutations.
    """

    def __init__(self, recommender: Recommender, config: ShapleyConfig) -> None:
        self._recommender, self._config = recommender, config

    def explain(
        self, histories: Histories, pairs: Pairs, full_values: Float64Array
    ) -> Attributions:
        """Attribute the scores of a batch of pairs; sampled ones come with standard errors."""
        players = Players.of(histories, self._recommender.item_features, pairs)
        contributions = np.zeros(len(players.kinds))
        standard_errors = np.zeros(len(players.kinds))
        base_values = np.zeros(len(pairs))
        for pair, (row, item) in enumerate(zip(pairs.rows, pairs.items, strict=True)):
            game = self._game(histories.take(np.array([row])), int(item))
            mine = slice(players.offsets[pair], players.offsets[pair + 1])
            n_players = int(players.offsets[pair + 1] - players.offsets[pair])
            base_values[pair] = game(np.zeros((1, n_players), bool))[0]
            contributions[mine], standard_errors[mine] = shapley_values(
                game, n_players, self._config
            )
        return close_gaps(
            Attributions(
                pairs, players, contributions, base_values, full_values, "shapley", standard_errors
            )
        )

    def arrays(self) -> dict[str, Float32Array]:
        """Return nothing: nothing is learned."""
        return {}

    def _game(self, histories: Histories, item: int) -> Game:
        return lambda coalitions: self._recommender.coalition_values(histories, item, coalitions)


def shapley_values(
    game: Game, n_players: int, config: ShapleyConfig
) -> tuple[Float64Array, Float64Array]:
    """Return the Shapley values of a game and their standard errors, float64 [n_players] each.

    The errors are 0 where every coalition was evaluated.

    >>> both = lambda coalitions: coalitions.all(axis=1).astype(np.float64)
    >>> shapley_values(both, 2, ShapleyConfig())
    (array([0.5, 0.5]), array([0., 0.]))
    """
    if n_players == 0:
        return np.zeros(0), np.zeros(0)
    if n_players <= config.exact_players:
        return _exact(game, n_players), np.zeros(n_players)
    return _sampled(game, n_players, config)


def _exact(game: Game, n_players: int) -> Float64Array:
    """Weigh what a player adds to each coalition S without it by |S|! (n − |S| − 1)! / n!."""
    codes = np.arange(1 << n_players)
    coalitions = (codes[:, None] >> np.arange(n_players) & 1).astype(bool)
    values = game(coalitions)
    sizes = coalitions.sum(axis=1)
    by_size = [1 / (n_players * math.comb(n_players - 1, size)) for size in range(n_players)]
    contributions = np.empty(n_players)
    for player in range(n_players):
        without = codes[~coalitions[:, player]]
        added = values[without | 1 << player] - values[without]
        contributions[player] = np.array(by_size)[sizes[without]] @ added
    return contributions


def _sampled(
    game: Game, n_players: int, config: ShapleyConfig
) -> tuple[Float64Array, Float64Array]:
    """Average what players add in random order, each order beside its reverse.

    The standard error is that of the means of such couples, which are independent of each other.
    """
    random = np.random.default_rng(config.seed)
    n_drawn, sums, squares = 0, np.zeros(n_players), np.zeros(n_players)
    most = max(2, _CELLS // (2 * n_players**2))
    couples = min(8, most)
    while True:
        couples = min(couples, config.max_permutations // 2 - n_drawn)
        forward = np.argsort(random.random((couples, n_players)), axis=1)
        both = np.concatenate([forward, forward[:, ::-1]])
        added = _added(game, both)
        means = (added[:couples] + added[couples:]) / 2
        sums += means.sum(axis=0)
        squares += (means**2).sum(axis=0)
        n_drawn += couples
        contributions = sums / n_drawn
        variances = np.maximum(squares / n_drawn - contributions**2, 0) * n_drawn / (n_drawn - 1)
        errors = np.sqrt(variances / n_drawn)
        enough = config.tolerance * np.abs(contributions).mean()
        if errors.max() <= enough or n_drawn >= config.max_permutations // 2:
            return contributions, errors
        couples = min(n_drawn, most)  # twice as many in all


def _added(game: Game, permutations: Int64Array) -> Float64Array:
    """Return float64 [n_permutations, n_players]: what each player adds to those before it."""
    n_permutations, n_players = permutations.shape
    ranks = np.argsort(permutations, axis=1)
    sizes = np.arange(n_players + 1)
    coalitions = ranks[:, None, :] < sizes[:, None]
    values = game(coalitions.reshape(-1, n_players)).reshape(n_permutations, -1)
    added = np.empty((n_permutations, n_players))
    np.put_along_axis(added, permutations, np.diff(values, axis=1), axis=1)
    return added
