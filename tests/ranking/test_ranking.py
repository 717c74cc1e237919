"""Answers of shards: renumbered, and merged to that of the whole."""

import numpy as np
import pytest

from whyrec.errors import ArgumentError
from whyrec.ranking import Ranking


def ranking(offsets: list[int], items: list[int], scores: list[float]) -> Ranking:
    return Ranking(
        np.array(offsets, np.int64), np.array(items, np.int32), np.array(scores, np.float32)
    )


def test_the_best_of_all_shards_come_by_score_then_index() -> None:
    first = ranking([0, 2, 2], [5, 1], [2, 1])
    second = ranking([0, 2, 3], [3, 0], [2, 1])
    with pytest.raises(ArgumentError, match="offsets: offsets end at 3, but there are 2 entries"):
        Ranking.merge([first, second], 3)
    merged = Ranking.merge([first, ranking([0, 2, 3], [3, 0, 5], [2, 1, 7])], 3)
    assert merged.offsets.tolist() == [0, 3, 4]
    assert merged.items.tolist() == [3, 5, 0, 5]
    assert merged.scores.tolist() == [2, 2, 1, 7]


def test_one_shard_or_none_is_the_whole() -> None:
    alone = ranking([0, 2], [5, 1], [2, 1])
    assert Ranking.merge([alone], 1).items.tolist() == [5]
    assert Ranking.merge([], 1).offsets.tolist() == [0]


def test_other_scores_give_another_order_with_ties_by_item_index() -> None:
    given = ranking([0, 3, 3, 5], [5, 1, 2, 0, 3], [3, 2, 1, 2, 1])
    scores = np.array([1, 4, 1, 0, 7], np.float32)
    found = given.reordered(scores, 2)
    assert found.offsets.tolist() == [0, 2, 2, 4]
    assert found.items.tolist() == [1, 2, 3, 0]
    assert found.scores.tolist() == [4, 1, 7, 0]
    assert found.items.dtype == np.int32
    assert found.scores.dtype == np.float32
    assert given.reordered(given.scores, 9).items.tolist() == given.items.tolist()


def test_a_ranking_is_parted_into_the_first_and_the_rest() -> None:
    whole = ranking([0, 3, 3, 4, 6], [5, 1, 2, 7, 0, 3], [6, 5, 4, 3, 2, 1])
    first, rest = whole.parted(2)
    assert first.offsets.tolist() == [0, 2, 2, 3, 5]
    assert (first.items.tolist(), first.scores.tolist()) == ([5, 1, 7, 0, 3], [6, 5, 3, 2, 1])
    assert rest.offsets.tolist() == [0, 1, 1, 1, 1]
    assert (rest.items.tolist(), rest.scores.tolist()) == ([2], [4])


def test_items_of_a_shard_get_the_indices_of_the_catalog() -> None:
    shard = ranking([0, 2], [2, 0], [2, 1])
    assert shard.renumbered(np.array([10, 20, 30], np.int32)).items.tolist() == [30, 10]


@pytest.mark.parametrize(
    ("items", "message"),
    [
        (np.array([10, 20], np.int32), "the ranking has item 2, but there are 2 entries"),
        (np.array([10, 30, 20], np.int32), "entry 2 is no larger than the one before it"),
        (np.array([10, 10, 20], np.int32), "entry 1 is no larger than the one before it"),
        (np.array([10, 20, 30]), r"expected int32 \[n_items\], got int64 of shape \(3,\)"),
        (np.zeros((3, 1), np.int32), r"expected int32 \[n_items\], got int32 of shape \(3, 1\)"),
    ],
)
def test_indices_that_do_not_fit_are_refused(items: np.ndarray, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        ranking([0, 2], [2, 0], [2, 1]).renumbered(items)


@pytest.mark.parametrize(
    ("rankings", "k", "message"),
    [
        ([], 0, "k must be at least 1, got 0"),
        (
            [ranking([0, 1], [3], [1]), ranking([0, 1], [3], [2])],
            2,
            "item 3 comes from two shards; an item belongs to one",
        ),
        (
            [ranking([0, 1], [3], [1]), ranking([0, 1, 1], [4], [2])],
            2,
            r"offsets: expected 1 rows \(as many as the first shard has\), got 2",
        ),
        ([ranking([0, 2], [3, 4], [1, 2])], 2, "entry 1 is not in the order by score"),
        ([ranking([0, 2], [4, 3], [1, 1])], 2, "entry 1 is not in the order by score"),
        ([ranking([0, 1], [3], [np.nan])], 2, "scores: entry 0 is NaN"),
        ([ranking([0, 1], [-3], [1])], 2, "items: entry 0 is -3"),
        ([ranking([0, 1], [3], [])], 2, r"scores: expected 1 entries \(one for each item\), got 0"),
    ],
)
def test_shards_that_make_no_whole_are_refused(
    rankings: list[Ranking], k: int, message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        Ranking.merge(rankings, k)
