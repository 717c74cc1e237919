"""Coalitions of events alone: what a recommender is asked that sees nothing but the history."""

import numpy as np

from whyrec.data.coalitions import Coalitions
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.types import BoolArray, Int64Array


def present_events(
    histories: Histories, pairs: Pairs, coalitions: Coalitions
) -> tuple[Coalitions, Int64Array]:
    """Return the different coalitions of events of each history, and which of them each one is.

    Args:
        histories: what the pairs are about.
        pairs: rows of histories, each with an item.
        coalitions: those of each pair, of all its players.

    Returns:
        Coalitions of the events of each row.
        int64 [n_coalitions of all pairs]: the place of each among those.
    """
    n_events, offsets = histories.counts(), coalitions.offsets()
    starts = coalitions.cell_offsets()
    which = np.zeros(offsets[-1], np.int64)
    cells: list[BoolArray] = []
    counts = np.zeros(len(histories), np.int64)
    order = np.argsort(pairs.rows, kind="stable")
    for of_row in np.split(order, np.flatnonzero(np.diff(pairs.rows[order])) + 1):
        if not len(of_row):
            continue
        row = pairs.rows[of_row[0]]
        rows_of_cells = [
            coalitions.cells[starts[pair] : starts[pair + 1]].reshape(shape)
            for pair in of_row.tolist()
            for shape in [(coalitions.counts[pair], coalitions.n_players[pair])]
        ]
        present = np.concatenate([each[:, : n_events[row]] for each in rows_of_cells])
        places = np.concatenate([np.arange(offsets[pair], offsets[pair + 1]) for pair in of_row])
        # As bytes, since rows of bits are told apart much faster than rows of booleans.
        packed = np.packbits(present, axis=1)
        keys = np.ascontiguousarray(packed).view(np.dtype((np.void, max(1, packed.shape[1]))))
        if not packed.shape[1]:
            keys = np.zeros((len(present), 1), np.uint8)
        _, first, inverse = np.unique(keys[:, 0], return_index=True, return_inverse=True)
        which[places] = counts.sum() + inverse
        counts[row] = len(first)
        cells.append(present[first].ravel())
    return Coalitions(n_events, counts, np.concatenate([np.zeros(0, bool), *cells])), which
