import numpy as np
import pytest
from bench.faithfulness.asked import best_unseen, top_unseen
from bench.faithfulness.event_game import event_game
from bench.faithfulness.methods.fitted_once import FittedOnce
from bench.faithfulness.methods.margins import MarginsConfig, everybody_values, margin_game

from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.errors import ArgumentError
from whyrec.explain import GradientPathConfig, NetworkConfig, ShapleyConfig
from whyrec.models import DeepRanker, DifferentiableRecommender, TwoTower
from whyrec.types import Float64Array

Asked = tuple[Histories, Pairs, Float64Array]


@pytest.mark.parametrize("name", ["tower", "ranker"])
def test_what_is_explained_is_how_far_an_item_is_above_the_next_best(
    name: str, shop: Dataset, request: pytest.FixtureRequest
) -> None:
    recommender: DifferentiableRecommender[object] = request.getfixturevalue(name)
    histories = shop.histories(np.array([3, 4, 9]))
    asked = best_unseen(recommender, histories)
    config = MarginsConfig(explainer=GradientPathConfig(), n_rivals=3)
    found = config.fit(recommender, shop).explain(*asked)
    ranking = top_unseen(recommender, histories, 4)
    assert found.pairs is asked[1]
    for pair in range(len(asked[1])):
        scores = ranking.scores[ranking.of(pair)]
        np.testing.assert_allclose(
            found.full_values[pair], scores[0] - scores[1:].mean(), rtol=1e-4, atol=1e-4
        )
    assert np.abs(found.efficiency_gaps()).max() < 1e-9
    assert found.full_values.min() > 0


def test_an_item_is_never_its_own_rival(tower: TwoTower, shop: Dataset) -> None:
    histories = shop.histories(np.array([3, 3, 4]))
    ranking = top_unseen(tower, histories, 6)
    items = ranking.items[ranking.offsets[:-1] + np.array([0, 2, 5])]
    pairs = Pairs(np.arange(3, dtype=np.int32), items)
    game = margin_game(tower, histories, pairs, 5)
    asked = Pairs(pairs.rows, np.arange(3, dtype=np.int32))
    found = everybody_values(game, histories, asked)
    for pair, place in enumerate((0, 2, 5)):
        scores = ranking.scores[ranking.of(pair)]
        expected = scores[place] - np.delete(scores, place).mean()
        np.testing.assert_allclose(found[pair], expected, rtol=1e-4, atol=1e-4)


def test_scores_of_events_alone_are_held_against_the_same(
    tower: TwoTower, shop: Dataset, ranker: DeepRanker
) -> None:
    histories = shop.histories(np.array([3, 4]))
    for recommender in (tower, ranker):
        pairs = best_unseen(recommender, histories)[1]
        asked = Pairs(pairs.rows, np.arange(2, dtype=np.int32))
        of_all, of_events = (
            everybody_values(margin_game(each, histories, pairs, 3), histories, asked)
            for each in (recommender, event_game(recommender))
        )
        np.testing.assert_allclose(of_all, of_events, atol=1e-4)


def test_the_explainer_is_fitted_to_the_scores_and_only_once(
    tower: TwoTower, shop: Dataset, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = NetworkConfig(max_steps=2, confidence_pairs=0)
    expected = config.fit(tower, shop, progress=False).explain(*asked)
    once = FittedOnce(explainer=config)
    first = once.fit(tower, shop, progress=False).explain(*asked)
    monkeypatch.setattr(NetworkConfig, "fit", lambda *_, **__: pytest.fail("fitted again"))
    again = once.fit(tower, shop, progress=False).explain(*asked)
    for found in (first, again):
        np.testing.assert_array_equal(found.contributions, expected.contributions)
    assert MarginsConfig(explainer=once).fit(tower, shop).explain(*asked).tier == "network"
    assert repr(once) == repr(FittedOnce(explainer=config))


def test_margins_agree_with_their_shapley_values(tower: TwoTower, shop: Dataset) -> None:
    asked = best_unseen(tower, shop.histories(np.array([3, 4, 9])))
    truth, path = (
        MarginsConfig(explainer=each, n_rivals=4).fit(tower, shop).explain(*asked)
        for each in (ShapleyConfig(exact_players=20), GradientPathConfig(n_points=16))
    )
    assert np.corrcoef(truth.contributions, path.contributions)[0, 1] > 0.95


def test_no_rivals_are_refused() -> None:
    with pytest.raises(ArgumentError, match="n_rivals must be at least 1, not 0"):
        MarginsConfig(n_rivals=0)
