"""Any explainer on margins: why the item scores above those that come next, as an answer tells."""

from dataclasses import dataclass, field, replace

import numpy as np
from bench.faithfulness.asked import top_unseen

import whyrec
from whyrec.data.coalitions import Coalitions
from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.data.rows import gather_rows
from whyrec.errors import ArgumentError
from whyrec.explain import Explainer, ExplainerConfig, Margin, Players, Rivals, margin_over
from whyrec.explain.attribution import Attributions
from whyrec.models.recommender import Recommender
from whyrec.types import Float64Array


@dataclass(frozen=True, kw_only=True)
class MarginsConfig:
    """Settings of an explainer on margins, which are those of `against` in the SDK."""

    explainer: ExplainerConfig = field(default_factory=whyrec.NetworkConfig)
    """What explains them; it is fitted to the scores, as in the SDK."""

    n_rivals: int = 10
    """Of so many best items beside the explained one an item is held against the mean."""

    def __post_init__(self) -> None:
        if self.n_rivals < 1:
            raise ArgumentError(f"n_rivals must be at least 1, not {self.n_rivals}")

    def fit(
        self, recommender: Recommender, dataset: Dataset, *, progress: bool = True
    ) -> "Margins":
        """Fit the explainer to the scores."""
        fitted = self.explainer.fit(recommender, dataset, progress=progress)
        return Margins(recommender, fitted, self)


class Margins:
    """Gives each player its part of the margin."""

    def __init__(
        self, recommender: Recommender, explainer: Explainer, config: MarginsConfig
    ) -> None:
        self._recommender, self._config = recommender, config
        self._arrays = explainer.arrays()

    def explain(
        self,
        histories: Histories,
        pairs: Pairs,
        full_values: Float64Array,  # noqa: ARG002
    ) -> Attributions:
        """Attribute how far a batch of pairs scores above its rivals."""
        game = margin_game(self._recommender, histories, pairs, self._config.n_rivals)
        asked = Pairs(pairs.rows, np.arange(len(pairs), dtype=np.int32))
        margins = everybody_values(game, histories, asked)
        explainer = self._config.explainer.restore(game, self._arrays)
        return replace(explainer.explain(histories, asked, margins), pairs=pairs)


def margin_game(
    recommender: Recommender, histories: Histories, pairs: Pairs, n_rivals: int
) -> Margin:
    """Return the game of how far each pair's item scores above the mean of the best others.

    Raises:
        ArgumentError: there is no other.
    """
    ranking = top_unseen(recommender, histories, n_rivals + 1)
    offsets, places = gather_rows(ranking.offsets, pairs.rows)
    rows = np.repeat(np.arange(len(pairs)), np.diff(offsets))
    items = ranking.items[places]
    others = items != pairs.items[rows]
    first = others & (
        np.cumsum(others) - np.append(0, np.cumsum(others))[offsets[rows]] <= n_rivals
    )
    counts = np.bincount(rows[first], minlength=len(pairs))
    rivals = Rivals(np.append(0, np.cumsum(counts)), items[first])
    return margin_over(recommender, pairs.items, rivals)


def everybody_values(game: Recommender, histories: Histories, pairs: Pairs) -> Float64Array:
    """Return float64 [n_pairs]: v(all), in logits."""
    counts = Players.of(histories, game.item_features, pairs).counts()
    everybody = Coalitions(counts, np.ones(len(pairs), np.int64), np.ones(counts.sum(), bool))
    return game.coalition_values(histories, pairs, everybody)
