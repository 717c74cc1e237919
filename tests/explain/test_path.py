from collections.abc import Callable

import numpy as np
import pytest
import torch

from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.errors import ArgumentError
from whyrec.explain import Explainer, GradientPathConfig, ShapleyConfig
from whyrec.explain.path import differentiable, path_gradients, quadrature
from whyrec.models import EASEConfig, TwoTower, TwoTowerConfig
from whyrec.types import Float64Array


@pytest.fixture
def histories(shop: Dataset) -> Histories:
    return shop.histories(np.array([3, 4, 10]))


@pytest.fixture
def pairs() -> Pairs:
    return Pairs(np.array([0, 0, 1, 2], np.int32), np.array([5, 0, 7, 9], np.int32))


def full_values(model: TwoTower, histories: Histories, pairs: Pairs) -> Float64Array:
    scores = model.query_vectors(histories) @ model.item_vectors().T + model.item_biases()
    full: Float64Array = scores[pairs.rows, pairs.items].astype(np.float64)
    return full


@pytest.mark.parametrize("n_points", [1, 2, 5, 8])
def test_the_quadrature_integrates_powers_exactly(n_points: int) -> None:
    points, weights = quadrature(n_points)
    assert points.dtype == weights.dtype == torch.float32
    assert ((points > 0) & (points < 1)).all()
    for power in range(2 * n_points):  # of power 0, the weights add up to 1
        integral = (weights.double() * points.double() ** power).sum().item()
        assert integral == pytest.approx(1 / (power + 1), rel=1e-6)


def additive(tower: TwoTower, shop: Dataset, config: TwoTowerConfig) -> TwoTower:
    """Return a model whose score is a sum over players.

    With no events' vectors and no residual network the query is the sum of the attributes; with no
    features' vectors the item stays as it is, and their biases add up.
    """
    unseen = ["events.identity", "events.of_features", "items.of_features"]
    unseen += ["output_weight", "output_bias"]
    arrays = tower.arrays()
    return config.restore(shop, arrays | {name: np.zeros_like(arrays[name]) for name in unseen})


@pytest.mark.parametrize("n_points", [1, 3])
def test_of_a_sum_over_players_the_path_gives_each_its_own_term(
    shop: Dataset,
    tower: TwoTower,
    tower_config: TwoTowerConfig,
    histories: Histories,
    pairs: Pairs,
    n_points: int,
) -> None:
    model = additive(tower, shop, tower_config)
    full = full_values(model, histories, pairs)
    found = GradientPathConfig(n_points=n_points).fit(model, shop).explain(histories, pairs, full)
    exact = ShapleyConfig(exact_players=20).fit(model, shop).explain(histories, pairs, full)
    assert np.abs(exact.contributions).max() > 0.1
    np.testing.assert_allclose(found.contributions, exact.contributions, atol=1e-5)
    np.testing.assert_allclose(found.base_values, exact.base_values, atol=1e-5)


def test_more_points_come_closer_to_the_integral_and_leave_less_of_a_gap(
    tower: TwoTower, shop: Dataset, histories: Histories, pairs: Pairs
) -> None:
    full = full_values(tower, histories, pairs)

    def explain(n_points: int) -> Float64Array:
        explainer: Explainer = GradientPathConfig(n_points=n_points).fit(tower, shop)
        return explainer.explain(histories, pairs, full).contributions

    integral = explain(64)
    errors = [np.abs(explain(n_points) - integral).max() for n_points in (1, 2, 4, 8)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.05 * errors[0]


def test_gradients_are_those_of_the_score_by_each_presence(
    tower: TwoTower, histories: Histories
) -> None:
    widths = (12, 12, 12)
    embedded = tower.embed_pairs(histories, np.array([1]), np.array([[7, 5]]), widths)
    there = [torch.arange(width) < n for width, n in zip(widths, (5, 2, 4), strict=True)]
    present = torch.cat(there).expand(1, 2, -1)
    points, _ = quadrature(3)
    gradients, values = path_gradients(tower, embedded, present, points)
    assert gradients.shape == (1, 2, 3, 36)
    assert not gradients[~present[:, :, None].expand_as(gradients)].any()
    nobody = tower.pair_values(embedded, torch.zeros(1, 2, 1, 36))
    torch.testing.assert_close(values[:, :, :1], nobody)
    everyone = present.float()[:, :, None]
    torch.testing.assert_close(
        values[:, :, 1:], tower.pair_values(embedded, everyone * points[:, None])
    )
    step, everyone = 1e-2, present.float()[:, :, None]
    for place in (0, 4, 12, 13, 24, 27):
        change = torch.zeros(36)
        change[place] = step
        at = everyone * points[:, None]
        slope = tower.pair_values(embedded, at + change) - tower.pair_values(embedded, at - change)
        expected = slope / (2 * step)
        torch.testing.assert_close(gradients[..., place], expected, atol=2e-2, rtol=2e-2)


def test_gradients_are_taken_where_the_host_takes_none(
    tower: TwoTower, shop: Dataset, histories: Histories, pairs: Pairs
) -> None:
    explainer, full = GradientPathConfig().fit(tower, shop), full_values(tower, histories, pairs)
    found = explainer.explain(histories, pairs, full).contributions
    with torch.no_grad():
        np.testing.assert_array_equal(
            explainer.explain(histories, pairs, full).contributions, found
        )


def test_a_recommender_without_gradients_is_refused(shop: Dataset) -> None:
    ease = EASEConfig().fit(shop)
    asked: tuple[Callable[[], object], ...] = (
        lambda: GradientPathConfig().fit(ease, shop),
        lambda: differentiable(ease),
    )
    for ask in asked:
        with pytest.raises(ArgumentError, match=r"EASE cannot be differentiated.*ShapleyConfig"):
            ask()


def test_no_point_at_all_is_refused() -> None:
    with pytest.raises(ArgumentError, match="n_points must be at least 1, not 0"):
        GradientPathConfig(n_points=0)
