"""Splits: every event in one part, the same parts for the same seed."""

from dataclasses import replace

import numpy as np
import pytest

from whyrec.data.interactions import Interactions
from whyrec.data.rows import offsets_of
from whyrec.data.split import (
    Split,
    UserSplit,
    hold_out_items,
    hold_out_users,
    leave_last_out,
    random_split,
)
from whyrec.errors import ArgumentError
from whyrec.types import Int32Array


def interactions_of(*counts: int) -> Interactions:
    """Users of so many events each; every event is of an item of its own."""
    offsets = offsets_of(np.array(counts))
    n_events = int(offsets[-1])
    return Interactions(
        offsets, np.arange(n_events, dtype=np.int32), np.zeros(n_events, np.int16), ("",)
    )


def parts(split: Split | UserSplit) -> list[Interactions]:
    return [split.train, split.validation, split.test]


def counts(split: Split) -> list[list[int]]:
    return [np.diff(part.offsets).tolist() for part in parts(split)]


def test_each_user_is_split_by_the_ratios_rounded_down() -> None:
    split = random_split(interactions_of(100, 30, 10, 9, 1, 0), seed=0)
    assert counts(split) == [[80, 24, 8, 9, 1, 0], [10, 3, 1, 0, 0, 0], [10, 3, 1, 0, 0, 0]]


@pytest.mark.parametrize("ratios", [(8, 1, 1), (0.8, 0.1, 0.1), (0.7, 0.1, 0.2), (1, 0, 0)])
def test_every_event_is_in_one_part_of_its_own_user(ratios: tuple[float, float, float]) -> None:
    interactions = interactions_of(*range(60))
    user_of_item = interactions.users()
    split = random_split(interactions, ratios, seed=3)
    together = np.concatenate([part.items for part in parts(split)])
    assert sorted(together) == interactions.items.tolist()
    for part in parts(split):
        assert (user_of_item[part.items] == part.users()).all()
        assert all(
            (np.diff(row) > 0).all() for row in np.split(part.items, part.offsets[1:-1])
        )  # the order of events stays


def test_fractions_split_as_whole_ratios_do() -> None:
    interactions = interactions_of(*range(200))
    whole = counts(random_split(interactions, (7, 1, 2), seed=0))
    assert counts(random_split(interactions, (0.7, 0.1, 0.2), seed=0)) == whole


def test_the_same_seed_gives_the_same_split_and_another_another() -> None:
    interactions = interactions_of(50, 50)
    first, again, other = (random_split(interactions, seed=seed).test.items for seed in (1, 1, 2))
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()


def test_a_random_split_takes_from_everywhere_in_a_history() -> None:
    held_out = [random_split(interactions_of(10), seed=seed).test.items[0] for seed in range(300)]
    assert set(held_out) == set(range(10))


@pytest.mark.parametrize(
    "ratios", [(0, 1, 1), (8, -1, 1), (8, 1), (float("nan"), 1, 1), (float("inf"), 1, 1)]
)
def test_ratios_that_leave_nothing_to_learn_from_are_refused(ratios: tuple[float, ...]) -> None:
    with pytest.raises(ArgumentError, match="ratios must be three numbers"):
        random_split(interactions_of(10), ratios, seed=0)  # type: ignore[arg-type]


def test_the_last_event_is_for_test_and_the_one_before_for_validation() -> None:
    split = leave_last_out(interactions_of(5, 2, 1, 0, 3))
    assert split.test.items.tolist() == [4, 10]
    assert split.validation.items.tolist() == [3, 9]
    assert counts(split) == [[3, 2, 1, 0, 1], [1, 0, 0, 0, 1], [1, 0, 0, 0, 1]]


def test_no_events_split_into_none() -> None:
    for split in (
        random_split(interactions_of(0, 0), seed=0),
        leave_last_out(interactions_of(0)),
        hold_out_users(interactions_of(0), seed=0),
        hold_out_items(interactions_of(0), seed=0),
    ):
        assert [len(part) for part in parts(split)] == [0, 0, 0]


def test_users_are_held_out_whole_and_a_fifth_of_their_events_is_asked_for() -> None:
    interactions = interactions_of(*[10] * 40, 4, 1, 0)
    split = hold_out_users(interactions, seed=0)
    told, known = np.diff(split.given.offsets), np.diff(split.train.offsets)
    asked = np.diff(split.validation.offsets) + np.diff(split.test.offsets)
    assert (np.diff(split.validation.offsets) > 0).sum() == 4
    assert (np.diff(split.test.offsets) > 0).sum() == 4
    assert {*zip(known.tolist(), told.tolist(), asked.tolist(), strict=True)} == {
        (10, 0, 0),
        (0, 8, 2),
        (4, 0, 0),  # of fewer than five events, none could be asked for
        (1, 0, 0),
        (0, 0, 0),
    }
    everything = np.concatenate([each.items for each in (*parts(split), split.given)])
    assert sorted(everything) == interactions.items.tolist()


def test_the_share_that_is_given_can_be_chosen() -> None:
    split = hold_out_users(interactions_of(*[10] * 10), (0.5, 0, 0.5), given=0.5, seed=1)
    assert sorted(np.diff(split.given.offsets)) == sorted(np.diff(split.test.offsets))
    assert sorted(np.diff(split.test.offsets)) == [0] * 5 + [5] * 5
    for given in (0, 1, -0.1, float("nan")):
        with pytest.raises(ArgumentError, match="given must be between 0 and 1"):
            hold_out_users(interactions_of(10), given=given, seed=0)


def test_items_are_held_out_with_all_their_events() -> None:
    random = np.random.default_rng(0)
    interactions = interactions_of(*[20] * 30)
    interactions = replace(interactions, items=random.integers(3, 103, 600).astype(np.int32))
    split = hold_out_items(interactions, seed=2)
    items = [set(part.items.tolist()) for part in parts(split)]
    n_items = len(np.unique(interactions.items))
    assert n_items > 90
    assert [len(each) for each in items] == [n_items - 2 * (n_items // 20), *[n_items // 20] * 2]
    assert not items[0] & items[1] | items[0] & items[2] | items[1] & items[2]
    assert sum(len(part) for part in parts(split)) == 600
    for part in parts(split):
        # Users stay who they were, and their events in order.
        own = [np.isin(row, each) for row, each in zip(rows(interactions), rows(part), strict=True)]
        for row, each, kept in zip(rows(interactions), rows(part), own, strict=True):
            assert row[kept].tolist() == each.tolist()


def rows(interactions: Interactions) -> list[Int32Array]:
    return np.split(interactions.items, interactions.offsets[1:-1])


def test_whole_users_and_items_are_drawn_by_the_seed() -> None:
    interactions = interactions_of(*[10] * 50)
    for held_out in (hold_out_users, hold_out_items):
        first, again, other = (held_out(interactions, seed=seed).test.items for seed in (1, 1, 2))
        assert first.tolist() == again.tolist()
        assert first.tolist() != other.tolist()


@pytest.mark.parametrize("ratios", [(0, 1, 1), (8, -1, 1), (8, 1), (float("nan"), 1, 1)])
def test_whole_users_and_items_leave_something_to_learn_from(ratios: tuple[float, ...]) -> None:
    for held_out in (hold_out_users, hold_out_items):
        with pytest.raises(ArgumentError, match="ratios must be three numbers"):
            held_out(interactions_of(10), ratios, seed=0)  # type: ignore[arg-type]
