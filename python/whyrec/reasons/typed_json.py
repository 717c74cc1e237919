"""Ids and values as JSON that keeps their type, and back."""

from collections.abc import Hashable
from typing import Any

import numpy as np

from whyrec.data.tagged import decode_value, encode_value
from whyrec.errors import DataError, StorageError

_LARGEST = 2**53 - 1
"""Up to here every reader of JSON has whole numbers."""


def typed(value: object) -> Any:
    """Return an id or a value as JSON data from which `untyped` makes the same.

    Strings, booleans, None and numbers are themselves; a tuple is an object of its values, any
    other type an object with its name. Of a type that nothing is known of the text is kept.

    >>> import datetime
    >>> typed(("fig", 7)), typed(datetime.date(2024, 5, 1))
    ({'tuple': ['fig', 7]}, {'type': 'date', 'content': ['2024-05-01']})
    """
    if isinstance(value, np.generic):
        value = value.item()
    match value:
        case None | bool():
            return value
        case str():
            return str.__str__(value)
        case int() if abs(value) <= _LARGEST:
            return int(value)
        case float() if abs(value) < float("inf"):
            return float(value)
        case tuple():
            return {"tuple": [typed(each) for each in value]}
    known: Any = value
    try:
        name, *content = encode_value(known)
    except StorageError:
        name, content = "other", [str(value)]
    return {"type": name, "content": content}


def untyped(content: object, where: str) -> Hashable:
    """Read back what `typed` gave; of an unknown type the text.

    Raises:
        DataError: the data is not what `typed` gives; the message begins with where.
    """
    match content:
        case None | bool() | str() | int() | float():
            return content
        case {"tuple": list(values), **rest} if not rest:
            return tuple(untyped(each, where) for each in values)
        case {"type": "other", "content": [str(text)], **rest} if not rest:
            return text
        case {"type": str(name), "content": list(values), **rest} if not rest:
            try:
                return decode_value([name, *values])
            except StorageError as error:
                raise DataError(f"{where}: {error}") from None
    raise DataError(f"{where} is no id and no value: {content!r}")
