import math
from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from whyrec.errors import ArgumentError
from whyrec.evaluate.accuracy import beyond_accuracy
from whyrec.types import Float64Array, Int32Array, Int64Array

Lists = list[list[int]]
Ragged = Callable[[Lists], tuple[Int64Array, Int32Array]]

N_ITEMS = 9
lists = st.lists(st.lists(st.integers(0, N_ITEMS - 1), max_size=7), min_size=1, max_size=5)


def cosine(one: Float64Array, other: Float64Array) -> float:
    lengths = math.sqrt(one @ one) * math.sqrt(other @ other)
    return float(one @ other) / lengths if lengths else 0.0


def gini(counts: list[int]) -> float:
    """Half the mean difference of two, over the mean."""
    differences = [abs(one - other) for one in counts for other in counts]
    mean = sum(counts) / len(counts)
    return sum(differences) / len(differences) / (2 * mean) if mean else math.nan


@given(lists, st.integers(1, 6), st.integers(0, 100))
def test_figures_are_those_of_plain_python(
    ragged: Ragged, ranked: Lists, k: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    popularity = random.integers(0, 5, N_ITEMS)
    vectors = random.normal(size=(N_ITEMS, 3)) * (random.random((N_ITEMS, 1)) < 0.8)
    best = [[*dict.fromkeys(row[:k])] for row in ranked]
    known = np.maximum(popularity, 1)
    novelty: list[float] = []
    popular: list[float] = []
    diversity: list[float] = []
    for row in best:
        bits = [-math.log2(known[item] / known.sum()) for item in row]
        alike = [cosine(vectors[one], vectors[other]) for one, other in combinations(row, 2)]
        novelty.append(float(np.mean(bits)) if row else math.nan)
        popular.append(float(np.mean(popularity[row])) if row else math.nan)
        diversity.append(1 - float(np.mean(alike)) if alike else math.nan)
    exposure = [sum(item in row for row in best) for item in range(N_ITEMS)]
    found = beyond_accuracy(*ragged(ranked), popularity, k=k, vectors=vectors)
    figures = found.figures()
    for name, expected in (("novelty", novelty), ("popularity", popular), ("diversity", diversity)):
        np.testing.assert_allclose(figures[f"{name}@{k}"], np.array(expected), atol=1e-9)
    assert found.coverage.tolist() == [sum(map(bool, exposure)) / N_ITEMS]
    np.testing.assert_allclose(found.gini, [gini(exposure)], rtol=1e-9, atol=1e-12)


def test_an_array_and_a_sparse_matrix_are_as_diverse(ragged: Ragged) -> None:
    random = np.random.default_rng(0)
    vectors = random.random((30, 8)) * (random.random((30, 8)) < 0.3)
    rows = ragged([random.permutation(30)[:10].tolist() for _ in range(20)])
    dense, sparse = (
        beyond_accuracy(*rows, np.ones(30), k=(5, 10), vectors=each).diversity
        for each in (vectors, scipy.sparse.csr_matrix(vectors))
    )
    assert dense is not None
    assert sparse is not None
    assert dense.shape == (20, 2)
    assert (dense > 0).all()
    np.testing.assert_allclose(dense, sparse, rtol=1e-12)


def test_the_same_for_everybody_covers_little_and_is_told_by_gini(ragged: Ragged) -> None:
    same, spread = (
        beyond_accuracy(*ragged(rows), np.arange(10), k=2)
        for rows in ([[9, 8]] * 5, [[user, user + 5] for user in range(5)])
    )
    assert same.coverage == 0.2
    assert spread.coverage == 1
    assert same.gini == pytest.approx(0.8)
    assert spread.gini == 0
    assert same.means()["popularity@2"] == 8.5 > spread.means()["popularity@2"]
    assert same.means()["novelty@2"] < spread.means()["novelty@2"]


def test_an_item_without_events_is_as_novel_as_one_with_a_single_event(ragged: Ragged) -> None:
    found = beyond_accuracy(*ragged([[0], [1], [2]]), np.array([0, 1, 6]), k=1).novelty
    assert found.ravel().tolist() == pytest.approx([3, 3, 3 - math.log2(6)])


def test_empty_lists_are_in_no_mean(ragged: Ragged) -> None:
    rows = [[0], [], [0, 1]]
    found = beyond_accuracy(*ragged(rows), np.array([3, 1]), k=2, vectors=np.eye(2))
    assert np.isnan(found.novelty.ravel()).tolist() == [False, True, False]
    assert found.means()["popularity@2"] == 2.5
    assert found.means()["diversity@2"] == 1
    nothing = beyond_accuracy(*ragged([[], []]), np.array([3, 1]), k=2)
    assert nothing.coverage == 0
    assert np.isnan(nothing.means()["Gini@2"])


def test_without_vectors_nothing_is_said_of_diversity(ragged: Ragged) -> None:
    found = beyond_accuracy(*ragged([[0, 1]]), np.array([3, 1]), k=(1, 2))
    assert found.diversity is None
    assert list(found.means()) == [
        *("novelty@1", "popularity@1", "novelty@2", "popularity@2"),
        *("coverage@1", "coverage@2", "Gini@1", "Gini@2"),
    ]
    assert [line.count("@") for line in str(found).splitlines()] == [4, 4]


@pytest.mark.parametrize(
    ("popularity", "message"),
    [
        ([1, 1], "item 2 is ranked, but popularity is of 2 items"),
        ([1, -1, 1], "popularity of item 1 is -1.0, no count"),
        ([1, 1, float("nan")], "popularity of item 2 is nan, no count"),
        ([[1, 1, 1]], r"popularity must be \[n_items\]"),
        ([], r"popularity must be \[n_items\]"),
    ],
)
def test_popularity_that_does_not_fit_is_refused(
    ragged: Ragged, popularity: list[float], message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        beyond_accuracy(*ragged([[0, 2]]), np.array(popularity), k=1)


def test_vectors_that_do_not_fit_are_refused(ragged: Ragged) -> None:
    for vectors, message in (
        (np.ones((2, 4)), r"vectors must be \[3, dimension\], not of shape \(2, 4\)"),
        (np.ones(3), r"vectors must be \[3, dimension\]"),
        (np.full((3, 2), np.inf), "vectors have values that are not finite"),
        (scipy.sparse.csr_matrix([[np.nan], [1], [0]]), "values that are not finite"),
    ):
        with pytest.raises(ArgumentError, match=message):
            beyond_accuracy(*ragged([[0, 2]]), np.ones(3), k=1, vectors=vectors)
