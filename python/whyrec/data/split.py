"""Splits the events of a data set into a part to learn from and parts held out."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from whyrec.data.interactions import Interactions
from whyrec.errors import ArgumentError
from whyrec.types import Int8Array, Int64Array

_TRAIN, _VALIDATION, _TEST = range(3)


@dataclass(frozen=True, slots=True)
class Split:
    """Every event in one of three parts; users and the order of their events stay as they were."""

    train: Interactions
    validation: Interactions
    test: Interactions


@dataclass(frozen=True, slots=True)
class UserSplit:
    """Some users held out whole: their events are in no training, and given to ask for the rest."""

    train: Interactions
    """All events of everybody else."""

    given: Interactions
    """What is told of those held out, of validation and of test, when they are asked for."""

    validation: Interactions
    """What they are asked for."""

    test: Interactions


Ratios: TypeAlias = tuple[float, float, float]
"""How train, validation and test relate."""


def random_split(interactions: Interactions, ratios: Ratios = (8, 1, 1), *, seed: int) -> Split:
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
    counts = np.diff(interactions.offsets)
    n_validation, n_test = _held_out(counts, ratios)
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


def hold_out_users(
    interactions: Interactions,
    ratios: Ratios = (8, 1, 1),
    *,
    given: float = 0.8,
    seed: int,
) -> UserSplit:
    """Hold users out whole, and tell a part of the events of each to ask for the rest.

    Of n users, n · ratio rounded down go to validation and to test each. Of the m events of one,
    m · (1 − given) rounded down, drawn at random, are asked for; whoever would be asked for none
    stays in train and is not counted.

    Args:
        interactions: all events.
        ratios: how the users of train, validation and test relate.
        given: the share of the events that is told, between 0 and 1.
        seed: the same seed gives the same split.

    Raises:
        ArgumentError: given is out of range, a ratio is negative, or none is left for train.

    D. Liang et al., Variational Autoencoders for Collaborative Filtering, 2018.
    """
    if not 0 < given < 1:
        raise ArgumentError(f"given must be between 0 and 1, not {given}")
    parts = random_split(interactions, (given, 0, 1 - given), seed=seed)
    chosen = np.flatnonzero(np.diff(parts.test.offsets))
    role = np.full(interactions.n_users, _TRAIN, np.int8)
    role[chosen] = _roles(len(chosen), ratios, seed)
    return UserSplit(
        train=interactions.only(role[interactions.users()] == _TRAIN),
        given=parts.train.only(role[parts.train.users()] != _TRAIN),
        validation=parts.test.only(role[parts.test.users()] == _VALIDATION),
        test=parts.test.only(role[parts.test.users()] == _TEST),
    )


def hold_out_items(interactions: Interactions, ratios: Ratios = (18, 1, 1), *, seed: int) -> Split:
    """Hold items out whole: all their events are asked for, and nobody learns from any.

    Of n items that have events, n · ratio rounded down go to validation and to test each.

    Args:
        interactions: all events.
        ratios: how the items of train, validation and test relate.
        seed: the same seed gives the same split.

    Raises:
        ArgumentError: a ratio is negative, or none is left for train.
    """
    items, which = np.unique(interactions.items, return_inverse=True)
    role = _roles(len(items), ratios, seed)[which]
    return Split(*(interactions.only(role == each) for each in (_TRAIN, _VALIDATION, _TEST)))


def _held_out(counts: Int64Array, ratios: Ratios) -> tuple[Int64Array, Int64Array]:
    """Return how many of each count go to validation, and how many to test."""
    if len(ratios) != 3 or not np.isfinite(ratios).all() or min(ratios) < 0 or ratios[0] <= 0:
        raise ArgumentError(f"ratios must be three numbers from 0, the first above 0, not {ratios}")
    # Rounded against 0.1 * 30 = 3.0000000000000004 and its kin, which would lose an event.
    n_validation, n_test = (
        np.floor(np.round(counts * (ratio / sum(ratios)), 9)).astype(np.int64)
        for ratio in ratios[1:]
    )
    return n_validation, n_test


def _roles(n: int, ratios: Ratios, seed: int) -> Int8Array:
    """Draw what each of n users or items is for."""
    n_validation, n_test = _held_out(np.array([n]), ratios)
    counts = [n - n_validation[0] - n_test[0], n_validation[0], n_test[0]]
    roles = np.repeat(np.array([_TRAIN, _VALIDATION, _TEST], np.int8), counts)
    return np.random.default_rng(seed).permutation(roles)


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
