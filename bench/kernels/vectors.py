"""Catalogs to rank: vectors with log-normal norms, and those that matrix factorisation makes."""

from pathlib import Path

import numpy as np
from implicit.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from whyrec.types import Float32Array, Int64Array

CACHE = Path(__file__).parents[1] / ".cache"
N_USERS = 20_000
EVENTS_PER_USER = 250
N_TASTES = 50
CHUNK = 1 << 18


def log_normal(n: int, dimension: int, seed: int) -> Float32Array:
    """Return float32 [n, dimension]: Gaussian directions, each times exp(0.5 · Gaussian)."""
    generator = np.random.default_rng(seed)
    vectors = np.empty((n, dimension), np.float32)
    for first in range(0, n, CHUNK):  # so that no copy in float64 is made of the whole
        chunk = vectors[first : first + CHUNK]
        generator.standard_normal(out=chunk, dtype=np.float32)
        chunk *= np.exp(0.5 * generator.standard_normal((len(chunk), 1), np.float32))
    return vectors


def factorised(n_items: int) -> tuple[Float32Array, Float32Array]:
    """Return item vectors [n_items, 64] and user vectors that ALS learns; they are kept in CACHE.

    Popularity follows Zipf's law, so most items have few events or none, and short vectors.
    """
    kept = CACHE / f"als-{n_items}.npz"
    if not kept.exists():
        with threadpool_limits(1, "blas"):  # implicit has threads of its own
            model = AlternatingLeastSquares(factors=64, iterations=10, random_state=0)
            model.fit(simulated(n_items), show_progress=False)
        CACHE.mkdir(exist_ok=True)
        np.savez(kept, items=model.item_factors, users=model.user_factors)
    with np.load(kept) as vectors:
        return vectors["items"], vectors["users"]


def simulated(n_items: int) -> csr_matrix:
    """Draw events of users, each with two or three tastes, from items of Zipf's popularity."""
    generator = np.random.default_rng(0)
    tastes = generator.integers(N_TASTES, size=(N_USERS, 3))
    users = np.repeat(np.arange(N_USERS), EVENTS_PER_USER)
    chosen = tastes[users, generator.integers(3, size=len(users))]
    items = generator.permutation(n_items)[_zipf(n_items, len(users), generator, chosen)]
    return csr_matrix((np.ones(len(users), np.float32), (users, items)), (N_USERS, n_items))


def _zipf(
    n_items: int, n_events: int, generator: np.random.Generator, tastes: Int64Array
) -> Int64Array:
    """Draw a rank for each event among the items of its taste, every 50th of all."""
    n_ranks = n_items // N_TASTES
    bounds = np.cumsum(1 / (np.arange(n_ranks) + 10))
    drawn = generator.random(n_events) * bounds[-1]
    ranks: Int64Array = np.searchsorted(bounds, drawn) * N_TASTES + tastes
    return ranks
