"""Attributions of any model, aggregated: folded to groups, the strongest picked, importance summed.

For contributions that are at hand already: a matrix with a row for each decision and a column for
each feature, or one entry after the other. The SDK's own explanations take the same way.

>>> import numpy as np
>>> from whyrec.reasons.aggregation import aggregate_rows
>>> contributions = np.array([[0.5, -0.25, 2.0], [-1.0, 0.125, 0.0]])  # income, debts, age
>>> found = aggregate_rows(contributions, groups=np.array([0, 0, 1]), m=1)
>>> found.folded  # what money and age contribute to each decision
array([[ 0.25 ,  2.   ],
       [-0.875,  0.   ]])
>>> found.strongest.of(0), found.strongest.of(1)
(array([1], dtype=int32), array([0], dtype=int32))
>>> found.importance.mean_absolute()  # of income, debts and age
array([0.75  , 0.1875, 1.    ])

Where millions of rows come part by part, `out` writes over the answer for the part before: memory
that is new to the process costs more than what is computed.

>>> _ = aggregate_rows(-contributions, groups=np.array([0, 0, 1]), m=1, out=found)
>>> found.folded
array([[-0.25 , -2.   ],
       [ 0.875,  0.   ]])
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from whyrec import _native
from whyrec._native import Strength
from whyrec.errors import ArgumentError
from whyrec.reasons.importance_sums import ImportanceSums
from whyrec.types import Float32Array, Float64Array, Int32Array, Int64Array

__all__ = [
    "ImportanceSums",
    "RowAggregates",
    "Strength",
    "StrongestGroups",
    "aggregate_rows",
    "fold_rows",
    "fold_triples",
    "player_importance",
    "strongest_groups",
]


@dataclass(frozen=True, slots=True, eq=False)
class StrongestGroups:
    """The strongest groups of every row, the strongest first."""

    offsets: Int64Array
    """int64 [n_rows + 1]: the groups of row r are those from offsets[r] to offsets[r + 1]."""

    groups: Int32Array
    """int32: a row has fewer than were asked for where no more are admitted."""

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def of(self, row: int) -> Int32Array:
        """Return int32 [at most m]: the groups of one row."""
        if not 0 <= row < len(self):
            raise ArgumentError(f"row: {row} is outside 0..{len(self)}")
        return self.groups[self.offsets[row] : self.offsets[row + 1]]


@dataclass(frozen=True, slots=True, eq=False)
class RowAggregates:
    """All that one pass over rows finds."""

    folded: Float64Array
    """float64 [n_rows, n_groups]: the contributions of each row by group."""

    strongest: StrongestGroups

    importance: ImportanceSums
    """Of each player over all rows."""


def aggregate_rows(
    values: Float32Array | Float64Array,
    groups: Any = None,
    n_groups: int | None = None,
    *,
    m: int = 3,
    strength: Strength = Strength.ABSOLUTE,
    out: RowAggregates | None = None,
    threads: int | None = None,
) -> RowAggregates:
    """Fold rows of contributions to groups, pick the strongest, and sum importance, in one pass.

    The same values give the same bits at any number of threads: players are summed in their order,
    rows in blocks of 4,096 rows, all in float64.

    Args:
        values: float32 or float64 [n_rows, n_players], finite. What is not C-contiguous, such as
            the values of a data frame, is copied.
        groups: integers [n_players], the group of each player; by default each is its own.
        n_groups: how many groups there are; by default one more than the largest met.
        m: how many groups of a row are picked at most.
        strength: what makes a group strong. Of two that are equally strong the lower wins.
        out: the answer to an earlier call for as many rows and groups. Its folded rows and its
            strongest groups are written over, which saves the time that new memory takes; with a
            strength other than absolute, as nobody knows how many groups are picked, these are new.
            After an error what stands in `out` means nothing.
        threads: how many threads may work; by default as many as the machine runs at once.

    Raises:
        ArgumentError: an argument has another dtype or shape, a value is not finite, a group is out
            of range, m is below 1, a sum overflows float64, or an array of `out` is read-only or
            shares memory with another; the message says which and where.
        MemoryError: the answer does not fit into memory.
    """
    matrix, numbers, end = _game(values, groups, n_groups)
    folded, strongest, importance = _native.aggregate_rows(
        matrix,
        numbers,
        end,
        m=m,
        strength=strength,
        out=(None, None, None) if out is None else _room(out, strength),
        threads=threads,
    )
    assert folded is not None
    assert strongest is not None
    assert importance is not None
    return RowAggregates(folded, StrongestGroups(*strongest), ImportanceSums(*importance))


def fold_rows(
    values: Float32Array | Float64Array,
    groups: Any,
    n_groups: int | None = None,
    *,
    out: Float64Array | None = None,
    threads: int | None = None,
) -> Float64Array:
    """Return float64 [n_rows, n_groups]: contributions folded as `aggregate_rows` does.

    out: float64 [n_rows, n_groups], C-contiguous, to be written over and returned.
    """
    matrix, numbers, end = _game(values, groups, n_groups)
    folded, _, _ = _native.aggregate_rows(
        matrix, numbers, end, importance=False, out=(out, None, None), threads=threads
    )
    assert folded is not None
    return folded


def strongest_groups(
    values: Float32Array | Float64Array,
    groups: Any = None,
    n_groups: int | None = None,
    *,
    m: int = 3,
    strength: Strength = Strength.ABSOLUTE,
    threads: int | None = None,
) -> StrongestGroups:
    """Pick the strongest groups of every row as `aggregate_rows` does."""
    matrix, numbers, end = _game(values, groups, n_groups)
    _, strongest, _ = _native.aggregate_rows(
        matrix,
        numbers,
        end,
        folded=False,
        m=m,
        strength=strength,
        importance=False,
        threads=threads,
    )
    assert strongest is not None
    return StrongestGroups(*strongest)


def player_importance(
    values: Float32Array | Float64Array, *, threads: int | None = None
) -> ImportanceSums:
    """Sum what each player contributes over all rows as `aggregate_rows` does."""
    matrix, numbers, end = _game(values, None, None)
    _, _, importance = _native.aggregate_rows(matrix, numbers, end, folded=False, threads=threads)
    assert importance is not None
    return ImportanceSums(*importance)


def fold_triples(
    rows: Any,
    groups: Any,
    values: Float64Array,
    n_rows: int,
    n_groups: int,
    *,
    out: Float64Array | None = None,
    threads: int | None = None,
) -> Float64Array:
    """Sum contributions that come one by one, each with its row and group.

    Every sum is taken in the order of the entries, in whatever order they are. Entries sorted by
    row are summed fastest; all others take extra memory, 12 bytes for each and never more than
    about 100 MB. Indices that are not int32 are converted, which takes memory too.

    Args:
        rows: integers [n_entries], each less than n_rows.
        groups: integers [n_entries], each less than n_groups.
        values: float64 [n_entries], finite.
        n_rows: how many rows the answer has.
        n_groups: how many groups the answer has.
        out: float64 [n_rows, n_groups], C-contiguous, to be written over and returned; whatever
            stands there before. After an error it means nothing.
        threads: how many threads may work; by default as many as the machine runs at once.

    Returns:
        float64 [n_rows, n_groups]; what has no entries has the sum 0.

    Raises:
        ArgumentError: an argument has another dtype or shape, a value is not finite, an index is
            out of range, a sum overflows float64, or `out` is read-only or shares memory with
            another argument; the message says which and where.
        MemoryError: the answer does not fit into memory.
    """
    return _native.fold_triples(
        _indices("rows", rows, n_rows),
        _indices("groups", groups, n_groups),
        values,
        n_rows,
        n_groups,
        out=out,
        threads=threads,
    )


def _room(
    out: RowAggregates, strength: Strength
) -> tuple[Float64Array, Int64Array, Int32Array | None]:
    """Return the arrays of an answer that a call with this strength may write over."""
    if not isinstance(out, RowAggregates):
        raise ArgumentError(f"out: expected RowAggregates, got {type(out).__name__}")
    groups = out.strongest.groups if strength == Strength.ABSOLUTE else None
    return out.folded, out.strongest.offsets, groups


def _game(
    values: Float32Array | Float64Array, groups: Any, n_groups: int | None
) -> tuple[Float32Array | Float64Array, Int32Array, int]:
    """Return the values, the group of each player and the number of groups, as Rust takes them."""
    if not isinstance(values, np.ndarray):
        raise ArgumentError(f"values: expected a NumPy array, got {type(values).__name__}")
    if values.dtype not in (np.float32, np.float64):
        raise ArgumentError(
            f"values: expected float32 or float64, got {values.dtype}; use .astype(numpy.float64)"
        )
    if values.ndim != 2:
        raise ArgumentError(
            f"values: expected [n_rows, n_players], got {values.ndim} dimensions "
            f"(shape {values.shape})"
        )
    n_players = values.shape[1]
    if groups is None:
        groups = np.arange(n_players, dtype=np.int32)
    numbers = _indices("groups", groups, 2**31 if n_groups is None else n_groups)
    if len(numbers) != n_players:
        raise ArgumentError(
            f"groups: expected {n_players} (one for each column of values), got {len(numbers)}"
        )
    if n_groups is None:
        n_groups = int(numbers.max(initial=-1)) + 1
    contiguous: Any = np.ascontiguousarray(values)
    return contiguous, numbers, n_groups


def _indices(name: str, values: Any, end: int) -> Int32Array:
    """Return int32 [n]; Rust checks those that are int32 already."""
    indices = np.asarray(values)
    if indices.ndim != 1:
        raise ArgumentError(f"{name}: expected 1 dimension, got {indices.ndim}")
    if not len(indices):
        return np.zeros(0, np.int32)
    if indices.dtype.kind not in "iu":
        raise ArgumentError(f"{name}: expected integers, got {indices.dtype}")
    if indices.dtype != np.int32:
        outside = np.flatnonzero((indices < 0) | (indices >= min(end, 2**31)))
        if len(outside):
            first = outside[0]
            raise ArgumentError(f"{name}: entry {first} is {indices[first]}, outside 0..{end}")
    return np.ascontiguousarray(indices, np.int32)
