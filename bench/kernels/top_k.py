"""Top-k beside its peers, with exclusions, and beside what the machine can do."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import numpy as np
from bench.kernels import machine, ours, vectors
from bench.kernels.peers import TopK, check_agreement, implicit, peers_of
from bench.kernels.race import race
from bench.kernels.report import Case, Goal, beside, duration
from bench.timing import interleaved
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from whyrec.ranking import Candidates, ItemIndex
from whyrec.types import Float32Array

N_BATCHES = 4
"""Batches of queries that take turns, so that a figure is not of one query's luck."""

N_EXCLUDED = 200

PATHS: dict[str, bool | None] = {"ours": None, "int8 codes": True, "float32 rows": False}


@dataclass(frozen=True, slots=True)
class Search:
    """A batch of queries, how many items each gets, and the least ratio that is asked of a peer."""

    n_queries: int
    k: int
    asked: dict[str, float]
    held_to_limits: bool = False
    """Whether to say what share of the machine's memory or arithmetic is used."""


ALONE = {"faiss": 4.0, "implicit": 3.0}
TOGETHER = {"faiss": 1.5, "implicit": 2.0, "torch": 4.0}

SEARCHES = {
    64: [
        Search(1, 10, ALONE),
        Search(1, 100, ALONE, held_to_limits=True),
        Search(1, 1_000, {"faiss": 2.0}),
        Search(32, 100, {"faiss": 1.8, "implicit": 2.2}),
        Search(256, 100, TOGETHER, held_to_limits=True),
    ],
    128: [
        Search(1, 10, ALONE),
        Search(1, 100, ALONE, held_to_limits=True),
        Search(256, 100, {}, held_to_limits=True),
    ],
}
FACTORISED = Search(1, 100, {"implicit": 20.0})
MOST_WITH_EXCLUSIONS = 1.05
LEAST_OF_BANDWIDTH = 0.9


def measure(n_items: int, n_rounds: int) -> Iterator[Case]:
    """Measure every case, one catalog after the other."""
    for dimension, searches in SEARCHES.items():
        catalog = Catalog(vectors.log_normal(n_items, dimension, seed=dimension), n_rounds)
        for search in searches:
            queries = vectors.log_normal(search.n_queries * N_BATCHES, dimension, seed=1)
            yield from catalog.measure(search, queries, f"d={dimension}")
        if dimension == min(SEARCHES):
            yield from catalog.measure_exclusions(32, 100)
        del catalog  # before the next is built: they are large
    items, users = vectors.factorised(n_items)
    queries = np.random.default_rng(0).permutation(users)[: FACTORISED.n_queries * N_BATCHES]
    yield from Catalog(items, n_rounds).measure(FACTORISED, queries, "d=64, ALS vectors")


class Catalog:
    """Items that ours and every peer are ready to search."""

    def __init__(self, items: Float32Array, n_rounds: int) -> None:
        self.items = items
        self.n_rounds = n_rounds
        self.index: ItemIndex = ours.index_of(items)
        self.peers = peers_of(items)

    def measure(self, search: Search, queries: Float32Array, what: str) -> Iterator[Case]:
        """Time one search on each of our paths and by each peer."""
        batches = np.split(queries, N_BATCHES)
        k = search.k
        finders = {name: self._path(codes) for name, codes in PATHS.items()} | self.peers
        expected = finders["ours"](batches[0], k)
        for name, find in finders.items():
            check_agreement(name, self.items, batches[0], find(batches[0], k), expected)
        times = race(
            {name: in_turn(find, batches, k) for name, find in finders.items()}, self.n_rounds
        )
        peers = {name: times[name] for name in self.peers}
        name = f"B={search.n_queries} {what} k={k}"
        yield beside(name, times["ours"], peers, asked=search.asked)
        if search.n_queries == 1 and k <= 100:
            yield beside(
                f"{name}, float32 rows",
                times["float32 rows"],
                peers,
                charted=False,
            )
        if search.held_to_limits:
            yield from self._shares(name, search, batches)

    def measure_exclusions(self, n_queries: int, k: int) -> Iterator[Case]:
        """Time a search in which every user excludes items of their own."""
        n_items, dimension = self.items.shape
        queries = vectors.log_normal(n_queries, dimension, seed=2)
        generator = np.random.default_rng(3)
        items = np.concatenate(
            [generator.choice(n_items, N_EXCLUDED, replace=False) for _ in range(n_queries)]
        ).astype(np.int32)
        offsets = np.arange(n_queries + 1, dtype=np.int64) * N_EXCLUDED
        excluded = Candidates(items, offsets)
        ones = np.ones(len(items), np.float32)
        rows: csr_matrix[np.float32] = csr_matrix((ones, items, offsets), (n_queries, n_items))
        calls: dict[str, Callable[[], NDArray[Any]]] = {
            "without": lambda: ours.top_k(self.index, queries, k),
            "ours": lambda: ours.top_k(self.index, queries, k, excluded=excluded),
            "implicit": lambda: implicit(self.items, queries, k, rows),
        }
        check_agreement("implicit", self.items, queries, calls["implicit"](), calls["ours"]())
        times = race(calls, self.n_rounds)
        name = f"B={n_queries} d={dimension} k={k}, {N_EXCLUDED} random exclusions a user"
        yield beside(name, times["ours"], {"implicit": times["implicit"]})
        yield Case(
            name=f"{name}, over none",
            ours=duration(times["ours"]),
            figure=times["ours"] / times["without"],
            goal=Goal(most=MOST_WITH_EXCLUSIONS),
        )

    def _path(self, codes: bool | None) -> TopK:
        return lambda queries, k: ours.top_k(self.index, queries, k, codes=codes)

    def _shares(self, name: str, search: Search, batches: list[Float32Array]) -> Iterator[Case]:
        """Compare with the limits: memory for one query, arithmetic for many.

        The limits are those of work without a pause, so ours is timed like that, and next to them.
        """
        paths = {path: in_turn(self._path(PATHS[path]), batches, search.k) for path in PATHS}
        times, limits = interleaved(paths, self.n_rounds), machine.measure()
        if search.n_queries == 1:
            for path, width in (("float32 rows", 4), ("int8 codes", 1)):
                read = self.items.size * width / times[path] / 1e9
                yield Case(
                    name=f"{name}, {path}: share of the read bandwidth",
                    ours=f"{read:.1f} GB/s",
                    figure=read / limits.read_gb_s[1],
                    unit="%",
                    goal=Goal(least=LEAST_OF_BANDWIDTH) if path == "float32 rows" else None,
                )
        else:
            for path in ("float32 rows", "ours"):
                done = 2 * self.items.size * search.n_queries / times[path] / 1e9
                yield Case(
                    name=f"{name}, {path}: share of the float32 peak",
                    ours=f"{done:.0f} GFLOP/s",
                    figure=done / limits.fma_gflop_s[1],
                    unit="%",
                )


def in_turn(find: TopK, batches: list[Float32Array], k: int) -> Callable[[], object]:
    """Return a call that searches for one batch after the other."""
    order = cycle(batches)
    return lambda: find(next(order), k)
