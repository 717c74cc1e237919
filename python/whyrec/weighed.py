"""What scores and explains: the fitted SDK as it is, or with some players counting for less."""

from dataclasses import dataclass, replace

import numpy as np

from whyrec.data.dataset import Dataset
from whyrec.data.rows import offsets_of
from whyrec.data.wording import count, some
from whyrec.errors import ArgumentError
from whyrec.explain import Attributions
from whyrec.explain.attribution import PlayerKind
from whyrec.feedback.controls import Weights
from whyrec.models.recommender import DotProductRecommender, ReweighableRecommender
from whyrec.models.weighted import Weighted
from whyrec.ranking import ItemIndex
from whyrec.ranking.rule_book import Boosts
from whyrec.saved import Fitted
from whyrec.types import BoolArray, Float32Array


@dataclass(frozen=True, slots=True, eq=False)
class Scoring:
    """A recommender, its explainer, and the index of its items."""

    fitted: Fitted
    index: ItemIndex

    kept: BoolArray | None = None
    """bool [n_values]: which feature values of the data set's items there are; None has all."""

    @classmethod
    def of(cls, fitted: Fitted) -> "Scoring":
        """Return what scores and explains as it was fitted.

        Raises:
            ArgumentError: a vector or a bias of an item is not finite.
        """
        model, items = fitted.model, fitted.dataset.items
        vectors, biases = model.item_vectors(), model.item_biases()
        bad = np.flatnonzero(~(np.isfinite(vectors).all(axis=1) & np.isfinite(biases)))
        if len(bad):
            raise ArgumentError(
                f"{type(model).__name__}: the vectors or biases of {count(len(bad), 'item')} "
                f"are not finite: {some(items[each] for each in bad.tolist())}"
            )
        return cls(fitted, ItemIndex(vectors, biases))

    def fitted_on(self, dataset: Dataset) -> "Scoring":
        """Return the same with other users in its data set."""
        return replace(self, fitted=self.fitted.fitted_on(dataset))

    def weighed(self, weights: Weights) -> "Scoring":
        """Return what scores and explains with weights.

        A feature value that does not count is no player, and the score is v of all others. One that
        counts for less is a player at a presence below 1, as are events and attributes.

        Items without such features keep their place in the index.

        Raises:
            ArgumentError: the recommender cannot weigh its players.
        """
        if weights == Weights():
            return self
        demand_weighable(self.fitted, weights)
        fitted, features = self.fitted, self.fitted.dataset.item_features
        model, index, kept = fitted.model, self.index, None
        if weights.features:
            of_token = _dense(weights.features, features.schema.n_tokens)
            of_value = of_token[features.tokens]
            kept = of_value > 0
            scaled = replace(features, weights=features.weights * of_value)
            assert isinstance(model, ReweighableRecommender)
            model = model.with_item_features(scaled.only(kept))
            less = offsets_of(of_value < 1)[features.offsets]
            items = np.flatnonzero(np.diff(less)).astype(np.int32)
            if len(items):
                vectors, biases = model.item_vectors(), model.item_biases()
                index = index.replaced(items, vectors[items], biases[items])
        if weights.items or weights.fields:
            assert isinstance(model, DotProductRecommender)
            n_fields = len(fitted.dataset.user_features.schema.fields)
            model = Weighted(
                model,
                _dense(weights.items, fitted.dataset.n_items),
                _dense(weights.fields, n_fields),
            )
        explainer = fitted.explainer_config.restore(model, fitted.explainer.arrays())
        return Scoring(replace(fitted, model=model, explainer=explainer), index, kept)

    def boosted(self, boosts: Boosts) -> ItemIndex:
        """Return the index with biases that hold what is added to the scores that rank."""
        if self.index is boosts.plain:
            return boosts.index
        model, changed = self.fitted.model, np.flatnonzero(boosts.values).astype(np.int32)
        biases = model.item_biases()[changed] + boosts.values[changed]
        vectors = np.ascontiguousarray(model.item_vectors()[changed])
        return self.index.replaced(changed, vectors, biases)

    def in_catalog(self, found: Attributions) -> Attributions:
        """Return attributions whose features are counted among all that their items have."""
        if self.kept is None:
            return found
        players, features = found.players, self.fitted.dataset.item_features
        is_feature = players.kinds == PlayerKind.FEATURE
        item = np.repeat(found.pairs.items, players.counts())[is_feature]
        starts = offsets_of(self.kept)[features.offsets][item]
        sources = players.sources.copy()
        positions = np.flatnonzero(self.kept)[starts + sources[is_feature]]
        sources[is_feature] = positions - features.offsets[item]
        return replace(found, players=replace(players, sources=sources))


def can_weigh(fitted: Fitted) -> bool:
    """Tell whether events and attributes can count for less than whole."""
    return isinstance(fitted.model, DotProductRecommender)


def demand_weighable(fitted: Fitted, weights: Weights) -> None:
    """Refuse weights that a recommender cannot give its players.

    Raises:
        ArgumentError: it has no presence between 0 and 1, or cannot leave features out.
    """
    model = fitted.model
    if weights.features and not isinstance(model, ReweighableRecommender):
        raise ArgumentError(
            f"{type(model).__name__} cannot leave out features of its items; it has no "
            "with_item_features"
        )
    if (weights.items or weights.fields) and not can_weigh(fitted):
        raise ArgumentError(
            f"{type(model).__name__} knows no presence between none and whole, so events and "
            "attributes cannot count for less; use weight=0, or TwoTowerConfig() or "
            "SequenceConfig() without a ranker"
        )


def _dense(weights: tuple[tuple[int, float], ...], size: int) -> Float32Array:
    dense = np.ones(size, np.float32)
    for index, weight in weights:
        dense[index] = weight
    return dense
