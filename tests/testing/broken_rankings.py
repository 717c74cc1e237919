"""Recommenders that are broken on purpose, one for each kind of fault, with who has to notice."""

# Most of what a mutant is given it does not look at.

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from whyrec import SDK, Recommendation, Recommendations, UnknownUserError
from whyrec.data.interactions import Histories
from whyrec.models import EASE
from whyrec.types import Float32Array

Ask = Callable[..., Any]


class Mutant(SDK):
    """An SDK whose answers can be tampered with, with reasons and without."""

    def recommend(self, user: Any, k: int = 10, **told: Any) -> Any:
        return self.answer(super().recommend, user, k, **told)

    def recommend_with_reasons(self, user: Any, k: int = 10, **told: Any) -> Any:
        return self.answer(super().recommend_with_reasons, user, k, **told)

    def answer(self, ask: Ask, user: Any, k: int, **told: Any) -> Any:
        asked = ask(user, k, **told)
        return [self.one(each) for each in asked] if isinstance(asked, list) else self.one(asked)

    def one(self, answer: Recommendations) -> Recommendations:
        return answer


def listed(answer: Recommendations, ranked: list[Recommendation]) -> Recommendations:
    """Return an answer with another list, its ranks counted anew."""
    numbered = [replace(each, rank=rank) for rank, each in enumerate(ranked, start=1)]
    return replace(answer, recommendations=tuple(numbered))


def scored(answer: Recommendations, add: Callable[[Recommendation], float]) -> Recommendations:
    """Return an answer with something added to its scores."""
    return listed(answer, [replace(each, score=each.score + add(each)) for each in answer])


def _constant(number: float) -> Callable[[Recommendation], float]:
    return lambda _: number


class TiesTheWrongWay(Mutant):
    def one(self, answer: Recommendations) -> Recommendations:
        place = self.dataset.items.index_of
        return listed(answer, sorted(answer, key=lambda one: (-one.score, -place(one.item_id))))


class WorstFirst(Mutant):
    def one(self, answer: Recommendations) -> Recommendations:
        return listed(answer, [*answer][::-1])


class RanksFromZero(Mutant):
    def one(self, answer: Recommendations) -> Recommendations:
        return replace(
            answer, recommendations=tuple(replace(one, rank=one.rank - 1) for one in answer)
        )


class DropsTheLastItem(Mutant):
    def one(self, answer: Recommendations) -> Recommendations:
        last = self.dataset.items[self.dataset.n_items - 1]
        return listed(answer, [one for one in answer if one.item_id != last])


class LeaksWhatWasSeen(Mutant):
    def answer(self, ask: Ask, user: Any, k: int, **told: Any) -> Any:
        return ask(user, k, **{**told, "include_seen": True})


class ScoresByItsBatch(Mutant):
    def answer(self, ask: Ask, user: Any, k: int, **told: Any) -> Any:
        asked = ask(user, k, **told)
        if not isinstance(asked, list):
            return asked
        return [scored(each, lambda _: 0.125 * (len(asked) - 1)) for each in asked]


class ScoresByItsPlace(Mutant):
    def answer(self, ask: Ask, user: Any, k: int, **told: Any) -> Any:
        asked = ask(user, k, **told)
        if not isinstance(asked, list):
            return asked
        return [scored(each, _constant(0.125 * n)) for n, each in enumerate(asked)]


class NeverTwiceTheSame(Mutant):
    n_asked = 0

    def one(self, answer: Recommendations) -> Recommendations:
        self.n_asked += 1
        return scored(answer, lambda _: 0.001 * self.n_asked)


class SharesItsDesk(Mutant):
    """It keeps who is asked about where the next caller puts somebody else."""

    desk: Any = None

    def answer(self, ask: Ask, user: Any, k: int, **told: Any) -> Any:
        self.desk = user
        time.sleep(0.001)
        return ask(self.desk, k, **told)


class ShowsAnotherScore(Mutant):
    def one(self, answer: Recommendations) -> Recommendations:
        return scored(answer, lambda _: 0.01)


class KeepsStaleAnswers(Mutant):
    def answer(self, ask: Ask, user: Any, k: int, **told: Any) -> Any:
        kept = self.__dict__.setdefault("kept", {})
        question = (repr(user), k, repr(ask))
        if question not in kept:
            kept[question] = ask(user, k, **told)
        return kept[question]


class ForgetsTheRulesAfterTheFirstUser(Mutant):
    def answer(self, ask: Ask, user: Any, k: int, **told: Any) -> Any:
        if not isinstance(user, list):
            return ask(user, k, **told)
        free = {**told, "exclude": ()}
        return [ask(one, k, **(free if n else told)) for n, one in enumerate(user)]


class ExcludesOnlyWithoutReasons(Mutant):
    def recommend_with_reasons(self, user: Any, k: int = 10, **told: Any) -> Any:
        return super().recommend_with_reasons(user, k, **{**told, "exclude": ()})


