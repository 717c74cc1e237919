"""Fields of free text: the strongest words of each row by TF-IDF."""

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from whyrec.data.fields.entries import Entries
from whyrec.data.fields.specs import Kind, Text
from whyrec.data.rows import offsets_of
from whyrec.data.tables import Column
from whyrec.errors import DataError


@dataclass(frozen=True)
class FittedText:
    """A text field with the words it knows and how rare each is."""

    name: str
    spec: Text
    words: tuple[str, ...]
    idf: tuple[float, ...]
    """The inverse document frequency of each word."""

    @classmethod
    def fit(cls, column: Column, spec: Text) -> "FittedText":
        """Learn the words of a column; there are none if no word occurs in min_count rows."""
        texts = _texts(column)
        vectorizer = _vectorizer(min_df=spec.min_count, max_features=spec.max_features)
        try:
            vectorizer.fit(texts)
        except ValueError:  # scikit-learn has nothing else to say that no word is left
            return cls(column.name, spec, (), ())
        words = tuple(map(str, vectorizer.get_feature_names_out()))
        return cls(column.name, spec, words, tuple(map(float, vectorizer.idf_)))

    @property
    def kind(self) -> Kind:
        """What the column was read as."""
        return "text"

    @property
    def n_tokens(self) -> int:
        """One token a word."""
        return len(self.words)

    @cached_property
    def _fitted(self) -> Any:
        vectorizer = _vectorizer(vocabulary=self.words)
        vectorizer.idf_ = np.array(self.idf)
        return vectorizer

    def encode(self, column: Column) -> Entries:
        """Read the strongest words of each row; the squares of their weights add up to 1."""
        matrix = self._fitted.transform(_texts(column))
        counts = np.diff(matrix.indptr).astype(np.int64)
        rows = np.repeat(np.arange(len(counts)), counts)
        order = np.lexsort((matrix.indices, -matrix.data, rows))
        rank = np.arange(len(rows)) - np.repeat(offsets_of(counts)[:-1], counts)
        kept = order[rank < self.spec.max_words]
        rows, weights = rows[kept], matrix.data[kept]
        lengths = np.sqrt(np.bincount(rows, weights**2, minlength=len(counts)))
        tokens = matrix.indices[kept].astype(np.int64)
        return Entries(rows, tokens, (weights / lengths[rows]).astype(np.float32))

    def describe(self, token: int, weight: float) -> str:  # noqa: ARG002
        """Return the word of a token."""
        return self.words[token]

    def token_of(self, value: object) -> int | None:
        """Return the token of a word, None where it is not known."""
        return next((token for token, word in enumerate(self.words) if word == value), None)

    def to_json(self) -> dict[str, Any]:
        """Return the state as JSON data."""
        return {
            "kind": self.kind,
            "name": self.name,
            "spec": asdict(self.spec),
            "words": list(self.words),
            "idf": list(self.idf),
        }

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> "FittedText":
        """Read back what `to_json` gave."""
        return cls(state["name"], Text(**state["spec"]), tuple(state["words"]), tuple(state["idf"]))


def _vectorizer(**settings: Any) -> Any:
    # A word ten times in one row says little more than once, hence the logarithm of its count.
    return TfidfVectorizer(sublinear_tf=True, **settings)


def _texts(column: Column) -> list[str]:
    cells = column.objects()
    for row, cell in enumerate(cells):
        if not isinstance(cell, str | None):
            raise DataError(f"{column} must hold text but has {cell!r} in row {row}")
    return [cell or "" for cell in cells]
