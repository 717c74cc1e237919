"""How far reasons can be trusted, by two questions that are always both asked.

Do contributions agree with the true ones (`faithfulness`), and does removing what they name change
score and rank as they say (`removal`)? Beside them: the intervals of what is found, the reliability
of stated confidences, and checks that every explainer must pass. All take arrays and callables, and
know no model class.
"""

from whyrec.evaluate.faithfulness.against_truth import Faithfulness, faithfulness
from whyrec.evaluate.faithfulness.agreement import strongest_players
from whyrec.evaluate.faithfulness.greedy import greedy_orders
from whyrec.evaluate.faithfulness.orders import Orders
from whyrec.evaluate.faithfulness.outcomes import Outcomes
from whyrec.evaluate.faithfulness.recommender_outcomes import Probability, RecommenderOutcomes
from whyrec.evaluate.faithfulness.reliability import Reliability, reliability
from whyrec.evaluate.faithfulness.removal import Removal, gap_closed, refined_removal, removal
from whyrec.evaluate.faithfulness.sanity import (
    SanityCheck,
    identical_players_get_the_same,
    random_scores_as_chance,
    randomised_weights_change_attributions,
    unseen_players_get_nothing,
)
from whyrec.evaluate.intervals import Interval, differences, interval, intervals

__all__ = [
    "Faithfulness",
    "Interval",
    "Orders",
    "Outcomes",
    "Probability",
    "RecommenderOutcomes",
    "Reliability",
    "Removal",
    "SanityCheck",
    "differences",
    "faithfulness",
    "gap_closed",
    "greedy_orders",
    "identical_players_get_the_same",
    "interval",
    "intervals",
    "random_scores_as_chance",
    "randomised_weights_change_attributions",
    "refined_removal",
    "reliability",
    "removal",
    "strongest_players",
    "unseen_players_get_nothing",
]
