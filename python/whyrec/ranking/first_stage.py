"""The first of two stages: what the vectors find, and further items that the wide part finds."""

import numpy as np

from whyrec._native import Strength, strongest
from whyrec.data.interactions import Histories
from whyrec.data.rows import offsets_of
from whyrec.models.recommender import TwoStageRecommender, WideRecommender
from whyrec.ranking.candidates import Candidates
from whyrec.ranking.filters import Filters
from whyrec.ranking.index import ItemIndex
from whyrec.ranking.ranking import Ranking
from whyrec.types import Float32Array

_CELLS = 4_000_000
"""Wide scores that are held at once."""


def retrieve(
    index: ItemIndex,
    model: TwoStageRecommender,
    histories: Histories,
    queries: Float32Array,
    k: int,
    filters: Filters,
) -> Ranking:
    """Return the items that the second stage ranks, at least k of each row if there are so many.

    Half of `n_ranked` are the best by the vectors; the others are, of the items left, the best that
    the wide part speaks for. Without a wide part all are those of the vectors.

    Args:
        index: of the model's vectors.
        model: of two stages.
        histories: one row a query.
        queries: float32 [n_rows, dimension].
        k: how many items will be asked for.
        filters: which items may be in an answer, those of each one's history told with the others.

    Returns:
        The items of each row, those of the vectors first, with the scores by which they were found.
    """
    if not isinstance(model, WideRecommender):
        return filters.top_k(index, queries, max(k, model.n_ranked))
    items = model.wide_items
    n_further = min(model.n_ranked // 2, len(items))
    found = filters.top_k(index, queries, max(k, model.n_ranked - n_further))
    if not n_further:
        return found
    taken = filters.gone.union(Candidates(found.items, found.offsets))
    pairs = found.pairs()
    parts = [(pairs.rows, pairs.items, found.scores)]
    rows_at_once = max(1, _CELLS // len(items))
    for start in range(0, len(histories), rows_at_once):
        rows = np.arange(start, min(start + rows_at_once, len(histories)))
        scores = model.wide_scores(histories.take(rows))
        scores[taken.among(items, rows)] = 0
        if filters.only is not None:
            scores[~filters.only.among(items, rows)] = 0
        if filters.mask is not None:
            scores[:, ~filters.mask[items]] = 0
        cells, each = scores.ravel(), np.arange(len(rows) + 1) * len(items)
        _, best = strongest(each, cells.astype(np.float64), n_further, Strength.POSITIVE)
        parts.append(
            (rows[best // len(items)].astype(np.int32), items[best % len(items)], cells[best])
        )
    of_rows, all_items, scores = map(np.concatenate, zip(*parts, strict=True))
    order = np.argsort(of_rows, kind="stable")
    offsets = offsets_of(np.bincount(of_rows, minlength=len(histories)))
    return Ranking(offsets, all_items[order], scores[order])
