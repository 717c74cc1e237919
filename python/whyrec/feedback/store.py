"""The protocol of a store: what the SDK asks of whatever keeps the feedback."""

from collections.abc import Hashable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from whyrec.data.interactions import Interactions
from whyrec.data.tables import Table
from whyrec.data.vocabulary import Vocabulary
from whyrec.feedback.batch import Batch
from whyrec.feedback.records import Record

R = TypeVar("R", bound=Record)


class Store(Protocol):
    """Keeps what users did and what they asked for, safely, and reads it back.

    Each record has a position, which rises in the order in which records are committed. Whoever has
    seen everything up to a position reads on from there. Any number of threads may call a store at
    once. Each method raises StoreError where the store cannot be used, with what to do about it.
    """

    def record(self, records: Batch | Iterable[Record]) -> int:
        """Keep records, all of them or none; when it returns they are on the disk.

        A record whose event_id the store has already in a record of its class changes nothing, so
        a call that has failed, or that nobody knows the end of, can be made again.

        Returns:
            How many of them are new.

        Raises:
            ArgumentError: a field cannot be kept; the message names it.
            UnknownIdError: an `Undo` names a record that its user does not have.
            RateLimitError: it is more of a user than the store takes, see `RateLimit`.
        """

    def read(
        self,
        kind: type[R],
        *,
        users: Sequence[Hashable] | None = None,
        since: int = 0,
        until: int | None = None,
    ) -> list[R]:
        """Return the records of a class that are not undone, by their position.

        Args:
            kind: the class of the records.
            users: ids of the users whose records they are; None reads those of all.
            since: the position after which they come.
            until: the last position; None reads to the end.
        """

    def table(
        self,
        kind: type[Record],
        *,
        users: Sequence[Hashable] | None = None,
        since: int = 0,
        until: int | None = None,
    ) -> Table:
        """Return what `read` does as a table, with a column for each field, as training reads it.

        The cells of a column are an Arrow array, but for ids of mixed types.
        """

    def histories(
        self, users: Sequence[Hashable], items: Vocabulary, kind_names: Sequence[str] = ()
    ) -> Interactions:
        """Return the events of some users that are not undone, a row for each, oldest first.

        Events of the same time are in the order of their positions. Events of items that are not
        in the vocabulary are left out; they come once it has them.

        Args:
            users: ids; one of whom nothing is kept has an empty row.
            items: what numbers the items.
            kind_names: kinds of event whose numbers are given; others are numbered after them.
        """

    def position(self) -> int:
        """Return the last position: every record up to it is there, and later ones come after."""

    def export(self, user: Hashable) -> dict[str, Any]:
        """Return all that is kept of a user as data for JSON, undone records too.

        Ids that are no strings or whole numbers are written with their type.
        """

    def forget(self, user: Hashable) -> dict[str, int]:
        """Erase all that is kept of a user, and return how many records of each kind there were.

        A copy that somebody else has made stays, such as a backup, and so does what a model has
        learned; a record that is sent again afterwards is kept like any other, so flush a `Buffer`
        before. After a StoreError, forget again: traces may be left in the files.
        """

    def close(self) -> None:
        """End all connections; using the store again is an error."""
