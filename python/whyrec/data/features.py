"""Sparse rows of feature values: what is known of each item, or of each user."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse

from whyrec.data.rows import gather_rows, offsets_of
from whyrec.types import BoolArray, Float32Array, Int32Array, Int64Array

if TYPE_CHECKING:  # the schema makes features, so it imports this module
    from whyrec.data.fields import FeatureSchema


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """Feature values row by row; each value is a token of the schema with a weight."""

    schema: "FeatureSchema"
    offsets: Int64Array
    """int64 [n_rows + 1]: the values of row r are those from offsets[r] to offsets[r + 1]."""

    tokens: Int32Array
    """int32 [n_values]: token index, counted over all fields of the schema; rising in a row."""

    weights: Float32Array
    """float32 [n_values]: 1/√n for each of n tags, the standardised number, or the TF-IDF."""

    @classmethod
    def none(cls, n_rows: int, schema: "FeatureSchema") -> "Features":
        """Return rows that have no value of any field."""
        offsets = np.zeros(n_rows + 1, np.int64)
        return cls(schema, offsets, np.zeros(0, np.int32), np.zeros(0, np.float32))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def take(self, rows: Int64Array) -> "Features":
        """Return the rows asked for, in the order asked for."""
        offsets, positions = gather_rows(self.offsets, np.asarray(rows, np.int64))
        return Features(self.schema, offsets, self.tokens[positions], self.weights[positions])

    def with_stranger(self) -> "Features":
        """Return the rows and one more, of somebody of whom nothing is known."""
        return replace(self, offsets=np.append(self.offsets, self.offsets[-1]))

    def only(self, chosen: BoolArray) -> "Features":
        """Keep the values whose entry in chosen (bool [n_values]) is True; rows stay."""
        kept = offsets_of(chosen)
        return replace(
            self,
            offsets=kept[self.offsets],
            tokens=self.tokens[chosen],
            weights=self.weights[chosen],
        )

    def fields_of(self, row: int) -> Int32Array:
        """Return int32 [n_fields present]: the fields of which the row has a value, rising."""
        tokens = self.tokens[self.offsets[row] : self.offsets[row + 1]]
        return np.unique(self.schema.token_fields[tokens]).astype(np.int32)

    def matrix(self) -> scipy.sparse.csr_matrix:
        """Return the weights as a sparse matrix, float32 [n_rows, n_tokens]."""
        shape = (len(self), self.schema.n_tokens)
        return scipy.sparse.csr_matrix((self.weights, self.tokens, self.offsets), shape, copy=True)
