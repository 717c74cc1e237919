"""Which items may be in an answer, for whoever asks."""

from dataclasses import dataclass, replace

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

    def top_k(self, index: ItemIndex, queries: Float32Array, k: int) -> Ranking:
        """Return the k best of the items that may be in an answer."""
        return index.top_k(queries, k, excluded=self.gone, only=self.only, mask=self.mask)

    def without(self, excluded: Candidates, answered: Ranking) -> "Filters":
        """Return the same for these rows, but for what is excluded and what they were answered."""
        gone = Candidates(answered.items, answered.offsets).union(excluded)
        return replace(self, gone=gone, include_seen=True)
