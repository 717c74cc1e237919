"""The main call, step by step: ids, histories, ranked items, attributions, reasons."""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.errors import ArgumentError, UnknownUserError
from whyrec.explain import Attributions
from whyrec.explain.margin import Rivals, margin_over
from whyrec.models import TwoStageRecommender
from whyrec.ranking import Candidates, ItemIndex, Ranking
from whyrec.reasons.answers import recommendations_of
from whyrec.reasons.breakdown import Breakdown, build_reasons
from whyrec.reasons.recommendation import Recommendations
from whyrec.saved import Fitted
from whyrec.types import Float32Array, Int32Array

_USERS_AT_ONCE = 1_024
"""Users whose attributions are held in memory together."""


class Pipeline:
    """What each verb of the SDK is composed of."""

    def __init__(self, fitted: Fitted) -> None:
        self._fitted, self._dataset, self._model = fitted, fitted.dataset, fitted.model
        self._index = ItemIndex(self._model.item_vectors(), self._model.item_biases())

    def look_up(self, ids: Iterable[Hashable]) -> tuple[list[Hashable], Histories]:
        """Turn ids into histories.

        Raises:
            UnknownUserError: an id is unknown.
        """
        users = self._dataset.users
        try:
            indices = users.indices_of(ids)
        except UnknownUserError as error:
            raise UnknownUserError(
                f"{error}; a visitor without an id is answered by "
                "recommend_for(history=…, attributes=…)"
            ) from None
        return [users[index] for index in indices.tolist()], self._dataset.histories(indices)

    def rank(
        self,
        histories: Histories,
        k: int,
        exclude: Iterable[Hashable],
        only: Iterable[Hashable] | None,
        include_seen: bool,
    ) -> Ranking:
        """Turn histories into query vectors, and these into ranked items."""
        items = self._dataset.items
        excluded = Candidates.shared(items.indices_of(exclude))
        if not include_seen:
            excluded = Candidates(histories.items, histories.offsets).union(excluded)
        allowed = None if only is None else Candidates.shared(items.indices_of(only))
        return self._top_k(histories, k, excluded, allowed)

    def _top_k(
        self, histories: Histories, k: int, excluded: Candidates, only: Candidates | None = None
    ) -> Ranking:
        """Rank by the vectors, and where there are two stages, the best of these by the second.

        The second stage ranks at least k items, so that no other score is among its own.
        """
        model, queries = self._model, self._model.query_vectors(histories)
        if k < 1 or not isinstance(model, TwoStageRecommender):
            return self._index.top_k(queries, k, excluded=excluded, only=only)
        found = self._index.top_k(queries, max(k, model.n_ranked), excluded=excluded, only=only)
        return found.reordered(model.pair_scores(histories, found.pairs(), queries), k)

    def _scores(self, histories: Histories, pairs: Pairs) -> Float32Array:
        """Return float32 [n_pairs], to the bits that `_top_k` gives."""
        if isinstance(self._model, TwoStageRecommender):
            return self._model.pair_scores(histories, pairs)
        return self._index.scores(self._model.query_vectors(histories), pairs)

    def score(self, histories: Histories, item: int) -> Ranking:
        """Score one item for a batch of one history, as a ranking of its own."""
        pairs = Pairs(np.zeros(1, np.int32), np.array([item], np.int32))
        scores = self._scores(histories, pairs)
        return Ranking(np.array([0, 1], np.int64), pairs.items, scores)

    def attribute(
        self, histories: Histories, ranking: Ranking
    ) -> Iterator[tuple[Histories, Attributions]]:
        """Turn ranked items into attributions, some users at a time."""
        for start in range(0, len(ranking), _USERS_AT_ONCE):
            rows = np.arange(start, min(start + _USERS_AT_ONCE, len(ranking)))
            part, some = histories.take(rows), ranking.take(rows)
            scores = some.scores.astype(np.float64)
            yield part, self._fitted.explainer.explain(part, some.pairs(), scores)

    def break_down(
        self, histories: Histories, ranking: Ranking, max_reasons: int | None, group_by: str | None
    ) -> list[Breakdown]:
        """Turn attributions into reasons."""
        return [
            breakdown
            for part, attributions in self.attribute(histories, ranking)
            for breakdown in build_reasons(
                self._dataset, part, attributions, max_reasons=max_reasons, group_by=group_by
            )
        ]

    def others(
        self, histories: Histories, item: int, against: Iterable[Hashable] | int
    ) -> Int32Array:
        """Return int32 [n_others]: the items that one is held against, for the one history.

        Raises:
            ArgumentError: there is none, or the item itself is among them.
        """
        if isinstance(against, int):
            if against < 1:
                raise ArgumentError(f"against must be at least 1, not {against}")
            excluded = Candidates(histories.items, histories.offsets).union(
                Candidates.shared(np.array([item]))
            )
            others = self._top_k(histories, against, excluded).items
        else:
            if isinstance(against, str | bytes):
                raise ArgumentError(f"against must be a list of ids or a number, not {against!r}")
            others = self._dataset.items.indices_of(dict.fromkeys(against)).astype(np.int32)
        if not len(others):
            raise ArgumentError("against: there is no other item to hold this one against")
        if item in others:
            raise ArgumentError(
                f"against: {self._dataset.items[item]!r} cannot be held against itself"
            )
        return others

    def break_down_margin(
        self,
        histories: Histories,
        item: int,
        others: Int32Array,
        max_reasons: int | None,
        group_by: str | None,
    ) -> Breakdown:
        """Turn how far an item scores above the mean of others into reasons, for one history."""
        fitted, items = self._fitted, np.append(item, others).astype(np.int32)
        scores = self._scores(histories, Pairs(np.zeros(len(items), np.int32), items))
        margin = scores[:1].astype(np.float64) - scores[1:].astype(np.float64).mean()
        rivals = Rivals(np.array([0, len(others)], np.int64), others)
        game = margin_over(self._model, items[:1], rivals)
        explainer = fitted.explainer_config.restore(game, fitted.explainer.arrays())
        first = Pairs(np.zeros(1, np.int32), np.zeros(1, np.int32))
        found = replace(
            explainer.explain(histories, first, margin),
            pairs=Pairs(first.rows, items[:1]),
            confidences=None,  # learned from scores, not from margins
        )
        (breakdown,) = build_reasons(
            self._dataset, histories, found, max_reasons=max_reasons, group_by=group_by
        )
        return breakdown

    def answer(
        self,
        ids: Sequence[Hashable | None],
        histories: Histories,
        ranking: Ranking,
        k: int,
        breakdowns: list[Breakdown] | None = None,
    ) -> list[Recommendations]:
        """Turn indices into ids, and all of it into answers."""
        return recommendations_of(
            self._dataset,
            ids,
            histories,
            ranking.offsets,
            ranking.items,
            ranking.scores,
            k=k,
            breakdowns=breakdowns,
        )
