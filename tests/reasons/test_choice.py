"""The choice of reasons by ratings: what it learns, what it shows, and what it leaves alone."""

import math
from dataclasses import replace

import numpy as np
import pytest

from whyrec import ArgumentError, RatedReasons
from whyrec.reasons.choice import ReasonChoice, Topic, Votes
from whyrec.reasons.reason import Reason, ReasonKind
from whyrec.reasons.recommendation import Recommendation, Recommendations

MEAN = RatedReasons(explore=False)
GENRES: Topic = ("item_feature", "genres")
HISTORY: Topic = ("history", None)


def reason(place: int, kind: ReasonKind, source: str, contribution: float) -> Reason:
    label = source if kind is ReasonKind.HISTORY else None
    share = contribution / 10
    return Reason(kind, source, "x", None, contribution, share, (place,), label=label)


def answer_of(*items: list[Reason], user: str = "ann") -> Recommendations:
    told = [
        Recommendation(rank, f"i{rank}", "", 9.0, tuple(reasons), 0.5, 0.25, 0.0, "closed form")
        for rank, reasons in enumerate(items, 1)
    ]
    return Recommendations(user, tuple(told), len(items), True, model_id="m")


def total(told: Recommendation) -> float:
    return math.fsum([told.other_contribution or 0, *(one.contribution for one in told.reasons)])


REASONS = [
    reason(0, ReasonKind.HISTORY, "alien", 1.0),
    reason(1, ReasonKind.HISTORY, "heat", -0.9),
    reason(2, ReasonKind.ITEM_FEATURE, "genres", 0.8),
    reason(3, ReasonKind.USER_ATTRIBUTE, "age", 0.7),
    reason(4, ReasonKind.ITEM_FEATURE, "genres", 0.1),
]


def places(answer: Recommendations, rank: int = 1) -> list[int]:
    return [each.players[0] for each in answer[rank - 1].reasons]


def test_without_ratings_the_mean_keeps_the_strongest() -> None:
    choice = ReasonChoice(MEAN, {})
    assert places(choice.choose(answer_of(REASONS), 3)) == [0, 1, 2]


def test_what_helped_is_shown_first_if_it_is_strong_enough() -> None:
    choice = ReasonChoice(MEAN, {GENRES: Votes(90.0, 100), HISTORY: Votes(10, 100)})
    assert places(choice.choose(answer_of(REASONS), 2)) == [2, 3]
    assert places(choice.choose(answer_of(REASONS), 3)) == [2, 3, 0]
    strict = ReasonChoice(replace(MEAN, at_least=1.0), choice.votes)
    assert sorted(places(strict.choose(answer_of(REASONS), 2))) == [0, 1]
    votes = {GENRES: Votes(1e6, 10**6), HISTORY: Votes(0.0, 10**6)}
    loose = ReasonChoice(replace(MEAN, at_least=0.0), votes)
    assert 4 in places(loose.choose(answer_of(REASONS), 3))


@pytest.mark.parametrize("most", [1, 2, 3, 5, 9])
def test_contributions_and_their_sum_stay_what_they_are(most: int) -> None:
    answer = answer_of(REASONS, REASONS[::2], [])
    for seed in range(20):
        chosen = ReasonChoice(RatedReasons(seed=seed), {GENRES: Votes(9, 10)}).choose(answer, most)
        for before, after in zip(answer, chosen, strict=True):
            assert set(after.reasons) <= set(before.reasons)
            assert min(most, 4, len(before.reasons)) <= len(after.reasons) <= most
            sums = [
                math.fsum(
                    [each.other_contribution or 0, *(one.contribution for one in each.reasons)]
                )
                for each in (before, after)
            ]
            assert sums[0] == pytest.approx(sums[1], abs=1e-15)
            assert replace(after, reasons=(), other_contribution=0.0) == replace(
                before, reasons=(), other_contribution=0.0
            )


