"""How well rankings foresee held-out events: the metrics of each user."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from whyrec.errors import ArgumentError
from whyrec.evaluate.accuracy.lists import Lists, read_cutoffs, read_lists, told
from whyrec.types import BoolArray, Float64Array, Int32Array, Int64Array


@dataclass(frozen=True, slots=True, eq=False)
class Accuracy:
    """Metrics of the best k items of each user who has held-out events, for each k."""

    k: tuple[int, ...]
    """The cut-offs, rising."""

    ndcg: Float64Array
    """float64 [n_users, n_cutoffs]: normalised discounted cumulative gain.

    Each wanted item is worth the same; the ideal list has as many of them first as there are, or k.
    """

    recall: Float64Array
    """float64 [n_users, n_cutoffs]: the share of the wanted items that is among the k."""

    hit: Float64Array
    """float64 [n_users, n_cutoffs]: 1 if a wanted item is among the k."""

    precision: Float64Array
    """float64 [n_users, n_cutoffs]: wanted items among the k, over k, however short the list is."""

    reciprocal_rank: Float64Array
    """float64 [n_users, n_cutoffs]: 1 / the rank of the first wanted item; 0 if none is there."""

    average_precision: Float64Array
    """float64 [n_users, n_cutoffs]: the precision at the rank of each wanted item, summed and over
    the number of wanted items; 0 for one that is not among the k.
    """

    @property
    def n_users(self) -> int:
        """How many users had held-out events."""
        return len(self.ndcg)

    def figures(self) -> dict[str, Float64Array]:
        """Return each metric of the single users, float64 [n_users], by name, such as "NDCG@10".

        `whyrec.evaluate.intervals` says how sure their means are, and what two recommenders differ
        by on the same users.
        """
        arrays = {
            "NDCG": self.ndcg,
            "Recall": self.recall,
            "HR": self.hit,
            "Precision": self.precision,
            "MRR": self.reciprocal_rank,
            "MAP": self.average_precision,
        }
        return {
            f"{name}@{cutoff}": values[:, place]
            for place, cutoff in enumerate(self.k)
            for name, values in arrays.items()
        }

    def means(self) -> dict[str, float]:
        """Return each metric's mean over users, by name."""
        return {name: float(values.mean()) for name, values in self.figures().items()}

    def __str__(self) -> str:
        return f"{told(self.means(), self.k)} over {self.n_users:,} users"


def accuracy(
    offsets: Int64Array,
    items: Int32Array,
    wanted_offsets: Int64Array,
    wanted_items: Int32Array,
    *,
    k: int | Iterable[int],
) -> Accuracy:
    """Compare rankings with the items that users turned out to want.

    Who wants nothing is left out; who wants something and gets an empty list has 0 of everything.
    An item that is ranked twice counts where it comes first, and takes up its later places too.
    Only the order counts: which of two equal scores goes first is for the ranking to say.

    Args:
        offsets: int64 [n_users + 1]: the ranked items of user u are those from offsets[u] to
            offsets[u + 1], best first.
        items: int32 [n_ranked], item index; rank as many as the largest k.
        wanted_offsets: int64 [n_users + 1], the same for the wanted items.
        wanted_items: int32 [n_wanted]; their order does not matter, and an item wanted twice counts
            once.
        k: how many ranked items count, or several such cut-offs.

    Raises:
        ArgumentError: a k is below 1, arrays are no ragged rows of item indices, the users of the
            two differ, or nobody wants anything.

    K. Järvelin and J. Kekäläinen, Cumulated Gain-Based Evaluation of IR Techniques, 2002, for NDCG;
    C. D. Manning, P. Raghavan and H. Schütze, Introduction to Information Retrieval, 2008, for the
    others.

    >>> ranked, wanted = np.array([4, 7, 1], np.int32), np.array([7, 1], np.int32)
    >>> print(accuracy(np.array([0, 3]), ranked, np.array([0, 2]), wanted, k=(1, 2)))
    NDCG@1 0.0000, Recall@1 0.0000, HR@1 0.0000, Precision@1 0.0000, MRR@1 0.0000, MAP@1 0.0000
    NDCG@2 0.3869, Recall@2 0.5000, HR@2 1.0000, Precision@2 0.5000, MRR@2 0.5000, MAP@2 0.2500
    over 1 users
    """
    cutoffs = read_cutoffs(k)
    ranked = read_lists(offsets, items, "ranked items")
    wanted = read_lists(wanted_offsets, wanted_items, "wanted items")
    if ranked.n_users != wanted.n_users:
        raise ArgumentError(
            f"rankings are of {ranked.n_users} users, wanted items of {wanted.n_users}"
        )
    n_wanted = wanted.counts()
    asked = n_wanted > 0
    if not asked.any():
        raise ArgumentError("no user has a held-out event; there is nothing to evaluate on")
    hits = _Hits.of(ranked, _is_in(ranked, wanted))
    ideal = np.cumsum(1 / np.log2(np.arange(2, cutoffs[-1] + 2)))

    def of_users(values: Float64Array) -> Float64Array:
        """Return float64 [n_users asked, n_cutoffs]: the sum over the hits of each."""
        summed = [hits.sums(np.where(hits.ranks <= cutoff, values, 0.0)) for cutoff in cutoffs]
        return np.stack(summed, axis=1)[asked]

    n_hits, at_most = of_users(np.ones(len(hits.ranks))), np.array(cutoffs)
    n_asked = n_wanted[asked][:, None]
    return Accuracy(
        cutoffs,
        ndcg=of_users(1 / np.log2(hits.ranks + 1)) / ideal[np.minimum(n_asked, at_most) - 1],
        recall=n_hits / n_asked,
        hit=(n_hits > 0).astype(np.float64),
        precision=n_hits / at_most,
        reciprocal_rank=of_users(np.where(hits.numbers == 1, 1 / hits.ranks, 0.0)),
        average_precision=of_users(hits.numbers / hits.ranks) / n_asked,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Hits:
    """The wanted items among the ranked ones, user by user and best first."""

    n_users: int
    users: Int64Array
    ranks: Int64Array
    """int64 [n_hits], from 1."""

    numbers: Int64Array
    """int64 [n_hits]: 1 for the first hit of a user, 2 for the second, and so on."""

    @classmethod
    def of(cls, ranked: Lists, is_hit: BoolArray) -> "_Hits":
        users = ranked.users[is_hit]
        begin = np.searchsorted(users, np.arange(ranked.n_users))
        numbers = np.arange(len(users)) - begin[users] + 1
        return cls(ranked.n_users, users, ranked.places[is_hit] + 1, numbers)

    def sums(self, values: Float64Array) -> Float64Array:
        """Return float64 [n_users]: the sum over the hits of each user."""
        return np.bincount(self.users, values, self.n_users).astype(np.float64)


def _is_in(ranked: Lists, wanted: Lists) -> BoolArray:
    """Return bool [n_ranked]: whether the user of an entry wants its item."""
    n_items = 1 + max(ranked.items.max(initial=0), wanted.items.max(initial=0))
    return np.isin(ranked.users * n_items + ranked.items, wanted.users * n_items + wanted.items)
