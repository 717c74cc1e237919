"""The contract of an answer: what the schema accepts and refuses, and what comes back of JSON."""

import copy
import datetime
import json
from collections.abc import Callable, Hashable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from jsonschema import Draft202012Validator, ValidationError

from whyrec import (
    ENGLISH,
    GERMAN,
    SDK,
    DataError,
    EASEConfig,
    Explanation,
    GradientPathConfig,
    NetworkConfig,
    PopularityConfig,
    Recommendations,
    ShapleyConfig,
    answer_schema,
)
from whyrec.data.dataset import Dataset
from whyrec.models import DeepRankerConfig, RecommenderConfig, SequenceConfig, TwoTowerConfig
from whyrec.reasons.reason import Partner, Reason, ReasonKind
from whyrec.reasons.recommendation import Recommendation

Answer = Recommendations | Explanation
EXAMPLES = sorted((Path(__file__).parent / "answers").glob("*.json"))
VALIDATOR = Draft202012Validator(
    answer_schema(), format_checker=Draft202012Validator.FORMAT_CHECKER
)
NETWORK = NetworkConfig(max_steps=2, evaluate_every=1, batch_size=4, n_coalitions=4)


def fitted(shop: Dataset, model: RecommenderConfig, **settings: Any) -> SDK:
    return SDK.fit_dataset(shop, model=model, progress=False, **settings)


@pytest.fixture(scope="module")
def answers(
    shop: Dataset,
    tower_config: TwoTowerConfig,
    sequence_config: SequenceConfig,
    ranker_config: DeepRankerConfig,
) -> list[Answer]:
    """Answers of every model, of users and visitors, in every way that they can be told."""
    found: list[Answer] = []
    for sdk in (
        fitted(shop, tower_config, explainer=NETWORK),
        fitted(shop, sequence_config, explainer=GradientPathConfig(n_points=2)),
        fitted(shop, ranker_config, explainer=ShapleyConfig(max_permutations=8)),
        fitted(shop, EASEConfig()),
        fitted(shop, PopularityConfig()),
    ):
        users = ["u0", "u2", "u3", "u7"]
        found += sdk.recommend(users, 4)
        found += sdk.recommend("u3", 2, only=[]), sdk.recommend("u3", 99)
        ways: list[dict[str, Any]] = [{}, {"group_by": "topics"}, {"against": 3}]
        if "ClosedForm" not in repr(sdk):  # which finds no interactions
            ways.append({"interactions": True})
        for options in ways:
            found += sdk.recommend_with_reasons(users, 3, max_reasons=None, **options)
            found.append(sdk.recommend_for(["i3", "i4"], {"age": 30}, 3, **options))
            found.append(sdk.explain("u3", "i7", **options))
        found.append(sdk.recommend_for((), {}, 3))
    return found


def schema_of(answer: Answer) -> Any:
    return json.loads(answer.to_json())


def test_the_schema_is_one_of_the_standard() -> None:
    schema = answer_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(schema)


def test_every_answer_is_as_the_schema_has_it(answers: list[Answer]) -> None:
    assert len(answers) > 100
    kinds = set()
    for answer in answers:
        for wording in (ENGLISH, GERMAN):
            content = json.loads(answer.to_json(wording=wording))
            VALIDATOR.validate(content)
            assert content["locale"] == wording.locale
        told = [answer] if isinstance(answer, Explanation) else list(answer)
        kinds |= {(reason.kind, reason.partner is None) for each in told for reason in each.reasons}
    assert {kind for kind, _ in kinds} == set(ReasonKind)
    assert (ReasonKind.HISTORY, False) in kinds


def test_every_answer_comes_back_from_json_the_same(answers: list[Answer]) -> None:
    for answer in answers:
        for text in (answer.to_json(), answer.to_json(indent=2, wording=GERMAN).encode()):
            back = type(answer).from_json(text)
            assert back == answer
            assert (back.request_id, back.created_at) == (answer.request_id, answer.created_at)
            assert back.to_json() == answer.to_json()
            assert back.to_arrow() == answer.to_arrow()


