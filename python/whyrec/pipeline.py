"""The main call, step by step: ids, histories, ranked items, attributions, reasons."""

import os
from collections.abc import Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch

from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.data.interactions import Interactions as Events
from whyrec.data.pairs import Pairs
from whyrec.data.rows import gather_rows
from whyrec.data.wording import count, some
from whyrec.errors import ArgumentError, ForkError, ScoreError, UnknownUserError
from whyrec.evaluate.accuracy import Evaluation, accuracy, beyond_accuracy
from whyrec.explain import Attributions, Explainer, Interactions, PlayerPairs
from whyrec.explain.explainer import interacting
from whyrec.explain.margin import Rivals, margin_over
from whyrec.models import TwoStageRecommender
from whyrec.ranking import Candidates, ItemIndex, Ranking
from whyrec.reasons.answers import recommendations_of
from whyrec.reasons.breakdown import Breakdown, build_reasons
from whyrec.reasons.recommendation import Recommendations
from whyrec.saved import Fitted
from whyrec.types import Float32Array, Float64Array, Int32Array, Int64Array

_USERS_AT_ONCE, _USERS_WITH_RIVALS = 1_024, 128
"""Users whose attributions are held in memory together; the vectors of rivals take more."""


@dataclass(frozen=True, slots=True, eq=False)
class Askers:
    """Who is answered: an id each, None for a visitor, and a history each."""

    ids: Sequence[Hashable | None]
    histories: Histories

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: Int64Array) -> "Askers":
        """Return those asked for, in the order asked for."""
        return Askers([self.ids[row] for row in rows.tolist()], self.histories.take(rows))


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """How reasons are told; see `SDK.recommend_with_reasons`."""

    max_reasons: int | None = None
    group_by: str | None = None
    interactions: bool = False


