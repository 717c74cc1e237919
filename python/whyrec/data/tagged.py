"""Python values of many types as JSON that tells the type, so that they come back exactly."""

import base64
from collections.abc import Callable, Hashable
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from whyrec.errors import StorageError

Tagged = list[Any]
"""The name of a type, then what JSON needs to hold the value."""


def encode_value(value: Hashable) -> Tagged:
    """Write a value as JSON data with the name of its type.

    Raises:
        StorageError: values of this type cannot be stored; the message names the type.
    """
    kind = type(value)
    if kind not in _CODECS:
        known = ", ".join(known.__qualname__ for known in _CODECS)
        raise StorageError(
            f"an id or category of type {kind.__module__}.{kind.__qualname__} ({value!r}) "
            f"cannot be stored; use one of {known}"
        )
    encode, _ = _CODECS[kind]
    return [kind.__name__, *encode(value)]


def can_be_stored(value: Hashable) -> bool:
    """Whether `encode_value` can write a value."""
    try:
        encode_value(value)
    except StorageError:
        return False
    return True


def decode_value(tagged: Tagged) -> Hashable:
    """Read back what `encode_value` wrote.

    Raises:
        StorageError: the data was not written by `encode_value`.
    """
    try:
        name, *content = tagged
        _, decode = _BY_NAME[name]
        value: Hashable = decode(*content)
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise StorageError(f"{tagged!r} is not a stored id or category") from error
    return value


def _encode_datetime(value: datetime) -> list[Any]:
    if value.tzinfo is None or type(value.tzinfo) is timezone:
        return [value.isoformat(), value.fold]
    if isinstance(value.tzinfo, ZoneInfo) and value.tzinfo.key:
        return [value.replace(tzinfo=None).isoformat(), value.fold, value.tzinfo.key]
    raise StorageError(f"a datetime with the time zone {value.tzinfo!r} cannot be stored")


def _decode_datetime(text: str, fold: int, zone: str | None = None) -> datetime:
    value = datetime.fromisoformat(text).replace(fold=fold)
    return value if zone is None else value.replace(tzinfo=ZoneInfo(zone))


def _decode_time(text: str, fold: int) -> time:
    return time.fromisoformat(text).replace(fold=fold)


def _none() -> None:
    return None


Codec = tuple[Callable[[Any], list[Any]], Callable[..., Any]]

_CODECS: dict[type, Codec] = {
    str: (lambda value: [value], str),
    int: (lambda value: [str(value)], int),
    float: (lambda value: [value.hex()], float.fromhex),
    bool: (lambda value: [value], bool),
    bytes: (lambda value: [base64.b64encode(value).decode()], base64.b64decode),
    tuple: (
        lambda value: [encode_value(entry) for entry in value],
        lambda *entries: tuple(decode_value(entry) for entry in entries),
    ),
    frozenset: (
        lambda value: sorted(map(encode_value, value), key=repr),
        lambda *entries: frozenset(decode_value(entry) for entry in entries),
    ),
    UUID: (lambda value: [value.hex], UUID),
    datetime: (_encode_datetime, _decode_datetime),
    date: (lambda value: [value.isoformat()], date.fromisoformat),
    time: (lambda value: [value.isoformat(), value.fold], _decode_time),
    timedelta: (lambda value: [value.days, value.seconds, value.microseconds], timedelta),
    Decimal: (lambda value: [str(value)], Decimal),
    type(None): (lambda _: [], _none),
}
_BY_NAME = {kind.__name__: codec for kind, codec in _CODECS.items()}