def test_the_schema_names_each_field_and_no_other(answers: list[Answer]) -> None:
    defined = answer_schema()["$defs"]
    for kind in ("recommendations", "explanation", "recommendation", "reason"):
        assert defined[kind]["required"] == list(defined[kind]["properties"])
        assert defined[kind]["additionalProperties"] is False
    (told,) = [each for each in answers if isinstance(each, Recommendations) and each.tier][:1]
    content = schema_of(told)
    assert set(content) == set(defined["recommendations"]["properties"])
    assert set(content["recommendations"][0]) == set(defined["recommendation"]["properties"])
    reason = content["recommendations"][0]["reasons"][0]
    assert set(reason) == set(defined["reason"]["properties"])


IDS: list[Hashable] = [
    None,
    True,
    "ü\ud800",
    2**53 - 1,
    2**53,
    -(2**70),
    2.0,
    float("inf"),
    b"raw",
    ("shelf", (3, None), datetime.date(2024, 5, 1)),
    frozenset({1, "a"}),
    datetime.datetime(2024, 5, 1, 12, tzinfo=datetime.UTC),
    datetime.timedelta(seconds=3),
    UUID(int=5),
    Decimal("1.10"),
]


@pytest.mark.parametrize("one", IDS)
def test_ids_and_values_of_any_type_come_back_as_they_are(one: Hashable) -> None:
    reasons = (
        Reason(ReasonKind.HISTORY, one, 1.5, None, 0.5, 1.0, (0,), None, None, "x"),
        Reason(
            ReasonKind.HISTORY_GROUP,
            "f",
            one,
            None,
            0.5,
            1.0,
            (0, 2),
            None,
            Partner("f", one, 0.1),
            n_items=2,
        ),
        Reason(ReasonKind.ITEM_FEATURE, "f", one, None, -0.5, -1.0, (1,), 0.5),
    )
    answer = Recommendations(
        one, (Recommendation(1, one, "x", 1.0, reasons, 0.0, 0.0, 0.0, "path"),), 3, True, (one,)
    )
    explanation = Explanation(one, one, "x", 1.0, reasons, 0.0, 0.0, "path", True, 0.5, (one,))
    for each in (answer, explanation):
        VALIDATOR.validate(schema_of(each))
        back = type(each).from_json(each.to_json())
        assert back == each
        assert repr(back.against) == repr(each.against)


def test_a_type_that_nothing_is_known_of_is_kept_as_text() -> None:
    answer = Recommendations(range(2), (), 3, False)
    VALIDATOR.validate(schema_of(answer))
    assert Recommendations.from_json(answer.to_json()).user_id == "range(0, 2)"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_what_an_older_version_wrote_stays_readable(path: Path) -> None:
    text = path.read_text()
    kind: type[Answer] = Recommendations if "recommendations" in path.name else Explanation
    answer = kind.from_json(text)
    VALIDATOR.validate(schema_of(answer))
    assert schema_of(answer) == {**json.loads(text), "schema_version": 1}


def test_there_is_an_example_of_every_version_and_kind() -> None:
    assert [path.name for path in EXAMPLES] == ["explanation-1.json", "recommendations-1.json"]


def example(kind: str) -> Any:
    (path,) = [path for path in EXAMPLES if path.name == f"{kind}-1.json"]
    return json.loads(path.read_text())


def changed(content: Any, path: tuple[Any, ...], change: Callable[[Any, Any], object]) -> Any:
    content = copy.deepcopy(content)
    inner = content
    for step in path[:-1]:
        inner = inner[step]
    change(inner, path[-1])
    return content


def put(value: object) -> Callable[[Any, Any], object]:
    return lambda inner, name: inner.__setitem__(name, value)


FIRST = ("recommendations", 0)
REASON = (*FIRST, "reasons", 0)
BROKEN: dict[str, tuple[tuple[Any, ...], object]] = {
    "a version that is not there": (("schema_version",), 2),
    "another kind": (("answer",), "guess"),
    "no name": (("request_id",), ""),
    "a time without a zone": (("created_at",), "2024-05-01T12:00:00"),
    "no time": (("created_at",), "soon"),
    "an id that is a list": (("user_id",), ["a"]),
    "an id of an unknown type": ((*FIRST, "item_id"), {"type": "Own", "content": []}),
    "a rank of zero": ((*FIRST, "rank"), 0),
    "a score in words": ((*FIRST, "score"), "high"),
    "a score that is missing": ((*FIRST, "score"), None),
    "a tier without numbers": ((*FIRST, "base_value"), None),
    "a slot from nowhere": ((*FIRST, "source"), "luck"),
    "an unknown kind of reason": ((*REASON, "kind"), "hunch"),
    "a template of another kind": ((*REASON, "template"), "item_feature"),
    "parameters of another kind": ((*REASON, "parameters"), {"field": "x", "value": 1}),
    "a confidence above one": ((*REASON, "confidence"), 1.5),
    "a truth that is a number": ((*REASON, "may_object"), 1),
    "no players": ((*REASON, "players"), []),
    "a partner in words": ((*REASON, "partner"), "genres: Comedy"),
    "a field more": ((*REASON, "user"), "bob"),
    "a field more at the top": (("secret",), 1),
}


