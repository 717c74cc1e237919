"""The contract of an answer: its JSON, as the schema in `answer.schema.json` has it, and back.

The schema holds for this version of it. Whatever changes in an answer is a new version: the schema
is changed, its number here and there is raised, and a function that makes of an answer of the
version before one of the next is called in `open_answer`, so that what was kept stays readable.
"""

import json
from collections.abc import Hashable
from datetime import UTC, datetime
from enum import StrEnum
from importlib import resources
from typing import Any, Literal, Protocol, TypeVar

from whyrec.errors import DataError
from whyrec.reasons.reason import Partner, Reason, ReasonKind
from whyrec.reasons.text import Wording
from whyrec.reasons.typed_json import typed, untyped

SCHEMA_VERSION = 1
"""The newest version of the contract that this whyrec reads, and the one that it writes."""

AnswerKind = Literal["recommendations", "explanation"]
E = TypeVar("E", bound=StrEnum)


class _Answer(Protocol):
    """What every answer has."""

    @property
    def request_id(self) -> str: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def model_id(self) -> str: ...


def answer_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of answers, of the version that this whyrec writes.

    >>> answer_schema()["$schema"]
    'https://json-schema.org/draft/2020-12/schema'
    """
    text = resources.files("whyrec.reasons").joinpath("answer.schema.json").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def stamp(kind: AnswerKind, answer: _Answer, wording: Wording) -> dict[str, object]:
    """Return what each answer begins with."""
    return {
        "schema_version": SCHEMA_VERSION,
        "answer": kind,
        "request_id": answer.request_id,
        "created_at": answer.created_at.astimezone(UTC).isoformat(timespec="microseconds"),
        "model_id": answer.model_id,
        "locale": wording.locale,
    }


def answer_text(content: dict[str, object], indent: int | None) -> str:
    """Return what `to_dict` of an answer gives as JSON; ids and values keep their types."""
    plain = _typed(content)
    text = json.dumps(plain, ensure_ascii=False, allow_nan=False, indent=indent)
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate
        text = json.dumps(plain, allow_nan=False, indent=indent)
    return text


def _typed(content: object) -> Any:
    match content:
        case dict():
            return {name: _typed(each) for name, each in content.items()}
        case list():
            return [_typed(each) for each in content]
    return typed(content)


class Fields:
    """An object of an answer that is read, and where it is; each read names what is wrong."""

    def __init__(self, content: object, where: str) -> None:
        self._where = where
        if not isinstance(content, dict):
            raise DataError(f"{where} is no object: {content!r}")
        self._content: dict[str, Any] = content

    def _get(self, name: str, *kinds: type) -> Any:
        if name not in self._content:
            raise DataError(f"{self._where}.{name} is missing")
        value = self._content[name]
        if kinds and type(value) not in kinds:  # true and false are no numbers here
            told = " or ".join(kind.__name__ for kind in kinds)
            raise DataError(f"{self._where}.{name} is not of type {told}: {value!r}")
        return value

    def text(self, name: str) -> str:
        """Return a string."""
        return str(self._get(name, str))

    def optional_text(self, name: str) -> str | None:
        """Return a string or None."""
        text: str | None = self._get(name, str, type(None))
        return text

    def number(self, name: str) -> float:
        """Return a number, whether it is written as a whole one or not."""
        return float(self._get(name, float, int))

    def optional_number(self, name: str) -> float | None:
        """Return a number or None."""
        return None if self._get(name) is None else self.number(name)

    def whole(self, name: str) -> int:
        """Return a whole number."""
        return int(self._get(name, int))

    def flag(self, name: str) -> bool:
        """Return True or False."""
        return bool(self._get(name, bool))

    def choice(self, name: str, kinds: type[E]) -> E:
        """Return one of a few words."""
        word = self.text(name)
        if word not in [each.value for each in kinds]:
            raise DataError(f"{self._where}.{name} is none of {', '.join(kinds)}: {word!r}")
        return kinds(word)

    def time(self, name: str) -> datetime:
        """Return a time with its zone."""
        text = self.text(name)
        try:
            time = datetime.fromisoformat(text)
        except ValueError:
            time = datetime.min
        if time.tzinfo is None:
            raise DataError(f"{self._where}.{name} is no time with a zone: {text!r}")
        return time.astimezone(UTC)

    def value(self, name: str) -> Hashable:
        """Return an id or a value of any type."""
        return untyped(self._get(name), f"{self._where}.{name}")

    def values(self, name: str) -> tuple[Any, ...]:
        """Return a list of ids or values."""
        where = f"{self._where}.{name}"
        return tuple(
            untyped(each, f"{where}[{place}]") for place, each in enumerate(self._get(name, list))
        )

    def part(self, name: str) -> "Fields":
        """Return an object within."""
        return Fields(self._get(name), f"{self._where}.{name}")

    def optional_part(self, name: str) -> "Fields | None":
        """Return an object within, or None."""
        return None if self._get(name) is None else self.part(name)

    def parts(self, name: str) -> list["Fields"]:
        """Return the objects of a list within."""
        where = f"{self._where}.{name}"
        return [
            Fields(each, f"{where}[{place}]") for place, each in enumerate(self._get(name, list))
        ]


def open_answer(text: str | bytes, kind: AnswerKind) -> Fields:
    """Return the object that an answer is in JSON.

    Raises:
        DataError: it is no JSON, of another kind, or of a version that this whyrec does not know.
    """
    try:
        content = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise DataError(f"the answer is no JSON: {error}") from None
    answer = Fields(content, "answer")
    version = answer.whole("schema_version")
    if version != SCHEMA_VERSION:
        raise DataError(
            f"the answer has schema version {version}; this whyrec reads {SCHEMA_VERSION}"
            + ("; upgrade whyrec" if version > SCHEMA_VERSION else "")
        )
    found = answer.text("answer")
    if found != kind:
        raise DataError(f"the answer is of the kind {found!r}, not {kind!r}")
    return answer


def read_reasons(answer: Fields) -> tuple[Reason, ...]:
    """Read the reasons of an item."""
    return tuple(map(_read_reason, answer.parts("reasons")))


def _read_reason(told: Fields) -> Reason:
    kind, parameters = told.choice("kind", ReasonKind), told.part("parameters")
    partner = told.optional_part("partner")
    return Reason(
        kind,
        told.value("source"),
        told.value("value"),
        told.optional_text("event"),
        told.number("contribution"),
        told.number("share"),
        told.values("players"),
        told.optional_number("confidence"),
        None
        if partner is None
        else Partner(partner.text("field"), partner.value("value"), partner.number("interaction")),
        parameters.text("label") if kind is ReasonKind.HISTORY else None,
        parameters.whole("n_items") if kind is ReasonKind.HISTORY_GROUP else None,
        told.text("reason_id"),
        told.flag("may_object"),
    )


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON")
