import dataclasses
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from whyrec.errors import ArgumentError
from whyrec.reasons.aggregation import (
    ImportanceSums,
    RowAggregates,
    Strength,
    StrongestGroups,
    aggregate_rows,
    fold_rows,
    fold_triples,
    player_importance,
    strongest_groups,
)
from whyrec.types import Float64Array

VALUES = np.array([[1.0, 2.0, -8.0], [0.0, -1.0, 0.5]])
GROUPS = np.array([1, 1, 0])


def test_one_pass_finds_what_three_find() -> None:
    found = aggregate_rows(VALUES, GROUPS, m=1)
    assert found.folded.tolist() == [[-8.0, 3.0], [0.5, -1.0]]
    assert [found.strongest.of(row).tolist() for row in range(2)] == [[0], [1]]
    assert found.importance.sums.tolist() == [1.0, 1.0, -7.5]
    assert found.importance.absolute_sums.tolist() == [1.0, 3.0, 8.5]
    assert found.importance.counts.tolist() == [2, 2, 2]
    assert fold_rows(VALUES, GROUPS).tolist() == found.folded.tolist()
    alone = strongest_groups(VALUES, GROUPS, m=1)
    assert alone.groups.tolist() == found.strongest.groups.tolist()
    assert alone.offsets.tolist() == found.strongest.offsets.tolist()
    assert player_importance(VALUES).sums.tolist() == found.importance.sums.tolist()


def test_without_groups_each_player_is_its_own() -> None:
    found = aggregate_rows(VALUES)
    assert found.folded.tolist() == VALUES.tolist()
    assert found.strongest.of(0).tolist() == [2, 1, 0]


def test_a_row_has_fewer_groups_where_no_more_are_admitted() -> None:
    found = strongest_groups(VALUES, m=2, strength=Strength.POSITIVE)
    assert [found.of(row).tolist() for row in range(len(found))] == [[1, 0], [2]]
    found = strongest_groups(VALUES, m=2, strength=Strength.NEGATIVE)
    assert [found.of(row).tolist() for row in range(len(found))] == [[2], [1]]
    for row in (-1, 2):
        with pytest.raises(ArgumentError, match=rf"^row: {row} is outside 0\.\.2"):
            found.of(row)


@pytest.mark.parametrize(
    "values",
    [np.asfortranarray(VALUES), np.repeat(VALUES, 2, axis=1)[:, ::2], VALUES.astype(np.float32)],
)
def test_values_of_any_layout_are_the_same(values: Any) -> None:
    assert fold_rows(values, GROUPS).tolist() == fold_rows(VALUES, GROUPS).tolist()


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64", "uint64"])
def test_indices_may_be_integers_of_any_kind(dtype: str) -> None:
    assert fold_rows(VALUES, GROUPS.astype(dtype)).tolist() == [[-8.0, 3.0], [0.5, -1.0]]
    rows = np.array([1, 0, 1], dtype)
    found = fold_triples(rows, GROUPS.astype(dtype), VALUES[0], 2, 2)
    assert found.tolist() == [[0.0, 2.0], [-8.0, 1.0]]


def test_nothing_is_aggregated_to_nothing() -> None:
    found = aggregate_rows(np.zeros((0, 3)), GROUPS)
    assert found.folded.shape == (0, 2)
    assert len(found.strongest) == 0
    assert found.importance.keys().tolist() == []
    found = aggregate_rows(np.zeros((2, 0)))
    assert found.folded.shape == (2, 0)
    assert found.strongest.of(1).tolist() == []
    assert fold_triples([], [], np.zeros(0), 1, 2).tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize(
    ("values", "groups", "message"),
    [
        (VALUES.tolist(), GROUPS, "values: expected a NumPy array, got list"),
        (VALUES.astype(int), GROUPS, "values: expected float32 or float64, got int64; use .astype"),
        (VALUES.astype(object), GROUPS, "values: expected float32 or float64, got object"),
        (VALUES[0], GROUPS, r"values: expected \[n_rows, n_players\], got 1 dimensions"),
        (np.array(1.0), GROUPS, r"values: expected \[n_rows, n_players\], got 0 dimensions"),
        (VALUES * np.nan, GROUPS, "values: row 0, column 0 is NaN"),
        (VALUES, GROUPS[:2], "groups: expected 3 .*, got 2"),
        (VALUES, GROUPS[None], "groups: expected 1 dimension, got 2"),
        (VALUES, GROUPS / 1, "groups: expected integers, got float64"),
        (VALUES, ["a", "b", "c"], "groups: expected integers, got <U1"),
        (VALUES, GROUPS - 1, r"groups: entry 2 is -1, outside"),
        (VALUES, GROUPS + 2**31, r"groups: entry 0 is 2147483649, outside"),
    ],
)
def test_what_is_wrong_is_named(values: Any, groups: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=f"^{message}"):
        aggregate_rows(values, groups)


