"""A buffer before a store: many events in few commits, and word of what has been made durable."""

import threading
from typing import Self

from whyrec.errors import ArgumentError, RateLimitError
from whyrec.feedback.batch import Batch
from whyrec.feedback.rate_limit import LIMITED
from whyrec.feedback.records import Event, Impression
from whyrec.feedback.store import Store


class Buffer:
    """Gathers events and impressions, and records them in batches, in the order they came.

    Until it is flushed, what it holds is lost if the process ends, and nobody reads it; whoever has
    to be sure calls `Store.record`. What a limit of the store refuses is dropped and counted, so
    that the events of others do not wait for it. Any number of threads may use one buffer.

    >>> import tempfile
    >>> from whyrec.feedback import Event, SQLite, SQLStore
    >>> with tempfile.TemporaryDirectory() as path:
    ...     store = SQLStore(SQLite(f"{path}/feedback.db"))
    ...     with Buffer(store, size=1000) as buffer:
    ...         for item in range(1500):
    ...             buffer.add(Event("ann", item, "view"))
    ...         print(buffer.n_durable, buffer.n_pending)
    ...     print(buffer.n_durable, buffer.n_pending)
    ...     store.close()
    1000 500
    1500 0
    """

    def __init__(self, store: Store, *, size: int = 1000) -> None:
        """Take the store, and how many records are committed together.

        Raises:
            ArgumentError: size is below 1.
        """
        if size < 1:
            raise ArgumentError(f"size must be at least 1, not {size}")
        self._store, self._size = store, size
        self._lock = threading.Lock()
        self._batch = Batch()
        self._n_durable = self._n_refused = 0

    @property
    def n_durable(self) -> int:
        """How many of the records that were added are on the disk.

        With `n_refused` they are the first so many.
        """
        return self._n_durable

    @property
    def n_refused(self) -> int:
        """How many were dropped: those of a user who was beyond the limit, see `RateLimit`."""
        return self._n_refused

    @property
    def n_pending(self) -> int:
        """How many are not yet."""
        return len(self._batch)

    def add(self, record: Event | Impression) -> None:
        """Add a record; where the buffer is full, all before it are made durable first.

        Raises:
            ArgumentError: a field cannot be kept, or the record is of another kind, which is never
                to be lost: give it to `Store.record`.
            StoreError: what is before it cannot be kept now. It stays in the buffer; the record
                itself was not added.
        """
        if not isinstance(record, Event | Impression):
            raise ArgumentError(
                f"a buffer takes events and impressions, not {record!r}; use Store.record"
            )
        with self._lock:
            if len(self._batch) >= self._size:
                self._flush()
            self._batch.add(record)

    def flush(self) -> None:
        """Make all that was added durable.

        Raises:
            StoreError: it cannot be kept now. It stays in the buffer, for another flush.
        """
        with self._lock:
            self._flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.flush()

    def _flush(self) -> None:
        while True:
            try:
                self._store.record(self._batch)
                break
            except RateLimitError as error:
                n_dropped = self._batch.drop(error.user_id, LIMITED)
                if not n_dropped:
                    raise
                self._n_refused += n_dropped
        self._n_durable += len(self._batch)
        self._batch = Batch()
