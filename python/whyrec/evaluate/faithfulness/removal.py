"""What happens to score and rank when the events that an explanation names are removed.

Sources of the protocol: O. Barkan et al., A Counterfactual Framework for Learning and Evaluating
Explanations for Recommender Systems, WWW 2024, for the cuts; O. Barkan et al., Fidelity-Aware
Recommendation Explanations via Stochastic Path Integration, 2025, for single events.
"""

from dataclasses import dataclass

import numpy as np

from whyrec.errors import ArgumentError
from whyrec.evaluate.faithfulness.orders import Orders
from whyrec.evaluate.faithfulness.outcomes import Outcomes, ask
from whyrec.evaluate.intervals import mean_of_defined
from whyrec.types import Float64Array, Int64Array

CUTOFFS = (1, 5, 10, 20, 50, 100)
"""The K of POS@K and NEG@K."""

N_CHUNKS = 10
"""Into how many chunks a history is cut; some are empty where it has fewer events."""


@dataclass(frozen=True, slots=True, eq=False)
class Removal:
    """Figures of each pair, each a mean over the points at which a part of its events was removed.

    POS, DEL and CDCG are better when low, NEG and INS when high.
    """

    method: str
    """Whose order of the events was followed."""

    n_removed: int | None
    """How many events were removed; None for the eleven points from none to all of them."""

    pairs: Int64Array
    """int64 [n_pairs]: which pairs they are; those with too few events are left out."""

    pos: Float64Array
    """float64 [n_pairs, n_cutoffs]: share of points with the item among the best K.

    The most important events are removed first.
    """

    neg: Float64Array
    """float64 [n_pairs, n_cutoffs]: the same, the least important events removed first."""

    deletion: Float64Array
    """float64 [n_pairs]: probability of the item, over that with the full history.

    The most important events are removed first.
    """

    insertion: Float64Array
    """float64 [n_pairs]: the same with only as many events, the most important ones, there."""

    cdcg: Float64Array
    """float64 [n_pairs]: 1 / log2(1 + rank), the most important events removed first."""

    def figures(self) -> dict[str, Float64Array]:
        """Return each figure of the single pairs, float64 [n_pairs], by name."""
        return {
            **{f"POS@{k}": self.pos[:, place] for place, k in enumerate(CUTOFFS)},
            **{f"NEG@{k}": self.neg[:, place] for place, k in enumerate(CUTOFFS)},
            "DEL": self.deletion,
            "INS": self.insertion,
            "CDCG": self.cdcg,
        }

    def means(self) -> dict[str, float]:
        """Return each figure's mean over pairs, by name."""
        return {name: mean_of_defined(values) for name, values in self.figures().items()}

    def __str__(self) -> str:
        figures = ", ".join(f"{name} {value:.4f}" for name, value in self.means().items())
        removed = "none to all" if self.n_removed is None else self.n_removed
        return f"{self.method}, {removed} removed, {len(self.pairs):,} pairs: {figures}"


def removal(outcomes: Outcomes, orders: Orders, *, method: str) -> Removal:
    """Remove the events of each pair chunk by chunk, from none to all, and ask what becomes of it.

    Args:
        outcomes: answers for the model.
        orders: in which order the events of each pair go.
        method: whose order it is.

    Raises:
        ArgumentError: there are no pairs, one has no events, or its item has no probability with
            the full history.

    >>> def outcomes(pairs, kept):  # a game of two events: 0.6 of the probability is of the first
    ...     left = kept.reshape(-1, 2)
    ...     return 3 - left.sum(axis=1), 0.1 + left @ [0.6, 0.3]
    >>> orders = Orders.by(np.array([0.6, 0.3]), np.array([0, 2]))
    >>> print(removal(outcomes, orders, method="truth").deletion.round(3))
    [0.209]
    """
    counts = _counted(orders)
    points = cut_points(counts, N_CHUNKS)
    return _measure(outcomes, orders, np.arange(len(counts)), points, method, None)


def refined_removal(
    outcomes: Outcomes, orders: Orders, *, method: str, most: int = 5
) -> tuple[Removal, ...]:
    """Remove exactly one event of each pair, exactly two, and so on.

    A pair is asked only up to as many events as it has, the last time without any; so the pairs
    become fewer, and it ends where no pair is left.

    Args:
        outcomes: answers for the model.
        orders: in which order the events of each pair go.
        method: whose order it is.
        most: how many events are removed at most.

    Returns:
        One for each number of events removed, from 1 on.

    Raises:
        ArgumentError: most is below 1, or as for `removal`.
    """
    if most < 1:
        raise ArgumentError(f"most must be at least 1, not {most}")
    counts = _counted(orders)
    found = []
    for n_removed in range(1, min(most, int(counts.max())) + 1):
        pairs = np.flatnonzero(counts >= n_removed)
        points = np.full((len(pairs), 1), n_removed)
        found.append(_measure(outcomes, orders, pairs, points, method, n_removed))
    return tuple(found)


