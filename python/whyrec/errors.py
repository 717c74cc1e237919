"""One tree of errors; each is also the built-in that a caller would expect to catch."""

from collections.abc import Hashable
from datetime import UTC, datetime


class WhyrecError(Exception):
    """Everything that whyrec raises on purpose."""


class DataError(WhyrecError, ValueError):
    """A table, a column or a row that cannot be used; the message says which."""


class ArgumentError(WhyrecError, ValueError):
    """An argument outside what the call allows."""


class UnknownIdError(WhyrecError, KeyError):
    """An id that the fitted SDK has never seen."""

    def __str__(self) -> str:
        """Show the message as it is; KeyError would show its repr."""
        return str(self.args[0]) if self.args else ""


class UnknownUserError(UnknownIdError):
    """A user id that the fitted SDK has never seen."""


class UnknownItemError(UnknownIdError):
    """An item id that is not in the catalog."""


class StorageError(WhyrecError, OSError):
    """A saved directory that is missing, damaged or of a newer schema, by file name."""


class StoreError(WhyrecError, OSError):
    """A store of feedback that is damaged, full, read-only, newer, locked or out of reach."""


class RateLimitError(WhyrecError, RuntimeError):
    """More of one user than a store takes in a while; nothing of the call was kept."""

    def __init__(self, user_id: Hashable, most: int, seconds: int, ends: float) -> None:
        super().__init__(user_id, most, seconds, ends)
        self.user_id, self.most, self.seconds = user_id, most, seconds
        """Whose records they were, and how many are taken in so many seconds."""
        self.ends = ends
        """When more are taken, in seconds since 1970 (UTC)."""

    def __str__(self) -> str:
        """Say whose limit it is, and when it ends."""
        span = {60: "minute", 86_400: "day"}.get(self.seconds, f"{self.seconds} seconds")
        ends = f"{datetime.fromtimestamp(self.ends, UTC):%Y-%m-%d %H:%M:%S} UTC"
        return (
            f"user {self.user_id!r}: the most events and ratings in a {span} are {self.most}; "
            f"nothing of this call was kept; record it after {ends}, or leave out what is beyond"
        )


class TrainingError(WhyrecError, RuntimeError):
    """Training that cannot go on, such as a loss that is no longer finite."""


class ScoreError(WhyrecError, ArithmeticError):
    """A score that is no finite number.

    It knows the row of the histories and the index of the item. Where the SDK was asked, ids are
    those of the user, None for a visitor, and of the item; the message names them.
    """

    def __init__(
        self, row: int, item: int, found: str, ids: tuple[Hashable, Hashable] | None = None
    ) -> None:
        super().__init__(row, item, found, ids)
        self.row, self.item, self.found, self.ids = row, item, found, ids

    def __str__(self) -> str:
        """Say what was found, and where to look."""
        item: Hashable = self.item
        whom = f"row {self.row} of the histories"
        if self.ids is not None:
            user, item = self.ids
            whom = "a visitor" if user is None else f"user {user!r}"
        return (
            f"the score of item {item!r} for {whom} is {self.found}; look for what is not finite "
            "in the arrays of the recommender and in the values that came with the events"
        )


class ModelError(WhyrecError, RuntimeError):
    """A model of the application's own that fails, or does not keep to its protocol."""


class ForkError(WhyrecError, RuntimeError):
    """A process that was forked while PyTorch had several threads, which did not come with it."""


class MissingDependencyError(WhyrecError, ImportError):
    """An optional package that this call needs; the message says how to install it."""


class InternalError(WhyrecError, RuntimeError):
    """A fault of whyrec's own; please report it."""
