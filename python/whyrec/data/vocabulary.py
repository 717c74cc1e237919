"""Ids and their indices: the one step between what a caller says and what the arrays hold."""

import json
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from whyrec.data.tagged import decode_value, encode_value
from whyrec.data.wording import count, some
from whyrec.errors import (
    ArgumentError,
    StorageError,
    UnknownIdError,
    UnknownItemError,
    UnknownUserError,
)
from whyrec.types import Int64Array

Noun = Literal["id", "item", "user"]

_ERRORS: dict[Noun, type[UnknownIdError]] = {
    "id": UnknownIdError,
    "item": UnknownItemError,
    "user": UnknownUserError,
}
_NATIVE: dict[type, Any] = {int: pa.int64(), str: pa.large_string(), bytes: pa.large_binary()}


@dataclass(frozen=True, slots=True, eq=False)
class Vocabulary:
    """Distinct ids, each with an index; an id is looked up as Python's dict would.

    So ids that are equal are one id, such as 1, 1.0 and True; the first one met is kept.

    >>> fruit = Vocabulary.from_ids(["pear", "fig", "pear"])
    >>> fruit.ids, fruit.index_of("fig")
    (('pear', 'fig'), 1)
    """

    ids: tuple[Hashable, ...]
    """The id of each index."""

    of: Noun = "id"
    """What the ids name; lookups raise the error that fits."""

    _indices: dict[Hashable, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        indices = dict(zip(self.ids, range(len(self.ids)), strict=True))
        if len(indices) != len(self.ids):
            raise ArgumentError("the ids of a Vocabulary must be distinct; use from_ids")
        object.__setattr__(self, "_indices", indices)

    @classmethod
    def from_ids(cls, ids: Iterable[Hashable], of: Noun = "id") -> "Vocabulary":
        """Number ids in order of first appearance; NumPy scalars become Python's own.

        Raises:
            ArgumentError: an id cannot be hashed, or ids is one string.
        """
        try:
            return cls(tuple(dict.fromkeys(as_ids(ids))), of)
        except TypeError as error:
            raise ArgumentError(f"an id must be hashable: {error}") from error

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[Hashable]:
        return iter(self.ids)

    def __getitem__(self, index: int) -> Hashable:
        return self.ids[index]

    def __contains__(self, one: object) -> bool:
        try:
            return one in self._indices
        except TypeError:
            return False

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Vocabulary):
            return NotImplemented
        return self.ids == other.ids and self.of == other.of

    def __hash__(self) -> int:
        return hash((self.ids, self.of))

    def index_of(self, one: Hashable) -> int:
        """Return the index of an id.

        Raises:
            UnknownIdError: (or its kin for users and items) there is no such id.
        """
        return int(self.indices_of([one])[0])

    def indices_of(self, ids: Iterable[Hashable]) -> Int64Array:
        """Return int64 [n_ids]: the index of each id.

        Raises:
            UnknownIdError: (or its kin for users and items) some ids are unknown; they are named.
        """
        ids = as_ids(ids)
        try:
            return np.fromiter(map(self._indices.__getitem__, ids), np.int64, len(ids))
        except KeyError:
            unknown = [one for one in dict.fromkeys(ids) if one not in self._indices]
            noun = f"unknown {self.of}"
            raise _ERRORS[self.of](f"{count(len(unknown), noun)}: {some(unknown)}") from None
        except TypeError as error:
            raise ArgumentError(f"an id must be hashable: {error}") from error

    def places_of(self, ids: Sequence[Hashable], stranger: int) -> Int64Array:
        """Return int64 [n_ids]: the index of each id, and stranger for one that is not there."""
        return np.fromiter((self._indices.get(one, stranger) for one in ids), np.int64, len(ids))

    def without(self, one: Hashable) -> "Vocabulary":
        """Return the ids but for one; those after it are numbered anew."""
        return Vocabulary(tuple(each for each in self.ids if each != one), self.of)

    def to_arrow(self) -> pa.Table:
        """Return the ids as a table of one column: "id" as they are, or "id_json" tagged.

        Raises:
            StorageError: an id is of a type that cannot be stored.
        """
        kinds = set(map(type, self.ids)) or {str}
        native = _NATIVE.get(next(iter(kinds))) if len(kinds) == 1 else None
        if native is not None:
            try:
                return pa.table({"id": pa.array(self.ids, native)})
            except (pa.ArrowException, OverflowError, UnicodeEncodeError):
                pass  # beyond 64 bits, or a lone surrogate: tagged then
        tagged = [json.dumps(encode_value(one)) for one in self.ids]
        return pa.table({"id_json": pa.array(tagged, pa.large_string())})

    @classmethod
    def from_arrow(cls, table: pa.Table, of: Noun = "id") -> "Vocabulary":
        """Read back what `to_arrow` wrote.

        Raises:
            StorageError: the table was not written by `to_arrow`.
        """
        names = table.column_names
        try:
            if "id" in names:
                return cls(tuple(table["id"].to_pylist()), of)
            if "id_json" in names:
                tagged = [json.loads(str(text)) for text in table["id_json"].to_pylist()]
                return cls(tuple(map(decode_value, tagged)), of)
        except ValueError as error:  # no JSON, or an id that is there twice
            raise StorageError(f"the stored ids are damaged: {error}") from error
        raise StorageError(f'ids: the columns are {names}; "id" or "id_json" is needed')


def as_ids(ids: Iterable[Hashable]) -> list[Hashable]:
    """Return ids as Python objects, whatever array they come in."""
    if isinstance(ids, str | bytes):
        raise ArgumentError(f"a list of ids is needed, not the one string {ids!r}")
    if isinstance(ids, np.ndarray) and ids.ndim != 1:
        raise ArgumentError(f"a flat array of ids is needed, not one of shape {ids.shape}")
    if isinstance(ids, pa.Array | pa.ChunkedArray):
        return list(ids.to_pylist())
    plain: list[Hashable] = ids.tolist() if isinstance(ids, np.ndarray) else list(ids)
    if any(issubclass(kind, np.generic) for kind in set(map(type, plain))):
        plain = [one.item() if isinstance(one, np.generic) else one for one in plain]
    return plain
