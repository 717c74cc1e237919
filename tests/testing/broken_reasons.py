"""Explainers and answers that are broken on purpose, one for each kind of fault."""

# Most of what a mutant is given it does not look at.
# ruff: noqa: ARG002

from dataclasses import fields, replace
from typing import Any

import numpy as np
from tests.testing.broken_rankings import Mutant

from whyrec import Explanation, Reason, Recommendation, Recommendations
from whyrec.data.coalitions import Coalitions
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.explain import Attributions, Explainer, PlayerKind
from whyrec.models import EASE
from whyrec.reasons.importance import GlobalImportance
from whyrec.reasons.text import ENGLISH, Wording
from whyrec.types import Float32Array, Float64Array

Told = Recommendation | Explanation


class Teller(Mutant):
    """An SDK whose reasons can be tampered with, in lists and where an item is asked about."""

    def one(self, answer: Recommendations) -> Recommendations:
        return replace(answer, recommendations=tuple(map(self.told, answer)))

    def explain(self, user: Any, item: Any, **told: Any) -> Any:
        return self.told(super().explain(user, item, **told))

    def told(self, each: Any) -> Any:
        return replace(each, reasons=tuple(map(self.reason, each.reasons)))

    def reason(self, reason: Reason) -> Reason:
        return reason


class TellsTooMuch(Teller):
    def reason(self, reason: Reason) -> Reason:
        return replace(reason, contribution=reason.contribution * 1.1)


class ForgetsTheRest(Teller):
    def told(self, each: Any) -> Any:
        return replace(each, other_contribution=0.0) if isinstance(each, Recommendation) else each


class HidesTheGap(Teller):
    """It shows less than the score and calls it nothing."""

    def told(self, each: Any) -> Any:
        return replace(each, base_value=each.base_value - 0.25, efficiency_gap=0.25)


class TellsTheWeakest(Teller):
    def told(self, each: Any) -> Any:
        return replace(each, reasons=each.reasons[::-1])


class TellsSharesWithoutTheirSign(Teller):
    def reason(self, reason: Reason) -> Reason:
        return replace(reason, share=abs(reason.share))


class RoundsShares(Teller):
    def reason(self, reason: Reason) -> Reason:
        return replace(reason, share=round(reason.share, 1))


class TellsOfSomebodyElse(Teller):
    def reason(self, reason: Reason) -> Reason:
        return replace(reason, source="i1") if reason.kind == "history" else reason


class TellsPlayersTwice(Teller):
    def told(self, each: Any) -> Any:
        return replace(each, reasons=each.reasons + each.reasons[:1])


class TellsNothing(Teller):
    class Mute(Reason):
        __slots__ = ()

        @property
        def text(self) -> str:
            return ""

    def reason(self, reason: Reason) -> Reason:
        return self.Mute(**{each.name: getattr(reason, each.name) for each in fields(reason)})


class LosesOneOfAGroup(Teller):
    def explain(self, user: Any, item: Any, **told: Any) -> Any:
        found = super().explain(user, item, **told)
        if told.get("group_by") is None:
            return found
        reasons = tuple(
            replace(each, contribution=each.contribution * (1 - 1 / each.n_players))
            for each in found.reasons
        )
        return replace(found, reasons=reasons)


class ExplainsOtherwiseThanItRecommends(Teller):
    def explain(self, user: Any, item: Any, **told: Any) -> Any:
        found = super().explain(user, item, **told)
        return replace(found, base_value=found.base_value + 0.1, efficiency_gap=-0.1)


class TellsMoreThanAsked(Mutant):
    def answer(self, ask: Any, user: Any, k: int, **told: Any) -> Any:
        if "max_reasons" in told:
            told["max_reasons"] = told["max_reasons"] and told["max_reasons"] + 1
        return ask(user, k, **told)


class AddsTheOthers(Teller):
    def explain(self, user: Any, item: Any, **told: Any) -> Any:
        found = super().explain(user, item, **told)
        if found.margin is None:
            return found
        return replace(found, margin=2 * found.score - found.margin)


class ForgetsTheOthers(Teller):
    """It tells why the item scores as it does, and calls it why it scores more than others."""

    def explain(self, user: Any, item: Any, **told: Any) -> Any:
        found = super().explain(user, item, **told)
        alone = super().explain(user, item)
        return found if found.margin is None else replace(found, reasons=alone.reasons)


class HoldsAgainstTheFirstOnly(Teller):
    def explain(self, user: Any, item: Any, **told: Any) -> Any:
        against = told.get("against")
        if isinstance(against, list):
            told["against"] = against[:1]
        return super().explain(user, item, **told)


class CountsTheStrongestOnly(Mutant):
    def importance(self, users: Any = None, k: int = 10) -> GlobalImportance:
        found = super().importance(users, k)
        return replace(found, sources=found.sources[:3])


class ExplainsOneFewer(Mutant):
    def importance(self, users: Any = None, k: int = 10) -> GlobalImportance:
        found = super().importance(users, k)
        return replace(found, n_explanations=found.n_explanations - 1)


