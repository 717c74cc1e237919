"""Pairs in batches of a fixed shape, so that what is computed of one never depends on the rest."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from whyrec.explain.attribution import Players
from whyrec.types import Int64Array

_PLACES = 4_096
"""Player places of a batch; a pair with more has a batch of its own."""

_FEWEST = (16, 0, 16)
"""The fewest places for events, attributes and features; more come in powers of two."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some pairs with as many places each; a pair may be there twice, to fill the batch."""

    chosen: Int64Array
    """int64 [n_rows]: which pairs these are."""

    n_pairs: int
    """How many rows count; those after are fillers."""

    widths: tuple[int, int, int]
    """Places for events, attributes and features."""

    places: Int64Array
    """int64 [n_rows, n_places]: the player at each place, counted over all pairs; -1 if none."""


def batches(players: Players) -> Iterator[Batch]:
    """Put pairs with about as many players of each kind together."""
    counts = players.counts_by_kind()
    widths = _width(counts)
    for shape in np.unique(widths, axis=0):
        n_places = max(1, int(shape.sum()))
        # A power of two, and the same for all batches of this shape.
        size = 1 << max(0, (_PLACES // n_places).bit_length() - 1)
        alike = np.flatnonzero((widths == shape).all(axis=1))
        for start in range(0, len(alike), size):
            chosen = alike[start : start + size]
            filled = np.concatenate([chosen, np.repeat(chosen[:1], size - len(chosen))])
            places = _places(players, counts[filled], filled, shape)
            yield Batch(filled, len(chosen), (int(shape[0]), int(shape[1]), int(shape[2])), places)


def _width(counts: Int64Array) -> Int64Array:
    """Return int64 [n_pairs, 3]: the next power of two, or 0 where a kind has no player."""
    powers = 1 << np.ceil(np.log2(np.maximum(counts, 1))).astype(np.int64)
    return np.where(counts > 0, np.maximum(powers, _FEWEST), 0)


def _places(
    players: Players, counts: Int64Array, chosen: Int64Array, shape: Int64Array
) -> Int64Array:
    """Return int64 [n_rows, n_places]: events, attributes and features one after the other."""
    starts = players.offsets[chosen][:, None] + np.cumsum(counts, axis=1) - counts
    parts = []
    for kind in range(3):
        place = np.arange(shape[kind])
        inside = place < counts[:, kind, None]
        parts.append(np.where(inside, starts[:, kind, None] + place, -1))
    return np.concatenate(parts, axis=1)
