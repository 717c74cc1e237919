from typing import Any

import numpy as np
import pytest

from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.models.recommender import WideRecommender
from whyrec.ranking import Candidates, Filters, ItemIndex, Ranking, first_stage, retrieve
from whyrec.types import Float32Array, Int32Array

N_ITEMS, N_USERS = 40, 6


class Stages(WideRecommender):
    """What the first stage asks of a model: the wide scores are those given, row by row."""

    def __init__(self, n_ranked: int, items: Int32Array, scores: Float32Array) -> None:
        self._n_ranked, self._items, self._scores = n_ranked, items, scores

    @property
    def n_ranked(self) -> int:
        return self._n_ranked

    @property
    def wide_items(self) -> Int32Array:
        return self._items

    def wide_scores(self, histories: Histories) -> Float32Array:
        # The row of a history is told by its only event.
        return self._scores[histories.items].copy()


@pytest.fixture(scope="module")
def histories(shop: Dataset) -> Histories:
    items = np.arange(N_USERS, dtype=np.int32)
    blank = shop.histories(np.zeros(N_USERS, np.int64))
    return Histories(
        np.arange(N_USERS + 1, dtype=np.int64),
        items,
        np.zeros(N_USERS, np.int16),
        np.zeros(N_USERS, np.float32),
        np.zeros(N_USERS, np.float32),
        blank.attributes,
    )


def expected(
    products: Float32Array,
    wide: dict[int, float],
    n_ranked: int,
    k: int,
    allowed: set[int],
) -> tuple[list[int], list[int]]:
    """Return what the vectors find of the allowed items, and the wide part of the rest."""
    n_further = min(n_ranked // 2, len(wide))
    order = [each for each in np.argsort(-products, kind="stable").tolist() if each in allowed]
    first = order[: max(k, n_ranked - n_further)]
    left = [each for each in wide if wide[each] > 0 and each in allowed - set(first)]
    return first, sorted(left, key=lambda each: (-wide[each], each))[:n_further]


@pytest.mark.parametrize("n_ranked", [1, 2, 7, 20, 100])
@pytest.mark.parametrize("k", [1, 5, 60])
@pytest.mark.parametrize("by", ["", "only", "mask"])
@pytest.mark.parametrize("n_weighted", [0, 3, 25])
def test_half_is_found_by_the_vectors_and_the_best_of_the_rest_by_the_wide_part(
    histories: Histories,
    monkeypatch: pytest.MonkeyPatch,
    n_ranked: int,
    k: int,
    by: str,
    n_weighted: int,
) -> None:
    random = np.random.default_rng(n_ranked * 10 + k)
    # Whole numbers, so that there are ties.
    vectors = random.integers(-3, 4, (N_ITEMS, 3)).astype(np.float32)
    queries = random.integers(-3, 4, (N_USERS, 3)).astype(np.float32)
    items = np.sort(random.permutation(N_ITEMS)[:n_weighted]).astype(np.int32)
    scores = random.integers(-2, 3, (N_USERS, n_weighted)).astype(np.float32)
    barred = [random.permutation(N_ITEMS)[: random.integers(20)] for _ in range(N_USERS)]
    only = set(random.permutation(N_ITEMS)[:30].tolist()) if by else set(range(N_ITEMS))
    monkeypatch.setattr(first_stage, "_CELLS", 2 * max(1, n_weighted))  # two rows at a time
    found = retrieve(
        ItemIndex(vectors),
        Stages(n_ranked, items, scores),  # type: ignore[abstract]  # nothing else is asked of it
        histories,
        queries,
        k,
        Filters(
            Candidates.per_query(barred),
            Candidates.shared(np.array(sorted(only))) if by == "only" else None,
            np.isin(np.arange(N_ITEMS), sorted(only)) if by == "mask" else None,
            include_seen=True,
        ),
    )
    for row in range(N_USERS):
        wide = dict(zip(items.tolist(), scores[row].tolist(), strict=True))
        allowed = only - set(barred[row].tolist())
        first, further = expected(queries[row] @ vectors.T, wide, n_ranked, k, allowed)
        assert found.items[found.of(row)].tolist() == first + further
        told: list[Any] = [float(queries[row] @ vectors[item]) for item in first]
        assert found.scores[found.of(row)].tolist() == told + [wide[item] for item in further]
    assert isinstance(found, Ranking)
