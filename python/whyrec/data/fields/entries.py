"""The values that the rows of one field have, before the fields of a schema are put together."""

from dataclasses import dataclass

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
