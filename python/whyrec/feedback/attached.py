"""The store of an SDK: the one that it was given, or a file beside the saved model."""

import threading
from pathlib import Path

from whyrec.errors import ArgumentError
from whyrec.feedback.sql_store import SQLStore
from whyrec.feedback.sqlite import SQLite
from whyrec.feedback.store import Store

FILE_NAME = "feedback.db"


class AttachedStore:
    """Opens the file at the first use, and never makes one only to read it."""

    def __init__(self, store: Store | None = None, directory: Path | None = None) -> None:
        self._store, self._directory = store, directory
        self._lock = threading.Lock()

    def beside(self, directory: Path) -> "AttachedStore":
        """Return a store beside a model that has now been saved, unless there is one already."""
        has_one = self._store is not None or self._directory is not None
        return self if has_one else AttachedStore(None, directory)

    @property
    def is_there(self) -> bool:
        """Whether anything can have been recorded."""
        if self._store is not None:
            return True
        return self._directory is not None and (self._directory / FILE_NAME).exists()

    def to_read(self) -> Store | None:
        """Return the store, None where nothing was ever recorded.

        Raises:
            StoreError: the file cannot be used.
        """
        return self.to_write() if self.is_there else None

    def to_write(self) -> Store:
        """Return the store; the file is made where it is missing.

        Raises:
            ArgumentError: there is neither a store nor a saved model.
            StoreError: the file cannot be used.
        """
        if self._store is None:
            if self._directory is None:
                raise ArgumentError(
                    "there is no place for feedback: save the SDK first (sdk.save(path) keeps it "
                    f"in {FILE_NAME} there), or give SDK.fit or SDK.load a store, such as "
                    "store=SQLStore(SQLite(path))"
                )
            with self._lock:
                if self._store is None:
                    self._store = SQLStore(SQLite(self._directory / FILE_NAME))
        return self._store
