"""The values that the rows of one field have, before the fields of a schema are put together."""

from dataclasses import dataclass

import numpy as np

from whyrec.types import Float32Array, Int64Array


@dataclass(frozen=True, slots=True)
class Entries:
    """Values of one field, in any order; a row may have none, one or several."""

    rows: Int64Array
    """int64 [n_entries]."""

    tokens: Int64Array
    """int64 [n_entries]: token index, counted within the field."""

    weights: Float32Array
    """float32 [n_entries]."""


def equal_shares(rows: Int64Array, tokens: Int64Array) -> Entries:
    """Weigh each of the n entries of a row 1/√n, so that rows of many do not outweigh others."""
    counts = np.bincount(rows)
    return Entries(rows, tokens, (1 / np.sqrt(counts[rows])).astype(np.float32))