class RoundsItsJson(Teller):
    class Rounded(Recommendations):
        __slots__ = ()

        def to_json(self, indent: int | None = None, wording: Wording = ENGLISH) -> str:
            few = tuple(replace(each, score=round(each.score, 2)) for each in self)
            own = {each.name: getattr(self, each.name) for each in fields(self)}
            return Recommendations(**own | {"recommendations": few}).to_json(indent, wording)

    def one(self, answer: Recommendations) -> Recommendations:
        return self.Rounded(**{each.name: getattr(answer, each.name) for each in fields(answer)})


class LoadsAnotherExplainer(Mutant):
    @classmethod
    def load(cls, path: Any, **given: Any) -> Any:
        return HidesTheGap(super().load(path, **given)._fitted)


class Explains:
    """An explainer whose attributions can be tampered with."""

    def __init__(self, explainer: Explainer) -> None:
        self._explainer = explainer

    def arrays(self) -> dict[str, Float32Array]:
        return self._explainer.arrays()

    def explain(self, histories: Histories, pairs: Pairs, full: Float64Array) -> Attributions:
        found = self._explainer.explain(histories, pairs, full)
        moved = found.contributions.copy()
        for pair in range(len(pairs)):
            own = found.of(pair)
            moved[own] = self.moved(moved[own], found.players.kinds[own], len(pairs))
        return replace(found, contributions=moved)

    def moved(self, contributions: Float64Array, kinds: Any, n_pairs: int) -> Float64Array:
        return contributions


class LeavesAGap(Explains):
    def moved(self, contributions: Float64Array, kinds: Any, n_pairs: int) -> Float64Array:
        return contributions * 0.9


class PaysTheIdle(Explains):
    def moved(self, contributions: Float64Array, kinds: Any, n_pairs: int) -> Float64Array:
        return contributions * 0.9 + 0.1 * contributions.mean() if len(kinds) else contributions


class PaysTheLatestMore(Explains):
    """It keeps the sum, and gives all events of a kind to the last of them."""

    def moved(self, contributions: Float64Array, kinds: Any, n_pairs: int) -> Float64Array:
        events = contributions[kinds == PlayerKind.EVENT]
        moved = contributions.copy()
        if len(events):
            moved[: len(events)] = 0
            moved[len(events) - 1] = events.sum()
        return moved


class TurnsItsPlayersAbout(Explains):
    def explain(self, histories: Histories, pairs: Pairs, full: Float64Array) -> Attributions:
        found = super().explain(histories, pairs, full)
        players = found.players
        return replace(found, players=replace(players, sources=players.sources[::-1].copy()))


class PaysByTheBatch(Explains):
    def moved(self, contributions: Float64Array, kinds: Any, n_pairs: int) -> Float64Array:
        return contributions * (1 + 0.01 * (n_pairs - 1))


class PaysByThePlace(Explains):
    def explain(self, histories: Histories, pairs: Pairs, full: Float64Array) -> Attributions:
        found = super().explain(histories, pairs, full)
        rows = np.repeat(np.arange(len(pairs)), found.players.counts())
        return replace(found, contributions=found.contributions * (1 + 0.01 * rows))


class DrawsWithoutASeed(Explains):
    n_asked = 0

    def explain(self, histories: Histories, pairs: Pairs, full: Float64Array) -> Attributions:
        found = super().explain(histories, pairs, full)
        self.n_asked += 1
        noise = np.random.default_rng(self.n_asked).normal(1, 0.01, len(found.contributions))
        return replace(found, contributions=found.contributions * noise)


class HidesItInTheBase(Explains):
    """Its contributions are a tenth off, and its base value makes up for it."""

    def explain(self, histories: Histories, pairs: Pairs, full: Float64Array) -> Attributions:
        found = super().explain(histories, pairs, full)
        found = replace(found, contributions=found.contributions * 0.9)
        return replace(found, base_values=found.base_values + found.efficiency_gaps())


class ExplainsAnotherScore(Explains):
    def explain(self, histories: Histories, pairs: Pairs, full: Float64Array) -> Attributions:
        return super().explain(histories, pairs, full + 0.5)


class WritesIntoTheScores(Explains):
    def explain(self, histories: Histories, pairs: Pairs, full: Float64Array) -> Attributions:
        found = super().explain(histories, pairs, full.copy())
        full += 1
        return found


class AnswersInSingles(Explains):
    def explain(self, histories: Histories, pairs: Pairs, full: Float64Array) -> Attributions:
        found = super().explain(histories, pairs, full)
        singles: Any = found.contributions.astype(np.float32)
        return replace(found, contributions=singles)


class KnowsItsErrorsWrongly(Explains):
    def explain(self, histories: Histories, pairs: Pairs, full: Float64Array) -> Attributions:
        found = super().explain(histories, pairs, full)
        return replace(found, standard_errors=-np.ones(len(found.contributions)))


