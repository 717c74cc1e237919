"""Which column of a table means what: as the caller says, or guessed from its name."""

import re
from dataclasses import dataclass, fields
from typing import Literal

from whyrec.data.tables import Table
from whyrec.data.wording import listed
from whyrec.errors import DataError

_NAMES: dict[str, str] = {
    "user_id": (
        "user_id user uid customer_id customer client_id client visitor_id visitor member_id "
        "member account_id account profile_id reader_id subscriber_id person_id household_id "
        "reviewer_id"
    ),
    "item_id": (
        "item_id item iid product_id product movie_id movie film_id film book_id book isbn "
        "track_id track song_id song artist_id artist album_id article_id article news_id "
        "content_id content document_id doc_id video_id show_id game_id app_id recipe_id "
        "listing_id offer_id course_id sku stock_code asin"
    ),
    "timestamp": (
        "timestamp time datetime date ts unix_time event_time event_date created_at created "
        "occurred_at rated_at purchased_at invoice_date order_date purchase_date"
    ),
    "value": "value rating score quantity stars amount",
    "kind": "kind type event event_type action event_name interaction_type behavior",
}
_LABELS = (
    "title name label item_title item_name item_label product_title product_name movie_title "
    "film_title book_title track_name song_name article_title display_name description"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventColumns:
    """The columns of the events table; None guesses a column, False reads none.

    Names are guessed among the usual ones (user_id, user, CustomerID, …), whatever their case
    and underscores.
    """

    user_id: str | None = None
    """Who did it."""

    item_id: str | None = None
    """With which item."""

    timestamp: str | Literal[False] | None = None
    """When: datetimes, ISO 8601 texts, or numbers of seconds since 1970."""

    value: str | Literal[False] | None = None
    """How much: a rating, a quantity."""

    kind: str | Literal[False] | None = None
    """What: view, click, purchase."""

    def found(self) -> dict[str, str]:
        """Return the name of each column that there is, by its role."""
        names = {field.name: getattr(self, field.name) for field in fields(self)}
        return {role: name for role, name in names.items() if name}

    def resolve(self, table: Table) -> "EventColumns":
        """Return the columns of a table by name, None for those that it does not have.

        Raises:
            DataError: a column is missing, or two could be meant.
        """
        found: dict[str, str | None] = {}
        for role in (field.name for field in fields(self)):
            said = getattr(self, role)
            if said is None:
                found[role] = _guess(table, role, f"columns=EventColumns({role}=…)")
            else:
                found[role] = table[said].name if said else None
        for role in ("user_id", "item_id"):
            if found[role] is None:
                raise DataError(
                    f"{table.name}: no column looks like the {role}; name it with "
                    f"columns=EventColumns({role}=…); the columns are {listed(table.names)}"
                )
        _demand_distinct(table, found)
        return EventColumns(**found)


def find_id_column(table: Table, said: str | None, role: str, in_events: str) -> str:
    """Find the id column of the items or users table: as said, as in the events, or guessed.

    Raises:
        DataError: there is none, or two could be meant.
    """
    if said is not None:
        return table[said].name
    if in_events in table.columns:
        return in_events
    found = _guess(table, role, f"{role}=…", also="id")
    if found is None:
        raise DataError(
            f"{table.name}: no column looks like the {role}; name it with {role}=…; "
            f"the columns are {listed(table.names)}"
        )
    return found


def find_label_column(table: Table) -> str | None:
    """Find the column that names the rows to a reader: title, name, label or description.

    A label that is no text, such as a class number, names nothing.
    """
    plain = {_plain(name): name for name in reversed(table.names) if table[name].holds_text}
    return next((plain[_plain(name)] for name in _LABELS.split() if _plain(name) in plain), None)


def _guess(table: Table, role: str, remedy: str, also: str | None = None) -> str | None:
    """Find the one column that can be meant, trying the likeliest names first.

    The name of the role itself wins over its spellings, those over what else it may be called;
    and names that end in id over bare words, which may as well be an attribute (artist).
    """
    if role in table.columns:
        return role
    words = _NAMES[role].split()
    ids = [word for word in words if word.endswith("_id")]
    for accepted in ([role], [also or role], ids, words):
        plain = set(map(_plain, accepted))
        found = [name for name in table.names if _plain(name) in plain]
        if len(found) > 1:
            raise DataError(
                f"{table.name}: {listed(found)} could all be the {role}; choose with {remedy}"
            )
        if found:
            return found[0]
    return None


def _plain(name: str) -> str:
    return re.sub(r"[^0-9a-z]", "", name.lower())


def _demand_distinct(table: Table, found: dict[str, str | None]) -> None:
    roles: dict[str, str] = {}
    for role, name in found.items():
        if name is not None and roles.setdefault(name, role) != role:
            raise DataError(
                f'{table.name}: column "{name}" cannot be both the {roles[name]} and the {role}'
            )
