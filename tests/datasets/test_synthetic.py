"""The made-up world: its scores add up, and its events follow them."""

from typing import Any

import numpy as np
import pytest

from whyrec.data.dataset import Dataset
from whyrec.datasets import World, synthetic
from whyrec.errors import ArgumentError, UnknownItemError, UnknownUserError


@pytest.fixture(scope="module")
def world() -> World:
    return synthetic(seed=5, n_users=40, n_items=30, n_events_per_user=6)


def test_contributions_add_up_to_the_score(world: World) -> None:
    scores = world.true_scores()
    assert scores.shape == (40, 30)
    for user in (0, 7, 39):
        for item in (0, 3, 29):
            true = world.true_contributions(f"u{user}", f"i{item}")
            parts = [true.base_value, *true.events, *true.attributes.values()]
            total = sum([*parts, *true.features.values()])
            assert total == pytest.approx(scores[user, item], abs=1e-12)
            assert world.true_score(f"u{user}", f"i{item}") == true.score


def test_contributions_follow_the_formula(world: World) -> None:
    true = world.true_contributions("u3", "i4")
    cluster = world.clusters[4]
    assert true.base_value == world.appeal[4]
    assert true.events.tolist() == [
        world.pull[world.clusters[item], cluster] for item in world.histories[3]
    ]
    person: dict[str, Any] = world.users.slice(3, 1).to_pylist()[0]
    assert true.attributes == {
        field: world.taste[field, person[field]][cluster] for field in ("age_group", "region")
    }
    thing: dict[str, Any] = world.items.slice(4, 1).to_pylist()[0]
    values = [("style", thing["style"]), *(("topics", topic) for topic in thing["topics"])]
    assert true.features == {value: world.worth[value] for value in values}


def test_the_tables_tell_the_histories_in_their_order(world: World) -> None:
    dataset = Dataset.from_tables(world.events, world.items, world.users)
    assert dataset.users == world.user_ids
    assert dataset.items == world.item_ids
    assert dataset.interactions.items.reshape(40, 6).tolist() == world.histories.tolist()
    assert all(len(set(history)) == 6 for history in world.histories.tolist())


def test_the_players_of_the_world_are_those_of_the_data_set(world: World) -> None:
    dataset = Dataset.from_tables(world.events, world.items, world.users)
    features = dataset.item_features.take(np.array([4]))
    described = [
        features.schema.describe(int(token), float(weight))
        for token, weight in zip(features.tokens, features.weights, strict=True)
    ]
    assert set(described) == set(world.item_values[4])
    assert dataset.user_features.schema.field_names == ("age_group", "region")


def test_the_same_seed_makes_the_same_world() -> None:
    first, again, other = (synthetic(seed=seed, n_users=5) for seed in (1, 1, 2))
    assert first.events == again.events
    assert first.items == again.items
    assert first.users == again.users
    assert (first.true_scores() == again.true_scores()).all()
    assert first.events != other.events


def test_the_first_event_is_drawn_by_softmax_of_the_score() -> None:
    world = synthetic(seed=0, n_users=30_000, n_items=8, n_events_per_user=1, n_clusters=3)
    pulled = world.pull[world.clusters[world.histories[:, 0]]][:, world.clusters]
    before = world.true_scores() - pulled
    odds = np.exp(before - before.max(axis=1, keepdims=True))
    expected = (odds / odds.sum(axis=1, keepdims=True)).sum(axis=0)
    drawn = np.bincount(world.histories[:, 0], minlength=8)
    spread = np.sqrt(expected)
    assert (np.abs(drawn - expected) < 5 * spread).all()
    assert (np.abs(drawn - len(before) / 8) > 5 * spread).any()  # and not all alike


def test_history_pulls_the_next_event_towards_its_cluster() -> None:
    world = synthetic(seed=0, n_users=2_000, n_events_per_user=2, n_items=60)
    first, second = world.clusters[world.histories].T
    shuffled = np.random.default_rng(0).permutation(second)
    assert (first == second).mean() > (first == shuffled).mean() + 0.02


def test_without_appeal_items_have_nothing_of_their_own() -> None:
    assert not synthetic(n_users=2, appeal_spread=0).appeal.any()


def test_unknown_ids_are_refused(world: World) -> None:
    with pytest.raises(UnknownUserError):
        world.true_score("nobody", "i1")
    with pytest.raises(UnknownItemError):
        world.true_contributions("u1", "nothing")


@pytest.mark.parametrize(
    "sizes",
    [
        {"n_users": 0},
        {"n_events_per_user": 0},
        {"n_clusters": 0},
        {"n_styles": 0},
        {"n_topics": 0},
        {"n_items": 20, "n_events_per_user": 20},
    ],
    ids=str,
)
def test_sizes_that_make_no_world_are_refused(sizes: dict[str, int]) -> None:
    with pytest.raises(ArgumentError, match=next(iter(sizes))):
        synthetic(0, **sizes)