class Pipeline:
    """What each verb of the SDK is composed of."""

    def __init__(self, fitted: Fitted) -> None:
        self._fitted, self._dataset, self._model = fitted, fitted.dataset, fitted.model
        vectors, biases = self._model.item_vectors(), self._model.item_biases()
        bad = np.flatnonzero(~(np.isfinite(vectors).all(axis=1) & np.isfinite(biases)))
        if len(bad):
            raise ArgumentError(
                f"{type(self._model).__name__}: the vectors or biases of {count(len(bad), 'item')} "
                f"are not finite: {some(self._dataset.items[each] for each in bad.tolist())}"
            )
        self._index = ItemIndex(vectors, biases)
        self._process = os.getpid()

    def look_up(self, ids: Iterable[Hashable]) -> Askers:
        """Turn ids into histories.

        Raises:
            UnknownUserError: an id is unknown.
        """
        try:
            indices = self._dataset.users.indices_of(ids)
        except UnknownUserError as error:
            raise UnknownUserError(
                f"{error}; a visitor without an id is answered by "
                "recommend_for(history=…, attributes=…)"
            ) from None
        return self.users(indices)

    def users(self, indices: Int64Array) -> Askers:
        """Return users by their indices, int64 [n_users]."""
        known = self._dataset.users
        ids = [known[index] for index in indices.tolist()]
        return Askers(ids, self._dataset.histories(indices))

    def rank(
        self,
        askers: Askers,
        k: int,
        exclude: Iterable[Hashable] = (),
        only: Iterable[Hashable] | None = None,
        include_seen: bool = False,
    ) -> Ranking:
        """Turn histories into query vectors, and these into ranked items.

        Raises:
            ScoreError: a query vector is not finite, and so no score is.
        """
        items, histories = self._dataset.items, askers.histories
        excluded = Candidates.shared(items.indices_of(exclude))
        if not include_seen:
            excluded = Candidates(histories.items, histories.offsets).union(excluded)
        allowed = None if only is None else Candidates.shared(items.indices_of(only))
        return self._top_k(askers, k, excluded, allowed)

    def _top_k(
        self, askers: Askers, k: int, excluded: Candidates, only: Candidates | None = None
    ) -> Ranking:
        """Rank by the vectors, and where there are two stages, the best of these by the second.

        The second stage ranks at least k items, so that no other score is among its own.
        """
        model, queries = self._model, self._queries(askers)
        if k < 1 or not isinstance(model, TwoStageRecommender):
            return self._index.top_k(queries, k, excluded=excluded, only=only)
        found = self._index.top_k(queries, max(k, model.n_ranked), excluded=excluded, only=only)
        pairs = found.pairs()
        with self._naming(askers, found, pairs):
            return found.reordered(model.pair_scores(askers.histories, pairs, queries), k)

    def rank_with_rivals(
        self,
        askers: Askers,
        k: int,
        against: int | None,
        exclude: Iterable[Hashable],
        only: Iterable[Hashable] | None,
        include_seen: bool,
    ) -> tuple[Ranking, Ranking | None]:
        """Rank, and give beside the answer the next best, so many as it is held against.

        Raises:
            ArgumentError: k or against is below 1, or nothing is left to hold an answer against.
        """
        if against is None:
            return self.rank(askers, k, exclude, only, include_seen), None
        for name, number in (("k", k), ("against", against)):
            if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < 1:
                raise ArgumentError(f"{name} must be a whole number from 1, not {number!r}")
        ranking = self.rank(askers, k + against, exclude, only, include_seen)
        ranking, rivals = ranking.parted(k)
        alone = np.flatnonzero((np.diff(ranking.offsets) > 0) & (np.diff(rivals.offsets) == 0))
        if len(alone):
            raise ArgumentError(
                f"against: no item is left to hold the answer for {askers.ids[alone[0]]!r} "
                "against; lower k, or allow more items"
            )
        return ranking, rivals

    def score(self, askers: Askers, items: Int32Array) -> Ranking:
        """Score some items for the one who asks, as a ranking in their own order.

        Raises:
            ScoreError: the query vector is not finite, and so no score is.
        """
        pairs = Pairs(np.zeros(len(items), np.int32), items)
        queries, model = self._queries(askers), self._model
        if isinstance(model, TwoStageRecommender):
            scores = model.pair_scores(askers.histories, pairs, queries)
        else:
            scores = self._index.scores(queries, pairs)
        return Ranking(np.array([0, len(items)], np.int64), items, scores)

    def _queries(self, askers: Askers) -> Float32Array:
        self._check_threads()
        queries = self._model.query_vectors(askers.histories)
        bad = np.flatnonzero(~np.isfinite(queries).all(axis=1))
        if len(bad):
            row = int(bad[0])
            ids = (askers.ids[row], self._dataset.items[0])
            raise ScoreError(row, 0, "not finite, and so is that of any other item", ids)
        return queries

    def _check_threads(self) -> None:
        """Fail in a fork in which PyTorch would wait for threads that are not there, for ever."""
        if os.getpid() != self._process and torch.get_num_threads() > 1:
            raise ForkError(
                f"this process is a fork of {self._process}, where the SDK was made; the threads "
                "of PyTorch did not come with it: call torch.set_num_threads(1) first thing in a "
                "fork, or load the SDK in a process that was spawned"
            )

    def attribute(
        self, askers: Askers, ranking: Ranking
    ) -> Iterator[tuple[Histories, Attributions]]:
        """Turn ranked items into attributions, some users at a time.

        Raises:
            ScoreError: a score is no finite number; the message names the user and the item.
        """
        for histories, attributions, _ in self._explained(askers, ranking, None, False):
            yield histories, attributions

    def explain_by(self, askers: Askers, ranking: Ranking, explainer: Explainer) -> Attributions:
        """Have ranked items explained by any explainer, all at once."""
        pairs = ranking.pairs()
        with self._naming(askers, ranking, pairs):
            return explainer.explain(askers.histories, pairs, ranking.scores.astype(np.float64))

    def break_down(
        self, askers: Askers, ranking: Ranking, telling: Telling, rivals: Ranking | None = None
    ) -> list[Breakdown]:
        """Turn attributions into reasons.

        Args:
            askers: who the items are scored for.
            ranking: the items of each of them.
            telling: how the reasons are told.
            rivals: what the items of each of them are held against; None explains the scores.

        Raises:
            ArgumentError: the reasons cannot be told like that.
            ScoreError: a score is no finite number; the message names the user and the item.
        """
        return [
            breakdown
            for histories, attributions, interactions in self._explained(
                askers, ranking, rivals, telling.interactions
            )
            for breakdown in build_reasons(
                self._dataset,
                histories,
                attributions,
                max_reasons=telling.max_reasons,
                group_by=telling.group_by,
                interactions=interactions,
            )
        ]

    def _explained(
        self, askers: Askers, ranking: Ranking, rivals: Ranking | None, interact: bool
    ) -> Iterator[tuple[Histories, Attributions, Interactions | None]]:
        """Explain scores, or how far they are above those of rivals, some users at a time."""
        n_at_once = _USERS_AT_ONCE if rivals is None else _USERS_WITH_RIVALS
        for start in range(0, len(ranking), n_at_once):
            rows = np.arange(start, min(start + n_at_once, len(ranking)))
            part, ranked = askers.take(rows), ranking.take(rows)
            against = None if rivals is None else rivals.take(rows)
            explainer, asked, values = self._asked(ranked, against)
            interactions = None
            with self._naming(part, ranked, asked):
                found = explainer.explain(part.histories, asked, values)
                if interact:
                    chosen = PlayerPairs.events_by_features(found.players)
                    interactions = interacting(explainer).interactions(
                        part.histories, asked, chosen
                    )
            if rivals is not None:
                # Confidences are learned from scores, not from margins.
                found = replace(found, pairs=ranked.pairs(), confidences=None)
            yield part.histories, found, interactions

    def _asked(
        self, ranking: Ranking, rivals: Ranking | None
    ) -> tuple[Explainer, Pairs, Float64Array]:
        """Return what to ask, of whom: about the scores, or about a game of margins over rivals."""
        pairs, fitted = ranking.pairs(), self._fitted
        if rivals is None:
            return fitted.explainer, pairs, ranking.scores.astype(np.float64)
        offsets, places = gather_rows(rivals.offsets, pairs.rows)
        game = margin_over(self._model, pairs.items, Rivals(offsets, rivals.items[places]))
        of_row = np.repeat(np.arange(len(rivals)), np.diff(rivals.offsets))
        sums = np.bincount(of_row, rivals.scores, minlength=len(rivals))
        means = sums / np.diff(rivals.offsets).clip(1)
        return (
            fitted.explainer_config.restore(game, fitted.explainer.arrays()),
            Pairs(pairs.rows, np.arange(len(pairs), dtype=np.int32)),
            ranking.scores - means[pairs.rows],
        )

    @contextmanager
    def _naming(self, askers: Askers, ranking: Ranking, asked: Pairs) -> Iterator[None]:
        """Give a score that is no finite number the ids of its user and its item."""
        try:
            yield
        except ScoreError as error:
            named = ranking.items[np.flatnonzero(asked.items == error.item)[0]]
            ids = (askers.ids[error.row], self._dataset.items[named])
            raise ScoreError(error.row, int(named), error.found, ids) from None

    def others(self, askers: Askers, item: int, against: Iterable[Hashable] | int) -> Ranking:
        """Return what one item is held against, for the one who asks.

        Raises:
            ArgumentError: there is none, or the item itself is among them.
        """
        histories = askers.histories
        if isinstance(against, int):
            if against < 1:
                raise ArgumentError(f"against must be at least 1, not {against}")
            excluded = Candidates(histories.items, histories.offsets).union(
                Candidates.shared(np.array([item]))
            )
            others = self._top_k(askers, against, excluded)
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

    def evaluate(self, before: Dataset, held_out: Events, cutoffs: Sequence[int]) -> Evaluation:
        """Compare what would be recommended with what was held out.

        Args:
            before: the histories to recommend from.
            held_out: what their users did afterwards.
            cutoffs: how many recommendations count.
        """
        known, users = self._dataset, np.flatnonzero(np.diff(held_out.offsets) > 0)
        wanted = held_out.histories(users, known.user_features)
        askers = Askers([known.users[user] for user in users.tolist()], before.histories(users))
        ranking = self.rank(askers, cutoffs[-1])
        lists, features = (ranking.offsets, ranking.items), known.item_features
        return Evaluation(
            accuracy(*lists, wanted.offsets, wanted.items, k=cutoffs),
            beyond_accuracy(
                *lists,
                np.bincount(known.interactions.items, minlength=known.n_items),
                k=cutoffs,
                vectors=features.matrix() if len(features.tokens) else None,
            ),
        )

    def answer(
        self,
        askers: Askers,
        ranking: Ranking,
        k: int,
        breakdowns: list[Breakdown] | None = None,
        rivals: Ranking | None = None,
    ) -> list[Recommendations]:
        """Turn indices into ids, and all of it into answers."""
        return recommendations_of(
            self._dataset,
            askers.ids,
            askers.histories,
            ranking.offsets,
            ranking.items,
            ranking.scores,
            k=k,
            breakdowns=breakdowns,
            against=None if rivals is None else (rivals.offsets, rivals.items),
        )