def gap_closed(method: Removal, random: Removal, greedy: Removal) -> dict[str, float]:
    """Return how much of the way from a random order to the greedy one a method goes, by figure.

    It is (random − method) / (random − greedy), each the mean over the same pairs: 0 for no better
    than random, 1 for as good as greedy, NaN where these two are the same. Greedy follows the
    probability and looks one step ahead, so that a method can pass 1, on ranks above all.

    Raises:
        ArgumentError: the three are of different pairs, or of different numbers removed.
    """
    for other in (random, greedy):
        if not np.array_equal(method.pairs, other.pairs) or method.n_removed != other.n_removed:
            raise ArgumentError(
                f"{method.method} and {other.method} are not of the same pairs with as much removed"
            )
    found, low, high = method.means(), random.means(), greedy.means()
    return {
        name: (low[name] - value) / (low[name] - high[name])
        if low[name] != high[name]
        else float("nan")
        for name, value in found.items()
    }


def cut_points(counts: Int64Array, n_chunks: int) -> Int64Array:
    """Cut histories into chunks of nearly equal size, the larger ones first.

    Args:
        counts: int64 [n_pairs]: how many events each has.
        n_chunks: how many chunks; of n events, only the first n have any if there are more chunks.

    Returns:
        int64 [n_pairs, n_chunks + 1]: how many events are before each cut, from 0 to all.

    >>> cut_points(np.array([23, 3]), 10)
    array([[ 0,  3,  6,  9, 11, 13, 15, 17, 19, 21, 23],
           [ 0,  1,  2,  3,  3,  3,  3,  3,  3,  3,  3]])
    """
    size, n_larger = np.divmod(counts[:, None], n_chunks)
    cuts = np.arange(n_chunks + 1)
    points: Int64Array = cuts * size + np.minimum(cuts, n_larger)
    return points


def _counted(orders: Orders) -> Int64Array:
    """Return int64 [n_pairs], the number of events of each; refuse what has none."""
    counts = np.diff(orders.offsets)
    if not len(counts):
        raise ArgumentError("there are no pairs; there is nothing to remove")
    empty = np.flatnonzero(counts == 0)
    if empty.size:
        raise ArgumentError(f"pair {empty[0]} has no events to remove; leave it out")
    return counts


def _measure(
    outcomes: Outcomes,
    orders: Orders,
    pairs: Int64Array,
    points: Int64Array,
    method: str,
    n_removed: int | None,
) -> Removal:
    """Ask for all pairs at all points, int64 [n_pairs, n_points], how many events come before."""

    def at(places: Int64Array, *, only: bool) -> tuple[Int64Array, Float64Array]:
        """Return ranks and probabilities, [n_pairs, n_points], without those before, or only so."""
        before = points.ravel()
        asked = np.repeat(pairs, points.shape[1])
        ranks, probabilities = ask(
            outcomes,
            orders.offsets,
            asked,
            lambda question, event: (places[event] < before[question]) == only,
        )
        return ranks.reshape(points.shape), probabilities.reshape(points.shape)

    full = _full_probabilities(outcomes, orders, pairs)[:, None]
    ranks, probabilities = at(orders.most_first, only=False)
    other_ranks, _ = at(orders.least_first, only=False)
    _, added = at(orders.added, only=True)
    return Removal(
        method,
        n_removed,
        pairs,
        pos=(ranks[..., None] <= CUTOFFS).mean(axis=1),
        neg=(other_ranks[..., None] <= CUTOFFS).mean(axis=1),
        deletion=(probabilities / full).mean(axis=1),
        insertion=(added / full).mean(axis=1),
        cdcg=(1 / np.log2(1 + ranks)).mean(axis=1),
    )


def _full_probabilities(outcomes: Outcomes, orders: Orders, pairs: Int64Array) -> Float64Array:
    """Return float64 [n_pairs], all above 0."""
    _, full = ask(outcomes, orders.offsets, pairs, lambda question, _: np.ones(len(question), bool))
    wrong = np.flatnonzero(full == 0)
    if wrong.size:
        raise ArgumentError(
            f"outcomes: pair {pairs[wrong[0]]} has probability 0 with its full history; "
            "there is nothing that removal could take away"
        )
    return full
