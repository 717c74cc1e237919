"""How one field of a record is kept in a column: checked and written, and read back."""

import math
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal

import numpy as np

from whyrec.data import id_text
from whyrec.data.id_text import encode_id, is_storable
from whyrec.data.numbers import LARGEST
from whyrec.data.tables import is_missing
from whyrec.data.times import SECONDS_PER_DAY
from whyrec.errors import ArgumentError, StorageError, StoreError

Cell = str | float | int | None
"""What a column holds."""


@dataclass(frozen=True, slots=True)
class Codec:
    """How a field is kept."""

    type: Literal["text", "real", "integer"]
    encode: Callable[[Any], Cell]
    """Raises ArgumentError with what is wrong with the value."""

    decode: Callable[[Any], Any]

    is_id: bool = False
    """Whether it holds an id or a value of any type, see `encode_id`."""


def decode_id(text: str) -> Hashable:
    """Read back what `encode_id` wrote.

    Raises:
        StoreError: the text was not written by `encode_id`.
    """
    try:
        return id_text.decode_id(text)
    except StorageError as error:
        raise StoreError(f"{error}; the store is damaged") from None


def _encode_text(text: object) -> str:
    if not isinstance(text, str):
        raise ArgumentError(f"must be a string, not {text!r}")
    if not is_storable(text):
        raise ArgumentError(f"has a NUL or a lone surrogate in {text!r}; leave it out")
    return str(text)


def _encode_name(text: object) -> str:
    if not (name := _encode_text(text)):
        raise ArgumentError("must not be empty")
    return name


def _encode_number(value: Any) -> float:
    if type(value) is float and abs(value) <= LARGEST:
        return value
    if isinstance(value, np.generic):
        value = value.item()
    if not isinstance(value, int | float | Decimal) or isinstance(value, bool):
        raise ArgumentError(f"must be a number, not {value!r}")
    try:
        number = float(value)
    except OverflowError:  # an int of more than 308 digits
        number = math.inf
    if not abs(number) <= LARGEST:
        raise ArgumentError(f"is {number}; it must be a number within ±{LARGEST:.1e}")
    return number


def _encode_time(seconds: Any) -> float:
    since_1970 = _encode_number(seconds)
    if not 0 <= since_1970 <= latest_time():
        raise ArgumentError(
            f"is {since_1970}; it must be in seconds since 1970 and no later than a day from now"
        )
    return since_1970


def latest_time() -> float:
    """Return the latest time that is believed, in seconds: clocks may be a day apart."""
    return time.time() + SECONDS_PER_DAY


def _within(lowest: float, highest: float, *, open_below: bool = False) -> Callable[[Any], Cell]:
    def encode(value: Any) -> float:
        number = _encode_number(value)
        if not lowest <= number <= highest or (open_below and number == lowest):
            start = "above" if open_below else "from"
            raise ArgumentError(f"is {number}; it must be {start} {lowest} to {highest}")
        return number

    return encode


def _encode_rank(value: Any) -> int:
    number = _encode_number(value)
    if number < 1 or number != int(number):
        raise ArgumentError(f"is {value!r}; it must be a whole number from 1")
    return int(number)


def _as_it_is(value: Any) -> Any:
    return value


def optional(codec: Codec) -> Codec:
    """Return the codec of a field that may be None; NaN and its kin are None too."""
    return replace(
        codec,
        encode=lambda value: None if value is None or is_missing(value) else codec.encode(value),
        decode=lambda cell: None if cell is None else codec.decode(cell),
    )


def choice(kinds: type[StrEnum]) -> Codec:
    """Return the codec of a field that is one of a few words."""

    def encode(value: Any) -> str:
        try:
            return kinds(value).value
        except ValueError:
            words = ", ".join(f'"{each}"' for each in kinds)
            raise ArgumentError(f"is {value!r}; it must be one of {words}") from None

    return Codec("text", encode, kinds)


ID = Codec("text", encode_id, decode_id, is_id=True)
TEXT = Codec("text", _encode_text, _as_it_is)
NAME = Codec("text", _encode_name, _as_it_is)
NUMBER = Codec("real", _encode_number, _as_it_is)
TIME = Codec("real", _encode_time, _as_it_is)
WEIGHT = Codec("real", _within(0, 1), _as_it_is)
PROPENSITY = Codec("real", _within(0, 1, open_below=True), _as_it_is)
RANK = Codec("integer", _encode_rank, _as_it_is)
