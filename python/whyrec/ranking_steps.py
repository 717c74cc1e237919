"""The main call as far as it ranks: ids, histories, query vectors, ranked items."""

import copy
from collections.abc import Hashable, Iterable
from dataclasses import replace
from functools import lru_cache
from typing import Self

import numpy as np

from whyrec.askers import Askers
from whyrec.data.dataset import Dataset
from whyrec.data.vocabulary import as_ids
from whyrec.errors import ArgumentError, ScoreError, UnknownUserError
from whyrec.feedback import Store
from whyrec.feedback.controls import Weights
from whyrec.feedback.memory import Memory
from whyrec.home import Home
from whyrec.models import TwoStageRecommender
from whyrec.ranking import Candidates, Filters, Ranking, Rules, retrieve
from whyrec.ranking.rule_book import Boosts, Ranked, RuleBook
from whyrec.ranking.rules import demand_whole
from whyrec.saved import Fitted
from whyrec.types import Float32Array, Int32Array, Int64Array
from whyrec.weighed import Scoring, can_weigh

_KEPT = 64
"""Wishes of users for which what scores is kept ready."""


class RankingSteps:
    """What each verb of the SDK that ranks is composed of."""

    def __init__(self, fitted: Fitted) -> None:
        self._home = Home()
        self._serve(Scoring.of(fitted))

    def _serve(self, scoring: Scoring) -> None:
        self._fitted, self._dataset = scoring.fitted, scoring.fitted.dataset
        # What many users want alike is made once.
        self._weighed = lru_cache(_KEPT)(scoring.weighed)
        self.memory = Memory(self._dataset, fractions=can_weigh(self._fitted))
        self.rule_book = RuleBook(self._dataset, self._fitted.model, scoring.index)

    def fitted_on(self, dataset: Dataset) -> Self:
        """Return the same over other users: what scores knows none of them by name."""
        other = copy.copy(self)
        other._serve(self._weighed(Weights()).fitted_on(dataset))
        return other

    def look_up(self, ids: Iterable[Hashable], store: Store | None = None) -> Askers:
        """Turn ids into histories, those of the data set with what a store has recorded since.

        Raises:
            UnknownUserError: an id is unknown.
            StoreError: the store cannot be read.
        """
        try:
            if store is not None:
                return Askers.of(self.memory.recall(as_ids(ids), store))
            return self.users(self._dataset.users.indices_of(ids))
        except UnknownUserError as error:
            raise UnknownUserError(
                f"{error}; a visitor without an id is answered by "
                "recommend_for(history=…, attributes=…)"
            ) from None

    def users(self, indices: Int64Array) -> Askers:
        """Return users by their indices, int64 [n_users]."""
        known = self._dataset.users
        ids = [known[index] for index in indices.tolist()]
        return Askers(ids, self._dataset.histories(indices))

    def rank(self, askers: Askers, k: int, filters: Filters | None = None) -> Ranking:
        """Turn histories into query vectors, and these into ranked items.

        Raises:
            ScoreError: a query vector is not finite, and so no score is.
        """
        return self._top_k(askers, k, filters or self.rule_book.filters())

    def _top_k(
        self, askers: Askers, k: int, filters: Filters, boosts: Boosts | None = None
    ) -> Ranking:
        """Rank for each of those who ask by what they want to count."""
        excluded = askers.without(filters.gone, filters.include_seen)
        return Ranking.stacked(
            [
                self._best(
                    self._weighed(weights),
                    askers.take(rows),
                    k,
                    replace(filters, gone=excluded.take(rows)),
                    boosts,
                )
                for rows, weights in askers.alike()
            ]
        )

    def _best(
        self, scoring: Scoring, askers: Askers, k: int, filters: Filters, boosts: Boosts | None
    ) -> Ranking:
        """Rank by the vectors, and where there are two stages, what is retrieved by the second.

        The second stage ranks at least k items, so that no other score is among its own.
        """
        model, queries = scoring.fitted.model, self._queries(scoring, askers)
        index = scoring.index if boosts is None else scoring.boosted(boosts)
        if k < 1 or not isinstance(model, TwoStageRecommender):
            return filters.top_k(index, queries, k)
        found = retrieve(index, model, askers.histories, queries, k, filters)
        scores = self._scored(scoring, askers, found, queries)
        return found.reordered(scores if boosts is None else scores + boosts.values[found.items], k)

    def _scores(self, askers: Askers, ranking: Ranking) -> Float32Array:
        """Return float32 [n_ranked]: what the model scores, whatever has ranked."""
        parts = []
        for rows, weights in askers.alike():
            scoring, part = self._weighed(weights), askers.take(rows)
            queries = self._queries(scoring, part)
            parts.append(self._scored(scoring, part, ranking.take(rows), queries))
        return np.concatenate(parts)

    def _scored(
        self, scoring: Scoring, askers: Askers, ranking: Ranking, queries: Float32Array
    ) -> Float32Array:
        model, pairs = scoring.fitted.model, ranking.pairs()
        if not isinstance(model, TwoStageRecommender):
            return scoring.index.scores(queries, pairs)
        with askers.naming(self._dataset.items, ranking, pairs):
            return model.pair_scores(askers.histories, pairs, queries)

    def rank_with_rivals(
        self,
        askers: Askers,
        k: int,
        against: int | None,
        filters: Filters,
        rules: Rules | None = None,
    ) -> Ranked:
        """Rank, by rules where there are any, and give the next best to hold the answer against.

        Raises:
            UnknownItemError: a rule names an item that is not in the catalog.
            ArgumentError: k or against is below 1, a rule names no field of its kind, or nothing is
                left to hold an answer against.
        """
        if against is not None or rules is not None:
            demand_whole("k", k)
        if against is not None:
            demand_whole("against", against)
        if rules is None:
            ranking = self._top_k(askers, k + (against or 0), filters)
            sources = [self.rule_book.own] * len(ranking.items)
        else:
            ranking, sources = self.rule_book.answer(
                rules,
                k,
                len(askers),
                filters,
                lambda rows, *asked: self._top_k(askers.take(rows), *asked),
                lambda found: self._scores(askers, found),
            )
        if against is None:
            return Ranked(ranking, sources)
        if rules is None:
            ranking, rivals = ranking.parted(k)
        else:
            gone = askers.without(filters.gone, filters.include_seen)
            rivals = self._top_k(askers, against, filters.without(gone, ranking))
        return Ranked.beside(ranking, sources[: len(ranking.items)], rivals, askers.ids)

    def score(self, askers: Askers, items: Int32Array) -> Ranking:
        """Score some items for the one who asks, as a ranking in their own order.

        Raises:
            ScoreError: the query vector is not finite, and so no score is.
        """
        asked = Ranking(np.array([0, len(items)]), items, np.zeros(len(items), np.float32))
        return replace(asked, scores=self._scores(askers, asked))

    def _queries(self, scoring: Scoring, askers: Askers) -> Float32Array:
        self._home.check()
        queries = scoring.fitted.model.query_vectors(askers.histories)
        bad = np.flatnonzero(~np.isfinite(queries).all(axis=1))
        if len(bad):
            row = int(bad[0])
            ids = (askers.ids[row], self._dataset.items[0])
            raise ScoreError(row, 0, "not finite, and so is that of any other item", ids)
        return queries

    def others(self, askers: Askers, item: int, against: Iterable[Hashable] | int) -> Ranking:
        """Return what one item is held against, for the one who asks.

        Raises:
            ArgumentError: there is none, or the item itself is among them.
        """
        if isinstance(against, int):
            if against < 1:
                raise ArgumentError(f"against must be at least 1, not {against}")
            others = self._top_k(askers, against, Filters(Candidates.shared([item])))
        else:
            if isinstance(against, str | bytes):
                raise ArgumentError(f"against must be a list of ids or a number, not {against!r}")
            indices = self._dataset.items.indices_of(dict.fromkeys(against))
            others = self.score(askers, indices.astype(np.int32))
        if not len(others.items):
            raise ArgumentError("against: there is no other item to hold this one against")
        if item in others.items:
            raise ArgumentError(
                f"against: {self._dataset.items[item]!r} cannot be held against itself"
            )
        return others
