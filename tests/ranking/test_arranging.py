"""Answers put together by rules, over rankings that come from nowhere: held to plain loops."""

from collections.abc import Callable

import numpy as np
import pytest

from whyrec.data.dataset import Dataset
from whyrec.data.features import Features
from whyrec.data.fields import FeatureSchema
from whyrec.data.rows import offsets_of
from whyrec.errors import ArgumentError
from whyrec.ranking import Ranking, SlotSource
from whyrec.ranking.arranging import Arrangement, Limit, slot_sources
from whyrec.types import Float32Array, Int32Array, Int64Array

N_ROWS, N_ITEMS, DIMENSION = 40, 300, 24
NONE = np.zeros(0, np.int64)


@pytest.fixture(scope="module")
def scores() -> Float32Array:
    return np.random.default_rng(0).standard_normal((N_ROWS, N_ITEMS)).astype(np.float32)


@pytest.fixture(scope="module")
def vectors() -> Float32Array:
    vectors = np.random.default_rng(1).standard_normal((N_ITEMS, DIMENSION)).astype(np.float32)
    vectors[7] = 0
    return vectors


def limit(most: int, n_values: int, n_tags: int) -> tuple[Limit, list[set[int]]]:
    """Return a limit over random tags, and the tags of each item; some have none."""
    random = np.random.default_rng(2)
    tags = [
        set(random.integers(0, n_values, size=random.integers(0, n_tags + 1)).tolist())
        for _ in range(N_ITEMS)
    ]
    tokens = np.array([tag for each in tags for tag in sorted(each)], np.int32)
    offsets = offsets_of(np.array([len(each) for each in tags]))
    features = Features(FeatureSchema(), offsets, tokens, np.ones(len(tokens), np.float32))
    return Limit(features, most), tags


def fetching(
    scores: Float32Array, pinned: list[int], asked: list[int] | None = None
) -> Callable[[Int64Array, int], Ranking]:
    def fetch(rows: Int64Array, depth: int) -> Ranking:
        if asked is not None:
            asked.append(depth)
        lists = [
            [item for item in np.lexsort((np.arange(N_ITEMS), -scores[row])) if item not in pinned]
            for row in rows
        ]
        cut = [each[:depth] for each in lists]
        items = np.array([item for each in cut for item in each], np.int32)
        found = np.concatenate([scores[row, each] for row, each in zip(rows, cut, strict=True)])
        return Ranking(offsets_of(np.array([len(each) for each in cut])), items, found)

    return fetch


def fixed_for(n_rows: int, pinned: list[int]) -> Ranking:
    """Every other row may have all pinned items, the others all but the first."""
    items = [pinned if row % 2 else pinned[1:] for row in range(n_rows)]
    flat = np.array([item for each in items for item in each[::-1]], np.int32)
    offsets = offsets_of(np.array([len(each) for each in items], np.int64))
    return Ranking(offsets, flat, np.zeros(len(flat), np.float32))


def lists(found: tuple[Int64Array, Int32Array]) -> list[list[int]]:
    offsets, items = found
    return [part.tolist() for part in np.split(items, offsets[1:-1])]


@pytest.mark.parametrize("pinned", [[], [9], [250, 3, 77]])
@pytest.mark.parametrize(("most", "n_values", "n_tags"), [(1, 4, 1), (2, 6, 3), (3, 40, 6)])
def test_limits_are_those_of_plain_loops_and_reach_the_end_of_the_catalog(
    scores: Float32Array, pinned: list[int], most: int, n_values: int, n_tags: int
) -> None:
    rule, tags = limit(most, n_values, n_tags)
    places = np.array([1, 4, 6][: len(pinned)], np.int64)
    arrangement = Arrangement(np.array(pinned, np.int32), places, (rule,), 0.0, None)
    fixed, k = fixed_for(N_ROWS, pinned), 30
    found = lists(arrangement.arrange(fetching(scores, pinned), fixed, k))
    for row, answer in enumerate(found):
        mine = pinned if row % 2 else pinned[1:]
        taken = list(mine)
        others = []
        for item in np.argsort(-scores[row], kind="stable").tolist():
            crowded = any(sum(tag in tags[each] for each in taken) >= most for tag in tags[item])
            if item not in pinned and not crowded and len(taken) < k:
                taken.append(item)
                others.append(item)
        place_of = dict(zip(places.tolist(), pinned, strict=True))
        expected = []
        for place in range(k):
            if place in place_of and place_of[place] in mine:
                expected.append(place_of[place])
            elif others:
                expected.append(others.pop(0))
        assert answer == expected