class Plays(EASE):
    """A game whose values can be tampered with."""

    def coalition_values(
        self, histories: Histories, pairs: Pairs, coalitions: Coalitions
    ) -> Float64Array:
        values = super().coalition_values(histories, pairs, coalitions)
        values += self.added(histories, pairs, coalitions)
        return values

    def added(self, histories: Histories, pairs: Pairs, coalitions: Coalitions) -> Any:
        return 0


class PlaysForAnotherScore(Plays):
    def added(self, histories: Histories, pairs: Pairs, coalitions: Coalitions) -> Any:
        return 0.5


class PlaysByItsBatch(Plays):
    def added(self, histories: Histories, pairs: Pairs, coalitions: Coalitions) -> Any:
        return 0.01 * (len(pairs) - 1)


class KeepsTheAbsent(Plays):
    """An event that is left out still counts, as one that is padded with zeros may."""

    def added(self, histories: Histories, pairs: Pairs, coalitions: Coalitions) -> Any:
        absent = [0.1 * (~coalitions.of(pair)).sum(axis=1) for pair in range(len(pairs))]
        return np.concatenate([np.zeros(0), *absent])


class KnowsWhoIsAbsent(Plays):
    def added(self, histories: Histories, pairs: Pairs, coalitions: Coalitions) -> Any:
        return np.repeat(0.1 * histories.counts()[pairs.rows], coalitions.counts)


class PlaysByTheOrder(Plays):
    def added(self, histories: Histories, pairs: Pairs, coalitions: Coalitions) -> Any:
        return 0.1 * np.arange(coalitions.counts.sum())


class PlaysOtherwiseEachTime(Plays):
    n_asked = 0

    def added(self, histories: Histories, pairs: Pairs, coalitions: Coalitions) -> Any:
        self.n_asked += 1
        return 1e-6 * self.n_asked


class WritesIntoCoalitions(Plays):
    def added(self, histories: Histories, pairs: Pairs, coalitions: Coalitions) -> Any:
        coalitions.cells[:] = True
        histories.items[:] = 0
        return 0


class HasNoValueForStrangers(Plays):
    def added(self, histories: Histories, pairs: Pairs, coalitions: Coalitions) -> Any:
        sizes = [coalitions.of(pair).mean(axis=1) for pair in range(len(pairs))]
        return np.where(np.concatenate([np.zeros(0), *sizes]) < 0.5, np.nan, 0)


ANSWERS: dict[type[Mutant], str] = {
    TellsTooMuch: "the parts of a recommended score add up",
    HidesTheGap: "the gap is small",
    ForgetsTheRest: "what is not told is summed as everything else",
    LosesOneOfAGroup: "a group is worth what its members are",
    TellsPlayersTwice: "every player is in one reason",
    CountsTheStrongestOnly: "importance adds up to the contributions",
    ExplainsOneFewer: "importance counts every explanation",
    TellsTheWeakest: "the strongest reasons come first",
    TellsMoreThanAsked: "no more reasons come than asked for",
    TellsSharesWithoutTheirSign: "a share has the sign of its contribution",
    RoundsShares: "shares are in proportion to contributions",
    TellsOfSomebodyElse: "reasons speak of nothing but the own history",
    TellsNothing: "every reason has words",
    RoundsItsJson: "what is exported is what is shown",
    ExplainsOtherwiseThanItRecommends: "explain and recommend with reasons agree",
    LoadsAnotherExplainer: "what was saved explains to the same bits",
    AddsTheOthers: "a margin is the score less the mean of the others",
    ForgetsTheOthers: "contributions to a margin are differences",
    HoldsAgainstTheFirstOnly: "the items held against are those asked for",
}
"""SDKs that break an invariant above all others."""

EXPLAINERS: dict[type[Explains], str] = {
    LeavesAGap: "contributions and base value are the score",
    PaysTheIdle: "a player who does nothing gets nothing",
    PaysTheLatestMore: "two players alike get the same",
    TurnsItsPlayersAbout: "the players are those of the pair in their order",
    PaysByTheBatch: "a batch of pairs is explained one by one",
    PaysByThePlace: "the order of pairs changes no contribution",
    DrawsWithoutASeed: "contributions asked again are the same",
    HidesItInTheBase: "the base value is the value of nobody",
    ExplainsAnotherScore: "the full values are those given",
    WritesIntoTheScores: "explaining changes no argument",
    AnswersInSingles: "contributions are finite float64",
    KnowsItsErrorsWrongly: "a standard error is no less than nothing",
}
"""The same of explainers below an SDK."""

MODELS: dict[type[Plays], str] = {
    PlaysForAnotherScore: "the value of everybody is the score",
    PlaysByItsBatch: "a value does not depend on what else is asked",
    KeepsTheAbsent: "absent events leave no trace",
    KnowsWhoIsAbsent: "the value of nobody is that of the item alone",
    PlaysByTheOrder: "the order of coalitions says nothing",
    PlaysOtherwiseEachTime: "a coalition asked again has the same value",
    WritesIntoCoalitions: "asking for values changes no argument",
    HasNoValueForStrangers: "every coalition has a finite value",
}
"""The same of the games that a recommender plays."""
