"""Which items may be in an answer, for whoever asks."""

from dataclasses import dataclass, replace

from whyrec.data.interactions import Histories
from whyrec.ranking.candidates import Candidates
from whyrec.ranking.index import ItemIndex
from whyrec.ranking.ranking import Ranking
from whyrec.types import BoolArray, Float32Array


@dataclass(frozen=True, slots=True, eq=False)
class Filters:
    """What is said of items once, for all who ask."""

    gone: Candidates
    """Items that are in no answer, one set for all who ask or one for each."""

    only: Candidates | None = None
    """One set: the only items that may be; None allows all."""

    mask: BoolArray | None = None
    """bool [n_items]: the items that may be; None allows all."""

    include_seen: bool = False
    """Whether the items of each one's own history may be."""

    def excluded(self, histories: Histories) -> Candidates:
        """Return the items that are not in the answer of each row."""
        if self.include_seen:
            return self.gone
        return Candidates(histories.items, histories.offsets).union(self.gone)

    def top_k(
        self, index: ItemIndex, histories: Histories, queries: Float32Array, k: int
    ) -> Ranking:
        """Return the k best of the items that may be in the answer of each row."""
        excluded = self.excluded(histories)
        return index.top_k(queries, k, excluded=excluded, only=self.only, mask=self.mask)

    def without(self, histories: Histories, answered: Ranking) -> "Filters":
        """Return the same for these rows, but for what they have been answered with."""
        gone = Candidates(answered.items, answered.offsets).union(self.excluded(histories))
        return replace(self, gone=gone, include_seen=True)
