"""The whole boundary between whyrec and its Rust core.

Arrays must be C-contiguous and of exactly the dtype given; read-only and empty arrays are fine. A
wrong one is refused with an `ArgumentError` that names the argument, anything else than an array
with a `TypeError`. The GIL is released while Rust works, and Ctrl-C stops the work.

`threads` is the number of threads that may work, by default as many as the machine runs at once.
No result depends on it. `scalar` turns the vector kernels off: the bits are the same, and tests ask
for it to show so.
"""

from typing import ClassVar, final

from whyrec.types import Float32Array, Float64Array, Int32Array, Int64Array

__all__ = [
    "ItemIndex",
    "Strength",
    "aggregate_rows",
    "fold",
    "fold_triples",
    "global_importance",
    "score_pairs",
    "strongest",
    "top_k",
]

@final
class ItemIndex:
    """The vectors and biases of the catalog, checked once and then owned.

    vectors: float32 [n_items, dimension]; biases: float32 [n_items]. Both must be finite.
    """

    def __new__(cls, vectors: Float32Array, biases: Float32Array) -> ItemIndex: ...
    @property
    def n_items(self) -> int:
        """How many items there are."""

    @property
    def dimension(self) -> int:
        """How many values the vector of an item has."""

def top_k(
    index: ItemIndex,
    queries: Float32Array,
    k: int,
    *,
    excluded_offsets: Int64Array | None = None,
    excluded_items: Int32Array | None = None,
    only_offsets: Int64Array | None = None,
    only_items: Int32Array | None = None,
    threads: int | None = None,
    scalar: bool = False,
) -> tuple[Int64Array, Int32Array, Float32Array]:
    """Find the k best items of each query, by score and then by item index.

    queries: float32 [n_queries, dimension]. Of the excluded items none is in the answer, and with
    only_items no others are. Both are sets, in any order and with duplicates: one for each query
    (offsets: int64 [n_queries + 1], items: int32), or, without offsets, one for all queries.

    Returns offsets (int64 [n_queries + 1]), items (int32) and scores (float32): those of query q
    are from offsets[q] to offsets[q + 1], fewer than k where there are no more.
    """

def score_pairs(
    index: ItemIndex,
    queries: Float32Array,
    rows: Int32Array,
    items: Int32Array,
    *,
    threads: int | None = None,
    scalar: bool = False,
) -> Float32Array:
    """Score pairs of a query and an item, to the bits that `top_k` gives them.

    queries: float32 [n_queries, dimension]; rows: int32 [n_pairs], the query of each pair; items:
    int32 [n_pairs]. Pairs are scored fastest where those of one query stand together.

    Returns float32 [n_pairs].
    """

def fold(
    offsets: Int64Array,
    groups: Int32Array,
    values: Float64Array,
    group_offsets: Int64Array,
    *,
    threads: int | None = None,
) -> Float64Array:
    """Sum the values of each row by group, in the order in which they come.

    offsets: int64 [n_rows + 1]; groups: int32 [n_entries], counted from the first group of the
    entry's row; values: float64 [n_entries], finite; group_offsets: int64 [n_rows + 1], which says
    how many groups each row has.

    Returns float64 [group_offsets[-1]]; a group without entries has the sum 0.
    """

@final
class Strength:
    """What makes an entry strong."""

    ABSOLUTE: ClassVar[Strength]
    """A large absolute value; every entry may be chosen, zeros too."""

    POSITIVE: ClassVar[Strength]
    """A large value; only entries above 0 may be chosen."""

    NEGATIVE: ClassVar[Strength]
    """A small value; only entries below 0 may be chosen."""

    def __hash__(self) -> int: ...
    def __int__(self) -> int: ...

def strongest(
    offsets: Int64Array,
    values: Float64Array,
    m: int,
    strength: Strength,
    *,
    threads: int | None = None,
) -> tuple[Int64Array, Int64Array]:
    """Choose the m strongest entries of each row, strongest first; the earlier wins a tie.

    offsets: int64 [n_rows + 1]; values: float64 [n_entries], finite.

    Returns offsets (int64 [n_rows + 1]) and positions (int64): where each chosen entry stands in
    values. A row has fewer than m where no more may be chosen.
    """

def global_importance(
    keys: Int32Array,
    values: Float64Array,
    n_keys: int,
    *,
    threads: int | None = None,
) -> tuple[Int64Array, Float64Array, Float64Array]:
    """Accumulate contributions by key.

    keys: int32 [n_entries], each less than n_keys; values: float64 [n_entries], finite.

    Returns counts (int64 [n_keys]), sums and sums of absolute values (float64 [n_keys]). Those of
    two parts of the data add up to those of both.
    """

def aggregate_rows(
    values: Float32Array | Float64Array,
    groups: Int32Array,
    n_groups: int,
    *,
    folded: bool = True,
    m: int | None = None,
    strength: Strength = ...,
    importance: bool = True,
    threads: int | None = None,
    scalar: bool = False,
) -> tuple[
    Float64Array | None,
    tuple[Int64Array, Int32Array] | None,
    tuple[Int64Array, Float64Array, Float64Array] | None,
]:
    """Aggregate rows of one length in one pass; what is not asked for costs nothing.

    values: float32 or float64 [n_rows, n_players], finite; groups: int32 [n_players], each less
    than n_groups. All sums are float64.

    Returns, each None unless it is asked for: folded, float64 [n_rows, n_groups], summed in the
    order of the players; with m, the m strongest groups of each row, the strongest first and of
    two equal ones the lower, as offsets (int64 [n_rows + 1]) and groups (int32); importance, for
    each player counts (int64 [n_players]), sums and sums of absolute values (float64 [n_players]).
    """

def fold_triples(
    rows: Int32Array,
    groups: Int32Array,
    values: Float64Array,
    n_rows: int,
    n_groups: int,
    *,
    threads: int | None = None,
) -> Float64Array:
    """Sum entries by row and group, in the order in which they come.

    rows: int32 [n_entries]; groups: int32 [n_entries]; values: float64 [n_entries], finite.
    Entries sorted by row are summed fastest. All others take extra memory: 12 bytes for each, and
    never more than about 100 MB.

    Returns float64 [n_rows, n_groups]; what has no entries has the sum 0.
    """
