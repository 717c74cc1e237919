"""Events from two places, row by row, as one history each."""

from dataclasses import replace

import numpy as np

from whyrec.data.interactions import Interactions
from whyrec.data.rows import offsets_of
from whyrec.types import BoolArray, Float64Array, Int64Array


def merge(fitted: Interactions, stored: Interactions) -> tuple[Interactions, Int64Array]:
    """Merge the events of as many rows, each oldest first; of the same time the fitted come first.

    A stored event with the item, the kind and the time of a fitted one is that event, sent again;
    it counts once. Where the fitted events have no kinds, item and time tell; where they have no
    times, nothing does, and every stored event comes after them.

    Args:
        fitted: says whether there are values and times.
        stored: with the kinds of the fitted and perhaps more after them, and with times.

    Returns:
        The events, and where each was: int64 [n_events], counted over the fitted, then the stored.
    """
    if not len(stored):
        return replace(fitted, kind_names=stored.kind_names), np.arange(len(fitted))
    both = _stacked(fitted, stored)
    rows = np.concatenate([fitted.users(), stored.users()])
    is_stored = np.arange(len(rows)) >= len(fitted)
    if both.timestamps is None:
        order = np.lexsort((is_stored, rows))
    else:
        again = _sent_again(both, rows, is_stored, both.timestamps, fitted.kind_names == ("",))
        order = np.lexsort((both.timestamps, rows))
        order = order[~again[order]]
    offsets = offsets_of(np.bincount(rows[order], minlength=fitted.n_users))
    return replace(both.at(order), offsets=offsets), order


def _stacked(fitted: Interactions, stored: Interactions) -> Interactions:
    """Return the events of both, one after the other; offsets are not those of the whole."""
    values, times = fitted.values, fitted.timestamps
    if values is not None and stored.values is not None:
        values = np.concatenate([values, stored.values])
    if times is not None and stored.timestamps is not None:
        times = np.concatenate([times, stored.timestamps])
    return Interactions(
        fitted.offsets,
        np.concatenate([fitted.items, stored.items]),
        np.concatenate([fitted.kinds, stored.kinds]),
        stored.kind_names,
        values,
        times,
    )


def _sent_again(
    both: Interactions,
    rows: Int64Array,
    is_stored: BoolArray,
    times: Float64Array,
    any_kind: bool,
) -> BoolArray:
    """Tell which events are stored and fitted too."""
    kinds = np.zeros_like(both.kinds) if any_kind else both.kinds
    keys = (is_stored, times, kinds, both.items, rows)
    order = np.lexsort(keys)
    changes = np.zeros(len(order), bool)
    for key in keys[1:]:
        changes[1:] |= np.diff(key[order]) != 0
    changes[:1] = True
    # Within what is alike the fitted come first.
    first_is_fitted = ~is_stored[order[np.flatnonzero(changes)]]
    again = np.zeros(len(order), bool)
    again[order] = is_stored[order] & first_is_fitted[np.cumsum(changes) - 1]
    return again
