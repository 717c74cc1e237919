"""How well rankings foresee held-out events: NDCG, recall and hit rate over the whole catalog."""

from dataclasses import dataclass

import numpy as np

from whyrec.errors import ArgumentError
from whyrec.types import Float64Array, Int32Array, Int64Array


@dataclass(frozen=True, slots=True, eq=False)
class Accuracy:
    """Metrics of the best k items of each user who has held-out events."""

    k: int
    ndcg: Float64Array
    """float64 [n_users]: normalised discounted cumulative gain, each wanted item worth the same."""

    recall: Float64Array
    """float64 [n_users]: the share of the wanted items that is among the k."""

    hit: Float64Array
    """float64 [n_users]: 1 if a wanted item is among the k."""

    @property
    def n_users(self) -> int:
        """How many users had held-out events."""
        return len(self.ndcg)

    def means(self) -> dict[str, float]:
        """Return each metric's mean over users, by name."""
        return {
            f"NDCG@{self.k}": float(self.ndcg.mean()),
            f"Recall@{self.k}": float(self.recall.mean()),
            f"HR@{self.k}": float(self.hit.mean()),
        }

    def __str__(self) -> str:
        figures = ", ".join(f"{name} {value:.4f}" for name, value in self.means().items())
        return f"{figures} over {self.n_users:,} users"


def accuracy(
    offsets: Int64Array,
    items: Int32Array,
    wanted_offsets: Int64Array,
    wanted_items: Int32Array,
    *,
    k: int,
) -> Accuracy:
    """Compare rankings with the items that users turned out to want.

    Users who want nothing are left out.

    Args:
        offsets: int64 [n_users + 1]: the ranked items of user u are those from offsets[u] to
            offsets[u + 1], best first.
        items: int32 [n_ranked], item index; only the first k of each user count.
        wanted_offsets: int64 [n_users + 1], the same for the wanted items.
        wanted_items: int32 [n_wanted]; an item wanted twice counts once.
        k: how many ranked items count.

    Raises:
        ArgumentError: k is below 1, the users of the two differ, or nobody wants anything.

    K. Järvelin and J. Kekäläinen, Cumulated Gain-Based Evaluation of IR Techniques, 2002.

    >>> ranked, wanted = np.array([4, 7, 1], np.int32), np.array([7], np.int32)
    >>> print(accuracy(np.array([0, 3]), ranked, np.array([0, 1]), wanted, k=2))
    NDCG@2 0.6309, Recall@2 1.0000, HR@2 1.0000 over 1 users
    """
    if k < 1:
        raise ArgumentError(f"k must be at least 1, not {k}")
    n_users = len(offsets) - 1
    if len(wanted_offsets) != len(offsets):
        raise ArgumentError(
            f"rankings are of {n_users} users, wanted items of {len(wanted_offsets) - 1}"
        )
    counts = np.diff(offsets)
    users = np.repeat(np.arange(n_users), counts)
    ranks = np.arange(len(items)) - np.repeat(offsets[:-1], counts)
    wanted_users = np.repeat(np.arange(n_users), np.diff(wanted_offsets))
    n_items = 1 + max(items.max(initial=0), wanted_items.max(initial=0))
    wanted = np.unique(wanted_users * n_items + wanted_items)
    n_wanted = np.bincount(wanted // n_items, minlength=n_users)
    asked = n_wanted > 0
    if not asked.any():
        raise ArgumentError("no user has a held-out event; there is nothing to evaluate on")
    hits = np.isin(users * n_items + items, wanted) & (ranks < k)
    gains = np.bincount(users[hits], 1 / np.log2(ranks[hits] + 2), n_users)
    n_hits = np.bincount(users[hits], minlength=n_users)
    ideal = np.cumsum(1 / np.log2(np.arange(2, k + 2)))[np.minimum(n_wanted[asked], k) - 1]
    return Accuracy(
        k,
        gains[asked] / ideal,
        n_hits[asked] / n_wanted[asked],
        (n_hits[asked] > 0).astype(np.float64),
    )
