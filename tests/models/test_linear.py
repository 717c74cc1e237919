import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse

import whyrec.models.linear as linear
from whyrec.data.dataset import Dataset
from whyrec.data.pairs import Pairs
from whyrec.errors import ArgumentError
from whyrec.models.linear import (
    EASE,
    EASEConfig,
    LeadingDirections,
    interaction_matrix,
    stacked_matrix,
    window_matrix,
)
from whyrec.types import Float64Array


def drawn_matrix(n_users: int, n_items: int, share: float = 0.2) -> scipy.sparse.csr_matrix:
    random = np.random.default_rng(n_users)
    return scipy.sparse.csr_matrix((random.random((n_users, n_items)) < share).astype(np.float32))


def dataset_of(matrix: scipy.sparse.csr_matrix) -> Dataset:
    users, items = matrix.nonzero()
    return Dataset.from_tables(
        pa.table({"user_id": users.tolist(), "item_id": items.tolist()}),
        pa.table({"item_id": range(matrix.shape[1])}),
        pa.table({"user_id": range(matrix.shape[0])}),
    )


def textbook(matrix: scipy.sparse.csr_matrix, l2: float) -> Float64Array:
    x = matrix.toarray().astype(np.float64)
    inverse = np.linalg.inv(x.T @ x + l2 * np.eye(x.shape[1]))
    weights: Float64Array = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return weights


@pytest.mark.parametrize(("n_users", "n_items"), [(50, 20), (20, 50), (30, 30)])
def test_weights_are_those_of_the_paper_over_users_or_over_items(
    n_users: int, n_items: int
) -> None:
    matrix = drawn_matrix(n_users, n_items)
    weights = EASEConfig(l2=3.0).fit(dataset_of(matrix), progress=False).weights
    assert weights.dtype == np.float32
    assert (np.diag(weights) == 0).all()
    np.testing.assert_allclose(weights, textbook(matrix, 3.0), rtol=1e-5, atol=1e-7)


def test_an_item_had_twice_counts_once() -> None:
    once = pa.table({"user_id": ["a", "a", "b", "b"], "item_id": [1, 2, 2, 3]})
    twice = pa.table({"user_id": ["a", "a", "a", "b", "b"], "item_id": [1, 2, 1, 2, 3]})
    config = EASEConfig(l2=1.0)
    one, two = (config.fit(Dataset.from_tables(table)) for table in (once, twice))
    np.testing.assert_array_equal(one.weights, two.weights)
    np.testing.assert_array_equal(
        two.query_vectors(Dataset.from_tables(twice).histories(np.array([0]))), [[1, 1, 0]]
    )


def test_the_score_sums_the_weights_of_the_distinct_items_of_a_history(shop: Dataset) -> None:
    ease = EASEConfig(l2=2.0).fit(shop)
    histories = shop.histories(np.arange(shop.n_users))
    scores = ease.query_vectors(histories) @ ease.item_vectors().T + ease.item_biases()
    for row in range(len(histories)):
        had = np.unique(histories.items[histories.offsets[row] : histories.offsets[row + 1]])
        expected = ease.weights[had].astype(np.float64).sum(axis=0)
        np.testing.assert_allclose(scores[row], expected, rtol=1e-5, atol=1e-6)


def test_event_contributions_sum_to_the_score_and_repeated_events_share_theirs(
    shop: Dataset,
) -> None:
    ease = EASEConfig(l2=2.0).fit(shop)
    histories = shop.histories(np.array([3, 0, 5]))
    pairs = Pairs(np.array([2, 0, 1, 0], np.int32), np.array([4, 4, 4, 9], np.int32))
    contributions = ease.event_contributions(histories, pairs)
    scores = ease.query_vectors(histories) @ ease.item_vectors().T
    counts = histories.counts()[pairs.rows]
    parts = np.split(contributions, np.cumsum(counts)[:-1])
    assert [len(part) for part in parts] == counts.tolist()
    for part, row, item in zip(parts, pairs.rows, pairs.items, strict=True):
        np.testing.assert_allclose(part.sum(), scores[row, item], rtol=1e-5, atol=1e-6)
    assert parts[1][-1] == parts[1][-2] == ease.weights[0, 4] / 2


