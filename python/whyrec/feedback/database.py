"""What a store needs of a database: two kinds of transaction, and few words of its SQL."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from whyrec.feedback.codecs import Cell

if TYPE_CHECKING:
    from whyrec.feedback.schema import RecordTable

T = TypeVar("T")
Row = tuple[Cell, ...]


class Session(Protocol):
    """One transaction that is going on. Statements mark each parameter with a question mark."""

    def rows(self, statement: str, parameters: Sequence[Cell] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""

    def run(self, statement: str, parameters: Sequence[Cell] = ()) -> int:
        """Run a statement and return how many rows it has changed."""

    def insert(self, table: "RecordTable[Any]", rows: Sequence[Row], first: int) -> int:
        """Insert the rows of records at positions that rise from first.

        A row whose event_id is there already is left out.

        Returns:
            How many rows are new.
        """


class Database(Protocol):
    """A database that keeps what it has committed, through a crash too.

    Any number of threads may call it at once. Each method raises StoreError where the database
    refuses, and then has changed nothing.
    """

    @property
    def words(self) -> Mapping[str, str]:
        """What differs in its SQL, by name.

        text, real, integer: the types of columns. by_user: the columns of an index by user.
        of_users: the condition that a row is of one of the users of a JSON list, its parameter.
        """

    def __str__(self) -> str:
        """Say which database it is, for messages; without passwords."""

    def has_table(self, session: Session, name: str) -> bool:
        """Tell whether there is a table."""

    def read(self, work: Callable[[Session], T]) -> T:
        """Return what work makes of one state of the database, beside which others may write."""

    def write(self, work: Callable[[Session], T]) -> T:
        """Commit what work does, all of it or nothing, and return only once it is on the disk.

        Only one at a time writes, through whatever process or host; the others wait.

        work may be called again where the first try was lost, so it must do nothing else.
        """

    def purge(self) -> None:
        """Let nothing remain of rows that were deleted, as far as that is in reach."""

    def close(self) -> None:
        """End all connections; using the database again is an error."""
