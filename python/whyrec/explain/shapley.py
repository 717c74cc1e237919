"""The reference: Shapley values by every coalition, or by sampled ones with their error."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from whyrec import _native
from whyrec.data.coalitions import Coalitions
from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.errors import ArgumentError
from whyrec.explain.attribution import Attributions, Players, close_gaps
from whyrec.explain.estimators import Estimates, Estimator, Games, estimate
from whyrec.explain.expansion import Expansions
from whyrec.explain.interaction_sampling import shapley_interactions
from whyrec.explain.interactions import Interactions, PlayerPairs
from whyrec.explain.keys import keys_of
from whyrec.explain.margin import in_catalog
from whyrec.explain.sampling import Limits, parts
from whyrec.explain.values import Value, coalition_values, every_value
from whyrec.models.recommender import DifferentiableRecommender, Recommender
from whyrec.types import BoolArray, Float32Array, Float64Array, Int64Array

_MOST_EXACT = 20


@dataclass(frozen=True, kw_only=True)
class ShapleyConfig:
    """Settings of `Shapley`."""

    exact_players: int = 12
    """Up to so many players every coalition is evaluated; at most 20."""

    tolerance: float = 0.02
    """Sampling goes on until the largest standard error is below this share of the mean |φ|."""

    max_permutations: int = 1_024
    """The most permutations of a pair, four of which are drawn together.

    Of paired coalitions as many are evaluated as so many permutations have, and 128 at least.
    """

    max_evaluations: int | None = None
    """The most evaluations of a pair, in the place of max_permutations.

    A pair whose coalitions are more is sampled, however few its players. So many are evaluated as
    it takes to tell standard errors, even if they are more: of n players 8 (n − 1) + 2 for
    permutations; for paired coalitions 6 n + 2, and 130 at least.
    """

    max_seconds: float | None = None
    """So long after a call began no more is evaluated; what was reached, standard errors say.

    Every pair gets a first estimate in any case, and one of few players all its coalitions. How far
    it goes in a time differs from run to run: the same input and seed need not give the same bits.
    """

    estimator: Estimator = Estimator.PERMUTATIONS
    """What is sampled; its name does too."""

    seed: int = 0
    """The same pair and seed give the same estimate, in any batch."""

    def __post_init__(self) -> None:
        if not 0 <= self.exact_players <= _MOST_EXACT:
            raise ArgumentError(
                f"exact_players must be from 0 to {_MOST_EXACT}, not {self.exact_players}"
            )
        if not (np.isfinite(self.tolerance) and self.tolerance >= 0):
            raise ArgumentError(f"tolerance must be a number from 0, not {self.tolerance}")
        if self.max_permutations < 8:
            raise ArgumentError(f"max_permutations must be at least 8, not {self.max_permutations}")
        if self.max_evaluations is not None and self.max_evaluations < 1:
            raise ArgumentError(f"max_evaluations must be at least 1, not {self.max_evaluations}")
        if self.max_seconds is not None and not 0 < self.max_seconds < np.inf:
            raise ArgumentError(f"max_seconds must be a number above 0, not {self.max_seconds}")
        if self.estimator not in tuple(Estimator):
            known = ", ".join(f'"{each}"' for each in Estimator)
            raise ArgumentError(f"estimator must be one of {known}, not {self.estimator!r}")
        if not 0 <= self.seed < 1 << 64:
            raise ArgumentError(f"seed must be from 0 to {(1 << 64) - 1}, not {self.seed}")

    def limits(self) -> Limits:
        """Return up to which error games of more players are sampled, and how long from now on."""
        return Limits(
            tolerance=self.tolerance,
            max_permutations=self.max_permutations,
            max_evaluations=self.max_evaluations,
            deadline=None if self.max_seconds is None else time.monotonic() + self.max_seconds,
        )

    def is_exact(self, n_players: Int64Array) -> BoolArray:
        """Tell, for each number of players, whether every coalition is evaluated."""
        most = self.max_evaluations
        few = n_players <= self.exact_players
        return few if most is None else few & (1 << n_players.clip(0, _MOST_EXACT) <= most)

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
    """Evaluates coalitions of any recommender; they are planned and reduced for all pairs at once.

    Where the score can be differentiated, only what it is beyond an expansion along the path, whose
    values are known, is left to chance; see `Expansions`. That takes the gradients of the score at
    21 points, which count as no evaluations.

    Sources: L. S. Shapley, A Value for n-Person Games, 1953; J. Castro, D. Gómez and J. Tejada,
    Polynomial Calculation of the Shapley Value Based on Sampling, 2009; R. Mitchell et al.,
    Sampling Permutations for Shapley Value Estimation, 2022, for the reversed permutations;
    I. Covert and S.-I. Lee, Improving KernelSHAP, 2021, for the paired coalitions.
    """

    def __init__(self, recommender: Recommender, config: ShapleyConfig) -> None:
        self._recommender, self._config = recommender, config

    def explain(
        self, histories: Histories, pairs: Pairs, full_values: Float64Array
    ) -> Attributions:
        """Attribute the scores of a batch of pairs; sampled ones come with standard errors."""
        players = Players.of(histories, self._recommender.item_features, pairs)
        found = shapley_values(
            self._value(histories, pairs),
            players.counts(),
            keys_of(histories, in_catalog(self._recommender, pairs)),
            self._config,
            self._expand(histories, pairs),
        )
        return close_gaps(
            Attributions(
                pairs,
                players,
                found.contributions,
                found.base_values,
                full_values,
                "shapley",
                found.standard_errors,
            )
        )

    def interactions(self, histories: Histories, pairs: Pairs, chosen: PlayerPairs) -> Interactions:
        """Return what chosen players of each pair are worth together, with standard errors.

        Up to exact_players every coalition is evaluated. Beyond, an interaction is a mean over as
        many coalitions as max_permutations, each with both players, one of them and none; a budget
        of evaluations is shared out among the interactions of a pair, each of which gets 16 at
        least. The tolerance is that of the mean |interaction| of the pair.

        Args:
            histories: what the pairs are about.
            pairs: rows of histories, each with an item.
            chosen: the players, such as `PlayerPairs.of_strongest(attributions)`.

        Raises:
            ArgumentError: a player is none of its pair, or is put with itself.
            ScoreError: a score is no finite number.
        """
        players = Players.of(histories, self._recommender.item_features, pairs)
        found = shapley_interactions(
            self._value(histories, pairs),
            players.counts(),
            keys_of(histories, in_catalog(self._recommender, pairs)),
            chosen,
            self._config,
        )
        return Interactions(
            pairs,
            players,
            chosen,
            found.values,
            found.standard_errors,
            found.evaluations,
            "shapley",
        )

    def arrays(self) -> dict[str, Float32Array]:
        """Return nothing: nothing is learned."""
        return {}

    def _value(self, histories: Histories, pairs: Pairs) -> Value:
        return lambda chosen, coalitions: coalition_values(
            self._recommender, histories, pairs.take(chosen), coalitions
        )

    def _expand(self, histories: Histories, pairs: Pairs) -> "Expand | None":
        recommender = self._recommender
        if not isinstance(recommender, DifferentiableRecommender):
            return None
        return lambda chosen: Expansions.of(recommender, histories, pairs.take(chosen))


Expand = Callable[[Int64Array], Expansions]
"""From games, int64 [n_chosen], to what is known of them."""


def shapley_values(
    value: Value,
    n_players: Int64Array,
    keys: Int64Array,
    config: ShapleyConfig,
    expand: Expand | None = None,
) -> Estimates:
    """Return the Shapley values of games and their standard errors.

    Args:
        value: gives the values of coalitions of games.
        n_players: int64 [n_games].
        keys: int64 [n_games]; with the seed they say what is drawn, so that a game's estimate
            depends on no other game.
        config: how to sample, and up to which error.
        expand: tells of games that are sampled what is near them and known, so that only what they
            are beyond it is left to chance; None where nothing is.

    >>> def value(games, coalitions):  # of as many players as there are: 2 in each game here
    ...     return coalitions.cells.reshape(-1, 2).all(axis=1).astype(np.float64)
    >>> n_players, keys = np.array([2]), np.array([0])
    >>> shapley_values(value, n_players, keys, ShapleyConfig()).contributions
    array([0.5, 0.5])
    """
    limits, found = config.limits(), Estimates.none(n_players)
    is_exact = config.is_exact(n_players)
    exact, sampled = np.flatnonzero(is_exact), np.flatnonzero(~is_exact)
    for part in parts(n_players[exact] << n_players[exact], limits.cells):
        chosen = exact[part]
        values, starts = every_value(value, chosen, n_players[chosen])
        contributions = _native.exact_shapley(n_players[chosen], values)
        found.put(chosen, contributions, np.zeros_like(contributions))
        found.base_values[chosen] = values[starts]
        found.evaluations[chosen] = 1 << n_players[chosen]
    if len(sampled):
        near = None if expand is None else expand(sampled)

        def beyond(chosen: Int64Array, coalitions: Coalitions) -> Float64Array:
            values = value(sampled[chosen], coalitions)
            return values if near is None else values - near.values(chosen, coalitions)

        known = None if near is None else near.contributions()
        games = Games(beyond, n_players[sampled], keys[sampled], config.seed, known)
        estimates = estimate(games, config.estimator, limits)
        found.put(sampled, estimates.contributions, estimates.standard_errors)
        found.base_values[sampled] = estimates.base_values
        found.evaluations[sampled] = estimates.evaluations
    return found
