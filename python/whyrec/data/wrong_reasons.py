"""Reasons that users called wrong, in the indices of a data set."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WrongReason:
    """Players that are not to count for the score of an item for a user."""

    user: int
    item: int

    history: tuple[int, ...] = ()
    """Items, whose events in the user's history they are."""

    fields: tuple[int, ...] = ()
    """Fields of the user."""

    tokens: tuple[int, ...] = ()
    """Feature values of the item."""
