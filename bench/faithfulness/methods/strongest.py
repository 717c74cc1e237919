"""The items that an explained item competes with most: those that score best beside it."""

import numpy as np
from bench.faithfulness.asked import top_unseen

from whyrec.data.interactions import Histories
from whyrec.models.recommender import Recommender
from whyrec.types import BoolArray, Int32Array, Int64Array


def best_items(
    recommender: Recommender, histories: Histories, n_best: int
) -> tuple[Int64Array, BoolArray]:
    """Return the best items of each row that are not in its history, best first.

    Returns:
        int64 [n_rows, n], n being n_best, or the whole catalog where that is less.
        bool [n_rows, n]: whether it is one. Where the catalog has no more of them, items of the
            history fill the row up.
    """
    n_items = len(recommender.item_features)
    ranking = top_unseen(recommender, histories, n_best)
    place = np.arange(min(n_best, n_items))
    counts = np.diff(ranking.offsets)[:, None]
    is_unseen = place < counts
    best = np.zeros(is_unseen.shape, np.int64)
    best[is_unseen] = ranking.items
    for row in np.flatnonzero(~is_unseen.all(axis=1)).tolist():
        seen = np.setdiff1d(np.arange(n_items), best[row, is_unseen[row]])
        best[row, ~is_unseen[row]] = seen[: (~is_unseen[row]).sum()]
    return best, is_unseen


def competing_items(
    recommender: Recommender, histories: Histories, items: Int32Array, n_strongest: int
) -> tuple[Int64Array, BoolArray]:
    """Return one item of each row, and then the others that score best, as `best_items` does.

    Args:
        recommender: what scores.
        histories: one row an item.
        items: int32 [n_rows]; each competes, though it may be in the history.
        n_strongest: how many others there are, or the whole catalog where that is less.
    """
    best, is_unseen = best_items(recommender, histories, n_strongest + 1)
    # The item itself goes last, or whatever is one too many.
    others = np.argsort(best == items[:, None], axis=1, kind="stable")[:, :-1]
    competing = np.take_along_axis(best, others, axis=1), np.take_along_axis(is_unseen, others, 1)
    return (
        np.concatenate([items[:, None].astype(np.int64), competing[0]], axis=1),
        np.concatenate([np.ones((len(items), 1), bool), competing[1]], axis=1),
    )