def test_a_catalog_too_large_for_its_weights_is_refused(
    shop: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linear, "MOST_ITEMS", shop.n_items - 1)
    with pytest.raises(ArgumentError, match=r"25 items are too many .*TwoTowerConfig"):
        EASEConfig().fit(shop)


@pytest.mark.parametrize("l2", [0.0, -1.0, float("nan"), float("inf")])
def test_a_penalty_that_is_no_number_above_0_is_refused(l2: float) -> None:
    with pytest.raises(ArgumentError, match="l2 must be a number above 0"):
        EASEConfig(l2=l2)


def test_the_interaction_matrix_is_1_where_there_are_events(shop: Dataset) -> None:
    expected = np.zeros((shop.n_users, shop.n_items))
    expected[shop.interactions.users(), shop.interactions.items] = 1
    matrix = interaction_matrix(shop.interactions, shop.n_items)
    np.testing.assert_array_equal(matrix.toarray(), expected)
    assert matrix.nnz == expected.sum() < len(shop.interactions)


@pytest.mark.parametrize("l2", [0.5, 20.0])
def test_factors_of_full_rank_give_the_weights_of_ease(l2: float) -> None:
    dense = drawn_matrix(60, 20).toarray()
    dense[:, 7] = 0  # so the rank is below both sides
    matrix = scipy.sparse.csr_matrix(dense)
    inward, outward = LeadingDirections.of(matrix, 24, seed=0).ease_factors(24, l2)
    assert inward.shape == outward.shape == (20, 24)
    assert inward.dtype == outward.dtype == np.float32
    products = inward.astype(np.float64) @ outward.T
    np.fill_diagonal(products, 0)
    np.testing.assert_allclose(products, textbook(matrix, l2), rtol=1e-3, atol=1e-5)


def test_a_window_is_some_events_of_one_user_in_a_row(shop: Dataset) -> None:
    interactions = shop.interactions
    found = window_matrix(interactions, shop.n_items, 3).toarray()
    expected = []
    for user in range(shop.n_users):
        items = interactions.items[interactions.offsets[user] : interactions.offsets[user + 1]]
        expected += [
            np.bincount(items[start : start + 3], minlength=shop.n_items) > 0
            for start in range(0, len(items), 3)
        ]
    np.testing.assert_array_equal(found, np.array(expected))
    assert len(found) > shop.n_users


def test_windows_are_further_rows_of_the_matrix(shop: Dataset) -> None:
    whole = interaction_matrix(shop.interactions, shop.n_items)
    stacked = stacked_matrix(shop.interactions, shop.n_items, windows=True)
    np.testing.assert_array_equal(stacked[: shop.n_users].toarray(), whole.toarray())
    rows = [window_matrix(shop.interactions, shop.n_items, each).shape[0] for each in (10, 30)]
    assert stacked.shape[0] == shop.n_users + sum(rows)
    assert stacked_matrix(shop.interactions, shop.n_items, windows=False).shape == whole.shape


def test_factors_of_nothing_are_zeros() -> None:
    for shape in ((1, 5), (5, 1)):
        matrix = scipy.sparse.csr_matrix(np.ones(shape))
        inward, outward = LeadingDirections.of(matrix, 4, seed=0).ease_factors(4, 1.0)
        assert inward.shape == outward.shape == (shape[1], 4)
        assert not inward.any()
        assert not outward.any()


def test_the_model_keeps_the_catalog_it_was_fitted_on(shop: Dataset) -> None:
    ease = EASEConfig().fit(shop)
    assert isinstance(ease, EASE)
    assert ease.item_features is shop.item_features
