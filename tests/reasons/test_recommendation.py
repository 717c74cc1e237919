"""Results: what they export, and how they show."""

import datetime
import json
import sys
from collections.abc import Hashable, Sequence
from dataclasses import FrozenInstanceError, replace
from io import StringIO
from typing import Any

import pyarrow as pa
import pytest
from rich.console import Console

from whyrec.errors import MissingDependencyError
from whyrec.reasons.explanation import Explanation
from whyrec.reasons.reason import Reason, ReasonKind
from whyrec.reasons.recommendation import (
    Recommendation,
    Recommendations,
    recommendations_to_arrow,
)

HISTORY = Reason(
    ReasonKind.HISTORY, 7, 4.5, "purchase", 0.5, 0.5, (0, 2), label="Alien", reason_id="r1.a.b"
)
FEATURE = Reason(ReasonKind.ITEM_FEATURE, "genres", "War", None, -0.25, -0.25, (3,), 0.75)
ATTRIBUTE = Reason(ReasonKind.USER_ATTRIBUTE, "likes", ("a", "b"), None, 0.125, 0.125, (4,))


def recommendation(rank: int = 1, item_id: Hashable = 11, label: str = "Aliens") -> Recommendation:
    return Recommendation(
        rank, item_id, label, 1.5, (HISTORY, FEATURE), 1.0, 0.125, 0.125, "shapley"
    )


def answer(
    *recommendations: Recommendation, user_id: Hashable | None = "ann", personalised: bool = True
) -> Recommendations:
    return Recommendations(user_id, recommendations, 10, personalised)


def explanation(**changes: Any) -> Explanation:
    reasons = (HISTORY, FEATURE, ATTRIBUTE)
    whole = Explanation("ann", 11, "Aliens", 1.5, reasons, 1.0, 0.125, "shapley", True)
    return replace(whole, **changes)


def test_recommendations_are_a_sequence() -> None:
    first, second = recommendation(1), recommendation(2, 12, "Alien³")
    both = answer(first, second)
    assert len(both) == 2
    assert list(both) == [first, second]
    assert both[0] is first
    assert both[-1] is second
    assert both[:1] == (first,)
    assert second in both
    assert isinstance(both, Sequence)
    with pytest.raises(IndexError):
        both[2]


def test_results_cannot_be_changed() -> None:
    results = [(recommendation(), "score"), (answer(), "k"), (explanation(), "score")]
    for result, name in [*results, (HISTORY, "share")]:
        with pytest.raises(FrozenInstanceError):
            setattr(result, name, 0)


def test_without_reasons_nothing_is_made_up() -> None:
    plain = Recommendation(1, 11, "Aliens", 1.5)
    assert plain.reasons == ()
    head = plain.to_dict()
    absent = ("base_value", "other_contribution", "efficiency_gap", "tier")
    assert {head[name] for name in absent} == {None}
    (row,) = answer(plain).to_arrow().to_pylist()
    assert row["score"] == 1.5
    assert {row[name] for name in ("base_value", "reason", "kind", "text", "share")} == {None}
    assert "reasons" not in str(answer(plain))


def test_a_dict_holds_everything_with_ids_as_they_are() -> None:
    day = datetime.date(2024, 5, 1)
    whole = answer(recommendation(item_id=day), user_id=("a", 1))
    assert whole.to_dict() == {
        "schema_version": 1,
        "answer": "recommendations",
        "request_id": whole.request_id,
        "created_at": whole.created_at.isoformat(timespec="microseconds"),
        "model_id": "",
        "locale": "en",
        "tier": "shapley",
        "user_id": ("a", 1),
        "k": 10,
        "personalised": True,
        "note": None,
        "against": [],
        "recommendations": [
            {
                "rank": 1,
                "item_id": day,
                "label": "Aliens",
                "score": 1.5,
                "margin": None,
                "base_value": 1.0,
                "other_contribution": 0.125,
                "efficiency_gap": 0.125,
                "tier": "shapley",
                "source": "model",
                "reasons": [
                    {
                        "reason_id": "r1.a.b",
                        "kind": "history",
                        "source": 7,
                        "value": 4.5,
                        "event": "purchase",
                        "contribution": 0.5,
                        "share": 0.5,
                        "confidence": None,
                        "template": "history",
                        "parameters": {
                            "label": "Alien",
                            "event": "purchase",
                            "rating": 4.5,
                            "times": 2,
                            "against": False,
                        },
                        "text": "Because you purchased Alien (rated 4.5, 2 times)",
                        "partner": None,
                        "n_players": 2,
                        "players": [0, 2],
                        "may_object": False,
                    },
                    {
                        "reason_id": "",
                        "kind": "item_feature",
                        "source": "genres",
                        "value": "War",
                        "event": None,
                        "contribution": -0.25,
                        "share": -0.25,
                        "confidence": 0.75,
                        "template": "item_feature",
                        "parameters": {"field": "genres", "value": "War", "against": True},
                        "text": "Despite its genres: War",
                        "partner": None,
                        "n_players": 1,
                        "players": [3],
                        "may_object": False,
                    },
                ],
            }
        ],
    }


