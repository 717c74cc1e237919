"""New and changed items: another index, which answers as one that was built at once."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from whyrec.errors import ArgumentError
from whyrec.ranking import ItemIndex

VECTORS = np.array([[1, 0], [0, 1], [1, 1]], np.float32)
QUERY = np.array([[2, 1]], np.float32)


@pytest.fixture
def index() -> ItemIndex:
    return ItemIndex(VECTORS)


def test_new_items_follow_those_that_there_are(index: ItemIndex) -> None:
    grown = index.appended(np.array([[9, 0], [1, 0]], np.float32), np.array([0, 1], np.float32))
    ranking = grown.top_k(QUERY, 9)
    assert ranking.items.tolist() == [3, 2, 4, 0, 1]
    assert ranking.scores.tolist() == [18, 3, 3, 2, 1]
    assert index.top_k(QUERY, 9).items.tolist() == [2, 0, 1]


def test_changed_items_count_as_they_were_changed(index: ItemIndex) -> None:
    items = np.array([2, 0], np.int32)
    changed = index.replaced(items, np.array([[0, 0], [0, 3]], np.float32))
    ranking = changed.top_k(QUERY, 9)
    assert ranking.items.tolist() == [0, 1, 2]
    assert ranking.scores.tolist() == [3, 1, 0]
    assert index.top_k(QUERY, 9).scores.tolist() == [3, 2, 1]


def test_items_added_one_by_one_to_many_are_found() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((5_040, 6), np.float32)
    queries = rng.standard_normal((5, 6), np.float32)
    index = ItemIndex(vectors[:5_000])
    for item in range(5_000, 5_040):
        index = index.appended(vectors[item : item + 1])
    whole = ItemIndex(vectors).top_k(queries, 5_040)
    found = index.top_k(queries, 5_040)
    assert found.items.tolist() == whole.items.tolist()
    assert found.scores.tobytes() == whole.scores.tobytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda index: index.appended(np.zeros((1, 3), np.float32)),
            "vectors: expected 2 columns, the dimension of the items, got 3",
        ),
        (
            lambda index: index.appended(np.full((1, 2), np.inf, np.float32)),
            "vectors: row 0, column 0 is inf",
        ),
        (
            lambda index: index.appended(VECTORS, np.zeros(2, np.float32)),
            r"biases: expected 3 entries \(one for each item\), got 2",
        ),
        (
            lambda index: index.replaced(np.array([1, 1], np.int32), VECTORS[:2].copy()),
            "items: entry 1 is 1, which came before; name each once",
        ),
        (
            lambda index: index.replaced(np.array([3], np.int32), VECTORS[:1]),
            r"items: entry 0 is 3, outside 0\.\.3",
        ),
        (
            lambda index: index.replaced(np.array([0]), VECTORS[:1]),
            "items: expected dtype int32, got int64",
        ),
        (
            lambda index: index.replaced(np.array([0], np.int32), VECTORS),
            r"biases: expected 1 entries|vectors: expected 2 values",
        ),
    ],
)
def test_a_change_that_makes_no_sense_is_refused(
    index: ItemIndex, change: Callable[[ItemIndex], Any], message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        change(index)
