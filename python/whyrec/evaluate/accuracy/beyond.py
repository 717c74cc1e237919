"""What recommendations are, whoever wants them: how much of the catalog, how novel, how alike."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse
from sklearn.preprocessing import normalize

from whyrec.errors import ArgumentError
from whyrec.evaluate.accuracy.lists import Lists, read_cutoffs, read_lists, told
from whyrec.evaluate.intervals import mean_of_defined
from whyrec.types import Float32Array, Float64Array, Int32Array, Int64Array


@dataclass(frozen=True, slots=True, eq=False)
class BeyondAccuracy:
    """Figures of the best k items of each user, and of what all users get, for each k.

    What a list is too short to define is NaN, and not in any mean.
    """

    k: tuple[int, ...]
    """The cut-offs, rising."""

    novelty: Float64Array
    """float64 [n_users, n_cutoffs]: mean self-information of the items, −log2 of their share of the
    training events, in bits; NaN for an empty list.

    An item without events counts as one with a single event.
    """

    popularity: Float64Array
    """float64 [n_users, n_cutoffs]: mean number of training events of the items; NaN for an empty
    list.
    """

    diversity: Float64Array | None
    """float64 [n_users, n_cutoffs]: 1 − the mean cosine of two items of the list; NaN for a list of
    fewer than two. None where there are no item vectors.

    An item whose vector is 0 has a cosine of 0 to every other.
    """

    coverage: Float64Array
    """float64 [n_cutoffs]: the share of the catalog that anybody is recommended."""

    gini: Float64Array
    """float64 [n_cutoffs]: Gini coefficient of how often each item of the catalog is recommended.

    It is 0 where all are as often, near 1 where few items take it all, and NaN where there is
    nothing but empty lists.
    """

    def figures(self) -> dict[str, Float64Array]:
        """Return what single users have, float64 [n_users], by name, such as "novelty@10"."""
        arrays = {"novelty": self.novelty, "popularity": self.popularity}
        if self.diversity is not None:
            arrays["diversity"] = self.diversity
        return {
            f"{name}@{cutoff}": values[:, place]
            for place, cutoff in enumerate(self.k)
            for name, values in arrays.items()
        }

    def means(self) -> dict[str, float]:
        """Return each figure's mean over the users where it is defined, and those of the whole."""
        means = {name: mean_of_defined(values) for name, values in self.figures().items()}
        for name, values in (("coverage", self.coverage), ("Gini", self.gini)):
            means |= {
                f"{name}@{cutoff}": float(value)
                for cutoff, value in zip(self.k, values, strict=True)
            }
        return means

    def __str__(self) -> str:
        return told(self.means(), self.k)


def beyond_accuracy(
    offsets: Int64Array,
    items: Int32Array,
    popularity: Int64Array | Float64Array,
    *,
    k: int | Iterable[int],
    vectors: Float32Array | Float64Array | scipy.sparse.csr_matrix | None = None,
) -> BeyondAccuracy:
    """Measure what users are recommended, without asking what they want.

    An item that is in a list twice counts where it comes first.

    Args:
        offsets: int64 [n_users + 1]: the ranked items of user u are those from offsets[u] to
            offsets[u + 1], best first.
        items: int32 [n_ranked], item index; rank as many as the largest k.
        popularity: int64 or float64 [n_items]: how many training events each item of the catalog
            has.
        k: how many ranked items count, or several such cut-offs.
        vectors: float [n_items, dimension], an array or a sparse matrix: what items are alike by,
            such as their features; None leaves diversity out.

    Raises:
        ArgumentError: a k is below 1, arrays are no ragged rows of item indices, or popularity and
            vectors do not fit the catalog or are not finite.

    P. Castells, S. Vargas and J. Wang, Novelty and Diversity Metrics for Recommender Systems, 2011;
    C.-N. Ziegler et al., Improving Recommendation Lists Through Topic Diversification, 2005, for
    diversity; M. Ge, C. Delgado-Battenfeld and D. Jannach, Beyond Accuracy, 2010, for coverage;
    H. Abdollahpouri, R. Burke and B. Mobasher, Managing Popularity Bias in Recommender Systems with
    Personalized Re-ranking, 2019, for popularity.

    >>> ranked, popularity = np.array([0, 1, 0, 2], np.int32), np.array([4, 2, 1, 1])
    >>> alike = np.array([[1, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    >>> print(beyond_accuracy(np.array([0, 2, 4]), ranked, popularity, k=2, vectors=alike))
    novelty@2 1.7500, popularity@2 2.7500, diversity@2 0.5000, coverage@2 0.7500, Gini@2 0.3750
    """
    cutoffs, lists = read_cutoffs(k), read_lists(offsets, items, "ranked items")
    popularity = _checked(popularity, lists)
    known = np.maximum(popularity, 1.0)
    information = np.log2(known.sum()) - np.log2(known)
    units = None if vectors is None else _units(vectors, len(popularity))
    parts = [lists.first(cutoff) for cutoff in cutoffs]
    exposures = [np.bincount(part.items, minlength=len(popularity)) for part in parts]
    return BeyondAccuracy(
        cutoffs,
        novelty=np.stack([_means(part, information) for part in parts], axis=1),
        popularity=np.stack([_means(part, popularity) for part in parts], axis=1),
        diversity=None
        if units is None
        else np.stack([_diversity(part, units) for part in parts], axis=1),
        coverage=np.array([(exposure > 0).mean() for exposure in exposures]),
        gini=np.array([_gini(exposure) for exposure in exposures]),
    )


