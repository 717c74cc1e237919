"""The aggregation kernels against plain NumPy, bit for bit."""

import numpy as np
import pytest

from whyrec import _native
from whyrec._native import Strength
from whyrec.errors import ArgumentError
from whyrec.types import BoolArray, Float64Array, Int32Array, Int64Array

SIZES = [0, 1, 7, 500, 10_000]
"""Rows: none, a few, and more than the 4,096 that are one task."""

THREADS = [1, 2, 5]


def counts_of(n_rows: int, most: int) -> Int64Array:
    return np.random.default_rng([n_rows, most]).integers(0, most + 1, n_rows)


def offsets_of(counts: Int64Array) -> Int64Array:
    return np.concatenate([np.zeros(1, np.int64), counts.cumsum()])


def contributions(n: int) -> Float64Array:
    """Return values of which many are equal, some are zero, and none sums up without rounding."""
    rng = np.random.default_rng(n)
    values = rng.choice([-0.0, 0.0, 0.1, -0.1, 1 / 3, 1e9, -1e-9], n)
    return np.where(rng.random(n) < 0.5, values, rng.standard_normal(n))


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("n_rows", SIZES)
def test_fold_is_a_sum_by_group_in_the_order_given(n_rows: int, threads: int) -> None:
    counts, n_groups = counts_of(n_rows, 9), counts_of(n_rows, 4) + 1
    offsets, group_offsets = offsets_of(counts), offsets_of(n_groups)
    rng = np.random.default_rng(2)
    groups = (rng.random(offsets[-1]) * np.repeat(n_groups, counts)).astype(np.int32)
    values = contributions(int(offsets[-1]))
    found = _native.fold(offsets, groups, values, group_offsets, threads=threads)
    numbers = groups + np.repeat(group_offsets[:-1], counts)
    expected = np.bincount(numbers, values, minlength=int(group_offsets[-1]))
    assert found.dtype == np.float64
    assert found.tolist() == expected.astype(float).tolist()


def test_fold_of_very_many_entries_is_the_same_at_any_number_of_threads() -> None:
    # Enough that the threads really are used.
    counts = np.full(100_000, 25)
    offsets, group_offsets = offsets_of(counts), offsets_of(np.full(100_000, 4))
    groups = np.tile(np.arange(25, dtype=np.int32) * 7 % 4, 100_000)
    values = contributions(len(groups))
    numbers = groups + np.repeat(group_offsets[:-1], counts)
    expected = np.bincount(numbers, values).tobytes()
    for threads in (1, 2, None):
        found = _native.fold(offsets, groups, values, group_offsets, threads=threads)
        assert found.tobytes() == expected


def may_be_chosen(values: Float64Array, strength: Strength) -> BoolArray:
    if strength == Strength.ABSOLUTE:
        return np.full(len(values), True)
    return values > 0 if strength == Strength.POSITIVE else values < 0


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("strength", [Strength.ABSOLUTE, Strength.POSITIVE, Strength.NEGATIVE])
@pytest.mark.parametrize("n_rows", SIZES)
def test_the_strongest_are_the_head_of_a_stable_sort(
    n_rows: int, strength: Strength, threads: int
) -> None:
    offsets = offsets_of(counts_of(n_rows, 12))
    values = contributions(int(offsets[-1]))
    allowed = may_be_chosen(values, strength)
    order = np.argsort(-np.abs(values), kind="stable")
    order = order[allowed[order]]
    rows = np.searchsorted(offsets, order, side="right") - 1
    by_row = order[np.argsort(rows, kind="stable")]
    rows = np.sort(rows)
    places = np.arange(len(rows)) - np.searchsorted(rows, rows)
    for m in (1, 3, 50):
        found_offsets, positions = _native.strongest(offsets, values, m, strength, threads=threads)
        assert positions.tolist() == by_row[places < m].tolist()
        chosen = np.bincount(rows[places < m], minlength=n_rows)
        assert found_offsets.tolist() == offsets_of(chosen).tolist()


def importance(
    keys: Int32Array, values: Float64Array, n_keys: int
) -> tuple[list[int], list[float], list[float]]:
    counts = np.bincount(keys, minlength=n_keys)
    sums = np.bincount(keys, values, minlength=n_keys)
    absolute_sums = np.bincount(keys, np.abs(values), minlength=n_keys)
    return counts.tolist(), sums.tolist(), absolute_sums.tolist()


@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("n_entries", [0, 1, 300, 4_096])
def test_importance_is_counted_and_summed_by_key(n_entries: int, threads: int) -> None:
    keys = np.random.default_rng(3).integers(0, 40, n_entries).astype(np.int32)
    values = contributions(n_entries)
    found = _native.global_importance(keys, values, 50, threads=threads)
    assert [part.dtype.name for part in found] == ["int64", "float64", "float64"]
    counts, sums, absolute_sums = (part.tolist() for part in found)
    assert (counts, sums, absolute_sums) == importance(keys, values, 50)


