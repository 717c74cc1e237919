"""What the SDK answers with: recommendations, frozen, ready to show or export."""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Self, overload

import pyarrow as pa
from rich.table import Table

from whyrec.ranking.slots import SlotSource
from whyrec.reasons.contract import Fields, answer_text, open_answer, read_reasons, stamp
from whyrec.reasons.display import BY_RATINGS, NO_HISTORY, Grid
from whyrec.reasons.export import arrow_table, pandas_frame, reason_dict, rows_of
from whyrec.reasons.reason import Reason
from whyrec.reasons.request import new_request_id, now
from whyrec.reasons.text import ENGLISH, Wording

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One recommended item.

    With reasons, base_value + the contributions of the reasons + other_contribution +
    efficiency_gap is the score, or the margin where there is one, up to rounding in float64.
    Without, there are no reasons and base_value, other_contribution, efficiency_gap and tier are
    None.
    """

    rank: int
    """From 1."""

    item_id: Hashable
    label: str
    """The item's name for people."""

    score: float
    """The logit that ranked the item."""

    reasons: tuple[Reason, ...] = ()
    """The strongest reasons, by absolute contribution."""

    base_value: float | None = None
    """What the item scores, in logits, for somebody of whom nothing is known."""

    other_contribution: float | None = None
    """The contributions, in logits, of all that is not among the reasons."""

    efficiency_gap: float | None = None
    """The part of the score, in logits, that no contribution accounts for."""

    tier: str | None = None
    """Which explainer found the contributions."""

    margin: float | None = None
    """How far, in logits, it scores above the mean of the next best, where held against some.

    It is then the margin, not the score, that base value and contributions add up to.
    """

    source: SlotSource = SlotSource.MODEL
    """What put the item where it stands."""

    def to_dict(self, wording: Wording = ENGLISH) -> dict[str, object]:
        """Return all fields, ids as they are, reasons as dicts with the words of a language."""
        reasons = [reason_dict(reason, wording) for reason in self.reasons]
        return {**self._head(), "source": self.source.value, "reasons": reasons}

    @classmethod
    def _of(cls, told: Fields) -> Self:
        return cls(
            told.whole("rank"),
            told.value("item_id"),
            told.text("label"),
            told.number("score"),
            read_reasons(told),
            told.optional_number("base_value"),
            told.optional_number("other_contribution"),
            told.optional_number("efficiency_gap"),
            told.optional_text("tier"),
            told.optional_number("margin"),
            told.choice("source", SlotSource),
        )

    def _head(self) -> dict[str, object]:
        return {
            "rank": self.rank,
            "item_id": self.item_id,
            "label": self.label,
            "score": self.score,
            "margin": self.margin,
            "base_value": self.base_value,
            "other_contribution": self.other_contribution,
            "efficiency_gap": self.efficiency_gap,
            "tier": self.tier,
        }

    def __repr__(self) -> str:
        reasons = f", {len(self.reasons)} reasons" if self.tier is not None else ""
        return f"Recommendation({self.rank}, {self.item_id!r}, score={self.score:.4f}{reasons})"

    def __str__(self) -> str:
        margin = "" if self.margin is None else f", {self.margin:+.3f} beside the next best"
        lines = [f"{self.rank}. {self.label} ({self.score:.3f}{margin})"]
        return "\n".join(lines + [f"   {reason}" for reason in self.reasons])