def test_it_looks_deeper_only_where_an_answer_is_not_full(scores: Float32Array) -> None:
    rule, _ = limit(1, 2, 1)
    asked: list[int] = []
    arrangement = Arrangement(np.zeros(0, np.int32), NONE, (rule,), 0.0, None)
    none = fixed_for(N_ROWS, [])
    arrangement.arrange(fetching(scores, [], asked), none, 4)
    assert asked[0] == 8
    assert asked == sorted(asked)
    plain: list[int] = []
    free = Arrangement(np.zeros(0, np.int32), NONE, (), 0.0, None)
    free.arrange(fetching(scores, [], plain), none, 4)
    assert plain == [4]


@pytest.mark.parametrize("diversity", [0.2, 0.7, 1.0])
@pytest.mark.parametrize("pinned", [[], [250, 3]])
def test_diversity_is_that_of_plain_loops(
    scores: Float32Array, vectors: Float32Array, diversity: float, pinned: list[int]
) -> None:
    places = np.arange(len(pinned))
    arrangement = Arrangement(np.array(pinned, np.int32), places, (), diversity, vectors)
    k = 12
    found = lists(arrangement.arrange(fetching(scores, pinned), fixed_for(N_ROWS, pinned), k))
    units = vectors.astype(np.float64)
    units /= np.linalg.norm(units, axis=1, keepdims=True).clip(1e-30)
    for row, answer in enumerate(found):
        mine = pinned if row % 2 else pinned[1:]
        order = [item for item in np.argsort(-scores[row], kind="stable") if item not in pinned]
        pool = [int(item) for item in order[: 10 * k]]
        worth = scores[row, pool].astype(np.float64)
        worth = (worth - worth.min()) / (worth.max() - worth.min())
        taken = list(mine)
        while len(taken) < k:
            values = [
                -np.inf
                if item in taken
                else (1 - diversity) * worth[at]
                - diversity * max((float(units[item] @ units[each]) for each in taken), default=0)
                for at, item in enumerate(pool)
            ]
            taken.append(pool[int(np.argmax(values))])
        assert sorted(answer) == sorted(taken)
        assert [item for item in answer if item not in mine] == taken[len(mine) :]


def test_an_answer_depends_on_nothing_but_its_own_row(
    scores: Float32Array, vectors: Float32Array
) -> None:
    rule, _ = limit(2, 6, 3)
    arrangement = Arrangement(np.array([9], np.int32), np.array([2]), (rule,), 0.4, vectors)
    together = lists(arrangement.arrange(fetching(scores, [9]), fixed_for(N_ROWS, [9]), 15))
    for row in range(N_ROWS):
        fixed = fixed_for(N_ROWS, [9]).take(np.array([row]))
        alone = arrangement.arrange(fetching(scores[row : row + 1], [9]), fixed, 15)
        assert lists(alone) == [together[row]]


def test_a_limit_is_of_a_field_of_categories_or_tags(shop: Dataset) -> None:
    assert Limit.of(shop.item_features, "style", 2).most == 2
    with pytest.raises(ArgumentError, match=r"'price' is no field .* those are: \"style\", \"topi"):
        Limit.of(shop.item_features, "price", 1)


def test_only_what_a_rule_has_moved_says_so() -> None:
    def ranking(items: list[int], scores: list[float]) -> Ranking:
        ends = np.array([0, len(items)])
        return Ranking(ends, np.array(items, np.int32), np.array(scores, np.float32))

    own = ranking([0, 1, 2, 3], [4, 3, 2, 1])
    answer = ranking([0, 2, 1, 8, 5], [4, 2, 3, 9, 0])
    promoted = np.array([False, False, False, True, False])
    assert slot_sources(answer, own, promoted, SlotSource.POPULAR) == [
        "popular",
        "arranged",  # before one that scores more
        "popular",
        "promoted",
        "arranged",  # not among the best
    ]
    assert slot_sources(own, own, np.zeros(4, bool), SlotSource.MODEL) == ["model"] * 4
