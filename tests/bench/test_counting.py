import numpy as np
import pytest
from bench.faithfulness.counting import CountingRecommender
from bench.faithfulness.methods.gradients import GradientTimesInputConfig
from bench.faithfulness.methods.leave_one_out import LeaveOneOutConfig, Output
from bench.faithfulness.methods.method import Method
from bench.faithfulness.methods.spinrec import SPINRecConfig

from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.explain import GradientPathConfig, NetworkConfig, ShapleyConfig
from whyrec.explain.margin import Rivals, margin_over
from whyrec.models import DifferentiableRecommender, TwoTower
from whyrec.types import Float64Array

Asked = tuple[Histories, Pairs, Float64Array]

N_PAIRS = 7
COSTS: dict[str, tuple[Method, float]] = {
    "gradient × input": (GradientTimesInputConfig(), 1),
    "gradient path": (GradientPathConfig(n_points=8), 9),  # the base value is one of them
    "network": (NetworkConfig(n_points=2, max_steps=0), 3),
    "SPINRec": (SPINRecConfig(n_draws=3, n_steps=4), 12),
}


@pytest.mark.parametrize("name", COSTS)
def test_gradients_are_counted_by_pair_however_they_are_batched(
    name: str, tower: TwoTower, shop: Dataset, asked: Asked
) -> None:
    method, gradients = COSTS[name]
    counting = CountingRecommender(tower)
    explainer = method.fit(counting, shop, progress=False)
    counting.reset()
    explainer.explain(*asked)
    assert counting.n_gradients == gradients * N_PAIRS


def test_coalitions_are_counted_by_pair(tower: TwoTower, shop: Dataset, asked: Asked) -> None:
    counting = CountingRecommender(tower)
    found = LeaveOneOutConfig().fit(counting, shop).explain(*asked)
    n_players = found.players.counts()
    assert (counting.n_coalitions, counting.n_gradients) == ((n_players + 2).sum(), 0)
    counting.reset()
    LeaveOneOutConfig(of=Output.PROBABILITY).fit(counting, shop).explain(*asked)
    n_events = found.players.counts_by_kind()[:, 0]
    assert (counting.n_coalitions, counting.n_gradients) == ((n_events + 1).sum(), 0)


def test_margins_are_counted_with_those_of_each_rival(
    tower: TwoTower, shop: Dataset, asked: Asked
) -> None:
    """What counts does not show that scores are linear in the item, so the rivals are followed."""
    histories, pairs, full_values = asked
    counting = CountingRecommender(tower)
    items = np.arange(shop.n_items, dtype=np.int32)
    rivals = Rivals(2 * np.arange(shop.n_items + 1), np.array([1, 7] * shop.n_items, np.int32))
    plain, counted = (
        GradientPathConfig(n_points=8)
        .fit(margin_over(recommender, items, rivals), shop)
        .explain(histories, pairs, full_values)
        for recommender in (tower, counting)
    )
    assert counting.n_gradients == COSTS["gradient path"][1] * N_PAIRS * 3
    np.testing.assert_allclose(plain.contributions, counted.contributions, atol=1e-5)


def test_counting_changes_no_bit(tower: TwoTower, shop: Dataset, asked: Asked) -> None:
    counting = CountingRecommender(tower)
    assert isinstance(counting, DifferentiableRecommender)
    for method in (ShapleyConfig(max_permutations=8), NetworkConfig(max_steps=2)):
        plain = method.fit(tower, shop, progress=False).explain(*asked)
        counted = method.fit(counting, shop, progress=False).explain(*asked)
        np.testing.assert_array_equal(plain.contributions, counted.contributions)
    for name in ("item_vectors", "item_biases"):
        np.testing.assert_array_equal(getattr(counting, name)(), getattr(tower, name)())
    assert counting.item_features is tower.item_features
    assert counting.arrays().keys() == tower.arrays().keys()
