"""Ids and values of any type as text, and back."""

import json
import math
from collections.abc import Hashable
from decimal import Decimal
from typing import Any

from whyrec.data.tables import as_python, is_missing
from whyrec.data.tagged import decode_value, encode_value
from whyrec.errors import ArgumentError, StorageError


def encode_id(one: Hashable) -> str:
    """Return an id as text, the same for ids that are equal, such as 1, 1.0 and True.

    Raises:
        ArgumentError: it is missing, or of a type that cannot be stored.

    >>> encode_id("fig"), encode_id(7), encode_id(("shelf", 3))
    ('sfig', 'i7', 'j["tuple", ["str", "shelf"], ["int", "3"]]')
    """
    if type(one) is str and is_storable(one):  # the usual kinds first: there are many events
        return "s" + one
    if type(one) is int:
        return f"i{one}"
    if is_missing(one):
        raise ArgumentError("is missing")
    plain = _as_plain(as_python(one))
    if plain is not one and type(plain) in (str, int):
        return encode_id(plain)
    try:
        return "j" + json.dumps(encode_value(plain))
    except StorageError as error:
        raise ArgumentError(str(error)) from None


def decode_id(text: str) -> Hashable:
    """Read back what `encode_id` wrote.

    Raises:
        StorageError: the text was not written by `encode_id`.
    """
    mark, rest = text[:1], text[1:]
    try:
        if mark == "s":
            return rest
        if mark == "i":
            return int(rest)
        if mark == "j":
            return decode_value(json.loads(rest))
    except (ValueError, RecursionError, StorageError):
        pass
    raise StorageError(f"{text!r} is not a stored id")


def is_storable(text: str) -> bool:
    """Whether every database can hold a text: no NUL and no lone surrogate."""
    if text.isascii():
        return "\0" not in text
    return not any(each == "\0" or "\ud800" <= each <= "\udfff" for each in text)


def _as_plain(one: Any) -> Hashable:
    """Return the one value that stands for all that are equal, inside tuples and sets too."""
    match one:
        case tuple():
            return tuple(map(_as_plain, one))
        case frozenset():
            return frozenset(map(_as_plain, one))
        case str():
            return str.__str__(one)
        case int():
            return int(one)
        case float() | Decimal() if math.isfinite(one):
            return int(one) if one == int(one) else float(one) if one == float(one) else one
    known: Hashable = one
    return known
