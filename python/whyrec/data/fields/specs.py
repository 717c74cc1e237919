"""What a column can be read as: each field kind with its settings."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from whyrec.errors import ArgumentError


def _demand(holds: bool, message: str) -> None:
    if not holds:
        raise ArgumentError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Categorical:
    """One value of a closed set in each row, such as a city; its weight is 1."""

    min_count: int = 1
    """A category that fewer rows have counts as no value."""

    max_values: int = 50_000
    """Only so many categories are known, the most frequent ones; the others are no value."""

    def __post_init__(self) -> None:
        _demand(self.min_count >= 1, f"min_count must be at least 1, not {self.min_count}")
        _demand(self.max_values >= 1, f"max_values must be at least 1, not {self.max_values}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tags:
    """Several values in each row, as a list or a separated string; each of n weighs 1/√n."""

    separator: str | None = None
    """What separates the tags of a string; None where the cells are lists."""

    min_count: int = 1
    """A tag that fewer rows have is left out."""

    max_values: int = 50_000
    """Only so many tags are known, the most frequent ones."""

    def __post_init__(self) -> None:
        _demand(self.separator != "", "separator must not be empty; use None for cells of lists")
        _demand(self.min_count >= 1, f"min_count must be at least 1, not {self.min_count}")
        _demand(self.max_values >= 1, f"max_values must be at least 1, not {self.max_values}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Numeric:
    """A number, or a date, in each row: one token, whose weight is the standardised number.

    Up to 5 standard deviations from the mean the weight is their number; beyond, it grows with
    the logarithm only, so that one outlier moves no model and can still be shown as it was.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Free text: the strongest words of each row by TF-IDF, their weights of length 1 together.

    A word is two or more letters or digits in a row, in lower case; no language is assumed.
    """

    max_words: int = 12
    """The most words that one row keeps."""

    min_count: int = 2
    """A word that fewer rows have is left out."""

    max_features: int = 20_000
    """Only so many words are known, the most frequent ones."""

    def __post_init__(self) -> None:
        _demand(self.max_words >= 1, f"max_words must be at least 1, not {self.max_words}")
        _demand(self.min_count >= 1, f"min_count must be at least 1, not {self.min_count}")
        _demand(self.max_features >= 1, f"max_features must be at least 1, not {self.max_features}")


Field: TypeAlias = Categorical | Tags | Numeric | Text

Kind: TypeAlias = Literal["categorical", "tags", "numeric", "text"]
"""The name of each, as reports and stored states give it."""
