"""A small recommender whose scores are exact and whose contributions are known."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whyrec.data.coalitions import Coalitions
from whyrec.data.features import Features
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.errors import ArgumentError
from whyrec.explain.attribution import PlayerKind, Players
from whyrec.types import Float32Array, Float64Array


class Scorer:
    """score(u, i) = (Σ events + Σ attributes) · (item + Σ features) + bias.

    Each sum is over the players that are present. Of an event and a feature, half of their product
    belongs to either, so the Shapley values are known. Nothing is learned; it makes tests fast.

    Args:
        item_features: one row per item of the catalog.
        events: float32 [n_items, dimension], what an event of each item adds to the query.
        attributes: float32 [n_user_tokens, dimension], what each value of a user's field adds.
        items: float32 [n_items, dimension], the vector of each item without features.
        features: float32 [n_item_tokens, dimension], what each feature value adds to it.
        biases: float32 [n_items], in logits.

    Raises:
        ArgumentError: coalitions of other pairs or players than those asked about.

    >>> import whyrec
    >>> from whyrec.data.dataset import Dataset
    >>> world = whyrec.datasets.synthetic(seed=0, n_users=5, n_items=25)
    >>> dataset = Dataset.from_tables(world.events)
    >>> one, none = np.ones((25, 1), np.float32), np.zeros((0, 1), np.float32)
    >>> scorer = Scorer(
    ...     dataset.item_features,
    ...     events=one, attributes=none, items=one, features=none, biases=one[:, 0],
    ... )
    >>> scorer.query_vectors(dataset.visitor(["i0", "i1"], {}))
    array([[2.]], dtype=float32)
    """

    def __init__(
        self,
        item_features: Features,
        *,
        events: Float32Array,
        attributes: Float32Array,
        items: Float32Array,
        features: Float32Array,
        biases: Float32Array,
    ) -> None:
        self.item_features = item_features
        self._events, self._attributes = events, attributes
        self._items, self._features, self._biases = items, features, biases

    def query_vectors(self, histories: Histories) -> Float32Array:
        """Return float32 [n_rows, dimension]: one vector per history."""
        known = histories.attributes
        rows = np.repeat(np.arange(len(histories)), histories.counts())
        queries = np.zeros((len(histories), self._items.shape[1]), np.float32)
        np.add.at(queries, rows, self._events[histories.items])
        rows = np.repeat(np.arange(len(histories)), np.diff(known.offsets))
        np.add.at(queries, rows, self._attributes[known.tokens] * known.weights[:, None])
        return queries

    def item_vectors(self) -> Float32Array:
        """Return float32 [n_items, dimension]: one vector per item of the catalog."""
        known, vectors = self.item_features, self._items.copy()
        rows = np.repeat(np.arange(len(known)), np.diff(known.offsets))
        np.add.at(vectors, rows, self._features[known.tokens] * known.weights[:, None])
        return vectors

    def item_biases(self) -> Float32Array:
        """Return float32 [n_items], in logits."""
        return self._biases

    def coalition_values(
        self, histories: Histories, pairs: Pairs, coalitions: Coalitions
    ) -> Float64Array:
        """Return v(S), float64 [n_coalitions of all pairs]; see `Recommender`."""
        counts = Players.of(histories, self.item_features, pairs).counts()
        if coalitions.n_players.tolist() != counts.tolist():
            raise ArgumentError(
                f"coalitions are of {coalitions.n_players.tolist()} players; the pairs have "
                f"{counts.tolist()}"
            )
        values = [np.zeros(0)]
        for pair in range(len(pairs)):
            of_query, of_item = self._parts(histories, pairs, pair)
            present = coalitions.of(pair).astype(np.float64)
            queries = present[:, : len(of_query)] @ of_query
            vectors = self._items[pairs.items[pair]] + present[:, len(of_query) :] @ of_item
            values.append((queries * vectors).sum(axis=1) + self._biases[pairs.items[pair]])
        return np.concatenate(values)

    def shapley_values(self, histories: Histories, pairs: Pairs) -> Float64Array:
        """Return the true contributions, float64 [n_players of all pairs], in logits."""
        found = [np.zeros(0)]
        for pair in range(len(pairs)):
            of_query, of_item = self._parts(histories, pairs, pair)
            own = self._items[pairs.items[pair]]
            found.append(of_query @ (own + of_item.sum(axis=0) / 2))
            found.append(of_item @ of_query.sum(axis=0) / 2)
        return np.concatenate(found)

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return all arrays, by name."""
        return {
            "events": self._events,
            "attributes": self._attributes,
            "items": self._items,
            "features": self._features,
            "biases": self._biases,
        }

    def _parts(
        self, histories: Histories, pairs: Pairs, pair: int
    ) -> tuple[Float64Array, Float64Array]:
        """Return what each player adds to the query and to the item, float64 [n, dimension]."""
        row, item = int(pairs.rows[pair]), int(pairs.items[pair])
        history = histories.take(np.array([row]))
        players = Players.of(
            history, self.item_features, Pairs(pairs.rows[:1] * 0, pairs.items[[pair]])
        )
        known = history.attributes
        fields = known.schema.token_fields[known.tokens]
        added = self._attributes[known.tokens] * known.weights[:, None]
        sources = players.sources[players.kinds == PlayerKind.ATTRIBUTE]
        of_fields = [added[fields == source].sum(axis=0, keepdims=True) for source in sources]
        own = slice(*self.item_features.offsets[item : item + 2].tolist())
        tokens, weights = self.item_features.tokens[own], self.item_features.weights[own]
        of_query = np.concatenate([self._events[history.items], *of_fields]).astype(np.float64)
        return of_query, (self._features[tokens] * weights[:, None]).astype(np.float64)
