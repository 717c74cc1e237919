"""Ragged rows laid out at places, as many for each row."""

import numpy as np
import torch

from whyrec.data.rows import counts_of
from whyrec.types import Int64Array


def places(offsets: Int64Array, rows: Int64Array, width: int) -> Int64Array:
    """Return int64 [n_rows, width]: where the entries of each row are, -1 beyond the last."""
    place = np.arange(width)
    inside = place < counts_of(offsets, rows)[:, None]
    return np.where(inside, offsets[rows][:, None] + place, -1)


def padded(entries: torch.Tensor, at: Int64Array) -> torch.Tensor:
    """Return [*places, ...]: the entries at their places, zeros where there is none."""
    rest = entries.shape[1:]
    if not len(entries):
        return entries.new_zeros((*at.shape, *rest))
    present = torch.from_numpy(at >= 0).to(entries.device)
    chosen = torch.from_numpy(np.maximum(at, 0)).to(entries.device)
    # By index_select, since the gradient of indexing adds up in an order that differs.
    gathered = entries.index_select(0, chosen.flatten()).reshape(*at.shape, *rest)
    return gathered * present.reshape(*at.shape, *(1 for _ in rest))
