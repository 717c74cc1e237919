"""What the wide part says of items that it has no weights for: what their features foretell."""

from dataclasses import dataclass

import numpy as np
import scipy.linalg
import scipy.optimize
import scipy.sparse

from whyrec.types import Float32Array, Int32Array

_L2 = (0.3, 1.0, 3.0, 10.0, 30.0)

_CHOSEN_ON = 500
"""Items that are foretold, each from the features of the others, to choose the settings by."""

_MOST_TOKENS = 4_096
"""Feature values that have weights, those that weigh most among the items with weights."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FeatureModel:
    """How a new item is related to items of a history: as those are that its features are like.

    With W the weights between items and S the ridge smoother of items by their features, the
    weights that lead to an item without any are those of

        (of_weights · W + of_likeness · 1) S.

    The first term says that it will be chosen with what items like it were chosen with; the second
    that it will be chosen by those who chose items like it.

    Source: Z. Gantner et al., Learning Attribute-to-Feature Mappings for Cold-Start Recommendations
    (ICDM 2010), for a map from features to what was learned; L. Breiman, Stacked Regressions
    (Machine Learning, 1996), for the two factors.
    """

    l2: float
    """Strength of the ridge penalty, in items."""

    of_weights: float

    of_likeness: float

    @classmethod
    def chosen(
        cls, gram: Float32Array, weights: Float32Array, features: scipy.sparse.csr_matrix
    ) -> "FeatureModel":
        """Choose by how well the histories foretell items whose own weights are not used.

        The error is that of EASE: of the events that are there and of those that are not. Each
        item is left out of the ridge regression in closed form; where features tell nothing, both
        factors come near 0.

        Args:
            gram: float32 [n, n], how many users chose two items both.
            weights: float32 [n, n], between them.
            features: float32 [n, n_tokens], theirs.
        """
        chosen = np.sort(np.random.default_rng(0).permutation(len(gram))[:_CHOSEN_ON])
        kernel = (features @ features.T).toarray().astype(np.float64)
        values, vectors = scipy.linalg.eigh(kernel)
        found = []
        for l2 in _L2:
            shrunk = vectors * (values / (values + l2)).clip(min=0)
            smoother = shrunk @ vectors[chosen].T
            own = smoother[chosen, np.arange(len(chosen))]
            smoother[chosen, np.arange(len(chosen))] = 0
            likeness = (smoother / np.maximum(1 - own, 1e-9)).astype(np.float32)
            of_weights = weights @ likeness
            of_weights[chosen, np.arange(len(chosen))] = 0  # it is in no history yet
            explained, factors = _stacked(gram, gram[:, chosen], of_weights, likeness)
            found.append((explained, cls(l2=l2, of_weights=factors[0], of_likeness=factors[1])))
        return max(found, key=lambda each: each[0])[1]

    def weights_of_values(
        self, weights: Float32Array, features: scipy.sparse.csr_matrix, n_users: Float32Array
    ) -> tuple[Float32Array, Int32Array, Float32Array]:
        """Return what leads from items of a history to feature values, save those of no weight.

        Args:
            weights: float32 [n, n], from item to item.
            features: float32 [n, n_tokens], of the items.
            n_users: float32 [n], how many chose each.

        Returns:
            float32 [n, n_found], the weights.
            int32 [n_found], rising: the tokens that they lead to.
            float32 [n, n_found]: for how much each weight counts, see `WideWeights.of`.
        """
        sizes = np.asarray(features.multiply(features).sum(0), np.float32).ravel()
        n_found = min(_MOST_TOKENS, int((sizes > 0).sum()))
        if not (self.of_weights or self.of_likeness):
            n_found = 0
        tokens = np.sort(np.argsort(-sizes, kind="stable")[:n_found])
        smoother = _ridge(features[:, tokens].toarray(), self.l2)
        found = np.float32(self.of_weights) * (weights @ smoother)
        found += np.float32(self.of_likeness) * smoother
        counts_for = np.abs(found) * np.sqrt(n_users[:, None] * sizes[tokens])
        return found, tokens.astype(np.int32), counts_for


def _stacked(
    gram: Float32Array, targets: Float32Array, *columns: Float32Array
) -> tuple[float, tuple[float, ...]]:
    """Return the share of events explained by Σ factor · column, and the best factors from 0.

    Args:
        gram: float32 [n, n].
        targets: float32 [n, n_chosen], the columns of the gram matrix that are foretold.
        columns: each float32 [n, n_chosen], weights from all items to those.
    """
    products = [gram @ each for each in columns]
    square = np.array([[_dot(one, other) for other in products] for one in columns])
    found = np.array([_dot(each, targets) for each in columns])
    trace = np.trace(square)
    if trace <= 0:
        return 0.0, (0.0,) * len(columns)
    root = np.linalg.cholesky((square + square.T) / 2 + 1e-6 * trace * np.eye(len(columns)))
    factors, _ = scipy.optimize.nnls(root.T, scipy.linalg.solve_triangular(root, found, lower=True))
    return float(2 * factors @ found - factors @ square @ factors), tuple(map(float, factors))


def _dot(one: Float32Array, other: Float32Array) -> float:
    return float((one.astype(np.float64) * other).sum())


def _ridge(features: Float32Array, l2: float) -> Float32Array:
    """Return float32 [n, n_tokens]: F (FᵀF + l2)⁻¹, by the smaller of two systems."""
    n_items, n_tokens = features.shape
    if n_tokens <= n_items:
        system, right = features.T @ features, features.T
    else:
        system, right = features @ features.T, features
    system[np.diag_indices(len(system))] += np.float32(l2)
    solved = scipy.linalg.solve(system, right, assume_a="pos")
    smoother = solved.T if n_tokens <= n_items else solved
    return np.ascontiguousarray(smoother, np.float32)
