"""What filters and rules mean for a catalog: ids and fields become indices, rules an answer."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, Protocol, Self

import numpy as np
import pyarrow as pa

from whyrec.data.dataset import Dataset
from whyrec.data.field_table import Where, field_table, rows_where
from whyrec.errors import ArgumentError
from whyrec.models.popularity import Popularity
from whyrec.models.recommender import Recommender
from whyrec.ranking.arranging import Arrangement, Limit, slot_sources
from whyrec.ranking.candidates import Candidates
from whyrec.ranking.filters import Filters
from whyrec.ranking.index import ItemIndex
from whyrec.ranking.ranking import Ranking
from whyrec.ranking.rules import Rules
from whyrec.ranking.slots import SlotSource
from whyrec.types import Float32Array, Int64Array


@dataclass(frozen=True, slots=True, eq=False)
class Boosts:
    """What is added to the score that ranks."""

    values: Float32Array
    """float32 [n_items], in logits."""

    index: ItemIndex
    """The catalog with biases that hold them already."""

    plain: ItemIndex
    """The catalog without."""


class TopK(Protocol):
    """Ranks for some of those who ask."""

    def __call__(
        self, rows: Int64Array, k: int, filters: Filters, boosts: Boosts | None
    ) -> Ranking:
        """Return the k best items of each row; boosts None ranks by the model alone."""
        ...


class Ranked(NamedTuple):
    """What is answered with, for each of those who ask."""

    ranking: Ranking
    sources: list[SlotSource]
    """What put each ranked item where it stands."""

    rivals: Ranking | None = None
    """What the items are held against, if anything."""

    @classmethod
    def beside(
        cls,
        ranking: Ranking,
        sources: list[SlotSource],
        rivals: Ranking,
        ids: Sequence[Hashable | None],
    ) -> Self:
        """Put an answer beside what it is held against.

        Raises:
            ArgumentError: there is nothing to hold the answer for one of the ids against.
        """
        alone = np.flatnonzero((np.diff(ranking.offsets) > 0) & (np.diff(rivals.offsets) == 0))
        if len(alone):
            raise ArgumentError(
                f"against: no item is left to hold the answer for {ids[alone[0]]!r} "
                "against; lower k, or allow more items"
            )
        return cls(ranking, sources, rivals)


class RuleBook:
    """Filters and rules over the items of a data set, ranked by one recommender."""

    def __init__(self, dataset: Dataset, model: Recommender, index: ItemIndex) -> None:
        self._dataset, self._model, self._index = dataset, model, index
        # What puts an item where it stands if no rule does.
        self.own = SlotSource.POPULAR if isinstance(model, Popularity) else SlotSource.MODEL

    @cached_property
    def _fields(self) -> pa.Table:
        return field_table(self._dataset.item_features)

    @cached_property
    def _vectors(self) -> Float32Array:
        return self._model.item_vectors()

    def filters(
        self,
        exclude: Iterable[Hashable] = (),
        only: Iterable[Hashable] | None = None,
        include_seen: bool = False,
        where: Where | None = None,
    ) -> Filters:
        """Turn what is said of items into indices; see `SDK.recommend`.

        Raises:
            UnknownItemError: exclude or only names an item that is not in the catalog.
            ArgumentError: where names a field that is not there, or does not fit its type.
        """
        items = self._dataset.items
        return Filters(
            Candidates.shared(items.indices_of(exclude)),
            None if only is None else Candidates.shared(items.indices_of(only)),
            None if where is None else rows_where(self._fields, where),
            include_seen,
        )

    def answer(
        self,
        rules: Rules,
        k: int,
        n_rows: int,
        filters: Filters,
        top_k: TopK,
        scores: Callable[[Ranking], Float32Array],
    ) -> tuple[Ranking, list[SlotSource]]:
        """Answer by rules.

        Args:
            rules: the rules.
            k: how many items each row gets at most.
            n_rows: for how many.
            filters: which items may be in an answer.
            top_k: ranks.
            scores: gives the model's own scores, float32 [n_ranked], of any ranking.

        Returns:
            The items of each row in their order, with the model's own scores.
            What put each of them where it stands.

        Raises:
            UnknownItemError: a rule names an item that is not in the catalog.
            ArgumentError: a rule names no field, or not one of its kind.
        """
        boosts, arrangement = self._boosts(rules), self._arrangement(rules, k)
        rows, pinned, only = np.arange(n_rows), arrangement.pinned, filters.only
        allowed = pinned if only is None else pinned[np.isin(pinned, only.items)]
        pinnable = replace(filters, only=Candidates.shared(allowed))
        fixed = top_k(rows, max(1, len(allowed)), pinnable, None)
        # What is pinned beyond k is kept for a longer answer, of which this one is the beginning.
        kept = Candidates.shared(self._dataset.items.indices_of(rules.by_rank().values()))
        others = replace(filters, gone=filters.gone.union(kept))
        offsets, items = arrangement.arrange(
            lambda some, depth: top_k(some, depth, others, boosts), fixed, k
        )
        found = Ranking(offsets, items, np.zeros(len(items), np.float32))
        found = replace(found, scores=scores(found))
        promoted = np.isin(items, pinned)
        if boosts is not None:
            promoted |= boosts.values[items] > 0
        own = top_k(rows, k, filters, None)
        return found, slot_sources(found, own, promoted, self.own)

    def _arrangement(self, rules: Rules, k: int) -> Arrangement:
        by_rank = {rank: item for rank, item in rules.by_rank().items() if rank <= k}
        features = self._dataset.item_features
        return Arrangement(
            self._dataset.items.indices_of(by_rank.values()).astype(np.int32),
            np.array(list(by_rank), np.int64) - 1,
            tuple(Limit.of(features, name, most) for name, most in rules.at_most.items()),
            float(rules.diversity),
            self._vectors if rules.diversity else None,
        )

    def _boosts(self, rules: Rules) -> Boosts | None:
        pairs = rules.boost_pairs()
        values = np.zeros(self._dataset.n_items)
        if isinstance(rules.boosts, Mapping):
            items = self._dataset.items.indices_of([item for item, _ in pairs])
            np.add.at(values, items, [boost for _, boost in pairs])
        else:
            for where, boost in pairs:
                values[rows_where(self._fields, where, "boosts")] += boost
        changed = np.flatnonzero(values).astype(np.int32)
        if not len(changed):
            return None
        added = values.astype(np.float32)
        vectors = np.ascontiguousarray(self._vectors[changed])
        biases = self._model.item_biases()[changed] + added[changed]
        return Boosts(added, self._index.replaced(changed, vectors, biases), self._index)