class TurnsLongListsAbout(Mutant):
    def answer(self, ask: Ask, user: Any, k: int, **told: Any) -> Any:
        asked = ask(user, k, **told)
        if isinstance(asked, list) or k < 4:
            return asked
        return listed(asked, [*asked[1::-1], *asked[2:]])


class IgnoresExclusions(Mutant):
    def answer(self, ask: Ask, user: Any, k: int, **told: Any) -> Any:
        return ask(user, k, **{**told, "exclude": ()})


class IgnoresTheAllowList(Mutant):
    def answer(self, ask: Ask, user: Any, k: int, **told: Any) -> Any:
        return ask(user, k, **{**told, "only": None})


class AllowsEverythingWhereNothingIs(Mutant):
    def answer(self, ask: Ask, user: Any, k: int, **told: Any) -> Any:
        return ask(user, k, **{**told, "only": told.get("only") or None})


class LetsTheAllowListWin(Mutant):
    def answer(self, ask: Ask, user: Any, k: int, **told: Any) -> Any:
        return ask(user, k, **({**told, "exclude": ()} if told.get("only") else told))


class ExcludesANeighbourToo(Mutant):
    def answer(self, ask: Ask, user: Any, k: int, **told: Any) -> Any:
        items = self.dataset.items
        exclude = [*told.get("exclude", ())]
        more = [items[(items.index_of(one) + 1) % len(items)] for one in exclude[:1]]
        return ask(user, k, **{**told, "exclude": exclude + more})


class ScoresAgainstTheBest(Mutant):
    """It scales by the best of the candidates, as a softmax over them does."""

    def one(self, answer: Recommendations) -> Recommendations:
        best = max((one.score for one in answer), default=0.0)
        return scored(answer, lambda _: -best)


class RanksByTheGivenOrder(Mutant):
    def answer(self, ask: Ask, user: Any, k: int, **told: Any) -> Any:
        asked = ask(user, k, **told)
        only = told.get("only")
        if isinstance(asked, list) or not only:
            return asked
        return listed(asked, sorted(asked, key=lambda one: [*only].index(one.item_id)))


class StumblesOverDuplicates(Mutant):
    def answer(self, ask: Ask, user: Any, k: int, **told: Any) -> Any:
        exclude = [*told.get("exclude", ())]
        if len(set(exclude)) < len(exclude):
            raise ValueError("an id is in the list twice")
        return ask(user, k, **{**told, "exclude": exclude})


class ReadsTwice(Mutant):
    def answer(self, ask: Ask, user: Any, k: int, **told: Any) -> Any:
        for item in told.get("exclude", ()):
            self.dataset.items.index_of(item)
        return ask(user, k, **told)


class SortsTheCallersList(Mutant):
    def answer(self, ask: Ask, user: Any, k: int, **told: Any) -> Any:
        if isinstance(told.get("exclude"), list):
            told["exclude"].sort(key=repr)
        return ask(user, k, **told)


class SortsTheUsers(Mutant):
    def answer(self, ask: Ask, user: Any, k: int, **told: Any) -> Any:
        return ask(sorted(user, key=repr) if isinstance(user, list) else user, k, **told)


class DropsUsersWhoComeAgain(Mutant):
    def answer(self, ask: Ask, user: Any, k: int, **told: Any) -> Any:
        return ask([*dict.fromkeys(user)] if isinstance(user, list) else user, k, **told)


class PadsWithTheLast(Mutant):
    def one(self, answer: Recommendations) -> Recommendations:
        ranked = [*answer]
        return listed(answer, ranked + ranked[-1:] * (answer.k - len(ranked)))


class HasNumbersThatAreNone(Mutant):
    def one(self, answer: Recommendations) -> Recommendations:
        return listed(
            answer, [replace(one, score=np.nan) if one.item_id == "i7" else one for one in answer]
        )


class AnswersWithOtherTypes(Mutant):
    def one(self, answer: Recommendations) -> Recommendations:
        return listed(answer, [replace(one, item_id=np.str_(one.item_id)) for one in answer])


class AnswersStrangers(Mutant):
    def answer(self, ask: Ask, user: Any, k: int, **told: Any) -> Any:
        try:
            return ask(user, k, **told)
        except UnknownUserError:
            return [ask(one, k, **told) for one in user if one in self.dataset.users]


class AnswersNoItems(Mutant):
    def answer(self, ask: Ask, user: Any, k: int, **told: Any) -> Any:
        return ask(user, max(1, k), **told)


class CallsEverybodyKnown(Mutant):
    def one(self, answer: Recommendations) -> Recommendations:
        return replace(answer, personalised=True)


class WritesIntoTheData(Mutant):
    def answer(self, ask: Ask, user: Any, k: int, **told: Any) -> Any:
        asked = ask(user, k, **told)
        values = self.dataset.interactions.values
        assert values is not None
        values.setflags(write=True)
        values[0] += 1
        return asked


