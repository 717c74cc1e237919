from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import torch

from whyrec.data.dataset import Dataset
from whyrec.data.split import leave_last_out
from whyrec.errors import ArgumentError, TrainingError
from whyrec.evaluate.accuracy import accuracy
from whyrec.models import (
    EASEConfig,
    PopularityConfig,
    Recommender,
    RecommenderConfig,
    Sequence,
    SequenceConfig,
)
from whyrec.models.sequence_training import _of_one_width
from whyrec.models.validation import hold_out_last


def same(one: Recommender, other: Recommender) -> bool:
    first, second = one.arrays(), other.arrays()
    return first.keys() == second.keys() and all(
        each.tobytes() == second[name].tobytes() for name, each in first.items()
    )


def test_training_moves_every_parameter(sequence: Sequence) -> None:
    assert not [name for name, each in sequence.arrays().items() if not each.any()]


@pytest.mark.parametrize("full_softmax_items", [1, 1_000])
def test_the_same_seed_gives_the_same_bits_at_any_number_of_threads(
    world_data: Dataset, sequence_config: SequenceConfig, full_softmax_items: int
) -> None:
    config = replace(
        sequence_config, dimension=64, heads=4, hidden=64, full_softmax_items=full_softmax_items
    )
    before, models = torch.get_num_threads(), []
    for n_threads in (1, 2):
        torch.set_num_threads(n_threads)
        models.append(config.fit(world_data, progress=False))
    torch.set_num_threads(before)
    assert same(*models)
    other = replace(config, seed=1).fit(world_data, progress=False)
    assert not same(models[0], other)


def test_a_kind_of_event_that_there_is_not_is_refused(
    shop: Dataset, sequence_config: SequenceConfig
) -> None:
    with pytest.raises(ArgumentError, match="names 'click'; the kinds of event are 'view', 'purc"):
        replace(sequence_config, kind_weights={"click": 1.0}).fit(shop, progress=False)


def test_a_kind_of_event_without_weight_is_no_target(
    shop: Dataset, sequence_config: SequenceConfig
) -> None:
    only = replace(sequence_config, kind_weights={"view": 0.0}).fit(shop, progress=False)
    assert not same(only, sequence_config.fit(shop, progress=False))
    neither = {"view": 0.0, "purchase": 0.0}
    config = replace(sequence_config, kind_weights=neither, weight_decay=0.0)
    assert same(
        config.fit(shop, progress=False), replace(config, max_steps=0).fit(shop, progress=False)
    )


def test_a_loss_that_is_not_finite_stops_the_training(
    shop: Dataset, sequence_config: SequenceConfig
) -> None:
    config = replace(sequence_config, learning_rate=1e30)
    with pytest.raises(TrainingError, match=r"lower the learning rates \(now 1e\+30"):
        config.fit(shop, progress=False)


def test_without_a_step_it_is_the_linear_model_that_it_starts_from(
    world_data: Dataset, sequence_config: SequenceConfig
) -> None:
    start = replace(sequence_config, max_steps=0).fit(world_data, progress=False)
    histories = world_data.histories(np.arange(20))
    vectors = start.arrays()["events.identity"] + (
        world_data.item_features.matrix() @ start.arrays()["events.of_features"]
    )
    scale = np.exp(start.arrays()["log_scale"])
    for row, query in enumerate(start.query_vectors(histories)):
        items = histories.items[histories.offsets[row] : histories.offsets[row + 1]]
        expected = scale * vectors[items].sum(0) / np.sqrt(1 + len(items))
        np.testing.assert_allclose(query, expected, rtol=1e-3, atol=1e-4)


def test_training_ends_at_the_step_that_ranked_best(world_data: Dataset) -> None:
    # So high a rate that the model is worse at every look: the start is kept.
    config = SequenceConfig(
        dimension=8, heads=2, hidden=8, max_steps=6, n_looks=3, vector_learning_rate=3.0
    )
    kept = config.fit(world_data, progress=False).arrays()
    start = replace(config, max_steps=0).fit(world_data, progress=False).arrays()
    assert all((kept[name] == start[name]).all() for name in start)


def test_the_last_events_are_held_out_and_the_rest_learned_from(world_data: Dataset) -> None:
    part, validation = hold_out_last(world_data, 1.0, seed=0)
    assert validation is not None
    interactions, kept = world_data.interactions, part.interactions
    assert (np.diff(kept.offsets) == np.diff(interactions.offsets) - 1).all()
    for user in range(200):
        of_user = slice(*interactions.offsets[user : user + 2])
        rest = slice(*kept.offsets[user : user + 2])
        np.testing.assert_array_equal(kept.items[rest], interactions.items[of_user][:-1])


