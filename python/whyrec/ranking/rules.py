"""The rules of a business: what an answer must hold, beside what the model would choose."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from whyrec.data.field_table import Where
from whyrec.errors import ArgumentError


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Rules for the items of an answer, beside filters such as `exclude=` and `where=`.

    They apply in this order, whatever the order they are given in:

    1. Filters say what may be in the answer at all. A pinned item that they forbid is left out.
    2. Boosts are added to the scores that rank. The score that is shown stays the model's.
    3. Pinned items take their ranks.
    4. Every other rank, from the first on, gets the best item that is left and that `at_most`
       allows; with `diversity`, best is what the score and the items chosen before say together.

    An item that was pinned or boosted upwards says `promoted` in its `source`; one that is not
    among the model's own best, or stands before another of a higher score, says `arranged`.

    >>> Rules(pinned=["fig"], at_most={"genres": 2}).at_most
    {'genres': 2}
    """

    pinned: Mapping[int, Hashable] | Sequence[Hashable] | np.ndarray[Any, Any] = ()
    """Items by rank, from 1; a list is of ranks 1, 2 and so on.

    One beyond k is not in the answer: a longer one has it.
    """

    boosts: Mapping[Hashable, float] | Sequence[tuple[Where, float]] = field(default_factory=dict)
    """What is added to the score that ranks, in logits; negative to lower it.

    By item; or pairs of an expression over the fields of items, as `where=` takes it, and what each
    item gets of which it is true.
    """

    at_most: Mapping[str, int] = field(default_factory=dict)
    """How many items of an answer may share a value of a field of categories or tags, by field.

    Pinned items count, but are never left out. An item without a value is always allowed.
    """

    diversity: float = 0.0
    """From 0, the score alone, to 1, only how unlike the items are.

    Maximal marginal relevance (Carbonell & Goldstein 1998): the next item has the highest
    (1 − diversity) · score − diversity · cosine, of a score scaled to 0 to 1 over the best 10 · k
    items (and at least 100), and of the item vector most like its own among those chosen.
    """

    def __post_init__(self) -> None:
        items = list(self.by_rank().values())
        try:
            distinct = set(items)
        except TypeError as error:
            raise ArgumentError(f"pinned: an id must be hashable: {error}") from error
        if len(distinct) < len(items):
            raise ArgumentError(f"pinned: an item has more than one rank in {self.pinned!r}")
        for _, boost in self.boost_pairs():
            if not _is_number(boost) or not np.isfinite(boost):
                raise ArgumentError(f"boosts: {boost!r} is no finite number of logits")
        if not isinstance(self.at_most, Mapping):
            raise ArgumentError(f"at_most must be a mapping from fields, not {self.at_most!r}")
        for name, most in self.at_most.items():
            demand_whole(f"at_most: the number for {name!r}", most)
        if not _is_number(self.diversity) or not 0 <= self.diversity <= 1:
            raise ArgumentError(f"diversity must be a number from 0 to 1, not {self.diversity!r}")

    def by_rank(self) -> dict[int, Hashable]:
        """Return the pinned items by rank."""
        if not isinstance(self.pinned, Mapping | list | tuple | np.ndarray):
            raise ArgumentError(
                f"pinned must be a list of ids or a mapping from ranks, not {self.pinned!r}"
            )
        if isinstance(self.pinned, Mapping):
            ranks = sorted(demand_whole("pinned: a rank", rank) for rank in self.pinned)
            return {rank: self.pinned[rank] for rank in ranks}
        return dict(enumerate(self.pinned, start=1))

    def boost_pairs(self) -> list[tuple[Any, float]]:
        """Return each boost with what it is for: an id, or an expression."""
        if isinstance(self.boosts, Mapping):
            return list(self.boosts.items())
        try:
            return [(where, boost) for where, boost in self.boosts]
        except (TypeError, ValueError):
            raise ArgumentError(
                "boosts must be a mapping from ids to logits, or pairs of an expression and "
                f"logits, not {self.boosts!r}"
            ) from None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def demand_whole(what: str, number: object) -> int:
    """Return a whole number from 1, or refuse any other."""
    if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < 1:
        raise ArgumentError(f"{what} must be a whole number from 1, not {number!r}")
    return int(number)
