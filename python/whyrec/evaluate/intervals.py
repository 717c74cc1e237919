"""How sure a mean over pairs, or over users, is: bootstrap intervals, of one and of two methods."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy.stats

from whyrec.errors import ArgumentError
from whyrec.types import Float64Array

_DRAWN_AT_ONCE = 1 << 22
"""Values of resamples that are held at once."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over pairs, and between what it may be."""

    mean: float
    low: float
    high: float

    confidence: float
    """Of so large a share of such intervals the true mean is inside."""

    n_pairs: int
    """How many pairs the mean is of."""

    @property
    def is_apart(self) -> bool:
        """Whether 0 is outside: of a difference, that the two are not the same."""
        return self.low > 0 or self.high < 0

    def __str__(self) -> str:
        return f"{self.mean:.4g} [{self.low:.4g}, {self.high:.4g}]"


def interval(
    values: Float64Array, *, confidence: float = 0.95, n_resamples: int = 9_999, seed: int = 0
) -> Interval:
    """Return the mean over pairs and its bootstrap interval, by percentiles of the resamples.

    Pairs are drawn with replacement, so they must not depend on each other: of a user with
    several pairs, take the mean first.

    Args:
        values: float64 [n_pairs]; where it is NaN, the pair is left out. Their order does not
            matter.
        confidence: between 0 and 1.
        n_resamples: how often as many pairs are drawn as there are.
        seed: the same values and seed give the same interval.

    Raises:
        ArgumentError: fewer than two pairs, or a setting out of range.

    B. Efron, Bootstrap Methods: Another Look at the Jackknife, 1979.

    >>> print(interval(np.array([0.2, 0.4, 0.3, 0.5, 0.1])))
    0.3 [0.18, 0.42]
    """
    if values.ndim != 1:
        raise ArgumentError(f"values: expected float64 [n_pairs], got shape {values.shape}")
    if not 0 < confidence < 1:
        raise ArgumentError(f"confidence must be between 0 and 1, not {confidence}")
    if n_resamples < 1:
        raise ArgumentError(f"n_resamples must be at least 1, not {n_resamples}")
    # Sorted, so that the same pairs in another order are drawn alike; NaN goes last.
    defined = np.sort(values[~np.isnan(values)])
    if len(defined) < 2:
        raise ArgumentError(f"an interval needs two pairs or more, not {len(defined)}")
    found = scipy.stats.bootstrap(
        (defined,),
        np.mean,
        vectorized=True,
        method="percentile",
        confidence_level=confidence,
        n_resamples=n_resamples,
        batch=max(1, _DRAWN_AT_ONCE // len(defined)),
        random_state=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(
        float(defined.mean()), float(found.low), float(found.high), confidence, len(defined)
    )


def intervals(figures: Mapping[str, Float64Array], *, seed: int = 0) -> dict[str, Interval]:
    """Return the interval of each figure of a method, by name.

    Args:
        figures: by name, float64 [n_pairs], as `Faithfulness.figures`, `Removal.figures` and
            `Accuracy.figures` give them; these last are of users.
        seed: as for `interval`.

    Raises:
        ArgumentError: a figure has fewer than two pairs.
    """
    return {name: interval(values, seed=seed) for name, values in figures.items()}


def differences(
    one: Mapping[str, Float64Array], other: Mapping[str, Float64Array], *, seed: int = 0
) -> dict[str, Interval]:
    """Return the interval of the mean of one less other, pair by pair, of each figure by name.

    Two methods on the same pairs have their luck in common; it is not in the difference. They are
    told apart where the interval `is_apart` from 0.

    Args:
        one: by name, float64 [n_pairs].
        other: the same figures of the same pairs in the same order, by another method.
        seed: as for `interval`.

    Raises:
        ArgumentError: other figures, of another number of pairs, or of fewer than two.

    >>> ours, theirs = np.array([0.1, 0.5, 0.9, 0.2]), np.array([0.2, 0.7, 1.0, 0.4])
    >>> found = differences({"POS@5": ours}, {"POS@5": theirs})["POS@5"]
    >>> print(found, found.is_apart)
    -0.15 [-0.2, -0.1] True
    """
    if one.keys() != other.keys():
        raise ArgumentError(f"figures are {', '.join(one)} here and {', '.join(other)} there")
    for name, values in one.items():
        if values.shape != other[name].shape:
            raise ArgumentError(f"{name} is of {len(values)} pairs here, {len(other[name])} there")
    return intervals({name: values - other[name] for name, values in one.items()}, seed=seed)


def mean_of_defined(values: Float64Array) -> float:
    """Return the mean of what is not NaN; NaN if nothing is left."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else float("nan")
