"""Interactions from gradients, held against those of every coalition."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.errors import ArgumentError
from whyrec.explain import (
    ClosedFormConfig,
    ExplainerConfig,
    GradientPathConfig,
    NetworkConfig,
    PlayerPairs,
    Players,
    RefinedConfig,
    Rivals,
    ShapleyConfig,
    margin_over,
)
from whyrec.explain.explainer import InteractionExplainer, interacting
from whyrec.models import EASEConfig, Recommender, Sequence, TwoTower

NETWORK = NetworkConfig(max_steps=2, evaluate_every=1, batch_size=4, confidence_pairs=0)
PATH = GradientPathConfig()


@pytest.fixture(scope="module", params=["two towers", "sequence", "margin"])
def model(request: pytest.FixtureRequest, tower: TwoTower, sequence: Sequence) -> Recommender:
    if request.param == "margin":
        rivals = Rivals(np.arange(0, 51, 2), np.tile(np.array([4, 9], np.int32), 25))
        return margin_over(tower, np.arange(25, dtype=np.int32), rivals)
    return tower if request.param == "two towers" else sequence


@pytest.fixture(scope="module")
def histories(shop: Dataset) -> Histories:
    """Of anything from no event to 13, with attributes and without."""
    return shop.histories(np.arange(14))


@pytest.fixture(scope="module")
def pairs() -> Pairs:
    """Pairs in no order; more items of one row than share a place in a batch."""
    rows = np.array([3, 7, 0, 12, 1, *[5] * 13, 2, 9], np.int32)
    return Pairs(rows, (np.arange(len(rows)) * 7 % 25).astype(np.int32))


def fit(config: ExplainerConfig, model: Recommender, shop: Dataset) -> InteractionExplainer:
    return interacting(config.fit(model, shop, progress=False))


@pytest.mark.parametrize("config", [NETWORK, PATH], ids=["network", "path"])
def test_of_events_and_features_they_are_nearly_those_of_every_coalition(
    model: Recommender, shop: Dataset, histories: Histories, pairs: Pairs, config: ExplainerConfig
) -> None:
    asked = PlayerPairs.events_by_features(Players.of(histories, model.item_features, pairs))
    found = fit(config, model, shop).interactions(histories, pairs, asked)
    truth = fit(ShapleyConfig(exact_players=20), model, shop)
    true = truth.interactions(histories, pairs, asked).values
    assert found.tier == ("network" if config is NETWORK else "path")
    assert found.standard_errors is None
    assert np.abs(true).max() > 0.01
    # Models of real data, not as rough as these, leave a hundredth of that.
    assert ((found.values - true) ** 2).sum() < 0.15 * (true**2).sum()
    assert spearmanr(found.values, true).statistic > 0.9


def test_of_an_only_event_they_are_what_it_adds_to_the_feature(
    tower: TwoTower, shop: Dataset
) -> None:
    """With nothing else of the user, the path runs from no event to the event."""
    histories = shop.visitor(["i6"], {})
    pair = Pairs(np.zeros(1, np.int32), np.array([9], np.int32))
    asked = PlayerPairs.events_by_features(Players.of(histories, shop.item_features, pair))
    found = fit(GradientPathConfig(n_points=32), tower, shop).interactions(histories, pair, asked)
    true = fit(ShapleyConfig(), tower, shop).interactions(histories, pair, asked)
    assert np.abs(true.values).min() > 1e-4
    np.testing.assert_allclose(found.values, true.values, rtol=1e-3)


def test_any_two_players_may_be_asked_for_in_either_order(
    tower: TwoTower, shop: Dataset, histories: Histories
) -> None:
    pair = Pairs(np.array([5], np.int32), np.array([7], np.int32))
    n_players = int(Players.of(histories, shop.item_features, pair).counts()[0])
    first, second = np.triu_indices(n_players, 1)
    offsets = np.array([0, len(first)])
    explainer = fit(PATH, tower, shop)
    found, turned = (
        explainer.interactions(histories, pair, PlayerPairs(offsets, *each)).values
        for each in ((first, second), (second, first))
    )
    truth = fit(ShapleyConfig(exact_players=20), tower, shop)
    true = truth.interactions(histories, pair, PlayerPairs(offsets, first, second)).values
    for each in (found, turned):
        assert ((each - true) ** 2).sum() < 0.1 * (true**2).sum()
    of_features = first >= n_players - shop.item_features.offsets[8] + shop.item_features.offsets[7]
    assert of_features.any()
    assert np.abs(found[of_features]).max() < 1e-6  # features add up, whatever else is there


def test_pairs_get_the_same_bits_in_any_batch_and_order(
    model: Recommender, shop: Dataset, histories: Histories, pairs: Pairs
) -> None:
    explainer = fit(PATH, model, shop)
    asked = PlayerPairs.events_by_features(Players.of(histories, model.item_features, pairs))
    found = explainer.interactions(histories, pairs, asked)
    assert np.diff(asked.offsets).min() == 0
    for pair in range(len(pairs)):
        one, mine = pairs.take(np.array([pair])), found.of(pair)
        turned = np.arange(mine.start, mine.stop)[::-1]
        only = PlayerPairs(np.array([0, len(turned)]), asked.first[turned], asked.second[turned])
        alone = explainer.interactions(histories, one, only)
        np.testing.assert_array_equal(alone.values, found.values[turned])
        assert alone.evaluations == found.evaluations[pair]


def test_more_players_are_switched_than_at_once(tower: TwoTower, shop: Dataset) -> None:
    histories = shop.visitor([f"i{item}" for item in range(2, 25)], {})
    pair = Pairs(np.zeros(1, np.int32), np.array([9], np.int32))
    every = np.arange(1, 23)
    together = PlayerPairs(np.array([0, 22]), np.zeros(22, np.int64), every)
    explainer = fit(PATH, tower, shop)
    found = explainer.interactions(histories, pair, together)
    assert found.evaluations.tolist() == [2 * 8 * 22]
    one_by_one = [
        explainer.interactions(
            histories,
            pair,
            PlayerPairs(np.array([0, 1]), np.zeros(1, np.int64), every[place : place + 1]),
        ).values
        for place in range(22)
    ]
    np.testing.assert_array_equal(found.values, np.concatenate(one_by_one))
    assert len(np.unique(found.values)) == 22


def test_nothing_asked_gives_nothing(tower: TwoTower, shop: Dataset, histories: Histories) -> None:
    nothing = np.zeros(0, np.int64)
    for pairs in (
        Pairs(np.zeros(0, np.int32), np.zeros(0, np.int32)),
        Pairs(np.array([5, 0], np.int32), np.array([7, 7], np.int32)),
    ):
        asked = PlayerPairs(np.zeros(len(pairs) + 1, np.int64), nothing, nothing)
        found = fit(PATH, tower, shop).interactions(histories, pairs, asked)
        assert found.values.shape == (0,)
        assert found.evaluations.tolist() == [0] * len(pairs)


def test_players_that_there_are_not_are_refused(
    tower: TwoTower, shop: Dataset, histories: Histories
) -> None:
    pair = Pairs(np.array([5], np.int32), np.array([7], np.int32))
    asked = PlayerPairs(np.array([0, 1]), np.array([0]), np.array([99]))
    with pytest.raises(ArgumentError, match="entry 0 puts player 0 with 99; pair 0 has"):
        fit(NETWORK, tower, shop).interactions(histories, pair, asked)


def test_what_is_refined_has_the_interactions_of_what_it_refines(
    tower: TwoTower, shop: Dataset, histories: Histories, pairs: Pairs
) -> None:
    asked = PlayerPairs.events_by_features(Players.of(histories, shop.item_features, pairs))
    refined, path = (
        fit(config, tower, shop).interactions(histories, pairs, asked)
        for config in (RefinedConfig(explainer=PATH), PATH)
    )
    np.testing.assert_array_equal(refined.values, path.values)
    assert refined.tier == "path"


def test_what_finds_none_says_so(shop: Dataset, histories: Histories) -> None:
    ease = EASEConfig(l2=2.0).fit(shop, progress=False)
    closed = ClosedFormConfig().fit(ease, shop)
    with pytest.raises(ArgumentError, match="ClosedForm finds no interactions; fit with"):
        interacting(closed)
    refined = RefinedConfig(explainer=ClosedFormConfig()).fit(ease, shop, progress=False)
    nothing = PlayerPairs(np.zeros(1, np.int64), *np.zeros((2, 0), np.int64))
    with pytest.raises(ArgumentError, match="ClosedForm finds no interactions"):
        refined.interactions(histories, Pairs(*np.zeros((2, 0), np.int32)), nothing)
