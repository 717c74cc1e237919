"""Feature values as vectors: the weighted sum of token embeddings that both towers use."""

import numpy as np
import torch
from sklearn.linear_model import Ridge
from torch import nn

from whyrec.data.features import Features
from whyrec.types import Float32Array


class FeatureBag(nn.Module):
    """Rows of features held as tensors, summed token by token into vectors."""

    offsets: torch.Tensor
    tokens: torch.Tensor
    weights: torch.Tensor

    def __init__(self, features: Features) -> None:
        super().__init__()
        # The rows are data, which is stored by itself, not as state of the model.
        self.register_buffer("offsets", torch.from_numpy(features.offsets), persistent=False)
        self.register_buffer("tokens", torch.from_numpy(features.tokens).long(), persistent=False)
        self.register_buffer("weights", torch.from_numpy(features.weights), persistent=False)

    def forward(self, embeddings: torch.Tensor, left_out: float = 0.0) -> torch.Tensor:
        """Return float32 [n_rows, dimension] from embeddings [n_tokens, dimension].

        left_out is the chance of each single value to be left out of its row.
        """
        weights = self.weights
        if left_out:
            weights = weights * (torch.rand_like(weights) >= left_out)
        summed: torch.Tensor = nn.functional.embedding_bag(
            self.tokens,
            embeddings,
            self.offsets,
            mode="sum",
            per_sample_weights=weights,
            include_last_offset=True,
        )
        return summed


def predict_from_features(
    features: Features, vectors: Float32Array, row_weights: Float32Array, l2: float
) -> Float32Array:
    """Return float32 [n_tokens, dimension]: the part of vectors that the features predict.

    Ridge regression of vectors [n_rows, dimension] on the feature weights, rows weighed by
    row_weights [n_rows]. What is left of a vector belongs to its row alone.
    """
    n_tokens = features.schema.n_tokens
    if n_tokens == 0 or not features.tokens.size:
        return np.zeros((n_tokens, vectors.shape[1]), np.float32)
    matrix = features.matrix()
    small = min(matrix.shape) <= _DENSE_TOKENS
    ridge = Ridge(alpha=l2, fit_intercept=False, solver="cholesky" if small else "sparse_cg")
    ridge.fit(matrix, vectors, sample_weight=row_weights)
    return np.ascontiguousarray(ridge.coef_.reshape(-1, n_tokens).T, np.float32)


_DENSE_TOKENS = 4_000
"""Up to so many tokens or rows the ridge regression is solved by a dense factorisation."""
