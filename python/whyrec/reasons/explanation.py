"""What the SDK answers with to "why this item for this user?": all reasons at once."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Self

import pyarrow as pa
from rich.table import Table

from whyrec.reasons.contract import answer_text, open_answer, read_reasons, stamp
from whyrec.reasons.display import NO_HISTORY, Grid
from whyrec.reasons.export import arrow_table, pandas_frame, reason_dict, rows_of
from whyrec.reasons.reason import Reason
from whyrec.reasons.request import new_request_id, now
from whyrec.reasons.text import ENGLISH, Wording

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, repr=False)
class Explanation:
    """Why one user's score of one item is what it is: all reasons, the strongest first.

    base_value + the contributions of the reasons + efficiency_gap is the score, or the margin where
    there is one, up to rounding in float64.
    """

    user_id: Hashable | None
    """None for a visitor without an id."""

    item_id: Hashable
    label: str
    """The item's name for people."""

    score: float
    """In logits."""

    reasons: tuple[Reason, ...]
    base_value: float
    """What the item scores, in logits, for somebody of whom nothing is known."""

    efficiency_gap: float
    """The part of the score, in logits, that no contribution accounts for."""

    tier: str
    """Which explainer found the contributions."""

    personalised: bool
    """Whether there was a history to answer from."""

    margin: float | None = None
    """How far, in logits, the item scores above the mean of others, where it was held against some.

    It is then the margin, not the score, that base value and contributions add up to.
    """

    against: tuple[Hashable, ...] = ()
    """The items that it was held against."""

    model_id: str = ""
    """Which model answered: a digest of all that was fitted, the same after save and load."""

    request_id: str = field(default_factory=new_request_id, compare=False)
    """What names this answer; no two have the same, so answers that say the same are equal."""

    created_at: datetime = field(default_factory=now, compare=False)
    """When, UTC; not compared either."""

    @property
    def note(self) -> str | None:
        """What a reader must know of the answer as a whole, if anything."""
        return None if self.personalised else NO_HISTORY

    def to_dict(self, wording: Wording = ENGLISH) -> dict[str, object]:
        """Return everything as dicts and lists, ids as they are, reasons in the words given."""
        extent: dict[str, object] = {"personalised": self.personalised, "note": self.note}
        return {
            **stamp("explanation", self, wording),
            **self._head(),
            **extent,
            "against": list(self.against),
            "reasons": [reason_dict(reason, wording) for reason in self.reasons],
        }

    def to_json(self, indent: int | None = None, wording: Wording = ENGLISH) -> str:
        """Return `to_dict` as JSON, as `Recommendations.to_json` does."""
        return answer_text(self.to_dict(wording), indent)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read back what `to_json` gave, of this version of whyrec or an older one.

        Raises:
            DataError: it is damaged, no explanation, or of a newer version.
        """
        answer = open_answer(text, "explanation")
        return cls(
            answer.value("user_id"),
            answer.value("item_id"),
            answer.text("label"),
            answer.number("score"),
            read_reasons(answer),
            answer.number("base_value"),
            answer.number("efficiency_gap"),
            answer.text("tier"),
            answer.flag("personalised"),
            answer.optional_number("margin"),
            answer.values("against"),
            answer.text("model_id"),
            answer.text("request_id"),
            answer.time("created_at"),
        )

    def to_arrow(self) -> pa.Table:
        """Return one row per reason, with the columns of `Recommendations.to_arrow` that apply."""
        rows = rows_of(self._head(), self.reasons)
        return arrow_table(rows, leave_out=frozenset({"rank", "other_contribution", "slot"}))

    def to_pandas(self) -> "pd.DataFrame":
        """Return `to_arrow` as a data frame.

        Raises:
            MissingDependencyError: there is no pandas.
        """
        return pandas_frame(self.to_arrow())

    def _head(self) -> dict[str, object]:
        return {
            "user_id": self.user_id,
            "item_id": self.item_id,
            "label": self.label,
            "score": self.score,
            "margin": self.margin,
            "base_value": self.base_value,
            "efficiency_gap": self.efficiency_gap,
            "tier": self.tier,
        }

    def _grid(self) -> Grid:
        who = "a visitor" if self.user_id is None else f"user {self.user_id!r}"
        scores, told = f"{self.score:.3f}", "score"
        if self.margin is not None:
            others = "another" if len(self.against) == 1 else f"{len(self.against)} others"
            scores, told = f"{self.margin:+.3f} beside {others}", "score, less the mean of theirs"
        rows = [(f"{self.base_value:.3f}", "", "base value: nothing known of who asks")]
        rows += [
            (f"{reason.contribution:+.3f}", f"{reason.share:+.1%}", reason.text)
            for reason in self.reasons
        ]
        rows += [
            (f"{self.efficiency_gap:+.1e}", "", "efficiency gap: what no reason accounts for"),
            (f"{self.score if self.margin is None else self.margin:.3f}", "", told),
        ]
        return Grid(
            f"Why {self.label} scores {scores} for {who}",
            ("logits", "share", "reason"),
            tuple(rows),
            self.note,
            frozenset({"logits", "share"}),
        )

    def __repr__(self) -> str:
        return (
            f"Explanation(user_id={self.user_id!r}, item_id={self.item_id!r}, "
            f"score={self.score:.4f}, {len(self.reasons)} reasons)"
        )

    def __str__(self) -> str:
        return self._grid().to_text()

    def __rich__(self) -> Table:
        return self._grid().to_rich()

    def _repr_html_(self) -> str:
        return self._grid().to_html()