def test_a_group_beyond_the_number_of_groups_is_named() -> None:
    for groups in (GROUPS, GROUPS.astype(np.int32)):
        with pytest.raises(ArgumentError, match=r"^groups: entry 0 is 1, outside 0\.\.1"):
            fold_rows(VALUES, groups, 1)
    with pytest.raises(ArgumentError, match=r"^rows: entry 1 is 9, outside 0\.\.2"):
        fold_triples([0, 9], [0, 0], np.zeros(2), 2, 1)
    with pytest.raises(ArgumentError, match=r"^m must be at least 1, got 0"):
        strongest_groups(VALUES, GROUPS, m=0)


def sums_of(keys: list[int], values: list[float]) -> ImportanceSums:
    return ImportanceSums.of(np.array(keys, np.int32), np.array(values), 4)


def test_sums_of_parts_merge_to_those_of_the_whole_in_another_process_too() -> None:
    first, second = sums_of([0, 3, 3], [1.0, -2.0, 0.5]), sums_of([3, 1], [4.0, 0.0])
    merged = pickle.loads(pickle.dumps(first)).merge(pickle.loads(pickle.dumps(second)))
    whole = sums_of([0, 3, 3, 3, 1], [1.0, -2.0, 0.5, 4.0, 0.0])
    for name in ("counts", "sums", "absolute_sums"):
        assert getattr(merged, name).tolist() == getattr(whole, name).tolist()
    assert first.counts.tolist() == [1, 0, 0, 2]


def test_means_are_those_of_the_keys_that_were_met() -> None:
    sums = sums_of([0, 3, 3, 1], [1.0, -2.0, 0.5, 0.0])
    assert sums.keys().tolist() == [0, 1, 3]
    assert sums.mean().tolist() == [1.0, 0.0, -0.75]
    assert sums.mean_absolute().tolist() == [1.0, 0.0, 1.25]
    nothing = ImportanceSums.empty(4)
    assert nothing.keys().tolist() == nothing.mean().tolist() == []
    assert nothing.merge(sums).sums.tolist() == sums.sums.tolist()


def test_sums_that_do_not_fit_together_are_refused() -> None:
    sums = sums_of([2], [1e308])
    with pytest.raises(ArgumentError, match=r"^other: expected 4 keys, got 5"):
        sums.merge(ImportanceSums.empty(5))
    with pytest.raises(ArgumentError, match=r"^other: the sum of key 2 overflows float64"):
        sums.merge(sums)
    with pytest.raises(ArgumentError, match=r"^absolute_sums: expected 2 keys, got 3"):
        ImportanceSums(np.zeros(2, np.int64), np.zeros(2), np.zeros(3))


def same_bits(one: RowAggregates, other: RowAggregates) -> bool:
    return all(
        np.array_equal(mine, others)
        for mine, others in (
            (one.folded, other.folded),
            (one.strongest.offsets, other.strongest.offsets),
            (one.strongest.groups, other.strongest.groups),
            (one.importance.sums, other.importance.sums),
            (one.importance.counts, other.importance.counts),
        )
    )


@pytest.mark.parametrize("strength", [Strength.ABSOLUTE, Strength.POSITIVE, Strength.NEGATIVE])
def test_an_earlier_answer_is_written_over(strength: Strength) -> None:
    out = aggregate_rows(np.full((2, 3), 7.0), GROUPS, m=1)
    found = aggregate_rows(VALUES, GROUPS, m=1, strength=strength, out=out)
    assert found.folded is out.folded
    assert found.strongest.offsets is out.strongest.offsets
    assert (found.strongest.groups is out.strongest.groups) == (strength == Strength.ABSOLUTE)
    assert same_bits(found, aggregate_rows(VALUES, GROUPS, m=1, strength=strength))


def test_every_answer_can_be_written_over_by_the_next_of_its_kind() -> None:
    found = None
    for strength in (Strength.POSITIVE, Strength.NEGATIVE, Strength.POSITIVE):
        for values in (VALUES, -np.abs(VALUES), np.abs(VALUES)):
            found = aggregate_rows(values, GROUPS, m=1, strength=strength, out=found)
            assert same_bits(found, aggregate_rows(values, GROUPS, m=1, strength=strength))


