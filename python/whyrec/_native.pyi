"""The whole boundary between whyrec and its Rust core.

Arrays must be C-contiguous and of exactly the dtype given; read-only and empty arrays are fine. A
wrong one is refused with an `ArgumentError` that names the argument, anything else than an array
with a `TypeError`. The GIL is released while Rust works, and Ctrl-C stops the work.

`threads` is the number of threads that may work, by default as many as the machine runs at once.
No result depends on it. `scalar` turns the vector kernels off: the bits are the same, and tests ask
for it to show so.
"""

from collections.abc import Sequence
from os import PathLike
from typing import ClassVar, final

from whyrec.types import (
    BoolArray,
    Float32Array,
    Float64Array,
    Int32Array,
    Int64Array,
    UInt8Array,
)

__all__ = [
    "ItemIndex",
    "Plan",
    "Strength",
    "aggregate_rows",
    "every_coalition",
    "exact_interactions",
    "exact_shapley",
    "fold",
    "fold_triples",
    "global_importance",
    "interaction_coalitions",
    "merge",
    "paired_coalitions",
    "paired_shapley",
    "permutation_coalitions",
    "permutation_shapley",
    "sampled_interactions",
    "score_pairs",
    "strongest",
    "sum_sparse_rows",
    "top_k",
]

@final
class ItemIndex:
    """The vectors and biases of the catalog, checked once and then owned.

    vectors: float32 [n_items, dimension]; biases: float32 [n_items]. Both must be finite.
    """

    def __new__(cls, vectors: Float32Array, biases: Float32Array) -> ItemIndex: ...
    def appended(self, vectors: Float32Array, biases: Float32Array) -> ItemIndex:
        """Return an index with more items behind those that there are; this one stays as it is."""

    def replaced(self, items: Int32Array, vectors: Float32Array, biases: Float32Array) -> ItemIndex:
        """Return an index in which the items named, each once, have other vectors and biases."""

    def save(self, path: str | PathLike[str]) -> None:
        """Write the index to one file; a file of that name is replaced at once, or not at all."""

    @staticmethod
    def open(path: str | PathLike[str]) -> ItemIndex:
        """Map a file that `save` wrote; its length and header are checked."""

    def verify(self) -> None:
        """Read the file that was mapped whole, and compare checksums."""

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
    mask: UInt8Array | None = None,
    codes: bool | None = None,
    threads: int | None = None,
    scalar: bool = False,
) -> tuple[Int64Array, Int32Array, Float32Array]:
    """Find the k best items of each query, by score and then by item index.

    queries: float32 [n_queries, dimension]. Of the excluded items none is in the answer, and with
    only_items no others are. Both are sets, in any order and with duplicates: one for each query
    (offsets: int64 [n_queries + 1], items: int32), or, without offsets, one for all queries. Where
    the mask (uint8 [n_items] or [n_queries, n_items]) is 0, an item is in no answer.

    By default the data say whether codes are asked first or all rows are scored; `codes` settles
    it. The bits are the same, and tests and benches ask for it to show so.

    Returns offsets (int64 [n_queries + 1]), items (int32) and scores (float32): those of query q
    are from offsets[q] to offsets[q + 1], fewer than k where there are no more.
    """