def _checked(popularity: Int64Array | Float64Array, lists: Lists) -> Float64Array:
    """Return the popularity of the catalog as float64 [n_items], after a look at it."""
    found = np.asarray(popularity, np.float64)
    if found.ndim != 1 or not len(found):
        raise ArgumentError(f"popularity must be [n_items] of numbers, not of shape {found.shape}")
    wrong = np.flatnonzero(~(np.isfinite(found) & (found >= 0)))
    if len(wrong):
        raise ArgumentError(f"popularity of item {wrong[0]} is {found[wrong[0]]}, no count")
    largest = lists.items.max(initial=0)
    if largest >= len(found):
        raise ArgumentError(f"item {largest} is ranked, but popularity is of {len(found)} items")
    return found


def _units(vectors: Any, n_items: int) -> Any:
    """Return the vectors at length 1, those that are 0 as they are."""
    is_sparse = scipy.sparse.issparse(vectors)
    found: Any = vectors.tocsr() if is_sparse else np.asarray(vectors)
    if found.ndim != 2 or found.shape[0] != n_items:
        raise ArgumentError(f"vectors must be [{n_items}, dimension], not of shape {found.shape}")
    if not np.isfinite(found.data if is_sparse else found).all():
        raise ArgumentError("vectors have values that are not finite")
    return normalize(found.astype(np.float64))


def _means(lists: Lists, of_item: Float64Array) -> Float64Array:
    """Return float64 [n_users]: the mean over the items of each list."""
    counts = lists.counts()
    sums = np.bincount(lists.users, of_item[lists.items], lists.n_users)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _diversity(lists: Lists, units: Any) -> Float64Array:
    """Return float64 [n_users]: 1 − the mean cosine of two items.

    The cosines of all pairs add up to (‖Σ unit‖² − Σ ‖unit‖²) / 2.
    """
    counts = lists.counts()
    chosen = scipy.sparse.csr_matrix(
        (np.ones(len(lists.items)), (lists.users, lists.items)), (lists.n_users, units.shape[0])
    )
    total, alone = _squares(chosen @ units), chosen @ _squares(units)
    pairs = counts * (counts - 1)
    return np.where(pairs > 0, 1 - (total - alone) / np.maximum(pairs, 1), np.nan)


def _squares(rows: Any) -> Float64Array:
    """Return float64 [n_rows]: the squared length of each row of an array or a sparse matrix."""
    squares = rows * rows if isinstance(rows, np.ndarray) else rows.multiply(rows)
    return np.asarray(squares.sum(axis=1), np.float64).ravel()


def _gini(exposure: Int64Array) -> float:
    """Return the Gini coefficient of counts, from their order."""
    total, n_items = exposure.sum(), len(exposure)
    if not total:
        return float("nan")
    weights = 2 * np.arange(1, n_items + 1) - n_items - 1
    return float(weights @ np.sort(exposure)) / float(n_items * total)
