from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from whyrec.data.pairs import Pairs
from whyrec.errors import ArgumentError
from whyrec.ranking import Candidates, ItemIndex
from whyrec.types import Float32Array

VECTORS = np.array([[1, 0], [0, 1], [1, 1], [-1, 0]], np.float32)
BIASES = np.array([0, 0, 0.5, 0], np.float32)
QUERIES = np.array([[2, 1], [0, -1], [0, 0]], np.float32)


@pytest.fixture
def index() -> ItemIndex:
    return ItemIndex(VECTORS, BIASES)


def test_an_index_says_how_large_it_is(index: ItemIndex) -> None:
    assert (index.n_items, index.dimension) == (4, 2)
    assert repr(index) == "ItemIndex(4 items, dimension 2)"


def test_the_best_come_first_and_ties_by_index(index: ItemIndex) -> None:
    ranking = index.top_k(QUERIES, k=3)
    assert len(ranking) == 3
    assert ranking.offsets.tolist() == [0, 3, 6, 9]
    assert ranking.items.tolist() == [2, 0, 1, 0, 3, 2, 2, 0, 1]
    assert ranking.scores.tolist() == [3.5, 2, 1, 0, 0, -0.5, 0.5, 0, 0]
    arrays = ranking.offsets, ranking.items, ranking.scores
    assert [array.dtype.name for array in arrays] == ["int64", "int32", "float32"]


def test_a_ranking_gives_each_query_its_slice(index: ItemIndex) -> None:
    ranking = index.top_k(QUERIES, 9, only=Candidates.per_query([[3], [], [1, 0]]))
    assert [ranking.items[ranking.of(query)].tolist() for query in range(3)] == [[3], [], [0, 1]]
    assert ranking.pairs().rows.tolist() == [0, 2, 2]
    assert ranking.pairs().items.tolist() == [3, 0, 1]


def test_pairs_have_the_scores_that_ranked_them(index: ItemIndex) -> None:
    ranking = index.top_k(QUERIES, 4)
    scores = index.scores(QUERIES, ranking.pairs())
    assert scores.tobytes() == ranking.scores.tobytes()
    assert scores.dtype == np.float32


def test_more_than_there_are_is_all_there_are(index: ItemIndex) -> None:
    for k in (4, 5, 2**31, 2**70):
        assert np.diff(index.top_k(QUERIES, k).offsets).tolist() == [4, 4, 4]


def test_an_index_keeps_its_own_copy() -> None:
    vectors, biases = VECTORS.copy(), BIASES.copy()
    index = ItemIndex(vectors, biases)
    vectors[:], biases[:] = 9, 9
    assert index.top_k(QUERIES[:1], 1).scores.tolist() == [3.5]


def test_what_may_not_be_written_is_read() -> None:
    vectors, biases, queries = VECTORS.copy(), BIASES.copy(), QUERIES.copy()
    for array in (vectors, biases, queries):
        array.flags.writeable = False
    assert ItemIndex(vectors, biases).top_k(queries, 1).items.tolist() == [2, 0, 2]


def test_no_items_give_empty_answers() -> None:
    empty = ItemIndex(np.zeros((0, 2), np.float32), np.zeros(0, np.float32))
    ranking = empty.top_k(QUERIES, 3)
    assert ranking.offsets.tolist() == [0, 0, 0, 0]
    assert len(ranking.items) == len(ranking.scores) == 0


def test_no_queries_give_no_answers(index: ItemIndex) -> None:
    ranking = index.top_k(QUERIES[:0], 3)
    assert len(ranking) == 0
    assert ranking.offsets.tolist() == [0]
    none = np.zeros(0, np.int32)
    assert len(index.scores(QUERIES[:0], Pairs(none, none))) == 0


def test_without_dimensions_the_bias_is_the_score() -> None:
    index = ItemIndex(np.zeros((3, 0), np.float32), np.array([1, 3, 2], np.float32))
    ranking = index.top_k(np.zeros((2, 0), np.float32), 2)
    assert ranking.items.tolist() == [1, 2, 1, 2]
    assert ranking.scores.tolist() == [3, 2, 3, 2]


def test_a_negative_zero_is_the_zero_that_it_equals() -> None:
    vectors = np.array([[-1e-30], [1e-30], [0]], np.float32)
    index = ItemIndex(vectors, np.array([-0.0, 0.0, -0.0], np.float32))
    # The last product is so small and negative that it rounds to −0.
    ranking = index.top_k(np.array([[0.0], [-0.0], [1e-30]], np.float32), 3)
    assert ranking.items.tolist() == [0, 1, 2, 0, 1, 2, 0, 1, 2]
    assert not np.signbit(ranking.scores).any()


