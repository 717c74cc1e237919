"""Building an index: time and memory; and searching one that is mapped, ten times as large."""

import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from bench.kernels import ours, vectors
from bench.kernels.race import race
from bench.kernels.report import Case, Goal, duration

from whyrec.ranking import ItemIndex

DIMENSION = 64
K = 100
MOST_SECONDS = 0.5
MOST_MEMORY = 0.3
MOST_PER_ITEM = 1.15
TIMES_AS_LARGE = 10
STATM = Path("/proc/self/statm")


def measure_build(n_items: int, n_rounds: int) -> Iterator[Case]:
    """Measure the time of a build, and what it needs beside the float32 matrix."""
    items = vectors.log_normal(n_items, DIMENSION, seed=0)
    seconds = race({"ours": lambda: ours.index_of(items)}, n_rounds)["ours"]
    name = f"build of {n_items:,} × {DIMENSION}"
    yield Case(
        name=f"{name}: time",
        ours=duration(seconds),
        figure=seconds,
        unit="s",
        goal=Goal(most=MOST_SECONDS),
    )
    if STATM.exists():  # elsewhere there is no way to ask without another dependency
        # A process of its own: in this one, memory that was freed may be used again.
        with ProcessPoolExecutor(1, get_context("spawn")) as executor:
            grown = executor.submit(growth, n_items, DIMENSION).result()
        yield Case(
            name=f"{name}: memory beside the float32 matrix",
            ours=f"{grown / 2**20:.0f} MiB in all",
            figure=grown / items.nbytes - 1,
            unit="%",
            goal=Goal(most=MOST_MEMORY),
        )


def growth(n_items: int, dimension: int) -> int:
    """Return by how many bytes this process grows when it builds an index of its own rows."""
    items = vectors.log_normal(n_items, dimension, seed=0)
    warm = ours.index_of(items[:1_000])  # what a first build needs once, threads among it
    before = resident()
    index = ours.index_of(items)
    grown = resident() - before
    del index, warm
    return grown


def resident() -> int:
    """Return the bytes of memory that this process has."""
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def measure_mapped(n_items: int, n_rounds: int) -> Iterator[Case]:
    """Measure a search in an index mapped from a file, beside one in memory of a tenth."""
    n_mapped = TIMES_AS_LARGE * n_items
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "index"
        ours.index_of(vectors.log_normal(n_mapped, DIMENSION, seed=0)).save(path)
        size = sum(file.stat().st_size for file in Path(directory).rglob("*") if file.is_file())
        times = race_mapped(path, n_items, n_rounds)
    yield Case(
        name=f"B=1 d={DIMENSION} k={K}, {n_mapped:,} mapped items: time an item over that of "
        f"{n_items:,} in memory",
        ours=duration(times["mapped"]),
        figure=times["mapped"] / TIMES_AS_LARGE / times["in memory"],
        goal=Goal(most=MOST_PER_ITEM),
        note=f"The mapped index is {size / 1e9:.2f} GB on disk and was read before it was timed.",
    )


def race_mapped(path: Path, n_items: int, n_rounds: int) -> dict[str, float]:
    """Time both; the file is let go on return, for not every system removes one in use."""
    mapped = ItemIndex.open(path)
    small = ours.index_of(vectors.log_normal(n_items, DIMENSION, seed=0))
    queries = vectors.log_normal(1, DIMENSION, seed=1)
    calls = {
        "mapped": lambda: ours.top_k(mapped, queries, K),
        "in memory": lambda: ours.top_k(small, queries, K),
    }
    return race(calls, n_rounds)
