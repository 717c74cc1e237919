"""The explainer network and the recommender, trained in the same steps."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from whyrec import SDK, ArgumentError, EASEConfig, NetworkConfig, SequenceConfig, TwoTowerConfig
from whyrec.data.dataset import Dataset
from whyrec.explain.joint_training import JointTraining
from whyrec.models import TwoTower
from whyrec.models.towers import SummedVectors

FROZEN = NetworkConfig(max_steps=4, evaluate_every=2, n_coalitions=8, confidence_pairs=0)
JOINT = replace(FROZEN, joint_weight=5.0)


def learning(tower: TwoTower, tower_config: TwoTowerConfig, shop: Dataset) -> TwoTower:
    """Return the same recommender as it is in training, with gradients."""
    towers = tower_config.restore(shop, tower.arrays())._towers.requires_grad_(True)
    return TwoTower.learning(towers, shop.item_features, towers.events, towers.items)


def test_the_recommender_in_training_is_the_one_that_is_served(
    tower: TwoTower, tower_config: TwoTowerConfig, shop: Dataset
) -> None:
    histories = shop.histories(np.array([3, 5]))
    one = learning(tower, tower_config, shop)
    np.testing.assert_array_equal(one.item_vectors(), tower.item_vectors())
    np.testing.assert_array_equal(one.query_vectors(histories), tower.query_vectors(histories))


def test_two_tables_are_summed(tower: TwoTower, shop: Dataset) -> None:
    events, items = tower._towers.events, tower._towers.items
    both = SummedVectors((events, items))
    features = shop.item_features
    torch.testing.assert_close(both(features), events(features) + items(features))
    torch.testing.assert_close(both.identity, events.identity + items.identity)
    torch.testing.assert_close(both.of_features, events.of_features + items.of_features)


def test_the_networks_loss_reaches_the_weights_of_both(
    tower: TwoTower, tower_config: TwoTowerConfig, shop: Dataset
) -> None:
    recommender = learning(tower, tower_config, shop)
    companion = JointTraining(shop, JOINT)
    learned = companion.start(recommender).parameters()
    histories = shop.histories(np.flatnonzero(np.diff(shop.interactions.offsets) > 2))
    loss = companion.loss(recommender, histories)
    loss.backward()
    assert loss.item() > 0
    assert any(each.grad is not None and each.grad.any() for each in learned)
    moved = {
        name
        for name, each in recommender._towers.named_parameters()
        if each.grad is not None and each.grad.any()
    }
    assert moved >= {
        "events.identity",
        "events.of_features",
        "items.identity",
        "items.of_features",
        "gate_of_vector",
        "attributes",
        "absent_fields",
        "hidden_weight",
        "output_weight",
        "log_scale",
    }


def test_the_weight_scales_the_loss(
    tower: TwoTower, tower_config: TwoTowerConfig, shop: Dataset
) -> None:
    histories = shop.histories(np.array([3, 5, 7]))
    losses = []
    for weight in (1.0, 3.0):
        companion = JointTraining(shop, replace(JOINT, joint_weight=weight))
        recommender = learning(tower, tower_config, shop)
        companion.start(recommender)
        losses.append(companion.loss(recommender, histories).item())
    assert losses[1] == pytest.approx(3 * losses[0], rel=1e-6)


def fit(shop: Dataset, model: TwoTowerConfig, explainer: NetworkConfig) -> SDK:
    return SDK.fit_dataset(shop, model=model, explainer=explainer, progress=False)


@pytest.fixture(scope="module")
def joint(shop: Dataset, tower_config: TwoTowerConfig) -> SDK:
    return fit(shop, tower_config, JOINT)


def test_both_are_trained_together_only_if_asked(
    joint: SDK, shop: Dataset, tower: TwoTower, tower_config: TwoTowerConfig
) -> None:
    frozen = fit(shop, tower_config, FROZEN)._fitted
    for name, array in frozen.model.arrays().items():
        np.testing.assert_array_equal(array, tower.arrays()[name])
    moved = joint._fitted.model.arrays()
    assert any((moved[name] != array).any() for name, array in tower.arrays().items())
    # Without steps of its own afterwards, the network is what the common steps made of it.
    apart = fit(shop, tower_config, replace(JOINT, max_steps=0))._fitted.explainer.arrays()
    assert np.abs(apart["change.weight"]).max() > 0  # where a new network begins at 0


def test_the_same_seed_gives_the_same_bits_at_any_number_of_threads(
    joint: SDK, shop: Dataset, tower_config: TwoTowerConfig
) -> None:
    before = torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            again = fit(shop, tower_config, JOINT)
            for one, other in (
                (again._fitted.model, joint._fitted.model),
                (again._fitted.explainer, joint._fitted.explainer),
            ):
                arrays = other.arrays()
                for name, array in one.arrays().items():
                    np.testing.assert_array_equal(array, arrays[name], err_msg=name)
    finally:
        torch.set_num_threads(before)


def test_what_was_trained_together_is_saved_and_answers_the_same(
    joint: SDK, tmp_path: Path
) -> None:
    joint.save(tmp_path)
    loaded = SDK.load(tmp_path)
    answers = [each.recommend_with_reasons("u3", max_reasons=None) for each in (joint, loaded)]
    assert answers[0] == answers[1]
    for each in answers[0]:
        told = sum(reason.contribution for reason in each.reasons)
        assert (each.base_value or 0) + told == pytest.approx(each.score, abs=1e-9)


@pytest.mark.parametrize("model", [EASEConfig(), SequenceConfig()])
def test_what_trains_by_itself_is_named(shop: Dataset, model: EASEConfig | SequenceConfig) -> None:
    with pytest.raises(ArgumentError, match=f"{type(model).__name__} trains by itself; use Two"):
        SDK.fit_dataset(shop, model=model, explainer=JOINT, progress=False)


def test_a_recommender_that_is_trained_cannot_be_trained_with(
    shop: Dataset, tower: TwoTower
) -> None:
    with pytest.raises(ArgumentError, match="joint_weight: this recommender is trained already"):
        JOINT.fit(tower, shop, progress=False)
    with pytest.raises(ArgumentError, match="joint_weight must be a number from 0, not -1"):
        NetworkConfig(joint_weight=-1.0)