def test_excluded_items_win_over_those_allowed(index: ItemIndex) -> None:
    ranking = index.top_k(
        QUERIES, 4, only=Candidates.shared([0, 1, 2]), excluded=Candidates.shared([2, 3])
    )
    assert ranking.items.tolist() == [0, 1, 0, 1, 0, 1]


def test_a_mask_allows_what_is_true(index: ItemIndex) -> None:
    shared = np.array([True, False, False, True])
    assert index.top_k(QUERIES, 9, mask=shared).items.tolist() == [0, 3, 0, 3, 0, 3]
    own = np.array([[0, 1, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1]], bool)
    ranking = index.top_k(QUERIES, 2, mask=own)
    assert ranking.offsets.tolist() == [0, 1, 1, 3]
    assert ranking.items.tolist() == [1, 2, 0]


def test_a_mask_holds_beside_the_other_filters(index: ItemIndex) -> None:
    mask = np.array([True, True, True, False])
    only, excluded = Candidates.shared([1, 2, 3]), Candidates.per_query([[2], [], [1]])
    ranking = index.top_k(QUERIES, 9, only=only, excluded=excluded, mask=mask)
    assert [ranking.items[ranking.of(query)].tolist() for query in range(3)] == [[1], [2, 1], [2]]


def test_without_biases_the_product_is_the_score() -> None:
    assert ItemIndex(VECTORS).top_k(QUERIES[:1], 2).scores.tolist() == [3, 2]


def test_tensors_and_mapped_files_are_read_as_arrays_are(tmp_path: Path) -> None:
    np.save(tmp_path / "vectors.npy", VECTORS)
    mapped = np.load(tmp_path / "vectors.npy", mmap_mode="r")
    tensor = torch.from_numpy(VECTORS.copy()).requires_grad_()
    expected = ItemIndex(VECTORS, BIASES).top_k(QUERIES, 3)
    for vectors in (mapped, tensor):
        index = ItemIndex(vectors, torch.from_numpy(BIASES.copy()))
        ranking = index.top_k(torch.from_numpy(QUERIES.copy()), 3)
        assert ranking.items.tolist() == expected.items.tolist()
        assert ranking.scores.tobytes() == expected.scores.tobytes()


def changed(array: Float32Array, place: Any, value: float) -> Float32Array:
    copy = array.copy()
    copy[place] = value
    return copy


