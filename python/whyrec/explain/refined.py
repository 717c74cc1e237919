"""The strongest contributions of another explainer, improved by evaluations made for them alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from whyrec import _native
from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.errors import ArgumentError, StorageError
from whyrec.explain.attribution import Attributions, close_gaps
from whyrec.explain.corrections import Corrections, correct, strongest
from whyrec.explain.drawn_items import draw_best
from whyrec.explain.explainer import (
    Explainer,
    ExplainerConfig,
    fit_explainer,
    interacting,
    refit_explainer,
    update_explainer,
)
from whyrec.explain.interactions import Interactions, PlayerPairs
from whyrec.explain.network import NetworkConfig
from whyrec.models.loop import Run
from whyrec.models.recommender import Recommender
from whyrec.settings import check_numbers
from whyrec.types import Float32Array, Float64Array

_WEIGHED_PAIRS, _WEIGHED_TIMES = 128, 4
"""So many pairs, each corrected so often by draws of its own, say what corrections are worth."""

_LEAST_SHARE = 1e-6
"""A refined player takes at least as much of the gap, against what another of its size takes."""

_TOP = 50
"""They are of an item among so many that score best for the user."""

_WEIGHT, _INNER = "weight", "explainer."
"""Names of what is stored: the weight, and before the names of the other explainer's arrays."""


@dataclass(frozen=True, kw_only=True)
class RefinedConfig:
    """Settings of `Refined`.

    >>> from whyrec import GradientPathConfig
    >>> RefinedConfig(explainer=GradientPathConfig(), n_top=3).n_draws
    7
    """

    explainer: ExplainerConfig = field(default_factory=NetworkConfig)
    """Whose contributions are refined."""

    n_top: int = 8
    """So many players of a pair are refined, those of the largest |φ|; none whose φ is 0.

    More than are shown: whether the last of them comes before the next is then told by both alike.
    """

    n_draws: int = 7
    """Coalitions that are drawn for a pair, at least 2.

    A player's effect is taken in each of them and in its complement, in nobody and in all: 2
    (n_draws + 1) evaluations for each refined player, and as many for all of them together.
    """

    seed: int = 0
    """The same pair and seed give the same contributions, in any batch."""

    def __post_init__(self) -> None:
        if not hasattr(self.explainer, "fit"):
            raise ArgumentError(
                f"explainer must be settings, such as whyrec.NetworkConfig(), not "
                f"{self.explainer!r}"
            )
        check_numbers(self, may_be_zero=("seed",))
        if self.n_draws < 2:
            raise ArgumentError(
                f"n_draws must be at least 2, not {self.n_draws}: one says nothing of its error"
            )
        if self.seed >= 1 << 63:
            raise ArgumentError(f"seed must be below {1 << 63}, not {self.seed}")

    def fit(
        self, recommender: Recommender, dataset: Dataset, *, progress: bool = True
    ) -> "Refined":
        """Fit the other explainer, and learn on pairs of the data set what corrections are worth.

        Raises:
            ArgumentError: the recommender has not what the other explainer needs.
        """
        return self.train(recommender, dataset, Run(progress=progress))

    def train(self, recommender: Recommender, dataset: Dataset, run: Run) -> "Refined":
        """Do what `fit` does, with what a run tells and keeps while the other explainer learns.

        Raises:
            ArgumentError: as of `fit`.
            TrainingError: the other explainer cannot learn.
            StorageError: a checkpoint that cannot be made or read.
        """
        inner = fit_explainer(self.explainer, recommender, dataset, run)
        return Refined(recommender, inner, _learned_weight(recommender, inner, dataset, self), self)

    def update(
        self, recommender: Recommender, dataset: Dataset, arrays: Mapping[str, Float32Array]
    ) -> "Refined":
        """Update the other explainer; what corrections are worth stays."""
        inner = update_explainer(self.explainer, recommender, dataset, _of_inner(arrays))
        return Refined(recommender, inner, float(arrays[_WEIGHT][0]), self)

    def refit(
        self,
        recommender: Recommender,
        dataset: Dataset,
        arrays: Mapping[str, Float32Array],
        run: Run,
    ) -> "Refined":
        """Refit the other explainer, and learn anew what corrections are worth.

        Raises:
            ArgumentError: as of `fit`.
            TrainingError: the other explainer cannot learn.
            StorageError: a checkpoint that cannot be made or read.
        """
        inner = refit_explainer(self.explainer, recommender, dataset, _of_inner(arrays), run)
        return Refined(recommender, inner, _learned_weight(recommender, inner, dataset, self), self)

    def restore(self, recommender: Recommender, arrays: Mapping[str, Float32Array]) -> "Refined":
        """Build the explainer from its stored arrays.

        Raises:
            StorageError: the arrays are not those of these settings and this recommender.
        """
        if _WEIGHT not in arrays or arrays[_WEIGHT].shape != (1,):
            raise StorageError(f'the arrays of the explainer do not fit: no "{_WEIGHT}" of shape 1')
        inner = self.explainer.restore(recommender, _of_inner(arrays))
        return Refined(recommender, inner, float(arrays[_WEIGHT][0]), self)


