"""Who is answered, and how: what the steps of the main call hand on to one another."""

from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.data.vocabulary import Vocabulary
from whyrec.errors import ScoreError
from whyrec.feedback.controls import Weights
from whyrec.feedback.memory import Remembered
from whyrec.ranking import Candidates, Ranking
from whyrec.types import Int64Array


@dataclass(frozen=True, slots=True, eq=False)
class Askers:
    """Who is answered: an id each, None for a visitor, and a history each."""

    ids: Sequence[Hashable | None]
    histories: Histories

    seen: Candidates | None = None
    """Items of their own, where those of their histories are not all."""

    hidden: Candidates | None = None
    """Items that are never to be in an answer."""

    weights: Sequence[Weights] | None = None
    """What each of them wants to count for less."""

    @classmethod
    def of(cls, known: Remembered) -> "Askers":
        """Return users with what is remembered of them."""
        seen, hidden = Candidates(*known.seen), Candidates(*known.hidden)
        return cls(known.ids, known.histories, seen, hidden, known.weights)

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: Int64Array) -> "Askers":
        """Return those asked for, in the order asked for."""
        return Askers(
            [self.ids[row] for row in rows.tolist()],
            self.histories.take(rows),
            None if self.seen is None else self.seen.take(rows),
            None if self.hidden is None else self.hidden.take(rows),
            None if self.weights is None else [self.weights[row] for row in rows.tolist()],
        )

    def without(self, excluded: Candidates, include_seen: bool = False) -> Candidates:
        """Return excluded, and whatever else is not to be in an answer."""
        if not include_seen:
            own = self.seen or Candidates(self.histories.items, self.histories.offsets)
            excluded = own.union(excluded)
        return excluded if self.hidden is None else excluded.union(self.hidden)

    @contextmanager
    def naming(self, items: Vocabulary, ranking: Ranking, asked: Pairs) -> Iterator[None]:
        """Give a score that is no finite number the ids of its user and its item."""
        try:
            yield
        except ScoreError as error:
            named = ranking.items[np.flatnonzero(asked.items == error.item)[0]]
            ids = (self.ids[error.row], items[named])
            raise ScoreError(error.row, int(named), error.found, ids) from None

    def alike(self, at_most: int | None = None) -> list[tuple[Int64Array, Weights]]:
        """Return runs of rows that want the same, int64 each, in their order.

        at_most: how many rows a run has at most; None leaves them as long as they are.
        """
        weights = self.weights or [Weights()] * len(self)
        changes = [row for row in range(1, len(self)) if weights[row] != weights[row - 1]]
        runs = np.split(np.arange(len(self)), changes)
        size = at_most or max(1, len(self))
        return [
            (run[start : start + size], weights[run[0]] if len(run) else Weights())
            for run in runs
            for start in range(0, max(1, len(run)), size)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """How reasons are told; see `SDK.recommend_with_reasons`."""

    max_reasons: int | None = None
    group_by: str | None = None
    interactions: bool = False
