"""What ten explanations cost beside the answer that they explain."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from bench.faithfulness.data import Parts

from whyrec.explain import Explainer, Players
from whyrec.models.recommender import Recommender
from whyrec.ranking import Candidates, ItemIndex, Ranking

N_ITEMS, N_PLAYERS = 10, 100
N_ROUNDS = 200


@dataclass(frozen=True, slots=True)
class Cost:
    """Medians of processor time, for one user and ten items."""

    n_players: float
    """The mean over the items."""

    ranking_ms: float
    """Of the ten best of the whole catalog, without reasons."""

    explaining_ms: float
    """Of attributing their scores."""


def cost(recommender: Recommender, explainer: Explainer, parts: Parts) -> Cost:
    """Ask for the test user whose ten best items have about a hundred players each."""
    index = ItemIndex(recommender.item_vectors(), recommender.item_biases())
    histories = parts.whole.histories(parts.test_users)

    def rank(row: int) -> Ranking:
        one = histories.take(np.array([row]))
        seen = Candidates(one.items, one.offsets)
        return index.top_k(recommender.query_vectors(one), N_ITEMS, excluded=seen)

    def n_players(row: int) -> float:
        one = histories.take(np.array([row]))
        return float(Players.of(one, recommender.item_features, rank(row).pairs()).counts().mean())

    row = min(range(len(histories)), key=lambda each: abs(n_players(each) - N_PLAYERS))
    one, ranking = histories.take(np.array([row])), rank(row)
    pairs, scores = ranking.pairs(), ranking.scores.astype(np.float64)
    return Cost(
        n_players(row),
        _median_ms(lambda: rank(row)),
        _median_ms(lambda: explainer.explain(one, pairs, scores)),
    )


def _median_ms(call: Callable[[], object]) -> float:
    call()
    found = []
    for _ in range(N_ROUNDS):
        started = time.process_time()
        call()
        found.append(time.process_time() - started)
    return float(np.median(found)) * 1e3