@pytest.mark.parametrize("name", BROKEN)
def test_the_schema_refuses_what_is_broken(name: str) -> None:
    path, value = BROKEN[name]
    whole = example("recommendations")
    VALIDATOR.validate(whole)
    with pytest.raises(ValidationError):
        VALIDATOR.validate(changed(whole, path, put(value)))


def test_the_schema_refuses_an_answer_without_any_one_of_its_fields() -> None:
    whole = example("recommendations")
    n_refused = 0
    for path in ((), FIRST, REASON, (*REASON, "parameters")):
        inner = whole
        for step in path:
            inner = inner[step]
        for name in inner:
            with pytest.raises(ValidationError):
                VALIDATOR.validate(changed(whole, (*path, name), lambda at, key: at.pop(key)))
            n_refused += 1
    assert n_refused > 40


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("schema_version",), 2, "has schema version 2; this whyrec reads 1; upgrade whyrec"),
        (("schema_version",), 0, "has schema version 0; this whyrec reads 1"),
        (("schema_version",), True, "answer.schema_version is not of type int: True"),
        (("answer",), "explanation", "is of the kind 'explanation', not 'recommendations'"),
        (("created_at",), "soon", "answer.created_at is no time with a zone: 'soon'"),
        (("user_id",), ["a"], r"answer.user_id is no id and no value: \['a'\]"),
        ((*FIRST, "item_id"), {"type": "x", "content": []}, r"recommendations\[0\].item_id: "),
        ((*FIRST, "score"), "9", r"answer.recommendations\[0\].score is not of type float or int"),
        ((*FIRST, "source"), "luck", r"recommendations\[0\].source is none of model, popular"),
        ((*FIRST, "reasons"), [7], r"answer.recommendations\[0\].reasons\[0\] is no object: 7"),
        ((*REASON, "kind"), "hunch", r"reasons\[0\].kind is none of history, history_group"),
        ((*REASON, "parameters"), {}, r"reasons\[0\].parameters.label is missing"),
    ],
)
def test_a_damaged_answer_is_refused_by_where(
    path: tuple[Any, ...], value: object, message: str
) -> None:
    text = json.dumps(changed(example("recommendations"), path, put(value)))
    with pytest.raises(DataError, match=message):
        Recommendations.from_json(text)


def test_what_is_no_answer_is_refused() -> None:
    for text in ("", "{", "[" * 100_000, '{"schema_version": NaN}', b"\xff"):
        with pytest.raises(DataError, match="the answer is no JSON"):
            Recommendations.from_json(text)
    for text in ("[]", "7", "null"):
        with pytest.raises(DataError, match="answer is no object"):
            Explanation.from_json(text)
    with pytest.raises(DataError, match="is of the kind 'recommendations', not 'explanation'"):
        Explanation.from_json(json.dumps(example("recommendations")))


def test_the_same_question_gives_the_same_json_but_for_name_and_time(answers: list[Answer]) -> None:
    answer = answers[0]
    other = replace(answer, request_id="r", created_at=answer.created_at.replace(year=2000))
    assert other == answer
    assert other.to_json() != answer.to_json()
    again = replace(other, request_id=answer.request_id, created_at=answer.created_at)
    assert again.to_json() == answer.to_json()


def test_nobody_else_is_in_an_answer(answers: list[Answer]) -> None:
    users = {f"u{n}" for n in range(30)}
    n_texts = 0

    def texts(content: Any) -> set[str]:
        if isinstance(content, dict):
            return set().union(*map(texts, content.values()))
        if isinstance(content, list):
            return set().union(*map(texts, content))
        return {content} if isinstance(content, str) else set()

    for answer in answers:
        found = texts(schema_of(answer))
        assert found & users <= {answer.user_id}
        n_texts += len(found)
    assert n_texts > 1_000
