"""Exact top-k as the peers offer it, each at its best, and held to the same answer as ours."""

from collections.abc import Callable
from typing import Any, TypeAlias

import faiss
import numpy as np
import torch
from bench.kernels.race import n_threads
from implicit.cpu.topk import topk as implicit_topk
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from usearch.index import MetricKind
from usearch.index import search as usearch_search

from whyrec.types import Float32Array

TopK: TypeAlias = Callable[[Float32Array, int], NDArray[Any]]
"""From queries [n_queries, dimension] and k to item indices [n_queries, k]."""

TOLERANCE = 1e-5
"""Peers round otherwise than we do; two items this close in score may stand for each other."""

BLAS_ALWAYS = 0


def peers_of(items: Float32Array) -> dict[str, TopK]:
    """Return every peer, ready to search these items."""
    catalog = torch.from_numpy(items)
    index = faiss.IndexFlatIP(items.shape[1])
    index.add(items)
    default = faiss.cvar.distance_compute_blas_threshold

    def faiss_at(threshold: int) -> TopK:
        def search(queries: Float32Array, k: int) -> NDArray[Any]:
            faiss.cvar.distance_compute_blas_threshold = threshold
            found: NDArray[Any] = index.search(queries, k)[1]
            faiss.cvar.distance_compute_blas_threshold = default
            return found

        return search

    def torch_top_k(queries: Float32Array, k: int) -> NDArray[Any]:
        scores = torch.from_numpy(queries) @ catalog.T
        return torch.topk(scores, k).indices.numpy()

    def numpy_top_k(queries: Float32Array, k: int) -> NDArray[Any]:
        scores = queries @ items.T
        best = np.argpartition(scores, -k, axis=1)[:, -k:]
        order = np.argsort(np.take_along_axis(scores, best, axis=1), axis=1)[:, ::-1]
        return np.take_along_axis(best, order, axis=1)

    def usearch(queries: Float32Array, k: int) -> NDArray[Any]:
        found = usearch_search(items, queries, k, MetricKind.IP, exact=True, threads=n_threads())
        return np.asarray(found.keys).reshape(len(queries), -1)

    return {
        "faiss": faiss_at(default),
        "faiss, BLAS always": faiss_at(BLAS_ALWAYS),
        "torch": torch_top_k,
        "NumPy": numpy_top_k,
        "implicit": lambda queries, k: implicit(items, queries, k),
        "usearch": usearch,
    }


def implicit(
    items: Float32Array, queries: Float32Array, k: int, excluded: csr_matrix | None = None
) -> NDArray[Any]:
    """Return implicit's item indices [n_queries, k], without those that a query excludes."""
    found: NDArray[Any] = implicit_topk(
        items, queries, k, filter_query_items=excluded, num_threads=0
    )[0]
    return found


def check_agreement(
    name: str, items: Float32Array, queries: Float32Array, found: NDArray[Any], ours: NDArray[Any]
) -> None:
    """Hold a peer's answer for some queries to ours, by scores in float64.

    Raises:
        ValueError: the answers are of different quality, so their times cannot be compared.
    """
    for query, theirs, expected in zip(queries, found, ours, strict=True):
        best, other = (
            np.sort(items[picked].astype(np.float64) @ query) for picked in (expected, theirs)
        )
        if len(np.unique(theirs)) != len(expected):
            raise ValueError(f"{name} returns {len(np.unique(theirs))} items, not {len(expected)}")
        if not np.allclose(best, other, rtol=TOLERANCE, atol=TOLERANCE * np.abs(best).max()):
            worst = np.abs(best - other).max()
            raise ValueError(f"{name} returns other items than ours: scores differ by {worst:.3g}")
