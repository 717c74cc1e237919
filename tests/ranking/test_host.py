"""What the host may do while Rust works: run other threads, press Ctrl-C, fork."""

import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from whyrec import _native
from whyrec.ranking.index import ItemIndex

ROOT = Path(__file__).parents[2]
PATIENCE = 60
"""Seconds: far more than an answer takes, far less than the work that is stopped."""


@contextmanager
def started(source: str) -> Iterator["subprocess.Popen[str]"]:
    """Start a process that has an index and queries, and see that it is gone afterwards."""
    prelude = """
import os, signal, threading
import numpy as np
from whyrec import _native

rng = np.random.default_rng(0)
vectors = rng.standard_normal((50_000, 32), np.float32)
index = _native.ItemIndex(vectors, np.zeros(50_000, np.float32))
queries = rng.standard_normal((100, 32), np.float32)
"""
    command = [sys.executable, "-c", prelude + source]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        try:
            yield child
        finally:
            child.kill()


@pytest.mark.skipif(os.name == "nt", reason="a process cannot send itself Ctrl-C alone")
def test_ctrl_c_stops_the_work_and_work_goes_on_afterwards() -> None:
    source = """
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started us may ignore it
threading.Timer(0.2, lambda: print("working", flush=True)).start()
try:
    # Some thousand times the work below, by the slow twin.
    _native.top_k(index, np.tile(queries, (1_000, 1)), 10, scalar=True)
except KeyboardInterrupt:
    print(len(_native.top_k(index, queries, 10)[1]), flush=True)
"""
    with started(source) as child:
        assert child.stdout is not None
        # Another thread of the child can only say so while Rust works without the GIL.
        assert child.stdout.readline() == "working\n"
        child.send_signal(signal.SIGINT)
        told, _ = child.communicate(timeout=PATIENCE)
    assert told == "1000\n"
    assert child.returncode == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_works_as_its_parent_does() -> None:
    source = """
before = [part.tobytes() for part in _native.top_k(index, queries, 10)]
pid = os.fork()
after = [part.tobytes() for part in _native.top_k(index, queries, 10)]
if pid == 0:
    os._exit(after != before)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), after == before)
"""
    with started(source) as child:
        told, _ = child.communicate(timeout=PATIENCE)
    assert told == "0 True\n"


def test_many_threads_may_ask_at_once() -> None:
    rng = np.random.default_rng(0)
    index = ItemIndex(rng.standard_normal((20_000, 16), np.float32), np.zeros(20_000, np.float32))
    batches = [rng.standard_normal((10, 16), np.float32) for _ in range(12)]
    alone = [index.top_k(queries, 20).items.tolist() for queries in batches]
    with ThreadPoolExecutor(6) as threads:
        together = threads.map(lambda queries: index.top_k(queries, 20).items.tolist(), batches)
    assert list(together) == alone


@pytest.mark.parametrize("count", [2**62, 2**50])
def test_what_no_memory_can_hold_is_an_error_and_no_abort(count: int) -> None:
    none = np.zeros(0, np.int32)
    with pytest.raises(MemoryError):
        _native.global_importance(none, none.astype(np.float64), count)
    with pytest.raises(MemoryError):
        _native.fold(
            np.array([0, 0]), none, none.astype(np.float64), np.array([0, count], np.int64)
        )


def test_no_profile_turns_a_panic_into_an_abort() -> None:
    profiles = tomllib.loads((ROOT / "Cargo.toml").read_text())["profile"]
    assert "release" in profiles
    assert [name for name, profile in profiles.items() if "panic" in profile] == []