@pytest.mark.parametrize("item_id", [11, "a11", True, None, 2.5, "ü"])
def test_json_is_the_dict_where_json_knows_the_values(item_id: Hashable) -> None:
    whole = answer(recommendation(item_id=item_id))
    assert json.loads(whole.to_json()) == whole.to_dict()
    assert json.loads(whole.to_json(indent=2)) == whole.to_dict()
    single = explanation(item_id=item_id, reasons=(HISTORY, FEATURE))
    assert json.loads(single.to_json()) == single.to_dict()


@pytest.mark.parametrize(
    ("item_id", "encoded"),
    [
        (datetime.date(2024, 5, 1), {"type": "date", "content": ["2024-05-01"]}),
        (b"raw", {"type": "bytes", "content": ["cmF3"]}),
        (("a", 1), {"tuple": ["a", 1]}),
        (float("nan"), {"type": "float", "content": ["nan"]}),
        (2**53, {"type": "int", "content": [str(2**53)]}),
        (range(2), {"type": "other", "content": ["range(0, 2)"]}),
    ],
)
def test_json_takes_any_id(item_id: Hashable, encoded: object) -> None:
    content = json.loads(answer(recommendation(item_id=item_id)).to_json())
    assert content["recommendations"][0]["item_id"] == encoded


def test_a_table_has_one_row_per_reason() -> None:
    table = answer(recommendation(), recommendation(2, 12)).to_arrow()
    assert table.num_rows == 4
    assert table.column("rank").to_pylist() == [1, 1, 2, 2]
    assert table.column("reason").to_pylist() == [1, 2, 1, 2]
    assert table.column("item_id").to_pylist() == [11, 11, 12, 12]
    assert table.column("user_id").to_pylist() == ["ann"] * 4
    assert table.column("source").to_pylist() == ["7", "genres"] * 2
    assert table.column("value").to_pylist() == ["4.5", "War"] * 2
    assert table.column("contribution").to_pylist() == [0.5, -0.25] * 2
    assert table.column("n_players").to_pylist() == [2, 1] * 2
    assert table.column("confidence").to_pylist() == [None, 0.75] * 2


@pytest.mark.parametrize(
    ("ids", "kind", "column"),
    [
        ([1, 2], pa.int64(), [1, 2]),
        (["a", "b"], pa.string(), ["a", "b"]),
        ([1, "b"], pa.string(), ["1", "b"]),
        ([1, 2**70], pa.string(), ["1", str(2**70)]),
        ([True, 2], pa.string(), ["True", "2"]),
        ([(1, "x"), 2.5], pa.string(), ["1, x", "2.5"]),
    ],
)
def test_a_column_of_ids_has_one_type(
    ids: list[Hashable], kind: pa.DataType, column: list[object]
) -> None:
    plain = [Recommendation(1, item_id, "x", 1.0) for item_id in ids]
    table = answer(*plain).to_arrow()
    assert table.schema.field("item_id").type == kind
    assert table.column("item_id").to_pylist() == column


def test_many_users_make_one_table() -> None:
    batch = [
        answer(recommendation()),
        answer(user_id="bob"),
        answer(recommendation(), user_id=None),
    ]
    table = recommendations_to_arrow(batch)
    assert table.column("user_id").to_pylist() == ["ann", "ann", None, None]
    assert table.schema == answer(recommendation()).to_arrow().schema


def test_an_empty_answer_is_an_empty_table_with_all_columns() -> None:
    table = answer().to_arrow()
    assert table.num_rows == 0
    assert table.column_names == answer(recommendation()).to_arrow().column_names
    assert recommendations_to_arrow([]).column_names == table.column_names


def test_a_data_frame_is_the_table() -> None:
    frame = answer(recommendation()).to_pandas()
    assert list(frame["text"]) == [HISTORY.text, FEATURE.text]
    assert list(frame.columns) == answer().to_arrow().column_names
    assert list(explanation().to_pandas()["share"]) == [0.5, -0.25, 0.125]


