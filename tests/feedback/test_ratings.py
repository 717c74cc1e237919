"""Ratings of reasons, counted: for the audit, and as one vote of each user."""

import json

import pytest

from whyrec.feedback import Rating, ReasonRating
from whyrec.feedback.ratings import audit_of, votes_of
from whyrec.reasons.choice import Votes


def rating(user: object, said: str, kind: str = "history", source: str = "fig") -> ReasonRating:
    return ReasonRating(user, Rating(said), "pear", kind, source)


def test_an_audit_counts_by_kind_and_field() -> None:
    audit = audit_of(
        [
            *(rating(user, "wrong", "item_feature", "genres") for user in range(3)),
            rating(0, "helped", "item_feature", "genres"),
            rating("ann", "helped", source="fig"),
            rating("ann", "unclear", source="plum"),
            rating("bob", "helped", "item_feature", "year"),
        ]
    )
    assert [(one.kind, one.field) for one in audit] == [
        ("item_feature", "genres"),
        ("history", None),
        ("item_feature", "year"),
    ]
    genres, history = audit[:2]
    assert (genres.helped, genres.wrong, genres.unclear, genres.n_users) == (1, 3, 0, 3)
    assert (history.helped, history.wrong, history.unclear, history.n_users) == (1, 0, 1, 1)
    assert json.loads(audit.to_json())["topics"][0]["share_wrong"] == 0.75
    assert "75.0%" in str(audit)
    assert repr(audit) == "RatingAudit(3 topics, 7 ratings)"


def test_the_interval_of_the_share_that_is_wrong_is_wilsons() -> None:
    (one,) = audit_of(rating(n, "wrong" if n < 2 else "helped") for n in range(10))
    assert (one.low, one.share_wrong, one.high) == pytest.approx((0.0567, 0.2, 0.5098), abs=1e-4)


def test_an_audit_of_nothing_is_empty() -> None:
    assert list(audit_of([])) == []
    assert str(audit_of([]))


def test_a_user_has_one_vote_however_often_they_rate() -> None:
    loud = [rating("loud", "wrong") for _ in range(100)]
    votes = votes_of(
        [*loud, rating("ann", "helped"), rating("ann", "unclear"), rating("bob", "helped")]
    )
    assert votes == {("history", None): Votes(1.5, 3)}
