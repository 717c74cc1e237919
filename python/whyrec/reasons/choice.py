"""Which of the strong reasons are shown: by what users have said of reasons of their kind.

Contributions, and what they add up to, stay what they are.
"""

import hashlib
import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np

from whyrec.errors import ArgumentError
from whyrec.reasons.reason import Reason, ReasonKind
from whyrec.reasons.recommendation import Recommendation, Recommendations

Topic: TypeAlias = tuple[str, str | None]
"""The kind of a reason, and the field that it tells of; None for an item of the history."""


def topic_of(kind: str, source: Hashable) -> Topic:
    """Return what ratings of a reason are counted for."""
    return str(kind), None if kind == ReasonKind.HISTORY else str(source)


@dataclass(frozen=True, kw_only=True)
class RatedReasons:
    """Settings of the choice of reasons by ratings, see `SDK.choose_reasons`.

    Raises:
        ArgumentError: a number out of range.
    """

    at_least: float = 0.5
    """How strong a reason must be to be shown, beside the weakest that would be shown without a
    choice: from 0 to 1. 1 lets nothing in but what is as strong.
    """

    prior: float = 10.0
    """How many ratings the mean of all kinds is worth, above 0: little is made of few ratings."""

    explore: bool = True
    """Whether the choice is drawn, by Thompson sampling, so that kinds of which little is known are
    tried; else the mean decides.
    """

    seed: int = 0
    """The same seed, ratings, user and item give the same choice."""

    def __post_init__(self) -> None:
        if not 0 <= self.at_least <= 1:
            raise ArgumentError(f"at_least must be from 0 to 1, not {self.at_least}")
        if not (math.isfinite(self.prior) and self.prior > 0):
            raise ArgumentError(f"prior must be a number above 0, not {self.prior}")


@dataclass(frozen=True, slots=True)
class Votes:
    """What users have said of the reasons of a topic; one user has one vote."""

    helped: float
    """How many votes say that it helped; of somebody who said several things, the part."""

    n_users: int
    """How many have voted."""


class ReasonChoice:
    """A Beta-Bernoulli model of whether a reason helps, by its topic.

    With h of n votes for a topic, and m the mean over all topics, the chance that a reason of it
    helps is distributed as Beta(h + p·m, n − h + p·(1 − m)), where p is the prior's worth. A reason
    is preferred by that chance times its absolute contribution.

    Source: W. R. Thompson, On the Likelihood that One Unknown Probability Exceeds Another
    (Biometrika 1933).

    >>> choice = ReasonChoice(RatedReasons(), {("history", None): Votes(30, 40)})
    >>> round(choice.helpfulness("history", "Alien"), 3)
    0.748
    """

    def __init__(self, settings: RatedReasons, votes: Mapping[Topic, Votes]) -> None:
        self.settings, self.votes = settings, dict(votes)

    @cached_property
    def mean(self) -> float:
        """The share of all votes that say helped, with one more for either side."""
        helped = math.fsum(each.helped for each in self.votes.values())
        n_votes = sum(each.n_users for each in self.votes.values())
        return (helped + 1) / (n_votes + 2) if n_votes else 0.5

    def helpfulness(self, kind: ReasonKind | str, source: Hashable) -> float:
        """Return how likely a reason helps, from 0 to 1."""
        helped, hindered = self._beta(topic_of(kind, source))
        return helped / (helped + hindered)

    def n_among(self, most: int | None) -> int | None:
        """Return how many of the strongest reasons so many are chosen among; None is all."""
        return most if most is None or most < 1 else 3 * most

    def choose(self, answer: Recommendations, most: int | None) -> Recommendations:
        """Return an answer that shows so many reasons of each item, the preferred one first.

        What the others contribute is among `other_contribution`, so the sum is the same.

        Args:
            answer: with the strongest reasons of each item, the strongest first; see `n_among`.
            most: how many are shown; None shows all, as they are.
        """
        if most is None:
            return answer
        asked = (answer.model_id, repr(answer.user_id))
        chosen = (self._chosen(each, most, (*asked, repr(each.item_id))) for each in answer)
        return replace(answer, recommendations=tuple(chosen), chosen_by_ratings=True)

    def _chosen(self, told: Recommendation, most: int, asked: Sequence[str]) -> Recommendation:
        assert told.other_contribution is not None
        strengths = [abs(reason.contribution) for reason in told.reasons]
        bar = self.settings.at_least * min(strengths[:most], default=0.0)
        strong = [
            reason for reason, each in zip(told.reasons, strengths, strict=True) if each >= bar
        ]
        chances = self._chances(strong, asked)
        shown = sorted(
            strong, key=lambda reason: -chances[_topic(reason)] * abs(reason.contribution)
        )[:most]
        left = [reason.contribution for reason in told.reasons if reason not in shown]
        others = math.fsum([told.other_contribution, *left])
        return replace(told, reasons=tuple(shown), other_contribution=others)

    def _chances(self, reasons: Iterable[Reason], asked: Sequence[str]) -> dict[Topic, float]:
        """Return how likely reasons of each topic help, drawn where that is asked for."""
        topics = sorted({_topic(reason) for reason in reasons}, key=str)
        if not self.settings.explore:
            return {topic: self.helpfulness(*topic) for topic in topics}
        words = [str(self.settings.seed), self._state, *asked]
        digest = hashlib.sha256("\0".join(words).encode("utf-8", "surrogatepass")).digest()
        draw = np.random.default_rng(int.from_bytes(digest))
        return {topic: float(draw.beta(*self._beta(topic))) for topic in topics}

    def _beta(self, topic: Topic) -> tuple[float, float]:
        votes, prior = self.votes.get(topic, Votes(0.0, 0)), self.settings.prior
        helped = votes.helped + prior * self.mean
        return helped, votes.n_users - votes.helped + prior * (1 - self.mean)

    @cached_property
    def _state(self) -> str:
        """What is known, so that another draw is made once more is."""
        return repr(sorted(self.votes.items(), key=str))


def _topic(reason: Reason) -> Topic:
    return topic_of(reason.kind.value, reason.source)
