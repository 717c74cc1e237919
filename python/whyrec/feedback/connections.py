"""Connections to one database: as many as threads are at work, and none shared with a fork."""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar
from weakref import WeakSet

from whyrec.errors import StoreError

C = TypeVar("C")

# A fork inherits every connection of the process, those of other stores too.
_POOLS: "WeakSet[Connections[object]]" = WeakSet()


class _OfProcess(Generic[C]):
    """The connections that one process has opened."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.begun = False
        self.idle: list[C] = []
        self.n_at_work = 0


class Connections(Generic[C]):
    """Lends connections, one to each caller at a time, and keeps them open in between."""

    def __init__(
        self,
        connect: Callable[[], C],
        disconnect: Callable[[C], None],
        leave: Callable[[C], None],
        shared: str | None = None,
    ) -> None:
        """Take what opens a connection, closes it, and drops one that a fork has inherited.

        shared: names what all connections of a process to it have in common, so that a fork cannot
            open new ones beside some that are still at work; None if there is nothing.
        """
        self._connect, self._disconnect, self._leave = connect, disconnect, leave
        self._shared = shared
        self._of_process: dict[int, _OfProcess[C]] = {}
        self._closed = False
        _POOLS.add(self)  # type: ignore[arg-type]

    @contextlib.contextmanager
    def borrow(self) -> Iterator[C]:
        """Lend a connection; after an error it is closed, which rolls back what it was at.

        Raises:
            StoreError: the connections are closed, or the process is a fork of one in which
                another thread was using them.
        """
        here = self._here()
        with here.lock:
            connection = here.idle.pop() if here.idle else None
            here.n_at_work += 1
        try:
            if connection is None:
                connection = self._connect()
            try:
                yield connection
            except BaseException:
                self._disconnect(connection)
                raise
            self._take_back(here, connection)
        finally:
            with here.lock:
                here.n_at_work -= 1

    def forget_idle(self) -> None:
        """Close the connections that nobody uses, such as those of a server that went away."""
        here = self._here()
        with here.lock:
            idle, here.idle = here.idle, []
        for connection in idle:
            self._disconnect(connection)

    def close(self) -> None:
        """Close every connection, those at work when they are given back."""
        if not self._closed:
            self._here()
            self._closed = True
            for connection in self._of_process[os.getpid()].idle:
                self._disconnect(connection)
            self._of_process.clear()

    def _take_back(self, here: _OfProcess[C], connection: C) -> None:
        with here.lock:
            if not self._closed:
                here.idle.append(connection)
                return
        self._disconnect(connection)

    def _here(self) -> _OfProcess[C]:
        if self._closed:
            raise StoreError("the store is closed; open it again")
        pid = os.getpid()
        here = self._of_process.get(pid)
        if here is None:
            # A lock from before the fork may be held by a thread that is not here.
            here = self._of_process.setdefault(pid, _OfProcess())
        if not here.begun:
            with here.lock:
                self._leave_inherited(pid)
                here.begun = True
        return here

    def _leave_inherited(self, pid: int) -> None:
        for pool in list(_POOLS):
            at_work = pool._leave_behind(pid)
            if at_work and self._shared is not None and pool._shared == self._shared:
                raise StoreError(
                    f"{self._shared}: the process was forked while another of its threads was "
                    "using the store, so the fork cannot use it safely; fork while no thread does, "
                    "or start the other process by spawn"
                )

    def _leave_behind(self, pid: int) -> bool:
        """Drop the idle connections of the processes before a fork, and tell if others remain."""
        at_work = False
        for other in [each for each in self._of_process if each != pid]:
            inherited = self._of_process[other]
            at_work |= inherited.n_at_work > 0
            while inherited.idle:
                self._leave(inherited.idle.pop())
        return at_work
