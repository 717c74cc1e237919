import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whyrec.errors import ArgumentError
from whyrec.evaluate.accuracy import Accuracy, accuracy
from whyrec.types import Int32Array, Int64Array

Lists = list[list[int]]

items = st.integers(0, 12)
users = st.lists(
    st.tuples(st.lists(items, unique=True, max_size=8), st.lists(items, max_size=6)),
    min_size=1,
    max_size=6,
)


def ragged(rows: Lists) -> tuple[Int64Array, Int32Array]:
    offsets = np.cumsum([0, *map(len, rows)]).astype(np.int64)
    return offsets, np.array([item for row in rows for item in row], np.int32)


def measure(ranked: Lists, wanted: Lists, k: int) -> Accuracy:
    return accuracy(*ragged(ranked), *ragged(wanted), k=k)


@given(users, st.integers(1, 10))
def test_metrics_are_those_of_plain_python(rows: list[tuple[list[int], list[int]]], k: int) -> None:
    ranked, wanted = [each for each, _ in rows], [each for _, each in rows]
    if not any(wanted):
        with pytest.raises(ArgumentError, match="no user has a held-out event"):
            measure(ranked, wanted, k)
        return
    ndcg, recall, hit = [], [], []
    for best, wants in rows:
        if not wants:
            continue
        hits = [rank for rank, item in enumerate(best[:k]) if item in wants]
        ideal = sum(1 / math.log2(rank + 2) for rank in range(min(k, len(set(wants)))))
        ndcg.append(sum(1 / math.log2(rank + 2) for rank in hits) / ideal)
        recall.append(len(hits) / len(set(wants)))
        hit.append(float(bool(hits)))
    found = measure(ranked, wanted, k)
    assert found.n_users == len(ndcg)
    np.testing.assert_allclose(found.ndcg, ndcg, rtol=1e-12)
    np.testing.assert_allclose(found.recall, recall, rtol=1e-12)
    np.testing.assert_array_equal(found.hit, hit)
    means = found.means()
    assert means.keys() == {f"NDCG@{k}", f"Recall@{k}", f"HR@{k}"}
    assert means[f"NDCG@{k}"] == pytest.approx(sum(ndcg) / len(ndcg))
    assert means[f"HR@{k}"] == pytest.approx(sum(hit) / len(hit))


def test_a_perfect_ranking_scores_1_and_a_missed_one_0() -> None:
    found = measure([[3, 1, 2], [5, 6, 7]], [[1, 3], [8]], k=3)
    assert found.ndcg.tolist() == [1.0, 0.0]
    assert found.recall.tolist() == [1.0, 0.0]
    assert found.hit.tolist() == [1.0, 0.0]


def test_an_item_wanted_twice_counts_once() -> None:
    twice, once = measure([[3, 1]], [[1, 1, 2]], k=2), measure([[3, 1]], [[2, 1]], k=2)
    assert twice.ndcg == once.ndcg
    assert twice.recall == once.recall == 0.5


def test_users_who_want_nothing_are_left_out() -> None:
    assert measure([[1], [2], [3]], [[], [2], []], k=1).ndcg.tolist() == [1.0]


def test_what_is_told_names_the_metrics_and_the_users() -> None:
    told = str(measure([[4, 7]], [[7]], k=2))
    assert told == "NDCG@2 0.6309, Recall@2 1.0000, HR@2 1.0000 over 1 users"


@pytest.mark.parametrize("k", [0, -3])
def test_a_k_below_1_is_refused(k: int) -> None:
    with pytest.raises(ArgumentError, match=f"k must be at least 1, not {k}"):
        measure([[1]], [[1]], k=k)


def test_rankings_of_other_users_are_refused() -> None:
    with pytest.raises(ArgumentError, match="rankings are of 1 users, wanted items of 2"):
        measure([[1]], [[1], [2]], k=1)


def test_with_nobody_to_ask_there_is_nothing_to_evaluate() -> None:
    with pytest.raises(ArgumentError, match="no user has a held-out event"):
        measure([[1], []], [[], []], k=1)
