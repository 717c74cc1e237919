"""The outcomes of any recommender: it ranks the whole catalog for each history that is left."""

from enum import StrEnum

import numpy as np
import scipy.special

from whyrec import _native
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.data.rows import gather_rows, offsets_of
from whyrec.errors import ArgumentError
from whyrec.models.recommender import Recommender, TwoStageRecommender, WideRecommender
from whyrec.types import BoolArray, Float32Array, Float64Array, Int32Array, Int64Array

_SCORES_AT_ONCE, _QUERIES_AT_ONCE = 1 << 21, 1 << 11
"""Scores that are held at once, sorted, and histories that are left; whichever are fewer."""


class Probability(StrEnum):
    """What makes a probability of scores."""

    SOFTMAX = "softmax"
    """The share of the item's exp(score) among all items that are not in the full history."""

    SIGMOID = "sigmoid"
    """1 / (1 + exp(−score)), whatever the other items score."""


class RecommenderOutcomes:
    """Answers as `Outcomes` does, for pairs of a history and an item that is not in it.

    Ranks count the items that are not in the full history, so that one whose event is left out does
    not come back as a competitor; equal scores go by item index. Scores are those of the ranking,
    so the best unseen item has rank 1, and no answer depends on what else is asked. Of two stages,
    what the second does not rank follows, in the order and with the scores of the first. A wide
    part finds what the second ranks too.
    """

    def __init__(
        self,
        recommender: Recommender,
        histories: Histories,
        pairs: Pairs,
        *,
        probability: Probability = Probability.SOFTMAX,
    ) -> None:
        """Take the vectors of the catalog once.

        Args:
            recommender: what scores.
            histories: the full histories.
            pairs: rows of histories, each with the item that is explained.
            probability: how scores become probabilities.

        Raises:
            ArgumentError: an item is in the history that it is explained for, or its row or the
                item do not exist, or the vectors of the catalog are not finite.
        """
        if probability not in tuple(Probability):
            known = ", ".join(f'"{each}"' for each in Probability)
            raise ArgumentError(f"probability must be one of {known}, not {probability!r}")
        vectors, biases = recommender.item_vectors(), recommender.item_biases()
        _check(histories, pairs, len(vectors))
        self._recommender, self._histories, self._pairs = recommender, histories, pairs
        self._probability = probability
        self._index = _native.ItemIndex(vectors, biases)

    @property
    def offsets(self) -> Int64Array:
        """int64 [n_pairs + 1]: the events of pair p are those from offsets[p] to offsets[p + 1]."""
        return offsets_of(self._histories.counts()[self._pairs.rows])

    def __call__(self, pairs: Int64Array, kept: BoolArray) -> tuple[Int64Array, Float64Array]:
        """Return ranks and probabilities, int64 and float64 [n_asked]; see `Outcomes`.

        Raises:
            ArgumentError: kept is of another length than the events of the pairs, or a query
                vector is not finite; the message names the pair.
        """
        counts = self._histories.counts()[self._pairs.rows[pairs]]
        offsets = offsets_of(counts)
        if kept.shape != (offsets[-1],):
            raise ArgumentError(f"kept: expected bool [{offsets[-1]}], got shape {kept.shape}")
        ranks, probabilities = np.empty(len(pairs), np.int64), np.empty(len(pairs))
        at_once = min(max(1, _SCORES_AT_ONCE // self._index.n_items), _QUERIES_AT_ONCE)
        for start in range(0, len(pairs), at_once):
            part = slice(start, start + at_once)
            events = kept[offsets[start] : offsets[min(start + at_once, len(pairs))]]
            ranks[part], probabilities[part] = self._answer(pairs[part], events)
        return ranks, probabilities

    def _answer(self, pairs: Int64Array, kept: BoolArray) -> tuple[Int64Array, Float64Array]:
        full = self._histories.take(self._pairs.rows[pairs].astype(np.int64))
        explained = self._pairs.items[pairs]
        left = full.only_events(kept)
        queries = self._recommender.query_vectors(left)
        self._check_finite(pairs, queries)
        # All unseen items of every history, best first.
        offsets, items, scores = _native.top_k(
            self._index,
            queries,
            self._index.n_items,
            excluded_offsets=full.offsets,
            excluded_items=full.items,
        )
        if isinstance(self._recommender, TwoStageRecommender):
            items, scores = _ranked_again(
                self._recommender, left, queries, (offsets, items, scores)
            )
        counts = np.diff(offsets)
        places = np.flatnonzero(items == np.repeat(explained, counts))
        best, score = scores[offsets[:-1]].astype(np.float64), scores[places].astype(np.float64)
        if self._probability == Probability.SIGMOID:
            probabilities = scipy.special.expit(score)
        else:
            sums = np.add.reduceat(np.exp(scores - np.repeat(best, counts)), offsets[:-1])
            probabilities = np.exp(score - best) / sums
        return places - offsets[:-1] + 1, probabilities

    def _check_finite(self, pairs: Int64Array, queries: Float32Array) -> None:
        wrong = pairs[~np.isfinite(queries).all(axis=1)]
        if wrong.size:
            raise ArgumentError(
                f"the recommender's query vector is not finite for pair {wrong[0]}, row "
                f"{self._pairs.rows[wrong[0]]} and item {self._pairs.items[wrong[0]]}"
            )


def _ranked_again(
    recommender: TwoStageRecommender,
    histories: Histories,
    queries: Float32Array,
    retrieved: tuple[Int64Array, Int32Array, Float32Array],
) -> tuple[Int32Array, Float32Array]:
    """Return items and scores with the best of each history as the second stage ranks them."""
    offsets, items, scores = retrieved
    rows = np.repeat(np.arange(len(histories), dtype=np.int32), np.diff(offsets))
    is_ranked = _is_ranked(recommender, histories, offsets, rows, items)
    pairs, scores = Pairs(rows[is_ranked], items[is_ranked]), scores.copy()
    scores[is_ranked] = recommender.pair_scores(histories, pairs, queries)
    order = np.lexsort((items, -scores, ~is_ranked, rows))
    return items[order], scores[order]


def _is_ranked(
    recommender: TwoStageRecommender,
    histories: Histories,
    offsets: Int64Array,
    rows: Int32Array,
    items: Int32Array,
) -> BoolArray:
    """Tell which items the second stage ranks: the best by the vectors, and by a wide part if any.

    As an answer finds them: a wide part names half, as far as it speaks for so many.
    """
    place = np.arange(len(items)) - offsets[rows]
    if not isinstance(recommender, WideRecommender):
        return place < recommender.n_ranked
    n_further = min(recommender.n_ranked // 2, len(recommender.wide_items))
    is_ranked: BoolArray = place < recommender.n_ranked - n_further
    if n_further:
        wide = np.zeros((len(histories), len(recommender.item_features)), np.float32)
        wide[:, recommender.wide_items] = recommender.wide_scores(histories)
        spoken_for = np.flatnonzero(~is_ranked & (wide[rows, items] > 0))
        of, which = rows[spoken_for], items[spoken_for]
        order = np.lexsort((which, -wide[of, which], of))
        counts = np.bincount(of, minlength=len(histories))
        is_first = np.arange(len(order)) - np.repeat(offsets_of(counts)[:-1], counts) < n_further
        is_ranked[spoken_for[order[is_first]]] = True
    return is_ranked


def _check(histories: Histories, pairs: Pairs, n_items: int) -> None:
    for name, values, end in (("row", pairs.rows, len(histories)), ("item", pairs.items, n_items)):
        wrong = np.flatnonzero((values < 0) | (values >= end))
        if wrong.size:
            raise ArgumentError(f"pair {wrong[0]}: there is no {name} {values[wrong[0]]}")
    offsets, events = gather_rows(histories.offsets, pairs.rows)
    seen = histories.items[events] == np.repeat(pairs.items, np.diff(offsets))
    if seen.any():
        pair = np.searchsorted(offsets, np.flatnonzero(seen)[0], side="right") - 1
        raise ArgumentError(
            f"pair {pair}: item {pairs.items[pair]} is in the history of row {pairs.rows[pair]}; "
            "removal explains items that are not"
        )
