"""Pairs in batches of rows of one shape, so that what is computed of one depends on no other."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from whyrec.data.pairs import Pairs
from whyrec.explain.attribution import Players
from whyrec.models.places import places_for
from whyrec.types import Float64Array, Int64Array

_PLACES, _MOST_ROWS = 1_024, 4
"""A batch has as many rows as fit in so many places, at most four; a single one is by itself.

How many products of matrices are done together changes no bit of any, and every product here has
more rows than the twelve from which on that is so.
"""

_ITEMS = 10
"""Every row has as many items; what is missing is filled up."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some histories, each with some items, and the places of their players."""

    rows: Int64Array
    """int64 [n_rows]: rows of the histories."""

    items: Int64Array
    """int64 [n_rows, n_items]: item indices."""

    pairs: Int64Array
    """int64 [n_rows, n_items]: which pair it is, -1 for one that fills the batch."""

    widths: tuple[int, int, int]
    """Places for events, attributes and features."""

    places: Int64Array
    """int64 [n_rows, n_items, n_places]: the player at each place, over all pairs; -1 if none."""

    def put(
        self,
        found: torch.Tensor,
        contributions: Float64Array,
        found_bases: torch.Tensor,
        base_values: Float64Array,
    ) -> None:
        """Put what was found of the batch where it belongs.

        That is [n_rows, n_items, n_places] and [n_rows, n_items], or with further dimensions behind
        where what it is put into has them.
        """
        is_player, is_pair = self.places >= 0, self.pairs >= 0
        contributions[self.places[is_player]] = found.cpu().numpy()[is_player]
        base_values[self.pairs[is_pair]] = found_bases.cpu().numpy()[is_pair]


def batches(players: Players, pairs: Pairs) -> Iterator[Batch]:
    """Put the pairs of a row together, and rows of about as many players."""
    if not len(pairs):
        return
    counts = players.counts_by_kind()
    widths = places_for(counts)
    # What may share a row of a batch stands together: the same widths, the same history.
    keys = np.column_stack([widths, pairs.rows])
    order = np.lexsort(keys.T)
    changes = np.flatnonzero((np.diff(keys[order], axis=0) != 0).any(axis=1)) + 1
    groups: dict[tuple[int, int, int], list[Int64Array]] = {}
    for alike in np.split(order, changes):
        of_events, of_attributes, of_features = widths[alike[0]].tolist()
        of_shape = groups.setdefault((of_events, of_attributes, of_features), [])
        of_shape += [alike[start : start + _ITEMS] for start in range(0, len(alike), _ITEMS)]
    for shape, of_shape in groups.items():
        n_rows = min(max(1, _PLACES // max(1, sum(shape))), _MOST_ROWS)
        for start in range(0, len(of_shape), n_rows):
            groups_of_batch = of_shape[start : start + n_rows]
            yield _batch(players, pairs, counts, shape, groups_of_batch)


def _batch(
    players: Players,
    pairs: Pairs,
    counts: Int64Array,
    widths: tuple[int, int, int],
    groups: list[Int64Array],
) -> Batch:
    """Lay one group of pairs in each row, and fill up with pairs that are there already."""
    chosen = np.full((len(groups), _ITEMS), -1, np.int64)
    for row, group in enumerate(groups):
        chosen[row, : len(group)] = group
    filled = np.where(chosen >= 0, chosen, chosen[:, :1])
    starts = players.offsets[filled][..., None] + (np.cumsum(counts, axis=1) - counts)[filled]
    places = []
    for kind, width in enumerate(widths):
        place = np.arange(width)
        is_there = (place < counts[filled][..., kind, None]) & (chosen >= 0)[..., None]
        places.append(np.where(is_there, starts[..., kind, None] + place, -1))
    return Batch(
        pairs.rows[filled[:, 0]].astype(np.int64),
        pairs.items[filled].astype(np.int64),
        chosen,
        widths,
        np.concatenate(places, axis=-1),
    )
