from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pytest

from whyrec.errors import ArgumentError
from whyrec.ranking import Rules


def test_pinned_items_are_by_rank_in_any_form() -> None:
    assert Rules(pinned=["b", "a"]).by_rank() == {1: "b", 2: "a"}
    assert list(Rules(pinned={7: "a", 2: "b"}).by_rank().items()) == [(2, "b"), (7, "a")]
    assert Rules(pinned=np.array([3, 4])).by_rank() == {1: 3, 2: 4}
    assert Rules().by_rank() == {}


def test_rules_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Rules().diversity = 1.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"pinned": "i1"}, "pinned must be a list of ids or a mapping from ranks, not 'i1'"),
        ({"pinned": {"i1", "i2"}}, "pinned must be a list of ids"),
        ({"pinned": {0: "i1"}}, "pinned: a rank must be a whole number from 1, not 0"),
        ({"pinned": {True: "i1"}}, "a rank must be a whole number from 1, not True"),
        ({"pinned": {1.5: "i1"}}, "a rank must be a whole number from 1, not 1.5"),
        ({"pinned": ["i1", "i1"]}, "pinned: an item has more than one rank"),
        ({"pinned": [["i1"]]}, "pinned: an id must be hashable"),
        ({"boosts": {"i1": float("inf")}}, "boosts: inf is no finite number of logits"),
        ({"boosts": {"i1": "much"}}, "boosts: 'much' is no finite number of logits"),
        ({"boosts": ["item"]}, "boosts must be a mapping from ids to logits, or pairs of an"),
        ({"boosts": [(pc.field("x") > 1, None)]}, "boosts: None is no finite number"),
        ({"at_most": {"style": 0}}, "at_most: the number for 'style' must be a whole number"),
        ({"at_most": ["style"]}, "at_most must be a mapping from fields, not"),
        ({"diversity": 1.1}, "diversity must be a number from 0 to 1, not 1.1"),
        ({"diversity": float("nan")}, "diversity must be a number from 0 to 1, not nan"),
    ],
)
def test_what_no_answer_could_hold_is_refused(rules: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        Rules(**rules)
