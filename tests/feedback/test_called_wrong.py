"""Ratings of reasons, as players in the indices of a data set."""

import pyarrow as pa
import pytest

from whyrec.data.dataset import Dataset
from whyrec.data.wrong_reasons import WrongReason
from whyrec.feedback import Rating, ReasonRating
from whyrec.feedback.called_wrong import called_wrong

ITEMS = pa.table({"item_id": ["a", "b", "c"], "genre": ["x", "y", "x"]})
USERS = pa.table({"user_id": ["u", "v", "w"], "town": ["here", "there", "here"]})
EVENTS = pa.table({"user_id": ["u", "u", "v"], "item_id": ["a", "b", "c"]})
DATA = Dataset.from_tables(EVENTS, ITEMS, USERS)
X = DATA.item_features.schema.token_of("genre", "x") or 0


def rated(kind: str, source: str, value: str | None = None, **other: str) -> ReasonRating:
    about = {"user_id": "u", "item_id": "c", **other}
    return ReasonRating(about["user_id"], Rating.WRONG, about["item_id"], kind, source, value)


@pytest.mark.parametrize(
    ("rating", "wanted"),
    [
        (rated("history", "b"), WrongReason(0, 2, history=(1,))),
        (rated("history_group", "genre", "x"), WrongReason(0, 2, history=(0, 2))),
        (rated("user_attribute", "town", "here"), WrongReason(0, 2, fields=(0,))),
        (rated("item_feature", "genre", "x"), WrongReason(0, 2, tokens=(X,))),
    ],
    ids=["event", "group", "attribute", "feature"],
)
def test_a_reason_is_read_by_its_kind(rating: ReasonRating, wanted: WrongReason) -> None:
    assert called_wrong(DATA, [rating]) == (wanted,)


def test_what_the_data_set_does_not_have_is_left_out() -> None:
    unknown = [
        rated("history", "z"),
        rated("history", "b", user_id="nobody"),
        rated("history", "b", item_id="z"),
        rated("user_attribute", "age"),
        rated("item_feature", "genre", "z"),
        rated("item_feature", "colour", "x"),
    ]
    assert called_wrong(DATA, unknown) == ()


def test_the_last_rating_of_a_reason_counts() -> None:
    wrong = rated("history", "b")
    helped = ReasonRating("u", Rating.HELPED, "c", "history", "b")
    assert called_wrong(DATA, [wrong, helped]) == ()
    assert len(called_wrong(DATA, [helped, wrong, wrong])) == 1
