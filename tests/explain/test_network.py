from dataclasses import replace

import numpy as np
import pytest
import torch

from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.errors import ArgumentError, StorageError, TrainingError
from whyrec.explain import (
    Attributions,
    Explainer,
    GradientPathConfig,
    Network,
    NetworkConfig,
    ShapleyConfig,
)
from whyrec.explain.path import quadrature
from whyrec.explain.player_network import PlayerNetwork
from whyrec.models import EASEConfig, TwoTower

WIDTHS = (12, 16, 12)
TINY = NetworkConfig(
    max_steps=5, evaluate_every=1, batch_size=4, n_coalitions=4, confidence_pairs=0
)


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("n_points", 0, "n_points must be at least 1, not 0"),
        ("width", 0, "width must be at least 1, not 0"),
        ("n_summaries", 0, "n_summaries must be at least 1, not 0"),
        ("batch_size", 0, "batch_size must be at least 1, not 0"),
        ("n_coalitions", 0, "n_coalitions must be at least 1, not 0"),
        ("max_steps", -1, "max_steps must be at least 0, not -1"),
        ("evaluate_every", 0, "evaluate_every must be at least 1, not 0"),
        ("patience", 0, "patience must be at least 1, not 0"),
        ("max_events", 0, "max_events must be at least 1, not 0"),
        ("confidence_pairs", -1, "confidence_pairs must be at least 0, not -1"),
        ("seed", -1, "seed must be at least 0, not -1"),
        ("distillation", -1.0, "distillation must be a number from 0, not -1.0"),
        ("learning_rate", float("nan"), "learning_rate must be a number from 0, not nan"),
    ],
)
def test_a_setting_out_of_range_is_refused_by_its_name(
    setting: str, value: float, message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        replace(NetworkConfig(), **{setting: value})  # type: ignore[arg-type]


def drawn_players(
    n_points: int,
) -> tuple[tuple[torch.Tensor, torch.Tensor], torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    user = torch.randn(2, 28, 16, generator=generator)
    item = torch.randn(2, 3, 12, 16, generator=generator)
    present = torch.rand(2, 3, 40, generator=generator) < 0.6
    present[1, 2] = False
    gradients = torch.randn(2, 3, n_points, 40, generator=generator) * present[:, :, None]
    return (user, item), gradients, present


def moved_network(n_points: int = 2) -> PlayerNetwork:
    """Return a network whose every weight counts."""
    network = PlayerNetwork(16, n_points, 16, 4).start(0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return network.eval().requires_grad_(False)


@pytest.mark.parametrize("n_points", [1, 2, 4])
def test_it_starts_as_the_quadrature(n_points: int) -> None:
    vectors, gradients, present = drawn_players(n_points)
    network = PlayerNetwork(16, n_points, 16, 4).start(0)
    found = network(vectors, gradients, present, WIDTHS)
    expected = (gradients * quadrature(n_points)[1][:, None]).sum(2)
    torch.testing.assert_close(found, expected)
    assert not torch.allclose(moved_network(n_points)(vectors, gradients, present, WIDTHS), found)


def test_a_network_that_took_no_step_explains_as_the_path_of_its_points(
    shop: Dataset, tower: TwoTower
) -> None:
    histories = shop.histories(np.array([3, 4]))
    pairs = Pairs(np.array([0, 1, 1], np.int32), np.array([5, 5, 9], np.int32))
    full = np.array([1.0, 2.0, 3.0])
    network = replace(TINY, max_steps=0).fit(tower, shop, progress=False)
    path = GradientPathConfig(n_points=TINY.n_points).fit(tower, shop)
    one, other = (each.explain(histories, pairs, full) for each in (network, path))
    np.testing.assert_allclose(one.contributions, other.contributions, rtol=1e-5, atol=1e-6)


def test_the_same_seed_starts_the_same_network() -> None:
    one, same, other = (PlayerNetwork(16, 2, 16, 4).start(seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


def test_a_player_without_gradients_gets_0() -> None:
    vectors, gradients, present = drawn_players(2)
    gradients[..., [0, 13, 30]] = 0
    found = moved_network()(vectors, gradients, present, WIDTHS)
    assert not found[..., [0, 13, 30]].any()
    assert not found[~present].any()
    assert found.any()


def test_the_order_of_players_of_a_kind_does_not_matter() -> None:
    (user, item), gradients, present = drawn_players(2)
    network = moved_network()
    found = network((user, item), gradients, present, WIDTHS)
    random = np.random.default_rng(0)
    starts = np.cumsum([0, *WIDTHS])
    order = torch.from_numpy(
        np.concatenate(
            [s + random.permutation(w) for s, w in zip(starts[:-1], WIDTHS, strict=True)]
        )
    )
    moved = network(
        (user[:, order[:28]], item[:, :, order[28:] - 28]),
        gradients[..., order],
        present[..., order],
        WIDTHS,
    )
    torch.testing.assert_close(moved, found[..., order], rtol=1e-4, atol=1e-5)


def test_empty_places_change_nothing() -> None:
    (user, item), gradients, present = drawn_players(2)
    network = moved_network()
    found = network((user, item), gradients, present, WIDTHS)
    user[:, 5] = 7.0
    item[:, :, 3] = -7.0
    for place in (5, 31):
        present[..., place] = False
        gradients[..., place] = 0
    without = network((user, item), gradients, present, WIDTHS)
    user[:, 5], item[:, :, 3] = 0.0, 1.0
    torch.testing.assert_close(network((user, item), gradients, present, WIDTHS), without)
    assert not torch.allclose(without, found)


def test_what_others_contribute_changes_the_weight_of_a_player() -> None:
    vectors, gradients, present = drawn_players(2)
    network = moved_network()
    before = network(vectors, gradients, present, WIDTHS)[..., 0]
    gradients[..., 5] *= -3
    after = network(vectors, gradients, present, WIDTHS)[..., 0]
    torch.testing.assert_close(before != after, present[..., 0] & present[..., 5])


def test_contributions_grow_with_the_score() -> None:
    vectors, gradients, present = drawn_players(2)
    network = moved_network()
    once = network(vectors, gradients, present, WIDTHS)
    torch.testing.assert_close(
        network(vectors, 10 * gradients, present, WIDTHS), 10 * once, rtol=1e-3, atol=1e-4
    )


def error(found: Attributions, exact: Attributions) -> float:
    apart = (found.contributions - exact.contributions) ** 2
    return float((apart.sum() / (exact.contributions**2).sum()) ** 0.5)


def test_training_brings_it_closer_to_the_exact_shapley_values(
    shop: Dataset, tower: TwoTower
) -> None:
    users = np.flatnonzero(np.diff(shop.interactions.offsets) < 7)
    histories: Histories = shop.histories(users)
    rows, items = (each.ravel().astype(np.int32) for each in np.indices((len(users), 6)))
    pairs = Pairs(rows, items * 4)
    scores = tower.query_vectors(histories) @ tower.item_vectors().T + tower.item_biases()
    full = scores[pairs.rows, pairs.items].astype(np.float64)
    exact = ShapleyConfig(exact_players=16).fit(tower, shop).explain(histories, pairs, full)

    def error_after(n_steps: int, seed: int) -> float:
        config = NetworkConfig(max_steps=n_steps, learning_rate=5e-3, confidence_pairs=0, seed=seed)
        explainer: Explainer = config.fit(tower, shop, progress=False)
        return error(explainer.explain(histories, pairs, full), exact)

    start = error_after(0, seed=0)
    assert all(error_after(400, seed) < start for seed in (0, 1, 2))


def test_a_recommender_without_gradients_is_refused(shop: Dataset) -> None:
    with pytest.raises(ArgumentError, match="EASE cannot be differentiated"):
        TINY.fit(EASEConfig().fit(shop), shop, progress=False)


def test_without_any_event_there_is_nothing_to_explain(shop: Dataset, tower: TwoTower) -> None:
    nobody = np.zeros(len(shop.interactions), bool)
    empty = shop.with_interactions(shop.interactions.only(nobody))
    with pytest.raises(ArgumentError, match="no user has an event; there is nothing to explain"):
        TINY.fit(tower, empty, progress=False)


def test_a_loss_that_is_not_finite_stops_the_training(shop: Dataset, tower: TwoTower) -> None:
    with pytest.raises(TrainingError, match=r"lower the learning rates \(now 1e\+30\)"):
        replace(TINY, learning_rate=1e30, max_steps=20, patience=20).fit(
            tower, shop, progress=False
        )


def test_arrays_of_another_network_are_refused(shop: Dataset, tower: TwoTower) -> None:
    arrays = TINY.fit(tower, shop, progress=False).arrays()
    assert isinstance(TINY.restore(tower, arrays), Network)
    with pytest.raises(StorageError, match=r"(?s)arrays of the explainer do not fit.*change"):
        replace(TINY, n_points=3).restore(tower, arrays)
    del arrays["of_kind"]
    with pytest.raises(StorageError, match=r"(?s)do not fit.*of_kind"):
        TINY.restore(tower, arrays)


def test_confidences_are_stated_where_they_were_learned(shop: Dataset, tower: TwoTower) -> None:
    asked = shop.histories(np.array([3])), Pairs(np.zeros(1, np.int32), np.ones(1, np.int32))
    silent = TINY.fit(tower, shop, progress=False)
    assert silent.explain(*asked, np.ones(1)).confidences is None
    assert TINY.restore(tower, silent.arrays()).explain(*asked, np.ones(1)).confidences is None
    learned = replace(TINY, confidence_pairs=8).fit(tower, shop, progress=False)
    assert learned.arrays().keys() - silent.arrays().keys() == {"confidence"}
    found = learned.explain(*asked, np.ones(1))
    assert found.confidences is not None
    order = np.argsort(-np.abs(found.contributions), kind="stable")
    assert (np.diff(found.confidences[order]) <= 0).all()
    np.testing.assert_array_equal(
        found.contributions, silent.explain(*asked, np.ones(1)).contributions
    )
    with pytest.raises(StorageError, match="the array of confidences does not fit"):
        TINY.restore(tower, learned.arrays() | {"confidence": np.zeros(3, np.float32)})
