"""Puts an answer together by rules: which items of a ranking are taken, and where they stand."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np

from whyrec.data.features import Features
from whyrec.data.fields import FittedSet
from whyrec.data.pairs import Pairs
from whyrec.data.rows import gather_rows, offsets_of
from whyrec.data.wording import listed
from whyrec.errors import ArgumentError
from whyrec.ranking.index import ItemIndex
from whyrec.ranking.ranking import Ranking
from whyrec.ranking.slots import SlotSource
from whyrec.types import BoolArray, Float32Array, Float64Array, Int32Array, Int64Array

_DEEPER = 4
"""By how much more is looked at where an answer is not full yet."""


@dataclass(frozen=True, slots=True, eq=False)
class Limit:
    """How many items of an answer may share a token."""

    features: Features
    """One row per item, of one field."""

    most: int

    @classmethod
    def of(cls, features: Features, field: str, most: int) -> Self:
        """Limit the items that share a value of a field.

        Raises:
            ArgumentError: the field is not a categorical field or a field of tags of the items.
        """
        schema = features.schema
        names = [each.name for each in schema.fields if isinstance(each, FittedSet)]
        if field not in names:
            raise ArgumentError(
                f"at_most: {field!r} is no field of categories or tags of the items; "
                f"those are: {listed(names)}"
            )
        in_field = schema.token_fields[features.tokens] == schema.field_names.index(field)
        return cls(features.only(in_field), most)


@dataclass(frozen=True, slots=True, eq=False)
class Arrangement:
    """Rules by the indices of items."""

    pinned: Int32Array
    """int32 [n_pinned]: item indices."""

    places: Int64Array
    """int64 [n_pinned]: their places, counted from 0, rising."""

    limits: tuple[Limit, ...]
    diversity: float
    vectors: Float32Array | None
    """float32 [n_items, dimension], by which items are alike; None where nothing asks for it."""

    def depth(self, k: int) -> int:
        """Return how many items are looked at first, so that k can be taken."""
        if self.diversity:
            return max(10 * k, 100)
        return 2 * k if self.limits else k

    def arrange(
        self, fetch: Callable[[Int64Array, int], Ranking], fixed: Ranking, k: int
    ) -> tuple[Int64Array, Int32Array]:
        """Return the items of each answer, in their order.

        Args:
            fetch: gives the best items, none of them pinned, for some rows, so many each.
            fixed: the pinned items that each row may have, in any order.
            k: how many items an answer has at most.

        Returns:
            int64 [n_rows + 1], offsets; int32 [n_items of all], item indices.
        """
        fixed_places = self._places_of(fixed.items)
        wanted = k - np.diff(fixed.offsets)
        taken = np.zeros((len(fixed), k), np.int32)
        n_taken = np.zeros(len(fixed), np.int64)
        rows, depth = np.flatnonzero(wanted > 0), self.depth(k)
        while len(rows):
            pool = fetch(rows, depth)
            taken[rows], n_taken[rows] = self._take(pool, fixed.take(rows), wanted[rows], k)
            # Only where the catalog has more is there any use in looking deeper.
            more = (n_taken[rows] < wanted[rows]) & (np.diff(pool.offsets) >= depth)
            rows, depth = rows[more], depth * _DEEPER
        return _seated(fixed, fixed_places, taken, n_taken)

    def _places_of(self, items: Int32Array) -> Int64Array:
        order = np.argsort(self.pinned)
        return self.places[order[np.searchsorted(self.pinned, items, sorter=order)]]

    def _take(
        self, pool: Ranking, fixed: Ranking, wanted: Int64Array, k: int
    ) -> tuple[Int32Array, Int64Array]:
        """Take the best of each row one after the other; all rows take their next one at once."""
        table = _Table.of(pool, fixed)
        tallies = [_Tally.of(limit, table, fixed) for limit in self.limits]
        worth = table.scores
        likeness = None
        if self.diversity and self.vectors is not None:
            worth = (1 - self.diversity) * table.scaled()
            likeness = _Likeness.of(self.vectors, table, fixed)
        taken, n_taken = np.zeros((len(pool), k), np.int32), np.zeros(len(pool), np.int64)
        free = table.present.copy()
        for _ in range(min(int(wanted.max(initial=0)), free.shape[1])):
            may = free.copy()
            for tally in tallies:
                may &= ~tally.full(table)
            value = worth if likeness is None else worth - self.diversity * likeness.nearest()
            best = np.where(may, value, -np.inf).argmax(axis=1)
            rows = np.flatnonzero(may.any(axis=1) & (n_taken < wanted))
            if not len(rows):
                break
            columns = best[rows]
            chosen = table.places[rows, columns]
            taken[rows, n_taken[rows]] = table.items[chosen]
            n_taken[rows] += 1
            free[rows, columns] = False
            for tally in tallies:
                tally.add(rows, chosen)
            if likeness is not None:
                likeness.add(rows, chosen)
        return taken, n_taken


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """The items that each row may take, as columns by falling score."""

    items: Int32Array
    """int32 [n_distinct]: every item that is in any row, rising."""

    places: Int64Array
    """int64 [n_rows, n_columns]: which of the distinct items it is."""

    scores: Float64Array
    """float64 [n_rows, n_columns]."""

    present: BoolArray
    """bool [n_rows, n_columns]: whether the row has so many."""

    fixed: Int64Array
    """int64: which of the distinct items each fixed one is."""

    @classmethod
    def of(cls, pool: Ranking, fixed: Ranking) -> Self:
        items, places = np.unique(np.concatenate([pool.items, fixed.items]), return_inverse=True)
        counts = np.diff(pool.offsets)
        present = np.arange(counts.max(initial=0)) < counts[:, None]
        table, scores = np.zeros(present.shape, np.int64), np.zeros(present.shape)
        table[present], scores[present] = places[: len(pool.items)], pool.scores
        return cls(items, table, scores, present, places[len(pool.items) :])

    def scaled(self) -> Float64Array:
        """Return the scores of each row from 0 to 1; all are 0 where they are the same."""
        highest = np.where(self.present, self.scores, -np.inf).max(axis=1, initial=-np.inf)
        lowest = np.where(self.present, self.scores, np.inf).min(axis=1, initial=np.inf)
        spread = np.where(highest > lowest, highest - lowest, 1.0)
        scaled = (self.scores - lowest[:, None]) / spread[:, None]
        return np.where(self.present, scaled, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class _Tally:
    """How many items with each token a row has taken."""

    tokens: Int64Array
    """int64 [n_distinct, n_most]: the tokens of each item; a last one stands for none."""

    counts: Int64Array
    """int64 [n_rows, n_tokens + 1]."""

    most: int

    @classmethod
    def of(cls, limit: Limit, table: _Table, fixed: Ranking) -> Self:
        offsets, positions = gather_rows(limit.features.offsets, table.items)
        known, codes = np.unique(limit.features.tokens[positions], return_inverse=True)
        counts = np.diff(offsets)
        present = np.arange(counts.max(initial=0)) < counts[:, None]
        tokens = np.full(present.shape, len(known))
        tokens[present] = codes
        tally = cls(tokens, np.zeros((len(fixed), len(known) + 1), np.int64), limit.most)
        tally.add(fixed.pairs().rows, table.fixed)
        return tally

    def add(self, rows: Int64Array | Int32Array, chosen: Int64Array) -> None:
        """Count what some rows have taken."""
        np.add.at(self.counts, (rows[:, None], self.tokens[chosen]), 1)
        self.counts[:, -1] = 0

    def full(self, table: _Table) -> BoolArray:
        """Return bool [n_rows, n_columns]: whether a token of the item is there often enough."""
        full = self.counts >= self.most
        rows = np.arange(len(full))[:, None, None]
        return np.asarray(full[rows, self.tokens[table.places]].any(axis=2))


class _Likeness:
    """How like each item is to the one most like it among those that its row has taken."""

    def __init__(self, units: Float32Array, table: _Table, n_rows: int) -> None:
        self._units, self._index, self._places = units, ItemIndex(units), table.places
        self._nearest = np.zeros(table.places.shape)
        self._has_any = np.zeros(n_rows, bool)

    @classmethod
    def of(cls, vectors: Float32Array, table: _Table, fixed: Ranking) -> Self:
        chosen = vectors[table.items].astype(np.float64)
        norms = np.linalg.norm(chosen, axis=1, keepdims=True)
        units = (chosen / np.where(norms > 0, norms, 1)).astype(np.float32)
        likeness = cls(np.ascontiguousarray(units), table, len(fixed))
        counts = np.diff(fixed.offsets)
        for nth in range(int(counts.max(initial=0))):
            rows = np.flatnonzero(counts > nth)
            likeness.add(rows, table.fixed[fixed.offsets[rows] + nth])
        return likeness

    def nearest(self) -> Float64Array:
        """Return float64 [n_rows, n_columns], cosines; 0 where nothing is taken yet."""
        return self._nearest

    def add(self, rows: Int64Array, chosen: Int64Array) -> None:
        """Compare with what some rows have taken."""
        n_columns = self._places.shape[1]
        pairs = Pairs(
            np.repeat(np.arange(len(rows), dtype=np.int32), n_columns),
            self._places[rows].ravel().astype(np.int32),
        )
        # The index gives the same bits whatever else is asked, which a matrix product does not.
        cosines = self._index.scores(self._units[chosen], pairs).reshape(len(rows), n_columns)
        before = np.where(self._has_any[rows, None], self._nearest[rows], -np.inf)
        self._nearest[rows] = np.maximum(before, cosines)
        self._has_any[rows] = True


def _seated(
    fixed: Ranking, places: Int64Array, taken: Int32Array, n_taken: Int64Array
) -> tuple[Int64Array, Int32Array]:
    """Put fixed items at their places and the others, in order, between; without gaps."""
    n_rows, k = taken.shape
    fixed_rows = fixed.pairs().rows
    is_fixed = np.zeros((n_rows, k), bool)
    is_fixed[fixed_rows, places] = True
    gaps = np.argsort(is_fixed, axis=1, kind="stable")
    rows, nth = np.nonzero(np.arange(k) < n_taken[:, None])
    all_rows = np.concatenate([fixed_rows, rows])
    all_places = np.concatenate([places, gaps[rows, nth]])
    items = np.concatenate([fixed.items, taken[rows, nth]])
    order = np.lexsort((all_places, all_rows))
    return offsets_of(np.bincount(all_rows, minlength=n_rows)), items[order]


def slot_sources(
    answer: Ranking, own: Ranking, promoted: BoolArray, otherwise: SlotSource
) -> list[SlotSource]:
    """Return what put each item of an answer where it stands.

    Args:
        answer: the items, with the scores of the model.
        own: what the model would have answered by itself.
        promoted: bool [n_ranked], which items of the answer a rule pins or boosts.
        otherwise: what puts an item where it stands that no rule has moved.
    """
    rows, own_rows = answer.pairs().rows.astype(np.int64), own.pairs().rows.astype(np.int64)
    size = 1 + max(answer.items.max(initial=0), own.items.max(initial=0))
    is_own = np.isin(rows * size + answer.items, own_rows * size + own.items)
    counts = np.diff(answer.offsets)
    present = np.arange(counts.max(initial=0)) < counts[:, None]
    scores = np.full((len(answer), present.shape[1] + 1), -np.inf)
    scores[:, :-1][present] = np.where(promoted, -np.inf, answer.scores)
    highest_later = np.maximum.accumulate(scores[:, ::-1], axis=1)[:, ::-1][:, 1:][present]
    arranged = ~is_own | (answer.scores < highest_later)
    return [
        SlotSource.PROMOTED if one else SlotSource.ARRANGED if other else otherwise
        for one, other in zip(promoted.tolist(), arranged.tolist(), strict=True)
    ]