class DrawsFromTheHost(Mutant):
    def one(self, answer: Recommendations) -> Recommendations:
        torch.rand(1)
        return answer


class SavesAnother(Mutant):
    @classmethod
    def load(cls, path: Any, **given: Any) -> Any:
        return WorstFirst(super().load(path, **given)._fitted)


class KnowsVisitorsByTheirBaskets(Mutant):
    def recommend_for(
        self, history: Any = (), attributes: Any = None, k: int = 10, **told: Any
    ) -> Any:
        return scored(super().recommend_for(history, attributes, k, **told), lambda _: 0.125)


class SellsVisitorsTheirBaskets(Mutant):
    def recommend_for(
        self, history: Any = (), attributes: Any = None, k: int = 10, **told: Any
    ) -> Any:
        return super().recommend_for(history, attributes, k, **{**told, "include_seen": True})


class LooksAtTheWholeBatch(EASE):
    def query_vectors(self, histories: Histories) -> Float32Array:
        queries = super().query_vectors(histories)
        return queries - (queries.mean(axis=0) if len(queries) else 0)


class LeavesDropoutOn(EASE):
    n_asked = 0

    def query_vectors(self, histories: Histories) -> Float32Array:
        self.n_asked += 1
        kept = np.random.default_rng(self.n_asked).random(len(self.weights)) < 0.9
        return super().query_vectors(histories) * kept.astype(np.float32)


class GoesOnLearning(EASE):
    def query_vectors(self, histories: Histories) -> Float32Array:
        self.weights = self.weights + np.float32(0.001)
        return super().query_vectors(histories)


class AnswersInDoubles(EASE):
    def query_vectors(self, histories: Histories) -> Any:
        return super().query_vectors(histories).astype(np.float64)


class NeedsSomebody(EASE):
    def query_vectors(self, histories: Histories) -> Float32Array:
        return super().query_vectors(histories) if len(histories) else np.zeros((0, 1), np.float32)


ANSWERS: dict[type[Mutant], str] = {
    WorstFirst: "the best come first",
    RanksFromZero: "ranks count from one",
    TiesTheWrongWay: "equal scores go by the order of the catalog",
    TurnsLongListsAbout: "a smaller k is a prefix",
    PadsWithTheLast: "as many as asked for or all there are",
    DropsTheLastItem: "a k beyond the catalog gives every item once",
    AnswersWithOtherTypes: "every item is one of the catalog",
    HasNumbersThatAreNone: "scores are finite",
    LeaksWhatWasSeen: "what was seen does not come",
    IgnoresExclusions: "what is excluded never comes",
    ExcludesOnlyWithoutReasons: "what is excluded never comes with reasons",
    ForgetsTheRulesAfterTheFirstUser: "an exclusion holds for every user of a batch",
    ExcludesANeighbourToo: "an exclusion takes nothing else away",
    IgnoresTheAllowList: "only what is allowed comes",
    ScoresAgainstTheBest: "a candidate more changes the order of no other",
    LetsTheAllowListWin: "an exclusion beats an allowance",
    AllowsEverythingWhereNothingIs: "nothing allowed gives an empty answer",
    RanksByTheGivenOrder: "the order of an allow list says nothing",
    StumblesOverDuplicates: "an id twice in a list counts once",
    ReadsTwice: "ids may come in any iterable",
    SortsTheCallersList: "arguments are left as they were",
    NeverTwiceTheSame: "asked again the answer is the same",
    ScoresByItsBatch: "a batch is answered one by one",
    ScoresByItsPlace: "the order of users changes no answer",
    SortsTheUsers: "answers stand in the order of the users",
    DropsUsersWhoComeAgain: "a user twice in a batch is answered twice",
    KeepsStaleAnswers: "what was asked before changes nothing",
    SharesItsDesk: "threads give the same answers",
    CallsEverybodyKnown: "an answer is personalised where there is a history",
    SavesAnother: "what was saved ranks to the same bits",
    WritesIntoTheData: "asking changes no data",
    DrawsFromTheHost: "asking leaves the random state of the host alone",
    AnswersStrangers: "an unknown user is refused",
    AnswersNoItems: "a k below one is refused",
    SellsVisitorsTheirBaskets: "the history of a visitor does not come",
    KnowsVisitorsByTheirBaskets: ("a visitor with the history of a user is answered as the user"),
    ShowsAnotherScore: "the score is that of the recommender",
}
"""SDKs that break an invariant above all others."""

MODELS: dict[type[EASE], str] = {
    LooksAtTheWholeBatch: "query vectors of a batch are those of each alone",
    LeavesDropoutOn: "query vectors are the same when asked again",
    GoesOnLearning: "item vectors are the same when asked again",
    AnswersInDoubles: "vectors have the shapes and types that are promised",
    NeedsSomebody: "nobody at all is a batch",
}
"""The same of recommenders below an SDK."""
