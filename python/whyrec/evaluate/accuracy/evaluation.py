"""All that is measured of recommendations, together."""

from dataclasses import dataclass

from whyrec.evaluate.accuracy.beyond import BeyondAccuracy
from whyrec.evaluate.accuracy.relevance import Accuracy
from whyrec.types import Float64Array


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What users turned out to want of their recommendations, and what these are like."""

    accuracy: Accuracy
    beyond: BeyondAccuracy

    @property
    def n_users(self) -> int:
        """How many users had held-out events."""
        return self.accuracy.n_users

    def figures(self) -> dict[str, Float64Array]:
        """Return each figure of the single users, float64 [n_users], by name, such as "NDCG@10"."""
        return self.accuracy.figures() | self.beyond.figures()

    def means(self) -> dict[str, float]:
        """Return each figure's mean over users, and those of the whole catalog, by name."""
        return self.accuracy.means() | self.beyond.means()

    def __str__(self) -> str:
        return f"{self.accuracy}\n{self.beyond}"