@pytest.mark.parametrize(
    ("vectors", "biases", "message"),
    [
        (VECTORS.astype(np.float64), BIASES, "vectors: expected dtype float32, got float64"),
        (VECTORS, BIASES.astype(np.int32), "biases: expected dtype float32, got int32"),
        (VECTORS[0], BIASES, r"vectors: expected 2 dimensions, got 1 \(shape \(2,\)\)"),
        (VECTORS, VECTORS, r"biases: expected 1 dimension, got 2 \(shape \(4, 2\)\)"),
        (VECTORS[::2], BIASES[:2], "vectors: expected a C-contiguous, aligned array"),
        (np.asfortranarray(VECTORS), BIASES, "vectors: expected a C-contiguous, aligned array"),
        (VECTORS, BIASES[:3], r"biases: expected 4 entries \(one for each item\), got 3"),
        (changed(VECTORS, (2, 1), np.nan), BIASES, "vectors: row 2, column 1 is NaN"),
        (changed(VECTORS, (0, 0), -np.inf), BIASES, "vectors: row 0, column 0 is -inf"),
        (VECTORS, changed(BIASES, 3, np.inf), "biases: entry 3 is inf"),
    ],
)
def test_a_catalog_that_cannot_be_used_is_refused(
    vectors: Float32Array, biases: Float32Array, message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        ItemIndex(vectors, biases)


def sets(offsets: list[int], items: list[int]) -> Candidates:
    """Make candidates as they are given, whether they make sense or not."""
    return Candidates(np.array(items, np.int32), np.array(offsets, np.int64))


@pytest.mark.parametrize(
    ("rank", "message"),
    [
        (lambda index: index.top_k(QUERIES, 0), "k must be at least 1, got 0"),
        (lambda index: index.top_k(QUERIES, -3), "k must be at least 1, got -3"),
        (lambda index: index.top_k(QUERIES, 1, threads=0), "threads must be at least 1, got 0"),
        (
            lambda index: index.top_k(QUERIES[:, :1].copy(), 1),
            "queries: expected 2 columns, the dimension of the items, got 1",
        ),
        (
            lambda index: index.top_k(QUERIES.astype(np.float16), 1),
            "queries: expected dtype float32, got float16",
        ),
        (
            lambda index: index.top_k(changed(QUERIES, (1, 0), np.nan), 1),
            "queries: row 1, column 0 is NaN",
        ),
        (
            lambda index: index.top_k(changed(QUERIES, (1, 0), 3e38), 1),
            "queries: scores of row 1 may overflow float32",
        ),
        (
            lambda index: index.top_k(QUERIES, 1, excluded=Candidates.shared([0, 4])),
            r"excluded_items: entry 1 is 4, outside 0\.\.4",
        ),
        (
            lambda index: index.top_k(QUERIES, 1, only=Candidates.shared([9])),
            r"only_items: entry 0 is 9, outside 0\.\.4",
        ),
        (
            lambda index: index.top_k(QUERIES, 1, only=Candidates.per_query([[0]])),
            r"only_offsets: expected 3 rows \(one for each query\), got 1",
        ),
        (
            lambda index: index.top_k(QUERIES, 1, excluded=sets([0, 2, 1, 2], [0, 1])),
            "excluded_offsets: offsets fall from 2 to 1 at row 1",
        ),
        (
            lambda index: index.top_k(QUERIES, 1, excluded=sets([1, 1, 1, 1], [0])),
            "excluded_offsets: offsets begin at 1",
        ),
        (
            lambda index: index.top_k(QUERIES, 1, only=sets([0, 1, 1, 1], [0, 1])),
            "only_offsets: .*1.*2",
        ),
        (lambda index: index.top_k(QUERIES, 1, only=sets([], [])), "only_offsets"),
        (
            lambda index: index.top_k(QUERIES, 1, mask=np.ones(3, bool)),
            r"mask: expected 4 values \(one for each item, for all queries or for each\), got 3",
        ),
        (
            lambda index: index.top_k(QUERIES, 1, mask=np.ones((2, 4), bool)),
            r"mask: expected 12 values \(one for each item, for all queries or for each\), got 8",
        ),
        (
            lambda index: index.top_k(QUERIES, 1, mask=np.ones((3, 5), bool)),
            "mask: expected 4 columns, one for each item, got 5",
        ),
        (
            lambda index: index.top_k(QUERIES, 1, mask=np.ones(4, np.uint8)),
            "mask: expected an array of bool, got uint8",
        ),
        (
            lambda index: index.top_k(QUERIES, 1, mask=np.ones((3, 8), bool)[:, ::2]),
            "mask: expected a C-contiguous, aligned array",
        ),
        (
            lambda index: index.top_k(QUERIES, 1, mask=np.ones((3, 4, 1), bool)),
            "mask: expected 2 dimensions, got 3",
        ),
        (
            lambda index: index.scores(QUERIES, pairs([3], [0])),
            r"rows: entry 0 is 3, outside 0\.\.3",
        ),
        (
            lambda index: index.scores(QUERIES, pairs([0, 0], [0, -1])),
            r"items: entry 1 is -1, outside 0\.\.4",
        ),
        (
            lambda index: index.scores(QUERIES, pairs([0, 0], [0])),
            r"items: expected 2 entries \(one for each of rows\), got 1",
        ),
        (
            lambda index: index.scores(QUERIES, pairs([0], [0]), threads=-1),
            "threads must be at least 1, got -1",
        ),
    ],
)
def test_a_question_that_cannot_be_answered_is_refused(
    index: ItemIndex, rank: Callable[[ItemIndex], object], message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        rank(index)


def pairs(rows: list[int], items: list[int]) -> Pairs:
    return Pairs(np.array(rows, np.int32), np.array(items, np.int32))


@pytest.mark.parametrize(
    ("queries", "k", "message"),
    [
        ([[2.0, 1.0]], 1, "queries: expected a NumPy array of float32, got list"),
        (QUERIES, 1.5, "k: expected a whole number, got float"),
        (QUERIES, "3", "k: expected a whole number, got str"),
    ],
)
def test_what_is_of_another_type_is_a_type_error(
    index: ItemIndex, queries: Any, k: Any, message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        index.top_k(queries, k)
