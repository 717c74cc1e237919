"""What a store keeps: events, controls, ratings of reasons, impressions, and what undoes them."""

import os
import time
from collections.abc import Hashable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, TypeAlias

from whyrec.feedback.codecs import (
    ID,
    NAME,
    NUMBER,
    PROPENSITY,
    RANK,
    TEXT,
    TIME,
    WEIGHT,
    choice,
    optional,
)

_DIGITS = 20
"""Random hexadecimal digits of an id: 80 bits."""


def new_event_ids(n_ids: int) -> list[str]:
    """Make ids that nobody else makes: 48 bits of time and 80 random ones, in hexadecimal.

    They rise with time, to the millisecond, so their index grows at its end, which is faster than
    anywhere.

    >>> one, other = new_event_ids(2)
    >>> one < other, len(one)
    (True, 32)
    """
    start = f"{time.time_ns() // 1_000_000:012x}"
    drawn = os.urandom(_DIGITS // 2 * n_ids).hex()
    return sorted(start + drawn[at : at + _DIGITS] for at in range(0, len(drawn), _DIGITS))


def new_event_id() -> str:
    """Make one id, see `new_event_ids`."""
    return new_event_ids(1)[0]


class ControlKind(StrEnum):
    """What a user asks to be left out, or to count for less."""

    EVENT = "event"
    """The user's events with one item; its source is the id of the item."""

    HISTORY_GROUP = "history_group"
    """The user's events with items of a feature value; source and value as of a feature."""

    FEATURE = "feature"
    """A feature value of items; its source is the field and its value the feature value."""

    ATTRIBUTE = "attribute"
    """What is known of the user in one field; its source is the field."""

    REASON_KIND = "reason_kind"
    """All reasons of a kind; its source is the kind, such as "user_attribute"."""

    HIDDEN_ITEM = "hidden_item"
    """An item that is never shown again; its source is the id of the item."""

    HIDDEN_FEATURE = "hidden_feature"
    """Items of a feature value are never shown again; its source and value as of a feature."""


class Rating(StrEnum):
    """What a user says of a reason."""

    HELPED = "helped"
    WRONG = "wrong"
    UNCLEAR = "unclear"
    """The user does not understand it."""


Id: TypeAlias = Annotated[Hashable, ID]
OptionalId: TypeAlias = Annotated[Hashable | None, optional(ID)]
Text: TypeAlias = Annotated[str, TEXT]
Name: TypeAlias = Annotated[str, NAME]
OptionalName: TypeAlias = Annotated[str | None, optional(NAME)]
OptionalNumber: TypeAlias = Annotated[float | None, optional(NUMBER)]
Time: TypeAlias = Annotated[float, TIME]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a user did with an item."""

    user_id: Id
    item_id: Id
    kind: Text = ""
    """What: view, click, purchase, rating, dismissal; empty where events have no kind."""

    value: OptionalNumber = None
    """How much: a rating, a quantity; None where there is none."""

    timestamp: Time = field(default_factory=time.time, kw_only=True)
    """When, in seconds since 1970 (UTC)."""

    request_id: OptionalName = field(default=None, kw_only=True)
    """The answer that it followed on, if any."""

    event_id: Name = field(default_factory=new_event_id, kw_only=True)
    """What names the record; a store keeps the first of those that have the same."""


@dataclass(frozen=True, slots=True)
class Control:
    """Something that a user wants to be left out of the reasons, or never to be shown again."""

    user_id: Id
    kind: Annotated[ControlKind, choice(ControlKind)]
    source: Id
    """See `ControlKind` for what it is."""

    value: OptionalId = None
    """The feature value, where the kind has one."""

    weight: Annotated[float, WEIGHT] = field(default=0.0, kw_only=True)
    """How much of it counts from now on, from 0 for nothing to 1 for all."""

    timestamp: Time = field(default_factory=time.time, kw_only=True)
    request_id: OptionalName = field(default=None, kw_only=True)
    event_id: Name = field(default_factory=new_event_id, kw_only=True)


@dataclass(frozen=True, slots=True)
class ReasonRating:
    """What a user said of a reason for an item."""

    user_id: Id
    rating: Annotated[Rating, choice(Rating)]
    item_id: Id
    """The item that was recommended."""

    kind: Name
    """The kind of the reason, such as "history"."""

    source: Id
    value: OptionalId = None
    timestamp: Time = field(default_factory=time.time, kw_only=True)
    request_id: OptionalName = field(default=None, kw_only=True)
    event_id: Name = field(default_factory=new_event_id, kw_only=True)


@dataclass(frozen=True, slots=True)
class Impression:
    """An item that was shown to a user in answer to a request."""

    user_id: Id
    item_id: Id
    request_id: Name
    rank: Annotated[int, RANK]
    """From 1."""

    propensity: Annotated[float | None, optional(PROPENSITY)] = None
    """How likely it was to be shown, above 0 to 1; None where nobody knows."""

    timestamp: Time = field(default_factory=time.time, kw_only=True)
    event_id: Name = field(default_factory=new_event_id, kw_only=True)


@dataclass(frozen=True, slots=True)
class Undo:
    """The end of another record of the same user, which stays in the store but has no effect."""

    user_id: Id
    undone_id: Name
    """The event_id of the other record."""

    timestamp: Time = field(default_factory=time.time, kw_only=True)
    event_id: Name = field(default_factory=new_event_id, kw_only=True)


Record: TypeAlias = Event | Control | ReasonRating | Impression | Undo