class Refined:
    """Corrects the contributions of the strongest players by what they add to a few coalitions.

    The Shapley value of player j is the mean, over the sizes 0 to n of a coalition T, of what j
    adds to or takes from a coalition of that size drawn by chance: v(T ∪ j) − v(T ∖ j). Leave-one-
    out is its end at T = all, and says little of the rest: a score of many events saturates. So

        φ_j = φ̂_j + w Σ_k a_k ([v(T_k ∪ j) − v(T_k ∖ j)] − φ̂_j),

    where φ̂ is the other explainer's. T_0 is nobody, of its true share 2 / (n + 1) of the sizes
    with all. The other sizes are drawn from equal strata of θ, the size being n sin² θ, since
    effects change most where few are present, and a_k makes up for it. Each coalition has its
    complement beside it, which takes out all that two players do together. All refined players of
    a pair share the coalitions, and all pairs of a batch are evaluated in one call.

    The sum is unbiased, and noisy: of few draws it is often worse than a trained network. What it
    is worth is learned in `fit`. Corrections c and c′ of one pair by independent draws agree in
    what the other explainer misses, and in nothing else, so w = E[c c′] / E[c²] leaves the least
    squared error, and corrections that are all noise count for nothing.

    Of the scores of `TwoTower`, against 4,096 permutations, it came closer at 16 evaluations of a
    player than leave-one-out, alone or with its opposite at T = nobody, either of which only made
    it worse; than gradients of the path in the place of φ̂ in the sum; and than a weight for each
    pair by its own standard errors. Even sizes did worse where there are many events, and a little
    better where there are few and the score is far from smooth.

    What holds: base value and contributions add up to the score, and a player of no effect keeps a
    contribution of 0. What holds on average over the draws: two players alike get the same. How far
    they may be apart the standard errors say, which are of the draws, and rather too large for few
    of them; the part 1 − w of what the other explainer misses is not in them. The gap that opens
    is shared out among the players that are not refined, in proportion to |φ|; the refined take
    part in proportion to their standard errors, for what they may be off.

    Sources: G. Owen, Multilinear Extensions of Games, 1972; R. Okhrati and A. Lipani, A Multilinear
    Sampling Algorithm to Estimate Shapley Values, 2020, for coalitions by their rate, with their
    complements.
    """

    def __init__(
        self, recommender: Recommender, inner: Explainer, weight: float, config: RefinedConfig
    ) -> None:
        self._recommender, self._inner = recommender, inner
        self._weight, self._config = weight, config

    def explain(
        self, histories: Histories, pairs: Pairs, full_values: Float64Array
    ) -> Attributions:
        """Attribute by the other explainer, and refine the strongest players of each pair."""
        found = self._inner.explain(histories, pairs, full_values)
        config, weight = self._config, self._weight
        chosen = strongest(found, config.n_top)
        made = correct(self._recommender, histories, found, chosen, config.n_draws, config.seed)
        contributions = found.contributions.copy()
        contributions[chosen] += weight * made.totals()
        errors = weight * made.standard_errors()
        shares = np.abs(contributions)
        shares[chosen] = np.maximum(errors, _LEAST_SHARE * shares[chosen])
        return close_gaps(
            replace(
                found,
                contributions=contributions,
                tier="refined",
                standard_errors=_standard_errors(found, made, weight, shares),
                confidences=None,  # those of the other explainer are of its own contributions
            ),
            shares,
        )

    def interactions(self, histories: Histories, pairs: Pairs, chosen: PlayerPairs) -> Interactions:
        """Return those of the other explainer, which are not refined.

        Raises:
            ArgumentError: it finds none, or a player is none of its pair or is put with itself.
        """
        return interacting(self._inner).interactions(histories, pairs, chosen)

    def arrays(self) -> dict[str, Float32Array]:
        """Return the weight of the corrections and what the other explainer has learned."""
        of_inner = {_INNER + name: each for name, each in self._inner.arrays().items()}
        return {_WEIGHT: np.array([self._weight], np.float32), **of_inner}