def merge(
    shards: Sequence[tuple[Int64Array, Int32Array, Float32Array]],
    k: int,
    *,
    threads: int | None = None,
) -> tuple[Int64Array, Int32Array, Float32Array]:
    """Choose the k best items of each query from the answers of all shards of a catalog.

    shards: what `top_k` gave for each, with the item indices of the whole catalog.

    Returns what `top_k` would for the whole, if each shard was asked for k items.
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

def sum_sparse_rows(
    offsets: Int64Array,
    columns: Int32Array,
    weights: Float32Array,
    n_columns: int,
    chosen: Int64Array,
    rows: Int32Array,
    *,
    threads: int | None = None,
) -> Float32Array:
    """Sum chosen rows of a sparse matrix, in the order in which they come.

    offsets: int64 [n_rows + 1]; columns: int32 [n_weights], each row's one after the other;
    weights: float32 [n_weights]; chosen: int64 [n_sums + 1]; rows: int32 [n_chosen], those of sum i
    are rows[chosen[i]] to rows[chosen[i + 1]].

    Returns float32 [n_sums, n_columns].
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
    out: tuple[Float64Array | None, Int64Array | None, Int32Array | None] = ...,
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

    out: arrays to be written over and returned instead of new ones, for folded, offsets and groups,
    each None where there is none; groups: int32 [n_rows * min(m, n_groups)], of which what is
    beyond offsets[-1] means nothing. They must be writable and share no memory with one another or
    with the values, and after an error what stands in them means nothing.
    """

def fold_triples(
    rows: Int32Array,
    groups: Int32Array,
    values: Float64Array,
    n_rows: int,
    n_groups: int,
    *,
    out: Float64Array | None = None,
    threads: int | None = None,
) -> Float64Array:
    """Sum entries by row and group, in the order in which they come.

    rows: int32 [n_entries]; groups: int32 [n_entries]; values: float64 [n_entries], finite.
    Entries sorted by row are summed fastest. All others take extra memory: 12 bytes for each, and
    never more than about 100 MB.

    out: float64 [n_rows, n_groups], to be written over and returned, as in `aggregate_rows`.

    Returns float64 [n_rows, n_groups]; what has no entries has the sum 0.
    """

def every_coalition(
    n_players: Int64Array, *, threads: int | None = None
) -> tuple[Int64Array, BoolArray]:
    """Plan all coalitions of games of few players.

    n_players: int64 [n_games], at most 20 each. Coalition c of a game has player i if bit i of c is
    set: the first is that of nobody, the last that of all.

    Returns offsets (int64 [n_games + 1]) and cells (bool): those of game g are from offsets[g] to
    offsets[g + 1], a row of n_players[g] for each coalition.
    """

def exact_shapley(
    n_players: Int64Array, values: Float64Array, *, threads: int | None = None
) -> Float64Array:
    """Reduce the values of all coalitions to Shapley values.

    values: float64, finite, one for each coalition of `every_coalition` for the same n_players.

    Returns float64 [n_players of all games]. A player that adds nothing gets exactly 0.
    """

@final
class Plan:
    """Which draws to make of which games, checked once and then owned.

    n_players, keys, first and counts: int64 [n_games]; seed: from 0 to 2**64 - 1. Of each game the
    draws first to first + counts - 1 are planned. A draw depends on the seed, the key of its game
    and its number alone, so sampling goes on with any first.
    """

    def __new__(
        cls,
        n_players: Int64Array,
        keys: Int64Array,
        first: Int64Array,
        counts: Int64Array,
        seed: int,
    ) -> Plan: ...

def permutation_coalitions(
    plan: Plan, *, threads: int | None = None
) -> tuple[Int64Array, BoolArray]:
    """Draw quartets of orders: one, the same begun in its middle, and both reversed.

    Each quartet is of 4 (n_players - 1) coalitions, those of nobody and of all left out.

    Returns offsets (int64 [n_games + 1]) and cells (bool), as `every_coalition` does.
    """

def permutation_shapley(
    plan: Plan,
    values: Float64Array,
    base_values: Float64Array,
    full_values: Float64Array,
    contributions: Float64Array,
    squared_deviations: Float64Array,
    *,
    threads: int | None = None,
) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Add what planned quartets say to what is known from those before them.

    values: float64, finite, one for each coalition of `permutation_coalitions` for the same plan;
    base_values and full_values: float64 [n_games], of nobody and of all. contributions and
    squared_deviations: float64 [n_players of all games], as returned for the quartets before first;
    zeros where there are none. In however many parts the quartets come, the bits are the same.
    There must be two quartets or more, with those before.

    Returns contributions, which of a game sum to its full less its base value, the sums of squared
    deviations from them, and their standard errors: float64 [n_players of all games] each.
    """

def paired_coalitions(plan: Plan, *, threads: int | None = None) -> tuple[Int64Array, BoolArray]:
    """Draw pairs of a coalition, as the Shapley kernel weighs it, and its complement.

    Returns offsets (int64 [n_games + 1]) and cells (bool), as `every_coalition` does.
    """

def paired_shapley(
    plan: Plan,
    values: Float64Array,
    base_values: Float64Array,
    full_values: Float64Array,
    *,
    threads: int | None = None,
) -> tuple[Float64Array, Float64Array]:
    """Reduce the values of planned pairs by least squares, as KernelSHAP does.

    values: float64, finite, one for each coalition of `paired_coalitions` for the same plan;
    base_values and full_values: float64 [n_games], of nobody and of all. Pairs that do not
    determine contributions and errors are refused: it takes n_players of them or more.

    Returns contributions, which of a game sum to its full less its base value, and their standard
    errors: float64 [n_players of all games] each.
    """

def exact_interactions(
    n_players: Int64Array,
    values: Float64Array,
    offsets: Int64Array,
    first_players: Int64Array,
    second_players: Int64Array,
    *,
    threads: int | None = None,
) -> Float64Array:
    """Reduce the values of all coalitions to interactions of two players.

    values: float64, finite, one for each coalition of `every_coalition` for the same n_players.
    offsets: int64 [n_games + 1], the pairs of players of each game; first_players and
    second_players: int64 [n_pairs], two different players of the game.

    Returns float64 [n_pairs]. Which of the two is the first changes no bit.
    """

def interaction_coalitions(
    plan: Plan,
    first_players: Int64Array,
    second_players: Int64Array,
    *,
    threads: int | None = None,
) -> tuple[Int64Array, BoolArray]:
    """Draw a coalition of all but two players, and all others but it, each with the two or without.

    first_players and second_players: int64 [n_games], two different players; each game of the plan
    is such a pair of some game. A draw is of eight coalitions.

    Returns offsets (int64 [n_games + 1]) and cells (bool), as `every_coalition` does.
    """

def sampled_interactions(
    plan: Plan,
    values: Float64Array,
    means: Float64Array,
    squared_deviations: Float64Array,
    *,
    threads: int | None = None,
) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Add what planned draws say to what is known from those before them.

    values: float64, finite, one for each coalition of `interaction_coalitions` for the same plan.
    means and squared_deviations: float64 [n_games], as returned for the draws before first; zeros
    where there are none. There must be two draws or more, with those before.

    Returns interactions, the sums of squared deviations from them, and their standard errors:
    float64 [n_games] each.
    """