def test_an_answer_says_that_its_reasons_were_chosen_and_comes_back_of_json() -> None:
    answer = answer_of(REASONS)
    assert (answer.note, answer.chosen_by_ratings) == (None, False)
    chosen = ReasonChoice(MEAN, {GENRES: Votes(90.0, 100)}).choose(answer, 2)
    assert "what users have said" in (chosen.note or "")
    assert Recommendations.from_json(chosen.to_json()) == chosen
    assert Recommendations.from_json(answer.to_json()) == answer


def test_a_draw_depends_on_who_asks_for_what_and_on_what_is_known() -> None:
    answer = answer_of(*[REASONS] * 30)
    votes = {GENRES: Votes(3, 6), HISTORY: Votes(3, 6), ("user_attribute", "age"): Votes(3, 6)}
    choice = ReasonChoice(RatedReasons(), votes)
    first = choice.choose(answer, 2)
    assert choice.choose(answer, 2) == first
    assert ReasonChoice(RatedReasons(), dict(reversed(votes.items()))).choose(answer, 2) == first
    alone = replace(answer, recommendations=answer[7:8])
    assert choice.choose(alone, 2)[0].reasons == first[7].reasons
    assert len({tuple(places(first, rank)) for rank in range(1, 31)}) > 3
    for other in (
        choice.choose(replace(answer, user_id="bob"), 2),
        ReasonChoice(RatedReasons(seed=1), votes).choose(answer, 2),
        ReasonChoice(RatedReasons(), {**votes, GENRES: Votes(4, 7)}).choose(answer, 2),
    ):
        assert [each.reasons for each in other] != [each.reasons for each in first]


def test_what_is_foretold_is_what_happens() -> None:
    """Of kinds that are foretold to help in p of all cases, p help, though few have voted."""
    draw = np.random.default_rng(0)
    truth = draw.beta(12, 8, 4_000)
    n_users = draw.integers(1, 12, len(truth))
    helped = draw.binomial(n_users, truth)
    votes: dict[Topic, Votes] = {
        ("item_feature", str(n)): Votes(float(h), int(of))
        for n, (h, of) in enumerate(zip(helped, n_users, strict=True))
    }
    choice = ReasonChoice(replace(MEAN, prior=20.0), votes)
    foretold = np.array([choice.helpfulness(*topic) for topic in votes])
    for low, high in ((0.45, 0.55), (0.55, 0.6), (0.6, 0.65), (0.65, 0.75)):
        among = (foretold >= low) & (foretold < high)
        assert among.sum() > 100
        assert truth[among].mean() == pytest.approx(foretold[among].mean(), abs=0.015)
    assert np.abs(foretold - truth).mean() < np.abs(helped / n_users - truth).mean()


def test_exploring_finds_the_kind_that_helps() -> None:
    """Users for whom genres help and history does not: soon genres are shown first."""
    draw = np.random.default_rng(0)
    chance = {HISTORY: 0.3, GENRES: 0.7, ("user_attribute", "age"): 0.5}
    votes = dict.fromkeys(chance, Votes(0.0, 0))
    rates = []
    for user in range(600):
        shown = ReasonChoice(RatedReasons(), votes).choose(answer_of(REASONS, user=str(user)), 1)
        one = shown[0].reasons[0]
        topic = (one.kind.value, None if one.kind is ReasonKind.HISTORY else str(one.source))
        has_helped = draw.random() < chance[topic]
        rates.append(has_helped)
        votes[topic] = Votes(votes[topic].helped + has_helped, votes[topic].n_users + 1)
    assert np.mean(rates[-200:]) > 0.6
    assert all(each.n_users > 0 for each in votes.values())


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ArgumentError, match="at_least must be from 0 to 1, not 2"):
        RatedReasons(at_least=2)
    with pytest.raises(ArgumentError, match="prior must be a number above 0, not 0"):
        RatedReasons(prior=0)
