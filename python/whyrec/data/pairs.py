"""Pairs of a user and an item: what is scored and explained."""

from dataclasses import dataclass

import numpy as np

from whyrec.types import Int32Array, Int64Array


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """(user, item) pairs, the user named by its row in a batch of histories."""

    rows: Int32Array
    """int32 [n_pairs]: row of the user in the batch."""

    items: Int32Array
    """int32 [n_pairs]: item index."""

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, chosen: Int64Array) -> "Pairs":
        """Return the pairs asked for, in the order asked for."""
        chosen = np.asarray(chosen, np.int64)
        return Pairs(self.rows[chosen], self.items[chosen])
