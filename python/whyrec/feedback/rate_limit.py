"""How much of one user a store takes in a while: counted in the store, whoever writes to it."""

import time
from dataclasses import dataclass

from whyrec.errors import ArgumentError, RateLimitError
from whyrec.feedback.codecs import decode_id
from whyrec.feedback.database import Session
from whyrec.feedback.records import Event, ReasonRating, Record
from whyrec.feedback.schema import TABLES

_MINUTE, _DAY = 60, 86_400
"""In seconds."""

LIMITED: frozenset[type[Record]] = frozenset({Event, ReasonRating})
"""What a model may learn from. Who objects, hides or undoes is never refused."""


@dataclass(frozen=True, kw_only=True)
class RateLimit:
    """The most events and ratings of reasons that a store takes of one user.

    They are counted as they come in, whatever time they bear, by the clock of whoever writes, in
    whole minutes and days of UTC. The count is kept in the store and committed with the records, so
    threads, processes and hosts that open it with the same limit share one count. A record that is
    there already is not counted.

    Raises:
        ArgumentError: there is no limit, or one below 1.

    >>> import tempfile
    >>> from whyrec.errors import RateLimitError
    >>> from whyrec.feedback import Event, RateLimit, SQLite, SQLStore
    >>> with tempfile.TemporaryDirectory() as path:
    ...     with SQLStore(SQLite(f"{path}/feedback.db"), limit=RateLimit(per_day=2)) as store:
    ...         _ = store.record([Event("bot", item) for item in ("fig", "pear")])
    ...         try:
    ...             store.record([Event("bot", "plum")])
    ...         except RateLimitError as error:
    ...             print(error.user_id, error.most)
    bot 2
    """

    per_minute: int | None = None
    """None sets no limit."""

    per_day: int | None = None
    """None sets no limit."""

    def __post_init__(self) -> None:
        for name, most in (("per_minute", self.per_minute), ("per_day", self.per_day)):
            if most is not None and (not isinstance(most, int) or most < 1):
                raise ArgumentError(f"{name} must be a whole number from 1, not {most!r}")
        if self.per_minute is None and self.per_day is None:
            raise ArgumentError("a limit needs per_minute, per_day or both")

    def count(self, session: Session, first: int) -> None:
        """Count what a transaction has inserted, from a position on.

        Raises:
            RateLimitError: it is more than a user may; the transaction must end without a commit.
        """
        for seconds, most in ((_MINUTE, self.per_minute), (_DAY, self.per_day)):
            if most is not None:
                _count(session, first, seconds, most)


def _count(session: Session, first: int, seconds: int, most: int) -> None:
    now = int(time.time())
    new = " UNION ALL ".join(
        f"SELECT user_id FROM {TABLES[kind].name} WHERE position >= {first}"
        for kind in TABLES
        if kind in LIMITED
    )
    # A clock that is behind another's counts in the span that is going on there.
    session.run(
        "INSERT INTO arrivals (user_id, seconds, since, n_records) "
        f"SELECT user_id, {seconds}, {now - now % seconds}, COUNT(*) FROM ({new}) AS new "
        "GROUP BY user_id ON CONFLICT (user_id, seconds) DO UPDATE SET "
        "n_records = excluded.n_records "
        "+ CASE WHEN arrivals.since >= excluded.since THEN arrivals.n_records ELSE 0 END, "
        "since = CASE WHEN arrivals.since >= excluded.since THEN arrivals.since "
        "ELSE excluded.since END"
    )
    beyond = session.rows(
        f"SELECT user_id, since FROM arrivals WHERE seconds = {seconds} AND n_records > {most} "
        f"AND user_id IN (SELECT user_id FROM ({new}) AS new) ORDER BY user_id LIMIT 1"
    )
    for user, since in beyond:
        raise RateLimitError(decode_id(user), most, seconds, int(since) + seconds)


def forget_arrivals(session: Session, user: str) -> None:
    """Erase the counts of a user, whose id is encoded."""
    session.run("DELETE FROM arrivals WHERE user_id = ?", [user])
