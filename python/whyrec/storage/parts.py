"""What a directory can hold: arrays as safetensors, tables as Arrow files, values as JSON."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import safetensors.numpy

from whyrec.errors import ArgumentError

JsonValue: TypeAlias = "Mapping[str, JsonValue] | list[JsonValue] | str | float | int | bool | None"

# safetensors has no strings, dates or objects; NumPy's long double differs between machines.
_STORABLE = frozenset("?bBhHiIlLqQefd")


@dataclass(frozen=True, slots=True)
class Arrays:
    """A part made of named arrays: booleans, integers or floats of any shape."""

    values: Mapping[str, np.ndarray[Any, Any]]


@dataclass(frozen=True, slots=True)
class Table:
    """A part that is one Arrow table."""

    value: pa.Table


@dataclass(frozen=True, slots=True)
class Document:
    """A part that is one JSON value: keys are strings, lists are no tuples, numbers are finite."""

    value: JsonValue


Part: TypeAlias = Arrays | Table | Document


def suffix_of(part: Part) -> str:
    """Return the file suffix that says how a part is encoded."""
    match part:
        case Arrays():
            return ".safetensors"
        case Table():
            return ".arrow"
        case Document():
            return ".json"


def encode(name: str, part: Part) -> bytes:
    """Return the bytes of a part; the same part always gives the same bytes."""
    match part:
        case Arrays(values):
            return safetensors.numpy.save(
                {key: _storable(name, key, array) for key, array in values.items()}
            )
        case Table(value):
            sink = pa.BufferOutputStream()
            with pa.ipc.new_file(sink, value.schema) as writer:
                writer.write_table(value)
            payload: bytes = sink.getvalue().to_pybytes()
            return payload
        case Document(value):
            return encode_json(f'part "{name}"', value)


def decode(suffix: str, payload: bytes) -> Part:
    """Return the part that was encoded; ValueError or SafetensorError when it is none."""
    match suffix:
        case ".safetensors":
            return Arrays(safetensors.numpy.load(payload))
        case ".arrow":
            return Table(pa.ipc.open_file(pa.py_buffer(payload)).read_all())
        case _:
            return Document(json.loads(payload))


def encode_json(what: str, value: JsonValue) -> bytes:
    """Return JSON as UTF-8, or an error that begins with what it is for."""
    try:
        return json.dumps(value, allow_nan=False, ensure_ascii=False, indent=1).encode()
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"{what} is not a JSON value: {error}") from None


def _storable(name: str, key: str, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if array.dtype.char not in _STORABLE or not array.dtype.isnative:
        raise ArgumentError(
            f'part "{name}": array "{key}" has dtype {array.dtype!r}; only booleans, integers and '
            "floats of up to 64 bits in native byte order can be stored"
        )
    # safetensors copies from the first address on, whatever the strides say.
    return np.asarray(array, order="C")
