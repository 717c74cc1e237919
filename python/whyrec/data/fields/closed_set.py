"""Fields whose values come from a closed set: categories, one a row, and tags, several a row."""

from collections.abc import Hashable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from whyrec.data.distinct import Distinct, distinct_values
from whyrec.data.fields.entries import Entries
from whyrec.data.fields.specs import Categorical, Kind, Tags
from whyrec.data.fields.tags import split_tags
from whyrec.data.tables import Column
from whyrec.data.tagged import can_be_stored, decode_value, encode_value
from whyrec.data.vocabulary import Vocabulary
from whyrec.errors import DataError

_SPECS: dict[str, type[Categorical | Tags]] = {"categorical": Categorical, "tags": Tags}


@dataclass(frozen=True, slots=True)
class FittedSet:
    """A field of categories or tags, and those it knows."""

    name: str
    spec: Categorical | Tags
    values: Vocabulary
    """In order of first appearance."""

    n_rare: int = 0
    """How many values were left out, being too rare or beyond what the spec allows."""

    @classmethod
    def fit(cls, column: Column, spec: Categorical | Tags) -> "FittedSet":
        """Learn the values of a column."""
        found = _read(column, spec)
        odd = next((value for value in found.values if not can_be_stored(value)), None)
        if odd is not None:
            raise DataError(
                f"{column} holds a {type(odd).__name__} ({odd!r}), which cannot be stored; "
                "convert the column to strings"
            )
        counts = np.bincount(found.codes, minlength=len(found.values))
        ranking = np.argsort(-counts, kind="stable")[: spec.max_values]
        kept = np.sort(ranking[counts[ranking] >= spec.min_count])
        values = Vocabulary.from_ids(found.values[code] for code in kept)
        return cls(column.name, spec, values, len(found.values) - len(kept))

    @property
    def kind(self) -> Kind:
        """What the column was read as."""
        return "tags" if isinstance(self.spec, Tags) else "categorical"

    @property
    def n_tokens(self) -> int:
        """One token a value."""
        return len(self.values)

    def encode(self, column: Column) -> Entries:
        """Read the values of each row; one that is not known counts as none.

        Each of the n values of a row weighs 1/√n, so that rows of many do not outweigh others.
        """
        rows, tokens = _read(column, self.spec).known_in(self.values)
        return Entries(rows, tokens, (1 / np.sqrt(np.bincount(rows)[rows])).astype(np.float32))

    def describe(self, token: int, weight: float) -> Hashable:  # noqa: ARG002
        """Return the category or tag of a token."""
        return self.values[token]

    def token_of(self, value: object) -> int | None:
        """Return the token of a category or a tag, None where it is not known."""
        return self.values.index_of(value) if value in self.values else None

    def to_json(self) -> dict[str, Any]:
        """Return the state as JSON data."""
        return {
            "kind": self.kind,
            "name": self.name,
            "spec": asdict(self.spec),
            "values": [encode_value(value) for value in self.values],
            "n_rare": self.n_rare,
        }

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> "FittedSet":
        """Read back what `to_json` gave."""
        spec = _SPECS[state["kind"]](**state["spec"])
        values = Vocabulary(tuple(map(decode_value, state["values"])))
        return cls(state["name"], spec, values, state["n_rare"])


def _read(column: Column, spec: Categorical | Tags) -> Distinct:
    if isinstance(spec, Tags):
        return split_tags(column, spec.separator).without_empty_text()
    return distinct_values(column).without_empty_text()
