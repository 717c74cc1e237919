"""The main call, step by step: ids, histories, ranked items, attributions, reasons."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from whyrec.askers import Askers, Telling
from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.data.interactions import Interactions as Events
from whyrec.data.pairs import Pairs
from whyrec.data.rows import gather_rows
from whyrec.evaluate.accuracy import Evaluation, accuracy, beyond_accuracy
from whyrec.explain import Attributions, Explainer, Interactions, PlayerPairs
from whyrec.explain.explainer import interacting
from whyrec.explain.margin import Rivals, margin_over
from whyrec.ranking import Ranking
from whyrec.ranking.rule_book import Ranked
from whyrec.ranking_steps import RankingSteps
from whyrec.reasons.answers import recommendations_of
from whyrec.reasons.breakdown import Breakdown, build_reasons
from whyrec.reasons.reason_id import Seal
from whyrec.reasons.recommendation import Recommendations
from whyrec.saved import Fitted
from whyrec.types import Float64Array

_USERS_AT_ONCE, _USERS_WITH_RIVALS = 1_024, 128
"""Users whose attributions are held in memory together; the vectors of rivals take more."""


class Pipeline(RankingSteps):
    """What each verb of the SDK is composed of."""

    def attribute(
        self, askers: Askers, ranking: Ranking
    ) -> Iterator[tuple[Histories, Attributions]]:
        """Turn ranked items into attributions, some users at a time.

        Raises:
            ScoreError: a score is no finite number; the message names the user and the item.
        """
        for part, attributions, _ in self._explained(askers, ranking, None, False):
            yield part.histories, attributions

    def explain_by(self, askers: Askers, ranking: Ranking, explainer: Explainer) -> Attributions:
        """Have ranked items explained by any explainer, all at once."""
        pairs = ranking.pairs()
        with askers.naming(self._dataset.items, ranking, pairs):
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
            for part, attributions, interactions in self._explained(
                askers, ranking, rivals, telling.interactions
            )
            for breakdown in build_reasons(
                self._dataset,
                part.histories,
                attributions,
                max_reasons=telling.max_reasons,
                group_by=telling.group_by,
                interactions=interactions,
                seals=[Seal.of(self._fitted.model_id, each) for each in part.ids],
            )
        ]

    def _explained(
        self, askers: Askers, ranking: Ranking, rivals: Ranking | None, interact: bool
    ) -> Iterator[tuple[Askers, Attributions, Interactions | None]]:
        """Explain scores, or how far they are above those of rivals, some users at a time."""
        n_at_once = _USERS_AT_ONCE if rivals is None else _USERS_WITH_RIVALS
        for rows, weights in askers.alike(n_at_once):
            scoring = self._weighed(weights)
            part, ranked = askers.take(rows), ranking.take(rows)
            against = None if rivals is None else rivals.take(rows)
            explainer, asked, values = self._asked(scoring.fitted, ranked, against)
            interactions = None
            with part.naming(self._dataset.items, ranked, asked):
                found = explainer.explain(part.histories, asked, values)
                if interact:
                    chosen = PlayerPairs.events_by_features(found.players)
                    interactions = interacting(explainer).interactions(
                        part.histories, asked, chosen
                    )
            if rivals is not None:
                # Confidences are learned from scores, not from margins.
                found = replace(found, pairs=ranked.pairs(), confidences=None)
            yield part, scoring.in_catalog(found), interactions

    def _asked(
        self, fitted: Fitted, ranking: Ranking, rivals: Ranking | None
    ) -> tuple[Explainer, Pairs, Float64Array]:
        """Return what to ask, of whom: about the scores, or about a game of margins over rivals."""
        pairs = ranking.pairs()
        if rivals is None:
            return fitted.explainer, pairs, ranking.scores.astype(np.float64)
        offsets, places = gather_rows(rivals.offsets, pairs.rows)
        game = margin_over(fitted.model, pairs.items, Rivals(offsets, rivals.items[places]))
        of_row = np.repeat(np.arange(len(rivals)), np.diff(rivals.offsets))
        sums = np.bincount(of_row, rivals.scores, minlength=len(rivals))
        means = sums / np.diff(rivals.offsets).clip(1)
        return (
            fitted.explainer_config.restore(game, fitted.explainer.arrays()),
            Pairs(pairs.rows, np.arange(len(pairs), dtype=np.int32)),
            ranking.scores - means[pairs.rows],
        )

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
        ranked: Ranked,
        k: int,
        breakdowns: list[Breakdown] | None = None,
    ) -> list[Recommendations]:
        """Turn indices into ids, and all of it into answers."""
        ranking, sources, rivals = ranked
        return recommendations_of(
            self._dataset,
            askers.ids,
            askers.histories,
            ranking.offsets,
            ranking.items,
            ranking.scores,
            k=k,
            sources=sources,
            breakdowns=breakdowns,
            against=None if rivals is None else (rivals.offsets, rivals.items),
            model_id=self._fitted.model_id,
        )
