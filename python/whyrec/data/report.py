"""What reading the tables came to: what was guessed, dropped and ignored."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from whyrec.data.wording import count


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How tables were read; print it to see every choice that was made."""

    n_events: int
    n_users: int
    n_items: int

    columns: Mapping[str, str]
    """The column of the events table found for each role, such as user_id."""

    dropped_events: int = 0
    """Events of items that are not in the items table."""

    dropped_items: tuple[str, ...] = ()
    """Some of those items, as text."""

    time_unit: str | None = None
    """What the timestamps were taken as, such as seconds since 1970."""

    unknown_items: str = "error"
    """What was asked to become of those events: "error" or "drop"."""

    item_id: str | None = None
    """The id column of the items table; None where there was no such table."""

    user_id: str | None = None
    """The same of the users table."""

    labels: str | None = None
    """The column of the items table that names items to a reader."""

    item_fields: Mapping[str, str] = field(default_factory=dict)
    """What each column of the items table was read as, and how many values it has."""

    user_fields: Mapping[str, str] = field(default_factory=dict)
    """The same of the users table."""

    ignored_item_columns: Mapping[str, str] = field(default_factory=dict)
    """Columns of the items table that are no field, and why."""

    ignored_user_columns: Mapping[str, str] = field(default_factory=dict)
    """The same of the users table."""

    def __str__(self) -> str:
        lines = [
            f"{count(self.n_events, 'event')} of {count(self.n_users, 'user')} "
            f"with {count(self.n_items, 'item')}"
        ]
        lines += [f"  events: {role} is column {name!r}" for role, name in self.columns.items()]
        if self.time_unit:
            lines.append(f"  events: timestamps were read as {self.time_unit}")
        if self.dropped_events:
            lines.append(
                f"  events: {count(self.dropped_events, 'event')} of unknown items dropped "
                f"({', '.join(self.dropped_items)})"
            )
        if self.labels:
            lines.append(f"  items: {self.labels!r} names them")
        for table, read, ignored in (
            ("items", self.item_fields, self.ignored_item_columns),
            ("users", self.user_fields, self.ignored_user_columns),
        ):
            lines += [f"  {table}: {name!r} was read as {kind}" for name, kind in read.items()]
            lines += [f"  {table}: {name!r} was ignored: {why}" for name, why in ignored.items()]
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON data."""
        return asdict(self)

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> "Report":
        """Read back what `to_json` gave."""
        return cls(**{**state, "dropped_items": tuple(state["dropped_items"])})
