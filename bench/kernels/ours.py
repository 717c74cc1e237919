"""Every call of whyrec's kernels that is timed, in one place."""

import numpy as np

from whyrec import _native
from whyrec.ranking import Candidates, ItemIndex
from whyrec.reasons import aggregation
from whyrec.reasons.aggregation import RowAggregates
from whyrec.types import Float32Array, Float64Array, Int32Array


def index_of(vectors: Float32Array) -> ItemIndex:
    """Build an index of vectors without biases: no peer has any."""
    return ItemIndex(vectors, np.zeros(len(vectors), np.float32))


def top_k(
    index: ItemIndex,
    queries: Float32Array,
    k: int,
    *,
    codes: bool | None = None,
    excluded: Candidates | None = None,
) -> Int32Array:
    """Return int32 [n_queries, k]: the best items of each query.

    codes: whether int8 codes choose what is scored in float32; None lets the data decide.
    """
    _, items, _ = _native.top_k(
        index._index,
        queries,
        k,
        excluded_offsets=None if excluded is None else excluded.offsets,
        excluded_items=None if excluded is None else excluded.items,
        codes=codes,
    )
    return items.reshape(len(queries), k)


def aggregate_rows(
    values: Float32Array,
    groups: Int32Array,
    n_groups: int,
    m: int,
    *,
    out: RowAggregates | None = None,
) -> RowAggregates:
    """Fold rows of one length, pick the m strongest groups and sum each player over all rows."""
    return aggregation.aggregate_rows(values, groups, n_groups, m=m, out=out)


def fold_triples(
    rows: Int32Array,
    groups: Int32Array,
    values: Float64Array,
    n_rows: int,
    n_groups: int,
    *,
    out: Float64Array | None = None,
) -> Float64Array:
    """Return float64 [n_rows, n_groups]: the sums of (row, group, value) triples in any order."""
    return aggregation.fold_triples(rows, groups, values, n_rows, n_groups, out=out)
