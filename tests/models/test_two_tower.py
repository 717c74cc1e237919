from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from whyrec.data.coalitions import Coalitions
from whyrec.data.dataset import Dataset
from whyrec.data.features import Features
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.data.split import random_split
from whyrec.errors import ArgumentError, StorageError, TrainingError
from whyrec.evaluate.accuracy import accuracy
from whyrec.models import (
    EASEConfig,
    PopularityConfig,
    Recommender,
    RecommenderConfig,
    TwoTower,
    TwoTowerConfig,
)
from whyrec.models.loop import Run
from whyrec.models.training import train
from whyrec.types import BoolArray, Float32Array, Float64Array


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("dimension", 0, "dimension must be at least 1, not 0"),
        ("heads", 0, "heads must be at least 1, not 0"),
        ("hidden", 0, "hidden must be at least 1, not 0"),
        ("folds", 0, "folds must be at least 1, not 0"),
        ("batch_size", 0, "batch_size must be at least 1, not 0"),
        ("max_steps", -1, "max_steps must be at least 0, not -1"),
        ("evaluate_every", 0, "evaluate_every must be at least 1, not 0"),
        ("patience", 0, "patience must be at least 1, not 0"),
        ("full_softmax_items", 0, "full_softmax_items must be at least 1, not 0"),
        ("n_negatives", 0, "n_negatives must be at least 1, not 0"),
        ("seed", -1, "seed must be at least 0, not -1"),
        ("l2", 0.0, "l2 must be a number above 0, not 0.0"),
        ("l2", float("nan"), "l2 must be a number above 0, not nan"),
        ("dropout", 1.0, "dropout must be less than 1, not 1.0"),
        ("absent_fields", 1.0, "absent_fields must be less than 1, not 1.0"),
        ("absent_features", 2.0, "absent_features must be less than 1, not 2.0"),
        ("validation_share", 1.0, "validation_share must be less than 1, not 1.0"),
        ("validation_share", -0.1, "validation_share must be a number from 0, not -0.1"),
        ("learning_rate", -1.0, "learning_rate must be a number from 0, not -1.0"),
        ("residual_learning_rate", float("inf"), "residual_learning_rate must be a number from 0"),
        ("vector_learning_rate", -1.0, "vector_learning_rate must be a number from 0"),
        ("weight_decay", -1.0, "weight_decay must be a number from 0, not -1.0"),
        ("dimension", 6, "dimension must be a multiple of heads; 6 is none of 4"),
        ("kind_weights", {"view": -1.0}, r"kind_weights\['view'\] must be a number from 0"),
    ],
)
def test_a_setting_out_of_range_is_refused_by_its_name(
    setting: str, value: object, message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        replace(TwoTowerConfig(), **{setting: value})  # type: ignore[arg-type]


def test_a_kind_of_event_that_there_is_not_is_refused(
    shop: Dataset, tower_config: TwoTowerConfig
) -> None:
    with pytest.raises(ArgumentError, match="names 'click'; the kinds of event are 'view', 'purc"):
        replace(tower_config, kind_weights={"click": 1.0}).fit(shop, progress=False)


def test_a_kind_of_event_without_weight_is_no_target(
    shop: Dataset, tower_config: TwoTowerConfig
) -> None:
    only = replace(tower_config, kind_weights={"view": 0.0}).fit(shop, progress=False)
    assert not same(only, tower_config.fit(shop, progress=False))
    neither = {"view": 0.0, "purchase": 0.0}
    config = replace(tower_config, kind_weights=neither, weight_decay=0.0)
    untrained = replace(config, learning_rate=0, residual_learning_rate=0, vector_learning_rate=0)
    assert same(config.fit(shop, progress=False), untrained.fit(shop, progress=False))


def same(one: Recommender, other: Recommender) -> bool:
    first, second = one.arrays(), other.arrays()
    return first.keys() == second.keys() and all(
        each.tobytes() == second[name].tobytes() for name, each in first.items()
    )


def test_training_moves_every_parameter(tower: TwoTower) -> None:
    assert not [name for name, each in tower.arrays().items() if not each.any()]


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("full_softmax_items", [1, 1_000])
def test_the_same_seed_gives_the_same_bits_on_any_number_of_threads(
    world_data: Dataset, tower_config: TwoTowerConfig, full_softmax_items: int
) -> None:
    # Large enough that torch shares every operation out among threads.
    config = replace(
        tower_config,
        dimension=512,
        batch_size=200,
        evaluate_every=3,
        full_softmax_items=full_softmax_items,
    )
    first, second = (config.fit(world_data, progress=False) for _ in range(2))
    assert same(first, second)
    torch.set_num_threads(1)
    assert same(config.fit(world_data, progress=False), first)
    assert not same(replace(config, seed=1).fit(world_data, progress=False), first)


def test_training_and_restoring_use_no_random_state_of_the_host(
    shop: Dataset, tower_config: TwoTowerConfig
) -> None:
    of_torch, of_numpy = torch.get_rng_state(), repr(np.random.get_state())  # noqa: NPY002
    model = tower_config.fit(shop, progress=False)
    tower_config.restore(shop, model.arrays())
    assert torch.equal(torch.get_rng_state(), of_torch)
    assert repr(np.random.get_state()) == of_numpy  # noqa: NPY002


def test_arrays_of_another_model_are_refused(
    shop: Dataset, tower: TwoTower, tower_config: TwoTowerConfig
) -> None:
    with pytest.raises(StorageError, match=r"(?s)do not fit.*hidden_weight"):
        replace(tower_config, hidden=17).restore(shop, tower.arrays())
    arrays = tower.arrays()
    del arrays["gate_of_vector"]
    with pytest.raises(StorageError, match=r"(?s)do not fit.*gate_of_vector"):
        tower_config.restore(shop, arrays)
    with pytest.raises(StorageError, match=r"(?s)do not fit.*extra"):
        tower_config.restore(shop, tower.arrays() | {"extra": np.zeros(1, np.float32)})


@pytest.mark.usefixtures("two_threads")
def test_queries_have_the_same_bits_in_any_batch(shop: Dataset, tower: TwoTower) -> None:
    users = np.tile(np.arange(shop.n_users), 7)  # more rows than one call of the network takes
    together = tower.query_vectors(shop.histories(users))
    for user in range(shop.n_users):
        alone = tower.query_vectors(shop.histories(np.array([user])))
        assert (together[users == user] == alone).all()
    order = np.random.default_rng(0).permutation(len(users))
    np.testing.assert_array_equal(
        tower.query_vectors(shop.histories(users[order])), together[order]
    )
    torch.set_num_threads(1)
    np.testing.assert_array_equal(tower.query_vectors(shop.histories(users)), together)


def test_somebody_of_whom_nothing_is_known_is_served(shop: Dataset, tower: TwoTower) -> None:
    queries = tower.query_vectors(shop.histories(np.array([0, 1, 2])))
    assert np.isfinite(queries).all()
    assert len(np.unique(queries, axis=0)) == 3
    assert tower.query_vectors(shop.histories(np.zeros(0, np.int64))).shape == (0, 16)


def test_the_query_is_what_the_towers_say_it_is(shop: Dataset, tower: TwoTower) -> None:
    """Against the formula in the docstring of `Towers`, in float64 and plain loops."""
    of = {name: each.astype(np.float64) for name, each in tower.arrays().items()}
    histories = shop.histories(np.arange(6))
    vectors = of["events.identity"] + shop.item_features.matrix() @ of["events.of_features"]
    queries = tower.query_vectors(histories)
    for row in range(6):
        attributes = np.zeros(16)
        features = histories.attributes
        present = features.fields_of(row)
        for field in range(len(features.schema.fields)):
            if field not in present:
                attributes += of["absent_fields"][field]
        for entry in range(*features.offsets[row : row + 2]):
            attributes += features.weights[entry] * of["attributes"][features.tokens[entry]]
        sums, squares = np.zeros((2, 8)), np.zeros(2)
        for event in range(*histories.offsets[row : row + 2]):
            vector = vectors[histories.items[event]]
            value = (histories.values[event] - of["value_mean"]) / of["value_scale"]
            known = np.isfinite(value)
            kind = np.eye(2)[histories.kinds[event]]
            age = np.log1p(histories.ages[event]) / 4
            context = np.array([value if known else 0, known, age, *kind])
            opening = vector @ of["gate_of_vector"] + context @ of["gate_of_context"]
            gates = 1 + 2 * np.tanh(opening / 2)
            sums += gates[:, None] * vector.reshape(2, 8)
            squares += gates**2
        pooled = (sums / np.sqrt(1 + squares)[:, None]).ravel() + attributes
        inner = torch.from_numpy(pooled @ of["hidden_weight"] * 16**0.5 + of["hidden_bias"])
        hidden = torch.nn.functional.gelu(inner).numpy()
        residual = hidden @ of["output_weight"] + of["output_bias"]
        expected = np.exp(of["log_scale"]) * (pooled + residual)
        np.testing.assert_allclose(queries[row], expected, rtol=1e-4, atol=1e-5)


def scores_of(model: Recommender, histories: Histories) -> Float32Array:
    scores: Float32Array = model.query_vectors(histories) @ model.item_vectors().T
    return scores + model.item_biases()


def values_of(
    model: Recommender, histories: Histories, item: int, coalitions: BoolArray
) -> Float64Array:
    pair = Pairs(np.zeros(1, np.int32), np.array([item], np.int32))
    return model.coalition_values(histories, pair, Coalitions.of_matrices([coalitions]))


def test_an_absent_attribute_is_worth_its_absent_vector(shop: Dataset, tower: TwoTower) -> None:
    histories = shop.histories(np.array([5]))
    n_events = len(histories.items)
    coalitions = np.ones((3, n_events + 2 + 4), bool)
    coalitions[1, n_events] = False
    coalitions[2, n_events : n_events + 2] = False
    _, without_first, without_both = values_of(tower, histories, 4, coalitions)
    features = histories.attributes
    first, *_ = features.fields_of(0)
    kept = features.schema.token_fields[features.tokens] != first
    for found, stays in ((without_first, kept), (without_both, kept & False)):
        tokens, weights = features.tokens[stays], features.weights[stays]
        offsets = np.array([0, stays.sum()])
        attributes = Features(features.schema, offsets, tokens, weights)
        score = scores_of(tower, replace(histories, attributes=attributes))[0, 4]
        assert found == pytest.approx(score, rel=1e-4)


def test_an_absent_feature_adds_nothing_to_the_item(
    shop: Dataset, tower: TwoTower, tower_config: TwoTowerConfig
) -> None:
    histories = shop.histories(np.array([5]))
    n_players = len(histories.items) + 2 + 4
    catalog, item = shop.item_features, 4
    for feature in range(4):
        coalition = np.ones((1, n_players), bool)
        coalition[0, n_players - 4 + feature] = False
        gone = np.arange(len(catalog.tokens)) == catalog.offsets[item] + feature
        weights = np.where(gone, np.float32(0), catalog.weights)
        other = Features(catalog.schema, catalog.offsets, catalog.tokens, weights)
        model = tower_config.restore(replace(shop, item_features=other), tower.arrays())
        # Of the item as a candidate alone: in the history it keeps the feature.
        vector, bias = model.item_vectors()[item], model.item_biases()[item]
        score = tower.query_vectors(histories)[0] @ vector + bias
        (value,) = values_of(tower, histories, item, coalition)
        assert value == pytest.approx(score, rel=1e-4, abs=1e-5)


def test_a_loss_that_is_not_finite_stops_the_training(
    shop: Dataset, tower_config: TwoTowerConfig
) -> None:
    config = replace(tower_config, learning_rate=1e30, residual_learning_rate=1e30)
    with pytest.raises(TrainingError, match=r"lower the learning rates \(now 1e\+30"):
        train(shop, config, Run(progress=False))


def ndcg(model: Recommender, part: Dataset, whole: Dataset) -> float:
    users = np.arange(part.n_users)
    scores = scores_of(model, part.histories(users))
    scores[part.interactions.users(), part.interactions.items] = -np.inf
    ranked = np.argsort(-scores, axis=1, kind="stable")[:, :10].astype(np.int32)
    offsets, wanted = np.arange(part.n_users + 1) * 10, whole.interactions
    return accuracy(offsets, ranked.ravel(), wanted.offsets, wanted.items, k=10).means()["NDCG@10"]


def test_it_ranks_at_least_as_well_as_the_linear_model_and_better_than_popularity(
    world_data: Dataset,
) -> None:
    split = random_split(world_data.interactions, (7, 0, 3), seed=1)
    part, held_out = (world_data.with_interactions(each) for each in (split.train, split.test))
    configs: tuple[RecommenderConfig, ...] = (
        TwoTowerConfig(dimension=64, hidden=16),
        EASEConfig(),
        PopularityConfig(),
    )
    tower, ease, popularity = (
        ndcg(config.fit(part, progress=False), part, held_out) for config in configs
    )
    assert tower > ease - 0.01
    assert tower > popularity + 0.05