def _of_inner(arrays: Mapping[str, Float32Array]) -> dict[str, Float32Array]:
    """Return the arrays of the other explainer, by its own names."""
    return {
        name.removeprefix(_INNER): each for name, each in arrays.items() if name.startswith(_INNER)
    }


def _standard_errors(
    found: Attributions, made: Corrections, weight: float, shares: Float64Array
) -> Float64Array:
    """Return the errors of the refined players, and of the others by their part of the gap."""
    counts = found.players.counts()
    rows = np.repeat(np.arange(len(counts)), counts)
    totals = np.bincount(rows, shares, minlength=len(counts))[rows]
    parts = np.divide(shares, totals, out=np.zeros_like(shares), where=totals > 0)
    drawn = parts * (weight * made.standard_errors_by_pair())[rows]
    drawn[made.chosen] = weight * made.standard_errors()
    if found.standard_errors is None:
        return drawn
    of_found = found.standard_errors.copy()
    of_found[made.chosen] *= 1 - weight
    errors: Float64Array = np.hypot(drawn, of_found)
    return errors


def _learned_weight(
    recommender: Recommender, inner: Explainer, dataset: Dataset, config: RefinedConfig
) -> float:
    """Return E[c c′] / E[c²], the size of the contributions of each pair being 1."""
    histories, pairs, full_values = _drawn_pairs(recommender, dataset, config.seed)
    found = inner.explain(histories, pairs, full_values)
    chosen = strongest(found, config.n_top)
    # None of the seeds is that of explaining, whose draws are not to be judged by themselves.
    seeds = range(config.seed + 1, config.seed + 1 + _WEIGHED_TIMES)
    made = [correct(recommender, histories, found, chosen, config.n_draws, each) for each in seeds]
    corrections = np.stack([each.totals() for each in made])
    rows = np.repeat(np.arange(len(pairs)), np.diff(made[0].offsets))
    sizes = np.bincount(rows, found.contributions[chosen] ** 2, len(pairs))[rows]
    squares = (corrections**2).sum(axis=0)
    products = (corrections.sum(axis=0) ** 2 - squares) / (_WEIGHED_TIMES - 1)
    of_squares = float((squares / sizes).sum())
    if not of_squares:
        return 0.0
    return float(np.float32(np.clip((products / sizes).sum() / of_squares, 0, 1)))


def _drawn_pairs(
    recommender: Recommender, dataset: Dataset, seed: int
) -> tuple[Histories, Pairs, Float64Array]:
    """Draw users, those with events if there are any, an unseen item for each, and its score."""
    random = np.random.default_rng(seed)
    active = np.flatnonzero(np.diff(dataset.interactions.offsets) > 0)
    users = active if len(active) else np.arange(dataset.n_users)
    histories = dataset.histories(random.permutation(users)[:_WEIGHED_PAIRS])
    index = _native.ItemIndex(recommender.item_vectors(), recommender.item_biases())
    return histories, *draw_best(recommender, index, histories, _TOP, random)
