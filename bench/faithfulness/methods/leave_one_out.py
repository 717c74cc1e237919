"""What is lost when one player leaves: the influence that "FIA" stands for in the papers."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from bench.faithfulness.methods.contributions import of_events
from bench.faithfulness.methods.method import Untaught

from whyrec.data.coalitions import Coalitions
from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.evaluate.faithfulness import RecommenderOutcomes
from whyrec.explain.attribution import Attributions, Players
from whyrec.models.recommender import Recommender
from whyrec.types import Float64Array


class Output(StrEnum):
    """What of the recommender is explained."""

    LOGIT = "logit"
    """The score, which is the game of all tiers."""

    PROBABILITY = "probability"
    """Its softmax over the items that are not in the history, as a logarithm.

    The papers' recommenders put out probabilities; events come in the same order by either.
    """


@dataclass(frozen=True, kw_only=True)
class LeaveOneOutConfig:
    """Settings of leave-one-out."""

    of: Output = Output.LOGIT
    """What is lost: of the logit, by any player; of the probability, by events only."""

    def fit(
        self,
        recommender: Recommender,
        dataset: Dataset,  # noqa: ARG002
        *,
        progress: bool = True,  # noqa: ARG002
    ) -> Untaught[Recommender]:
        """Return the method; there is nothing to learn."""
        if self.of is Output.LOGIT:
            return Untaught(recommender, _of_logits)

        def attribute(
            recommender: Recommender, histories: Histories, pairs: Pairs, full: Float64Array
        ) -> Attributions:
            outcomes = RecommenderOutcomes(recommender, histories, pairs)
            found = []
            for pair, n_events in enumerate(np.diff(outcomes.offsets).tolist()):
                kept = np.concatenate([np.ones((1, n_events), bool), ~np.eye(n_events, dtype=bool)])
                _, probabilities = outcomes(np.full(n_events + 1, pair), kept.ravel())
                logs = np.log(probabilities)
                found.append(logs[0] - logs[1:])
            contributions = np.concatenate([*found, np.zeros(0)])
            asked = (histories, pairs, full)
            return of_events(recommender, asked, contributions, "leave-one-out of probability")

        return Untaught(recommender, attribute)


def _of_logits(
    recommender: Recommender, histories: Histories, pairs: Pairs, full: Float64Array
) -> Attributions:
    """Give each player v(all) − v(all but the player), of n + 2 coalitions in one call."""
    players = Players.of(histories, recommender.item_features, pairs)
    counts = players.counts()
    coalitions = Coalitions.of_matrices(
        [
            np.concatenate([np.array([[False], [True]]).repeat(n, axis=1), ~np.eye(n, dtype=bool)])
            for n in counts.tolist()
        ]
    )
    values = recommender.coalition_values(histories, pairs, coalitions)
    firsts = coalitions.offsets()[:-1]
    of_player = np.repeat(np.arange(len(pairs)), counts)
    without = 2 + np.arange(len(of_player)) + 2 * of_player
    contributions = values[firsts + 1][of_player] - values[without]
    return Attributions(pairs, players, contributions, values[firsts], full, "leave-one-out")
