"""What is explained: the best item of each user that is not in the history yet."""

import numpy as np

from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.models.recommender import Recommender, TwoStageRecommender
from whyrec.ranking import Candidates, Filters, ItemIndex, Ranking, retrieve
from whyrec.types import Float64Array


def best_unseen(
    recommender: Recommender, histories: Histories
) -> tuple[Histories, Pairs, Float64Array]:
    """Return histories, one pair each with its best unseen item, and the scores: as explainers ask.

    A history that has the whole catalog gets no pair.
    """
    ranking = top_unseen(recommender, histories, 1)
    return histories, ranking.pairs(), ranking.scores.astype(np.float64)


def top_unseen(recommender: Recommender, histories: Histories, k: int) -> Ranking:
    """Rank the best items of each row that are not in its history, as an answer of the SDK does."""
    index = ItemIndex(recommender.item_vectors(), recommender.item_biases())
    filters = Filters(Candidates(histories.items, histories.offsets))
    queries = recommender.query_vectors(histories)
    if not isinstance(recommender, TwoStageRecommender):
        return filters.top_k(index, queries, k)
    found = retrieve(index, recommender, histories, queries, k, filters)
    return found.reordered(recommender.pair_scores(histories, found.pairs(), queries), k)
