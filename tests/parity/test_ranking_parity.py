"""The ranking kernels against the score and the order as they are defined, in plain NumPy."""

from typing import TypeAlias

import numpy as np
import pytest

from whyrec import _native
from whyrec.types import Float32Array, Float64Array, Int32Array, Int64Array

Catalog: TypeAlias = tuple[Float32Array, Float32Array]

SHAPES = [
    (1, 1, 1),
    (15, 2, 3),
    (16, 6, 8),
    (17, 7, 31),
    (300, 13, 64),
    (2_000, 40, 5),
    (9_000, 7, 10),
]
"""Items, queries, dimension: on both sides of 16 items and 6 queries, which a tile has, and of the
4,096 items from which on there are codes."""


def fused(product: Float64Array, total: Float64Array) -> Float64Array:
    """Return float32(product + total), rounded once, as float64.

    The product of two float32 is exact in float64, but the sum is not: rounded to odd there, it can
    be rounded to float32 as if it had been exact.
    """
    rounded = product + total
    virtual = rounded - product
    error = (product - (rounded - virtual)) + (total - virtual)
    is_even = rounded.view(np.int64) % 2 == 0
    toward = np.where(error > 0, np.inf, -np.inf)
    odd = np.where((error != 0) & is_even, np.nextafter(rounded, toward), rounded)
    return odd.astype(np.float32).astype(np.float64)


def canonical_scores(catalog: Catalog, queries: Float32Array) -> Float32Array:
    """Return float32 [n_queries, n_items]: one chain of multiply-adds, then the bias."""
    vectors, biases = catalog
    totals = np.zeros((len(queries), len(vectors)))
    for column in range(vectors.shape[1]):
        products = np.outer(queries[:, column].astype(float), vectors[:, column].astype(float))
        totals = fused(products, totals)
    return totals.astype(np.float32) + biases + np.float32(0)


def sorted_items(scores: Float32Array, k: int) -> Int32Array:
    """Return int32 [n_queries, k]: by score, highest first, then by index."""
    return np.argsort(-scores, axis=1, kind="stable")[:, :k].astype(np.int32)


def world(shape: tuple[int, int, int], *, coarse: bool) -> tuple[Catalog, Float32Array]:
    """Make a catalog and queries; with coarse values most scores are tied."""
    n_items, n_queries, dimension = shape
    rng = np.random.default_rng([n_items, n_queries, dimension])

    def values(*shape: int) -> Float32Array:
        if coarse:
            return rng.integers(-1, 2, shape).astype(np.float32)
        exponents = rng.integers(-20, 20, shape)
        return np.ldexp(rng.standard_normal(shape), exponents).astype(np.float32)

    return (values(n_items, dimension), values(n_items)), values(n_queries, dimension)


def test_the_oracle_rounds_once_and_tells_ties_apart() -> None:
    # 1 + 2⁻²⁴ is half-way between two float32, and goes to the even one; a little more goes up.
    one, half, little = np.array([1.0]), np.array([2.0**-24]), np.array([2.0**-24 + 2.0**-60])
    assert fused(half, one) == 1
    assert fused(little, one) == 1 + 2**-23
    twice_rounded = (little + one).astype(np.float32)
    assert twice_rounded == 1


@pytest.mark.parametrize("scalar", [False, True])
@pytest.mark.parametrize("coarse", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_top_k_is_the_head_of_a_stable_sort(
    shape: tuple[int, int, int], coarse: bool, scalar: bool
) -> None:
    catalog, queries = world(shape, coarse=coarse)
    expected = canonical_scores(catalog, queries)
    for k in {1, shape[0] // 3 + 1, shape[0]}:
        best = sorted_items(expected, k)
        for codes in (None, True, False):
            offsets, items, scores = _native.top_k(
                _native.ItemIndex(*catalog), queries, k, codes=codes, scalar=scalar
            )
            assert offsets.tolist() == [k * query for query in range(shape[1] + 1)]
            assert items.tolist() == best.ravel().tolist()
            assert scores.tobytes() == np.take_along_axis(expected, best.astype(int), 1).tobytes()


@pytest.mark.parametrize("scalar", [False, True])
@pytest.mark.parametrize("coarse", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_pairs_have_the_canonical_score(
    shape: tuple[int, int, int], coarse: bool, scalar: bool
) -> None:
    catalog, queries = world(shape, coarse=coarse)
    rng = np.random.default_rng(0)
    rows = rng.integers(0, shape[1], 500).astype(np.int32)
    items = rng.integers(0, shape[0], 500).astype(np.int32)
    expected = canonical_scores(catalog, queries)[rows, items]
    for order in (np.arange(500), np.argsort(rows, kind="stable")):
        scores = _native.score_pairs(
            _native.ItemIndex(*catalog), queries, rows[order], items[order], scalar=scalar
        )
        assert scores.tobytes() == expected[order].tobytes()


@pytest.mark.parametrize("kind", ["excluded", "only"])
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_filters_leave_what_a_mask_leaves(
    shape: tuple[int, int, int], shared: bool, kind: str
) -> None:
    catalog, queries = world(shape, coarse=True)
    n_items, n_queries, _ = shape
    named = np.random.default_rng(1).random((1 if shared else n_queries, n_items)) < 0.4
    items = np.nonzero(named)[1].astype(np.int32)
    offsets = np.concatenate([[0], named.sum(1).cumsum()]).astype(np.int64)
    allowed = np.broadcast_to(named if kind == "only" else ~named, (n_queries, n_items))
    scores = canonical_scores(catalog, queries)
    best = sorted_items(np.where(allowed, scores, -np.inf), 10)
    expected = [
        [item for item in row.tolist() if may[item]] for row, may in zip(best, allowed, strict=True)
    ]
    of_query: Int64Array | None = None if shared else offsets
    index = _native.ItemIndex(*catalog)
    for scalar in (False, True):
        if kind == "only":
            answer = _native.top_k(
                index, queries, 10, only_items=items, only_offsets=of_query, scalar=scalar
            )
        else:
            answer = _native.top_k(
                index, queries, 10, excluded_items=items, excluded_offsets=of_query, scalar=scalar
            )
        found = [part.tolist() for part in np.split(answer[1], answer[0][1:-1])]
        assert found == expected


@pytest.mark.parametrize("dimension", [1, 3, 8, 64, 130])
def test_the_scalar_twin_has_the_bits_of_the_vector_kernels(dimension: int) -> None:
    rng = np.random.default_rng(dimension)
    vectors = rng.standard_normal((5_003, dimension), np.float32)
    index = _native.ItemIndex(vectors, rng.standard_normal(5_003, np.float32))
    queries = rng.standard_normal((23, dimension), np.float32)
    for n_queries in (1, 4, 5, 6, 7, 23):
        answers = [
            [part.tobytes() for part in _native.top_k(index, queries[:n_queries], 50, scalar=twin)]
            for twin in (False, True)
        ]
        assert answers[0] == answers[1]
    rows = rng.integers(0, 23, 3_000).astype(np.int32)
    items = rng.integers(0, 5_003, 3_000).astype(np.int32)
    vector, scalar = (
        _native.score_pairs(index, queries, rows, items, scalar=twin) for twin in (False, True)
    )
    assert vector.tobytes() == scalar.tobytes()