def test_folded_rows_and_triples_are_written_over_and_returned() -> None:
    out = np.full((2, 2), np.nan)
    assert fold_rows(VALUES, GROUPS, out=out) is out
    assert out.tolist() == [[-8.0, 3.0], [0.5, -1.0]]
    assert fold_triples([1, 0, 1], GROUPS, VALUES[0], 2, 2, out=out) is out
    assert out.tolist() == [[0.0, 2.0], [-8.0, 1.0]]


def read_only() -> Float64Array:
    array = np.zeros((2, 2))
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    ("out", "message"),
    [
        (np.zeros((3, 2)), r"expected shape \(2, 2\), got \(3, 2\)"),
        (np.zeros((2, 2), np.float32), "expected dtype float64, got float32"),
        (np.zeros((2, 2))[:, ::-1], "expected a C-contiguous, aligned array"),
        (np.zeros((2, 4))[:, ::2], "expected a C-contiguous, aligned array"),
        (np.zeros(4), "expected 2 dimensions, got 1"),
        (read_only(), "the array is read-only"),
    ],
)
def test_what_cannot_be_written_over_is_refused(out: Any, message: str) -> None:
    calls: list[Callable[[], object]] = [
        lambda: fold_rows(VALUES, GROUPS, out=out),
        lambda: fold_triples([1, 0, 1], GROUPS, VALUES[0], 2, 2, out=out),
        lambda: aggregate_rows(
            VALUES, GROUPS, out=dataclasses.replace(aggregate_rows(VALUES, GROUPS), folded=out)
        ),
    ]
    for call in calls:
        with pytest.raises(ArgumentError, match=rf"^out( \(folded\))?: {message}"):
            call()


def test_an_answer_of_another_kind_is_not_written_over() -> None:
    out = aggregate_rows(VALUES, GROUPS, m=1)
    with pytest.raises(ArgumentError, match=r"^out \(groups\): expected shape \(4,\), got \(2,\)"):
        aggregate_rows(VALUES, GROUPS, m=2, out=out)
    with pytest.raises(ArgumentError, match=r"^out \(folded\): expected shape \(1, 2\), got"):
        aggregate_rows(VALUES[:1], GROUPS, m=1, out=out)
    with pytest.raises(ArgumentError, match=r"^out: expected RowAggregates, got ndarray"):
        aggregate_rows(VALUES, GROUPS, out=out.folded)  # type: ignore[arg-type]


def test_what_is_read_is_not_written_over() -> None:
    shared = "shares memory with another argument"
    values = VALUES.copy()
    with pytest.raises(ArgumentError, match=rf"^out \(folded\): {shared}"):
        fold_rows(values, np.arange(3), out=values)
    square = np.eye(2)
    by_way_of_torch = torch.from_numpy(square).numpy()
    assert np.shares_memory(square, by_way_of_torch)
    with pytest.raises(ArgumentError, match=rf"^out \(folded\): {shared}"):
        fold_rows(square, np.arange(2), out=by_way_of_torch)
    with pytest.raises(ArgumentError, match=rf"^out: {shared}"):
        fold_triples([0, 1], [0, 1], by_way_of_torch[0], 2, 2, out=square)
    out = aggregate_rows(VALUES, GROUPS, m=1)
    strongest = StrongestGroups(out.folded.view(np.int64).reshape(-1)[:3], out.strongest.groups)
    for twice in (
        dataclasses.replace(out, strongest=strongest),
        dataclasses.replace(
            out,
            strongest=StrongestGroups(
                torch.from_numpy(out.folded).numpy().view(np.int64).reshape(-1)[:3],
                out.strongest.groups,
            ),
        ),
    ):
        with pytest.raises(ArgumentError, match=rf"^out \(offsets\): {shared}"):
            aggregate_rows(VALUES, GROUPS, m=1, out=twice)


def test_an_array_that_was_refused_can_be_used_again() -> None:
    out = np.zeros((2, 2))
    with pytest.raises(ArgumentError, match=r"^values: row 0, column 0 is NaN"):
        fold_rows(VALUES * np.nan, GROUPS, out=out)
    assert fold_rows(VALUES, GROUPS, out=out).tolist() == [[-8.0, 3.0], [0.5, -1.0]]