def test_without_pandas_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    for result in (answer(recommendation()), explanation()):
        with pytest.raises(MissingDependencyError, match="pip install pandas"):
            result.to_pandas()
        assert result.to_arrow().num_rows >= 2


def test_an_explanation_exports_all_its_reasons() -> None:
    table = explanation().to_arrow()
    assert table.column("value").to_pylist() == ["4.5", "War", "a, b"]
    assert "rank" not in table.column_names
    assert "other_contribution" not in table.column_names
    content = explanation().to_dict()
    assert content["base_value"] == 1.0
    assert content["personalised"] is True
    assert json.loads(explanation().to_json())["reasons"][2]["value"] == {"tuple": ["a", "b"]}


def test_a_user_without_history_is_told_so() -> None:
    visitor = answer(recommendation(), user_id=None, personalised=False)
    for result in (visitor, explanation(personalised=False)):
        assert result.note is not None
        assert "No history" in result.note
        assert result.to_dict()["note"] == result.note
        assert "No history" in str(result)
        assert "No history" in result._repr_html_()
    assert answer(recommendation()).note is None


def test_a_terminal_shows_ranks_scores_and_reasons() -> None:
    text = str(answer(recommendation()))
    assert "1 of 10 recommendations for user 'ann'" in text
    for part in ("Aliens", "1.500", "+0.500 Because you purchased Alien", "-0.250 Despite"):
        assert part in text
    assert "+0.125 everything else" in text
    assert "a visitor" in str(answer(user_id=None))


def test_a_terminal_shows_how_an_explanation_adds_up() -> None:
    lines = str(explanation()).splitlines()
    assert "Why Aliens scores 1.500 for user 'ann'" in lines[0]
    shown = [line for line in lines if "│" in line and "logits" not in line]
    contents = [[cell.strip() for cell in line.split("│")[1:-1]] for line in shown]
    assert contents[0][:1] == ["1.000"]
    assert contents[1] == ["+0.500", "+50.0%", HISTORY.text]
    assert contents[-1] == ["1.500", "", "score"]
    assert len(contents) == 3 + 3


def test_brackets_in_labels_are_no_markup() -> None:
    odd = answer(recommendation(label="[red]REC[/red] [/]"), user_id="[b]bob[/b]")
    assert "[red]REC[/red] [/]" in str(odd)
    assert "[b]bob[/b]" in str(odd)
    console = Console(file=StringIO(), width=120)
    with console.capture() as captured:
        console.print(odd)
    assert "[red]REC[/red] [/]" in captured.get()


def test_a_notebook_gets_everything_escaped() -> None:
    odd = replace(HISTORY, label="<script>alert('&')</script>\nsecond line")
    evil = "<b onload=x>"
    first = replace(recommendation(label=evil), reasons=(odd,))
    results: list[Recommendations | Explanation] = [
        answer(first, user_id=evil),
        explanation(label=evil, user_id=evil, reasons=(odd,)),
    ]
    for result in results:
        page = result._repr_html_()
        assert "<script>" not in page
        assert evil not in page
        assert "&lt;script&gt;alert(&#x27;&amp;&#x27;)&lt;/script&gt;<br>second line" in page
        assert page.count("&lt;b onload=x&gt;") == 2


def test_a_repr_is_one_short_line() -> None:
    many = answer(*(recommendation(rank, rank) for rank in range(1, 6)))
    assert repr(many) == "Recommendations(user_id='ann', 5 items: [1, 2, 3, …])"
    assert repr(answer()) == "Recommendations(user_id='ann', 0 items: [])"
    assert repr(recommendation()) == "Recommendation(1, 11, score=1.5000, 2 reasons)"
    assert repr(Recommendation(1, 11, "x", 1.5)) == "Recommendation(1, 11, score=1.5000)"
    assert repr(explanation()) == (
        "Explanation(user_id='ann', item_id=11, score=1.5000, 3 reasons)"
    )


def test_a_recommendation_and_a_reason_print_as_lines() -> None:
    assert str(recommendation()).splitlines() == [
        "1. Aliens (1.500)",
        "   +0.500 Because you purchased Alien (rated 4.5, 2 times)",
        "   -0.250 Despite its genres: War",
    ]
    assert str(HISTORY) == "+0.500 Because you purchased Alien (rated 4.5, 2 times)"