def test_a_share_of_the_users_is_drawn_to_validate_on(
    world_data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    part, _ = hold_out_last(world_data, 0.25, seed=0)
    assert len(part.interactions) == len(world_data.interactions) - 50
    other, _ = hold_out_last(world_data, 0.25, seed=1)
    assert (part.interactions.offsets != other.interactions.offsets).any()
    monkeypatch.setattr("whyrec.models.validation._MOST_CELLS", 1)
    fewer, _ = hold_out_last(world_data, 1.0, seed=0)
    assert len(fewer.interactions) == len(world_data.interactions) - 100


def test_nothing_is_held_out_of_too_little(shop: Dataset) -> None:
    few = shop.with_interactions(shop.interactions.only(np.arange(len(shop.interactions)) < 40))
    assert hold_out_last(few, 1.0, seed=0) == (few, None)
    assert hold_out_last(shop, 0.0, seed=0) == (shop, None)


@pytest.mark.parametrize("n_events", [0, 1, 2])
def test_next_to_nothing_can_be_learned_from(
    shop: Dataset, sequence_config: SequenceConfig, n_events: int
) -> None:
    chosen = np.arange(len(shop.interactions)) < n_events
    few = shop.with_interactions(shop.interactions.only(chosen))
    model = sequence_config.fit(few, progress=False)
    assert np.isfinite(model.query_vectors(shop.histories(np.arange(30)))).all()


def test_events_without_times_are_learned_from_as_sets(
    world_data: Dataset, sequence_config: SequenceConfig
) -> None:
    dataset = world_data.with_interactions(replace(world_data.interactions, timestamps=None))
    model = sequence_config.fit(dataset, progress=False)
    histories = dataset.histories(np.array([5]))
    turned = replace(histories, items=histories.items[::-1].copy())
    turned = replace(turned, values=histories.values[::-1].copy())
    np.testing.assert_allclose(
        model.query_vectors(histories), model.query_vectors(turned), rtol=1e-4, atol=1e-5
    )


def test_one_user_of_one_item_can_be_learned_from(sequence_config: SequenceConfig) -> None:
    dataset = Dataset.from_tables(pa.table({"user_id": ["ann"] * 4, "item_id": ["fig"] * 4}))
    model = sequence_config.fit(dataset, progress=False)
    assert model.query_vectors(dataset.histories(np.array([0]))).shape == (1, 16)


def test_long_histories_are_read_few_at_a_time() -> None:
    counts = np.array([3, 100_000, 0, 90_000, 5] + 70 * [7])
    groups = list(_of_one_width(counts))
    assert sorted(np.concatenate(groups).tolist()) == list(range(75))
    assert [len(each) for each in groups] == [64] + 11 * [1]
    assert [len(each) for each in _of_one_width(np.zeros(0, np.int64))] == [0]


def ndcg(model: Recommender, part: Dataset, held_out: Dataset) -> float:
    users = np.flatnonzero(np.diff(held_out.interactions.offsets))
    histories = part.histories(users)
    scores = model.query_vectors(histories) @ model.item_vectors().T + model.item_biases()
    scores[np.repeat(np.arange(len(users)), histories.counts()), histories.items] = -np.inf
    ranked = np.argsort(-scores, axis=1, kind="stable")[:, :10].astype(np.int32)
    wanted = held_out.histories(users)
    offsets = np.arange(len(users) + 1) * 10
    found = accuracy(offsets, ranked.ravel(), wanted.offsets, wanted.items, k=10)
    return found.means()["NDCG@10"]


def test_it_learns_what_comes_next_where_order_tells_more_than_what_was_had() -> None:
    """Items stand in a ring; everybody goes on from a place of their own, now and then astray."""
    random = np.random.default_rng(0)
    n_users, n_items, length = 300, 40, 12
    first = random.integers(n_items, size=n_users)
    items = (
        first[:, None] + np.cumsum(random.choice([1, 1, 1, 7], (n_users, length)), 1)
    ) % n_items
    events = pa.table(
        {
            "user_id": np.repeat(np.arange(n_users), length).tolist(),
            "item_id": items.ravel().tolist(),
            "timestamp": (1_700_000_000 + 86_400 * np.arange(length)).tolist() * n_users,
        }
    )
    dataset = Dataset.from_tables(events)
    split = leave_last_out(dataset.interactions)
    part, held_out = (dataset.with_interactions(each) for each in (split.train, split.validation))
    configs: tuple[RecommenderConfig, ...] = (
        SequenceConfig(
            dimension=32, hidden=32, max_steps=300, n_looks=6, vector_learning_rate=1e-3
        ),
        EASEConfig(),
        PopularityConfig(),
    )
    sequence, ease, popularity = (
        ndcg(config.fit(part, progress=False), part, held_out) for config in configs
    )
    assert sequence > ease + 0.1
    assert sequence > popularity + 0.3
