"""What users say of reasons is kept, counted, and chooses what is shown."""

from dataclasses import replace

import pytest
from tests.sdk_feedback.conftest import USER, a_reason, asked, assert_adds_up

from whyrec import SDK, ArgumentError, RatedReasons, ReasonKind, Recommendations
from whyrec.feedback import Rating, ReasonRating


def test_ratings_of_reasons_are_kept(sdk: SDK) -> None:
    answer = asked(sdk)
    reason = answer[0].reasons[0]
    rated = sdk.rate(USER, reason, "wrong", request_id=answer.request_id)
    (kept,) = sdk.store.read(ReasonRating, users=[USER])
    assert kept == replace(rated, rating=Rating.WRONG)
    assert (kept.item_id, kept.kind, kept.source) == (
        answer[0].item_id,
        reason.kind.value,
        reason.source,
    )
    with pytest.raises(ArgumentError, match='one of "helped", "wrong", "unclear"'):
        sdk.rate(USER, reason, "bad")  # type: ignore[arg-type]


def rated(sdk: SDK, kind: ReasonKind, rating: Rating, n_users: int = 20) -> None:
    """Have users of whom nothing else is known say the same of reasons of a kind."""
    reason = a_reason(asked(sdk), kind)
    sdk.record(
        ReasonRating(f"n{number}", rating, "i3", reason.kind.value, reason.source)
        for number in range(n_users)
    )


def test_ratings_choose_among_strong_reasons_and_change_no_number(sdk: SDK) -> None:
    whole, strongest = asked(sdk), sdk.recommend_with_reasons(USER, k=25)
    rated(sdk, ReasonKind.HISTORY, Rating.WRONG)
    rated(sdk, ReasonKind.USER_ATTRIBUTE, Rating.HELPED)
    assert sdk.recommend_with_reasons(USER, k=25) == strongest
    assert not strongest.chosen_by_ratings
    sdk.choose_reasons(RatedReasons(at_least=0.0, explore=False))
    chosen = sdk.recommend_with_reasons(USER, k=25)
    assert chosen.chosen_by_ratings
    assert "what users have said" in str(chosen)
    assert_adds_up(chosen)
    assert [(one.item_id, one.score) for one in chosen] == [
        (one.item_id, one.score) for one in strongest
    ]
    for one, all_of_it in zip(chosen, whole, strict=True):
        assert len(one.reasons) == 3
        assert set(one.reasons) <= set(all_of_it.reasons)

    def of_attributes(answer: Recommendations) -> int:
        return sum(
            reason.kind is ReasonKind.USER_ATTRIBUTE for each in answer for reason in each.reasons
        )

    assert of_attributes(chosen) > of_attributes(strongest)
    sdk.choose_reasons(None)
    assert sdk.recommend_with_reasons(USER, k=25) == strongest


def test_a_choice_is_the_same_alone_in_a_batch_and_when_asked_again(sdk: SDK) -> None:
    rated(sdk, ReasonKind.HISTORY, Rating.WRONG, 3)
    sdk.choose_reasons(RatedReasons(at_least=0.0))
    alone = sdk.recommend_with_reasons(USER, k=5)
    assert sdk.recommend_with_reasons(["u4", USER, "u5"], k=5)[1] == alone
    assert sdk.recommend_with_reasons(USER, k=9)[:5] == alone[:5]
    visitor = sdk.recommend_for(["i3", "i4"], k=3)
    assert visitor == sdk.recommend_for(["i3", "i4"], k=3)
    assert visitor.chosen_by_ratings


def test_all_reasons_are_shown_as_ever_and_none_are_still_refused(sdk: SDK) -> None:
    before = asked(sdk)
    sdk.choose_reasons(RatedReasons())
    assert asked(sdk) == before
    with pytest.raises(ArgumentError, match="max_reasons must be at least 1"):
        sdk.recommend_with_reasons(USER, max_reasons=0)


def test_the_audit_tells_what_was_said_until_it_is_undone_or_forgotten(sdk: SDK) -> None:
    assert list(sdk.audit()) == []
    answer = asked(sdk)
    reason = a_reason(answer, ReasonKind.HISTORY)
    sdk.rate(USER, reason, "wrong")
    undone = sdk.rate(USER, reason, "helped")
    (topic,) = sdk.audit()
    assert (topic.kind, topic.field) == ("history", None)
    assert (topic.helped, topic.wrong, topic.unclear, topic.n_users) == (1, 1, 0, 1)
    sdk.undo(undone)
    (topic,) = sdk.audit()
    assert (topic.helped, topic.wrong, topic.share_wrong) == (0, 1, 1.0)
    choice = sdk.choose_reasons(RatedReasons())
    assert choice is not None
    assert choice.helpfulness("history", "i3") < 0.5
    sdk.store.forget(USER)
    assert list(sdk.audit()) == []


def test_a_choice_forgets_what_a_forgotten_user_said(additive: SDK) -> None:
    sdk = additive
    sdk.rate("u4", a_reason(asked(sdk, "u4"), ReasonKind.HISTORY), "wrong")
    sdk.choose_reasons(RatedReasons())
    assert sdk._choice is not None
    assert len(sdk._choice.votes) == 1
    sdk.forget("u4")
    assert sdk._choice.votes == {}