def test_importance_of_very_many_entries_is_exact_where_it_can_be() -> None:
    rng = np.random.default_rng(4)
    keys = rng.integers(0, 1_000, 3_000_000).astype(np.int32)
    quarters = rng.integers(-99, 100, len(keys)) / 4
    found = _native.global_importance(keys, quarters, 1_000)
    counts, sums, absolute_sums = (part.tolist() for part in found)
    assert (counts, sums, absolute_sums) == importance(keys, quarters, 1_000)


def test_importance_of_very_many_entries_is_the_same_at_any_number_of_threads() -> None:
    values = contributions(3_000_000)
    keys = np.random.default_rng(5).integers(0, 1_000, len(values)).astype(np.int32)
    one = [part.tobytes() for part in _native.global_importance(keys, values, 1_000, threads=1)]
    for threads in (2, 3, None):
        found = _native.global_importance(keys, values, 1_000, threads=threads)
        assert [part.tobytes() for part in found] == one


def test_importance_of_two_parts_adds_up_to_that_of_both() -> None:
    keys = np.arange(6_000, dtype=np.int32) % 7
    values = (np.arange(6_000) - 2_000) / 8
    first = _native.global_importance(keys[:1_000], values[:1_000], 7)
    second = _native.global_importance(keys[1_000:], values[1_000:], 7)
    both = _native.global_importance(keys, values, 7)
    for one, other, whole in zip(first, second, both, strict=True):
        assert (one + other).tolist() == whole.tolist()


TWO = np.array([0, 2])
GROUPS = np.array([0, 1], np.int32)
VALUES = np.array([0.5, -0.5])


@pytest.mark.parametrize(
    ("offsets", "groups", "values", "group_offsets", "message"),
    [
        (TWO.astype(np.int32), GROUPS, VALUES, TWO, "offsets: expected dtype int64, got int32"),
        (TWO, GROUPS.astype(np.int64), VALUES, TWO, "groups: expected dtype int32, got int64"),
        (TWO, GROUPS, VALUES.astype(np.float32), TWO, "values: expected dtype float64"),
        (TWO, GROUPS[:1], VALUES, TWO, "groups: expected 2 .*, got 1"),
        (TWO, GROUPS, VALUES * np.inf, TWO, "values: entry 0 is inf"),
        (TWO, GROUPS, VALUES, np.array([0, 1]), "groups: entry 1 is 1, outside 0..1"),
        (TWO, GROUPS - 1, VALUES, TWO, "groups: entry 0 is -1, outside 0..2"),
        (TWO, GROUPS, VALUES, np.array([0, 1, 2]), "group_offsets: expected 1 .*, got 2"),
        (TWO, GROUPS, VALUES, np.array([0, -2]), "group_offsets: offsets fall from 0 to -2"),
        (np.array([0, 3]), GROUPS, VALUES, TWO, "offsets: .*3"),
    ],
)
def test_fold_names_what_it_refuses(
    offsets: Int64Array,
    groups: Int32Array,
    values: Float64Array,
    group_offsets: Int64Array,
    message: str,
) -> None:
    with pytest.raises(ArgumentError, match=f"^{message}"):
        _native.fold(offsets, groups, values, group_offsets)


def test_strongest_names_what_it_refuses() -> None:
    with pytest.raises(ArgumentError, match=r"^m must be at least 1, got 0"):
        _native.strongest(TWO, VALUES, 0, Strength.ABSOLUTE)
    with pytest.raises(ArgumentError, match=r"^values: entry 1 is NaN"):
        _native.strongest(TWO, np.array([0, np.nan]), 1, Strength.ABSOLUTE)
    with pytest.raises(ArgumentError, match=r"^threads must be at least 1, got 0"):
        _native.strongest(TWO, VALUES, 1, Strength.ABSOLUTE, threads=0)


def test_importance_names_what_it_refuses() -> None:
    with pytest.raises(ArgumentError, match=r"^keys: entry 1 is 1, outside 0\.\.1"):
        _native.global_importance(GROUPS, VALUES, 1)
    with pytest.raises(ArgumentError, match=r"^n_keys must be at least 0, got -1"):
        _native.global_importance(GROUPS, VALUES, -1)
    with pytest.raises(ArgumentError, match=r"^keys: expected 1 .*, got 2"):
        _native.global_importance(GROUPS, VALUES[:1], 2)
    with pytest.raises(ArgumentError, match=r"^values: the sum of key 0 overflows float64"):
        _native.global_importance(GROUPS * 0, np.array([1e308, 1e308]), 1)
