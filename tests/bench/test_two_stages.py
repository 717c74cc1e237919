"""A ranker is explained by the score that ranks, whoever stands between it and a method."""

import numpy as np
from bench.faithfulness.asked import best_unseen, top_unseen
from bench.faithfulness.counting import counting
from bench.faithfulness.event_game import event_game
from bench.faithfulness.methods.leave_one_out import LeaveOneOutConfig, Output
from bench.faithfulness.methods.strongest import best_items

from whyrec.data.dataset import Dataset
from whyrec.evaluate.faithfulness import RecommenderOutcomes
from whyrec.explain import GradientPathConfig
from whyrec.models import DeepRanker, DeepRankerConfig, TwoStageRecommender, TwoTower
from whyrec.models.recommender import LinearRecommender, WideRecommender
from whyrec.ranking_steps import RankingSteps
from whyrec.saved import Fitted


def test_what_counts_and_what_plays_with_events_can_do_what_is_asked(
    ranker: DeepRanker, tower: TwoTower
) -> None:
    for wrapped in (counting(ranker), event_game(ranker), counting(event_game(ranker))):
        assert isinstance(wrapped, WideRecommender)
        assert not isinstance(wrapped, LinearRecommender)
        assert wrapped.n_ranked == ranker.n_ranked
        np.testing.assert_array_equal(wrapped.wide_items, ranker.wide_items)
    for wrapped in (counting(tower), event_game(tower), counting(event_game(tower))):
        assert isinstance(wrapped, LinearRecommender)
        assert not isinstance(wrapped, TwoStageRecommender)


def test_the_best_items_are_those_of_the_second_stage(ranker: DeepRanker, shop: Dataset) -> None:
    histories = shop.histories(np.arange(shop.n_users))
    counted = counting(ranker)
    pairs, scores = best_unseen(counted, histories)[1:]
    assert counted.n_coalitions == len(histories) * (1 + ranker.n_ranked)
    np.testing.assert_array_equal(scores.astype(np.float32), ranker.pair_scores(histories, pairs))
    outcomes = RecommenderOutcomes(ranker, histories, pairs)
    everything = np.ones(outcomes.offsets[-1], bool)
    assert (outcomes(np.arange(len(pairs)), everything)[0] == 1).all()
    ranking = top_unseen(ranker, histories, 3)
    np.testing.assert_array_equal(best_items(ranker, histories, 3)[0].ravel(), ranking.items)


def test_what_is_explained_is_what_the_sdk_would_answer(
    wide_ranker: DeepRanker, ranker: DeepRanker, ranker_config: DeepRankerConfig, shop: Dataset
) -> None:
    explainer = GradientPathConfig()
    path = explainer.fit(wide_ranker, shop, progress=False)
    steps = RankingSteps(Fitted(shop, ranker_config, wide_ranker, explainer, path))
    histories, users = shop.histories(np.arange(shop.n_users)), np.arange(shop.n_users)
    answer = steps.rank(steps.users(users), 4)
    for asked in (wide_ranker, counting(event_game(wide_ranker))):
        found = top_unseen(asked, histories, 4)
        np.testing.assert_array_equal(found.offsets, answer.offsets)
        np.testing.assert_array_equal(found.items, answer.items)
        np.testing.assert_array_equal(found.scores, answer.scores)
    # The wide part finds some that the vectors by themselves would not have ranked.
    assert (found.items != top_unseen(ranker, histories, 4).items).any()
    pairs = best_unseen(wide_ranker, histories)[1]
    outcomes = RecommenderOutcomes(wide_ranker, histories, pairs)
    everything = np.ones(outcomes.offsets[-1], bool)
    assert (outcomes(np.arange(len(pairs)), everything)[0] == 1).all()


def test_leave_one_out_of_the_probability_is_that_of_what_is_ranked(
    ranker: DeepRanker, shop: Dataset
) -> None:
    histories = shop.histories(np.array([3, 4]))
    asked = best_unseen(ranker, histories)
    found = LeaveOneOutConfig(of=Output.PROBABILITY).fit(ranker, shop).explain(*asked)
    outcomes = RecommenderOutcomes(ranker, *asked[:2])
    for pair in range(2):
        n_events = int(histories.counts()[pair])
        kept = np.concatenate([np.ones((1, n_events), bool), ~np.eye(n_events, dtype=bool)])
        _, probabilities = outcomes(np.full(n_events + 1, pair), kept.ravel())
        lost = np.log(probabilities[0]) - np.log(probabilities[1:])
        mine = found.contributions[found.of(pair)][:n_events]
        np.testing.assert_allclose(mine, lost, rtol=1e-3, atol=1e-4)
