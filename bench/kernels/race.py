"""Calls timed in turn on all threads of the machine, the slow ones once."""

import os
import time
from collections.abc import Callable, Mapping

import faiss
import torch
from bench.timing import interleaved
from threadpoolctl import threadpool_limits

SLOW = 8.0
"""A peer this many times slower than the fastest is timed once: its figure is clear enough."""

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
    """Return the median seconds of every call."""
    first: dict[str, float] = {}
    for name, call in calls.items():
        started = time.perf_counter()
        call()
        first[name] = time.perf_counter() - started
    bound = SLOW * min(first.values())
    again = {name: call for name, call in calls.items() if first[name] <= bound}
    return first | interleaved(again, n_rounds, pause=PAUSE)
