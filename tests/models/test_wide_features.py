import numpy as np
import pytest
import scipy.sparse
from numpy.typing import NDArray

from whyrec.models.wide_features import FeatureModel
from whyrec.types import Float32Array

N_ITEMS = 60


def features_of(n_groups: int) -> scipy.sparse.csr_matrix:
    """One feature value an item, that of its group."""
    groups = np.arange(N_ITEMS) % n_groups
    ones = np.ones(N_ITEMS, np.float32)
    return scipy.sparse.csr_matrix((ones, (np.arange(N_ITEMS), groups)), (N_ITEMS, n_groups))


def histories_of_groups(n_groups: int, seed: int) -> NDArray[np.float64]:
    """Users who choose half of the items of one group, and a few others."""
    random = np.random.default_rng(seed)
    of_group = random.integers(n_groups, size=(400, 1)) == np.arange(N_ITEMS) % n_groups
    return (random.random((400, N_ITEMS)) < np.where(of_group, 0.5, 0.02)).astype(np.float64)


def gram_and_weights(matrix: NDArray[np.float64]) -> tuple[Float32Array, Float32Array]:
    gram = matrix.T @ matrix
    inverse = np.linalg.inv(gram + 20 * np.eye(N_ITEMS))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return gram.astype(np.float32), weights.astype(np.float32)


def test_what_is_foretold_of_an_item_explains_who_chooses_it() -> None:
    matrix, features = histories_of_groups(6, seed=1), features_of(6)
    known = np.arange(N_ITEMS) >= 6  # one item of each group is new
    past = matrix * known
    model = FeatureModel.chosen(*gram_and_weights(past), features)
    assert model.of_weights + model.of_likeness > 0.1
    _, weights = gram_and_weights(past)
    found, tokens, _ = model.weights_of_values(
        weights[known][:, known], features[known], past.sum(0)[known].astype(np.float32)
    )
    np.testing.assert_array_equal(tokens, np.arange(6))
    scores = past[:, known] @ (found @ features[~known][:, tokens].T.toarray())
    error = np.square(matrix[:, ~known] - scores).sum()
    assert error < 0.8 * np.square(matrix[:, ~known]).sum()
    assert np.corrcoef(scores.ravel(), matrix[:, ~known].ravel())[0, 1] > 0.5


def test_features_that_tell_nothing_foretell_the_same_of_all_items() -> None:
    matrix = histories_of_groups(6, seed=2)
    gram, weights = gram_and_weights(matrix)
    told = features_of(6)
    not_told = told[np.random.default_rng(3).permutation(N_ITEMS)]
    spreads = []
    for features in (told, not_told):
        model = FeatureModel.chosen(gram, weights, features)
        found, _, _ = model.weights_of_values(weights, features, np.ones(N_ITEMS, np.float32))
        spreads.append(found.std(axis=1).mean())
    assert spreads[1] < 0.3 * spreads[0]


@pytest.mark.parametrize("n_tokens", [0, 4])
def test_without_features_nothing_is_foretold(n_tokens: int) -> None:
    nothing = scipy.sparse.csr_matrix(np.zeros((N_ITEMS, n_tokens), np.float32))
    gram, weights = gram_and_weights(histories_of_groups(6, seed=1))
    model = FeatureModel.chosen(gram, weights, nothing)
    assert (model.of_weights, model.of_likeness) == (0, 0)
    found, tokens, _ = model.weights_of_values(weights, nothing, np.ones(N_ITEMS, np.float32))
    assert found.shape == (N_ITEMS, 0)
    assert not len(tokens)
    no_items = scipy.sparse.csr_matrix(np.zeros((0, n_tokens), np.float32))
    none = np.zeros((0, 0), np.float32)
    assert FeatureModel.chosen(none, none, no_items).of_weights == 0
