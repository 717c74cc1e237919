"""Calls timed in turn on all threads of the machine, the slow ones once."""

import os
import time
from collections.abc import Callable, Mapping

import faiss
import torch
from bench.timing import interleaved
from threadpoolctl import threadpool_limits

SLOW = 8.0
SLOW_SECONDS = 2.0
"""A call that takes so many times as long as the fastest, and so long, is timed once: its figure is
clear enough."""

PAUSE = 0.05
"""Seconds between calls: OpenBLAS lets its threads spin for about half as long."""


def n_threads() -> int:
    """Return how many threads the machine runs at once, for this process."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def use_all_threads() -> None:
    """Let every peer use all threads; ours does so unless told otherwise."""
    threadpool_limits(n_threads())
    torch.set_num_threads(n_threads())
    faiss.omp_set_num_threads(n_threads())


def race(calls: Mapping[str, Callable[[], object]], n_rounds: int) -> dict[str, float]:
    """Return the median seconds of every call; all of them should have been called before."""
    first: dict[str, float] = {}
    for name, call in calls.items():
        started = time.perf_counter()
        call()
        first[name] = time.perf_counter() - started
    bound = max(SLOW_SECONDS, SLOW * min(first.values()))
    again = {name: call for name, call in calls.items() if first[name] <= bound}
    return first | interleaved(again, n_rounds, pause=PAUSE)
