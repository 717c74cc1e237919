"""Items that are explained to learn from: those that are shown, drawn by chance."""

import numpy as np

from whyrec import _native
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.models.recommender import Recommender, TwoStageRecommender
from whyrec.types import Float64Array


def draw_best(
    recommender: Recommender,
    index: _native.ItemIndex,
    histories: Histories,
    n_best: int,
    random: np.random.Generator,
) -> tuple[Pairs, Float64Array]:
    """Draw one of the best unseen items of each row, and return it with its score, in logits.

    Whoever has the whole catalog in the history gets none.

    Args:
        recommender: what scores.
        index: of its item vectors and biases.
        histories: what is scored for.
        n_best: among how many items of a row one is drawn.
        random: the source of chance.
    """
    queries = recommender.query_vectors(histories)
    offsets, items, scores = _native.top_k(
        index,
        queries,
        n_best,
        excluded_offsets=histories.offsets,
        excluded_items=histories.items,
    )
    counts = np.diff(offsets)
    rows = np.flatnonzero(counts > 0)
    places = offsets[rows] + random.integers(counts[rows])
    pairs, scores = Pairs(rows.astype(np.int32), items[places]), scores[places]
    if isinstance(recommender, TwoStageRecommender):
        scores = recommender.pair_scores(histories, pairs, queries)
    return pairs, scores.astype(np.float64)
