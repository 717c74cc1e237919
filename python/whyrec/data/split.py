"""Splits the events of a data set into a part to learn from and parts held out."""

from dataclasses import dataclass

import numpy as np

from whyrec.data.interactions import Interactions
from whyrec.errors import ArgumentError
from whyrec.types import Int64Array


@dataclass(frozen=True, slots=True)
class Split:
    """Every event in one of three parts; users and the order of their events stay as they were."""

    train: Interactions
    validation: Interactions
    test: Interactions


def random_split(
    interactions: Interactions, ratios: tuple[float, float, float] = (8, 1, 1), *, seed: int
) -> Split:
    """Split the events of each user at random.

    Of n events, n · ratio rounded down go to validation and to test each, the rest to train; so a
    user of fewer than ten events, at the usual ratios, keeps all of them in train.

    Args:
        interactions: all events.
        ratios: how train, validation and test relate.
        seed: the same seed gives the same split.

    Raises:
        ArgumentError: a ratio is negative, or none is left for train.
    """
    if len(ratios) != 3 or not np.isfinite(ratios).all() or min(ratios) < 0 or ratios[0] <= 0:
        raise ArgumentError(f"ratios must be three numbers from 0, the first above 0, not {ratios}")
    counts = np.diff(interactions.offsets)
    # Rounded against 0.1 * 30 = 3.0000000000000004 and its kin, which would lose an event.
    _, n_validation, n_test = (
        np.floor(np.round(counts * (ratio / sum(ratios)), 9)).astype(np.int64) for ratio in ratios
    )
    draw = np.random.default_rng(seed).random(len(interactions))
    order = np.lexsort((draw, interactions.users()))
    place = np.empty(len(interactions), np.int64)
    place[order] = np.arange(len(interactions)) - np.repeat(interactions.offsets[:-1], counts)
    return _split(interactions, place, n_validation, n_test)


def leave_last_out(interactions: Interactions) -> Split:
    """Hold out the last event of each user for test, and the one before it for validation.

    A user of fewer than three events keeps all of them in train. Without timestamps, last means
    last in the table.
    """
    counts = np.diff(interactions.offsets)
    from_end = np.repeat(interactions.offsets[1:], counts) - np.arange(len(interactions)) - 1
    held_out = (counts >= 3).astype(np.int64)
    return _split(interactions, from_end, held_out, held_out)


def _split(
    interactions: Interactions, place: Int64Array, n_validation: Int64Array, n_test: Int64Array
) -> Split:
    """Give the first places of each user to test, the next to validation, the rest to train."""
    counts = np.diff(interactions.offsets)
    test_until = np.repeat(n_test, counts)
    validation_until = test_until + np.repeat(n_validation, counts)
    return Split(
        train=interactions.only(place >= validation_until),
        validation=interactions.only((place >= test_until) & (place < validation_until)),
        test=interactions.only(place < test_until),
    )
