import numpy as np
import pytest

from whyrec.errors import ArgumentError
from whyrec.ranking.candidates import Candidates


def sets_of(candidates: Candidates) -> list[set[int]]:
    assert candidates.offsets is not None
    spans = zip(candidates.offsets[:-1], candidates.offsets[1:], strict=True)
    return [set(candidates.items[start:end].tolist()) for start, end in spans]


def test_one_set_for_all_queries_has_no_offsets() -> None:
    shared = Candidates.shared([3, 1, 3])
    assert shared.items.tolist() == [3, 1, 3]
    assert shared.items.dtype == np.int32
    assert shared.offsets is None


def test_a_set_for_each_query_is_found_by_its_offsets() -> None:
    candidates = Candidates.per_query([[3, 1], [], np.array([7], np.int64)])
    assert candidates.items.tolist() == [3, 1, 7]
    assert candidates.items.dtype == np.int32
    assert candidates.offsets is not None
    assert candidates.offsets.tolist() == [0, 2, 2, 3]
    assert candidates.offsets.dtype == np.int64


def test_sets_may_be_empty_and_queries_none() -> None:
    assert Candidates.shared([]).items.dtype == np.int32
    assert sets_of(Candidates.per_query([[], []])) == [set(), set()]
    assert sets_of(Candidates.per_query([])) == []


def test_any_array_of_whole_numbers_is_taken() -> None:
    for dtype in (np.int8, np.uint8, np.int32, np.uint64):
        assert Candidates.shared(np.array([0, 5], dtype)).items.tolist() == [0, 5]


def test_what_was_given_may_change_afterwards() -> None:
    given = np.array([1, 2], np.int32)
    shared = Candidates.shared(given)
    given[:] = 9
    assert shared.items.tolist() == [1, 2]


def test_the_union_of_two_shared_sets_is_shared() -> None:
    union = Candidates.shared([1, 2]).union(Candidates.shared([2, 5]))
    assert union.offsets is None
    assert set(union.items.tolist()) == {1, 2, 5}


def test_a_shared_set_joins_the_set_of_every_query() -> None:
    seen, gone = Candidates.per_query([[3, 1], [], [9]]), Candidates.shared([7, 8])
    expected = [{1, 3, 7, 8}, {7, 8}, {7, 8, 9}]
    assert sets_of(seen.union(gone)) == expected
    assert sets_of(gone.union(seen)) == expected


def test_sets_are_joined_query_by_query() -> None:
    union = Candidates.per_query([[1], [], [2, 3]]).union(Candidates.per_query([[], [4], [3, 5]]))
    assert sets_of(union) == [{1}, {4}, {2, 3, 5}]
    assert union.items.dtype == np.int32


def test_sets_of_other_numbers_of_queries_are_not_joined() -> None:
    with pytest.raises(ArgumentError, match=r"the sets of 1 queries .* those of 2"):
        Candidates.per_query([[1]]).union(Candidates.per_query([[1], [2]]))


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([1.0], "item indices: expected whole numbers, got dtype float64"),
        ([True], "item indices: expected whole numbers, got dtype bool"),
        (["a"], "item indices: expected whole numbers, got dtype <U1"),
        ([[1], [2]], r"item indices: expected a flat sequence, got shape \(2, 1\)"),
        (3, r"item indices: expected a flat sequence, got shape \(\)"),
        ([4, -1], "item indices: entry 1 is -1, no item index"),
        ([4, 2**31], "item indices: entry 1 is 2147483648, no item index"),
    ],
)
def test_what_is_no_item_index_is_named(items: object, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        Candidates.shared(items)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match=message):
        Candidates.per_query([[0], items])  # type: ignore[list-item]


def test_which_of_some_items_a_set_has() -> None:
    items, rows = np.array([1, 3, 7], np.int32), np.array([2, 0])
    each = Candidates.per_query([[3, 9, 3], [1], [7, 1]])
    assert each.among(items, rows).tolist() == [[True, False, True], [False, True, False]]
    assert Candidates.shared([9, 3]).among(items, rows).tolist() == [[False, True, False]] * 2
    assert not Candidates.per_query([[], [], []]).among(items, rows).any()