@dataclass(frozen=True, slots=True, repr=False)
class Recommendations(Sequence[Recommendation]):
    """The recommendations for one user, best first; fewer than k where no more are left."""

    user_id: Hashable | None
    """None for a visitor without an id."""

    recommendations: tuple[Recommendation, ...]
    k: int
    """How many were asked for."""

    personalised: bool
    """Whether there was a history to answer from."""

    against: tuple[Hashable, ...] = ()
    """The next best items, where the answer was held against some; best first."""

    model_id: str = ""
    """Which model answered: a digest of all that was fitted, the same after save and load."""

    request_id: str = field(default_factory=new_request_id, compare=False)
    """What names this answer; no two have the same, so answers that say the same are equal."""

    created_at: datetime = field(default_factory=now, compare=False)
    """When, UTC; not compared either."""

    chosen_by_ratings: bool = False
    """Whether its reasons were chosen among the strong ones by what users have said of reasons;
    the preferred one is then first, see `SDK.choose_reasons`.
    """

    @property
    def note(self) -> str | None:
        """What a reader must know of the answer as a whole, if anything."""
        notes = [] if self.personalised else [NO_HISTORY]
        notes += [BY_RATINGS] if self.chosen_by_ratings else []
        return " ".join(notes) or None

    def __len__(self) -> int:
        return len(self.recommendations)

    @overload
    def __getitem__(self, index: int) -> Recommendation: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Recommendation, ...]: ...
    def __getitem__(self, index: int | slice) -> Recommendation | tuple[Recommendation, ...]:
        return self.recommendations[index]

    def __iter__(self) -> Iterator[Recommendation]:
        return iter(self.recommendations)

    @property
    def tier(self) -> str | None:
        """Which explainer found the contributions; None without reasons and without items."""
        return self[0].tier if self.recommendations else None

    def to_dict(self, wording: Wording = ENGLISH) -> dict[str, object]:
        """Return everything as dicts and lists, ids as they are, reasons in the words given."""
        return {
            **stamp("recommendations", self, wording),
            "tier": self.tier,
            "user_id": self.user_id,
            "k": self.k,
            "personalised": self.personalised,
            "note": self.note,
            "against": list(self.against),
            "recommendations": [each.to_dict(wording) for each in self.recommendations],
        }

    def to_json(self, indent: int | None = None, wording: Wording = ENGLISH) -> str:
        """Return `to_dict` as JSON that `whyrec.answer_schema()` describes.

        Ids and values keep their types; one of a type that nothing is known of is kept as text.
        """
        return answer_text(self.to_dict(wording), indent)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read back what `to_json` gave, of this version of whyrec or an older one.

        Raises:
            DataError: it is damaged, no recommendations, or of a newer version.
        """
        answer = open_answer(text, "recommendations")
        return cls(
            answer.value("user_id"),
            tuple(map(Recommendation._of, answer.parts("recommendations"))),
            answer.whole("k"),
            answer.flag("personalised"),
            answer.values("against"),
            answer.text("model_id"),
            answer.text("request_id"),
            answer.time("created_at"),
            BY_RATINGS in (answer.optional_text("note") or ""),
        )

    def to_arrow(self) -> pa.Table:
        """Return one row per reason, or per recommendation where there are no reasons.

        Ids are int64 or string if they all are, and text otherwise; what a reason is about
        (source and value) is text.
        """
        return recommendations_to_arrow([self])

    def to_pandas(self) -> "pd.DataFrame":
        """Return `to_arrow` as a data frame.

        Raises:
            MissingDependencyError: there is no pandas.
        """
        return pandas_frame(self.to_arrow())

    def _grid(self) -> Grid:
        who = "a visitor" if self.user_id is None else f"user {self.user_id!r}"
        asked = f" of {self.k}" if len(self) < self.k else ""
        beside = f", beside the next {len(self.against)}" if self.against else ""
        numbers: dict[str, list[float | None]] = {"score": [each.score for each in self]}
        if self.against:
            numbers["margin"] = [each.margin for each in self]
        if any(each.tier is not None for each in self):
            numbers["base"] = [each.base_value for each in self]
        columns = {
            "#": [str(each.rank) for each in self],
            "item": [each.label for each in self],
            **{name: [_shown(each) for each in column] for name, column in numbers.items()},
        }
        if "base" in numbers:
            columns["reasons"] = ["\n".join(_reason_lines(each)) for each in self]
        return Grid(
            f"{len(self)}{asked} recommendations for {who}{beside}",
            tuple(columns),
            tuple(zip(*columns.values(), strict=True)),
            self.note,
            frozenset({"#", *numbers}),
        )

    def __repr__(self) -> str:
        first = ", ".join(repr(each.item_id) for each in self[:3])
        more = ", …" if len(self) > 3 else ""
        return f"Recommendations(user_id={self.user_id!r}, {len(self)} items: [{first}{more}])"

    def __str__(self) -> str:
        return self._grid().to_text()

    def __rich__(self) -> Table:
        return self._grid().to_rich()

    def _repr_html_(self) -> str:
        return self._grid().to_html()


def recommendations_to_arrow(batch: Iterable[Recommendations]) -> pa.Table:
    """Return the answers for many users as one table with the columns of each one's `to_arrow`."""
    return arrow_table(
        row
        for answer in batch
        for each in answer
        for row in rows_of(
            {"user_id": answer.user_id, **each._head(), "slot": each.source.value}, each.reasons
        )
    )


def _shown(number: float | None) -> str:
    return "" if number is None else f"{number:.3f}"


def _reason_lines(recommendation: Recommendation) -> list[str]:
    lines = [str(reason) for reason in recommendation.reasons]
    if recommendation.other_contribution is not None:
        lines.append(f"{recommendation.other_contribution:+.3f} everything else")
    return lines
