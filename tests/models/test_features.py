from itertools import pairwise

import numpy as np
import pytest
import torch

import whyrec.models.features as features_room
from whyrec.data.dataset import Dataset
from whyrec.data.features import Features
from whyrec.data.fields import FeatureSchema
from whyrec.models.features import (
    predict_from_features,
    split_by_field,
    sum_by_row,
    sum_features,
)


@pytest.fixture
def catalog(shop: Dataset) -> Features:
    return shop.item_features


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def test_rows_sum_the_vectors_that_they_name() -> None:
    vectors, offsets = drawn(4, 3), np.array([0, 2, 2, 5])
    tokens, weights = torch.tensor([1, 3, 0, 0, 2]), torch.tensor([2.0, -1.0, 1.0, 0.5, 0.0])
    summed = sum_by_row(vectors, offsets, tokens, weights)
    expected = [2 * vectors[1] - vectors[3], torch.zeros(3), 1.5 * vectors[0]]
    torch.testing.assert_close(summed, torch.stack(expected))
    plain = sum_by_row(vectors, offsets, tokens)
    torch.testing.assert_close(plain[2], 2 * vectors[0] + vectors[2])


@pytest.mark.parametrize("n_rows", [0, 3])
def test_rows_of_nothing_sum_to_zeros(n_rows: int) -> None:
    nothing = torch.zeros(0, dtype=torch.int64)
    summed = sum_by_row(drawn(4, 3), np.zeros(n_rows + 1, np.int64), nothing)
    assert summed.shape == (n_rows, 3)
    assert not summed.any()


def test_features_sum_their_weighted_embeddings(catalog: Features) -> None:
    embeddings = drawn(catalog.schema.n_tokens, 6)
    expected = catalog.matrix() @ embeddings.numpy()
    torch.testing.assert_close(sum_features(embeddings, catalog), torch.from_numpy(expected))


def test_a_feature_value_that_is_not_kept_adds_nothing(catalog: Features) -> None:
    embeddings = drawn(catalog.schema.n_tokens, 6)
    kept = torch.arange(len(catalog.tokens)) % 3 > 0
    part = Features(catalog.schema, catalog.offsets, catalog.tokens, catalog.weights * kept.numpy())
    expected = part.matrix() @ embeddings.numpy()
    found = sum_features(embeddings, catalog, kept)
    torch.testing.assert_close(found, torch.from_numpy(expected))
    assert not torch.equal(found, sum_features(embeddings, catalog))


def test_values_are_split_by_row_and_field(shop: Dataset) -> None:
    for features in (shop.item_features, shop.user_features):
        row_offsets, fields, value_offsets = split_by_field(features)
        expected_fields, expected_values = [], []
        for row in range(len(features)):
            span = slice(*features.offsets[row : row + 2])
            tokens = features.tokens[span].tolist()
            of_tokens = [int(features.schema.token_fields[token]) for token in tokens]
            here = sorted(set(of_tokens))
            assert row_offsets[row + 1] - row_offsets[row] == len(here)
            assert here == features.fields_of(row).tolist()
            expected_fields += here
            expected_values += [
                [token for token, of in zip(tokens, of_tokens, strict=True) if of == field]
                for field in here
            ]
        assert fields.tolist() == expected_fields
        spans = pairwise(value_offsets)
        assert [features.tokens[start:end].tolist() for start, end in spans] == expected_values


def test_no_fields_split_to_nothing() -> None:
    row_offsets, fields, value_offsets = split_by_field(Features.none(2, FeatureSchema()))
    assert row_offsets.tolist() == [0, 0, 0]
    assert fields.tolist() == []
    assert value_offsets.tolist() == [0]


@pytest.mark.parametrize("solver", ["dense", "iterative"])
def test_predictions_are_those_of_weighted_ridge_regression(
    catalog: Features, solver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if solver == "iterative":
        monkeypatch.setattr(features_room, "_DENSE_TOKENS", 0)
    random = np.random.default_rng(0)
    targets = random.normal(size=(len(catalog), 3)).astype(np.float32)
    row_weights = random.integers(3, size=len(catalog)).astype(np.float32)
    found = predict_from_features(catalog, targets, row_weights, 2.0)
    assert found.dtype == np.float32
    x = catalog.matrix().toarray().astype(np.float64)
    weighed = x.T * row_weights
    expected = np.linalg.solve(weighed @ x + 2 * np.eye(x.shape[1]), weighed @ targets)
    np.testing.assert_allclose(found, expected, atol=2e-3 if solver == "iterative" else 1e-5)


def test_one_target_is_predicted_like_many(catalog: Features) -> None:
    targets = np.random.default_rng(0).normal(size=(len(catalog), 2)).astype(np.float32)
    ones = np.ones(len(catalog), np.float32)
    both = predict_from_features(catalog, targets, ones, 1.0)
    alone = predict_from_features(catalog, targets[:, :1], ones, 1.0)
    assert alone.shape == (catalog.schema.n_tokens, 1)
    np.testing.assert_allclose(alone, both[:, :1], atol=1e-6)


def test_nothing_is_predicted_where_no_row_or_feature_counts(catalog: Features) -> None:
    targets = np.ones((len(catalog), 2), np.float32)
    nobody = np.zeros(len(catalog), np.float32)
    assert not predict_from_features(catalog, targets, nobody, 1.0).any()
    without = Features.none(len(catalog), catalog.schema)
    assert not predict_from_features(without, targets, nobody + 1, 1.0).any()
    no_schema = Features.none(len(catalog), FeatureSchema())
    assert predict_from_features(no_schema, targets, nobody + 1, 1.0).shape == (0, 2)
