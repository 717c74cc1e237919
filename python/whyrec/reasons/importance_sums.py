"""Sums from which importance is told, and which add up: parts of the data merge to the whole."""

from dataclasses import dataclass

import numpy as np

from whyrec._native import global_importance
from whyrec.errors import ArgumentError
from whyrec.types import Float64Array, Int32Array, Int64Array


@dataclass(frozen=True, slots=True, eq=False)
class ImportanceSums:
    """How often, how much and in which direction each key contributed.

    A key is whatever is counted: a player, a feature, an item. Sums of parts of the data, made in
    different processes perhaps, merge to those of the whole.

    >>> import numpy as np
    >>> morning = ImportanceSums.of(np.array([0, 2], np.int32), np.array([1.5, -1.0]), n_keys=3)
    >>> evening = ImportanceSums.of(np.array([2], np.int32), np.array([2.0]), n_keys=3)
    >>> day = morning.merge(evening)
    >>> day.keys(), day.mean(), day.mean_absolute()
    (array([0, 2]), array([1.5, 0.5]), array([1.5, 1.5]))

    Raises:
        ArgumentError: the arrays are not of one length.
    """

    counts: Int64Array
    """int64 [n_keys]: how many contributions each key has."""

    sums: Float64Array
    """float64 [n_keys]."""

    absolute_sums: Float64Array
    """float64 [n_keys]: the sums of absolute values."""

    def __post_init__(self) -> None:
        n_keys = len(self.counts)
        for name, found in (("sums", self.sums), ("absolute_sums", self.absolute_sums)):
            if len(found) != n_keys:
                raise ArgumentError(f"{name}: expected {n_keys} keys, got {len(found)}")

    @classmethod
    def empty(cls, n_keys: int) -> "ImportanceSums":
        """Return what is known before anything contributed."""
        return cls(np.zeros(n_keys, np.int64), np.zeros(n_keys), np.zeros(n_keys))

    @classmethod
    def of(
        cls, keys: Int32Array, values: Float64Array, n_keys: int, *, threads: int | None = None
    ) -> "ImportanceSums":
        """Sum contributions by key.

        Args:
            keys: int32 [n_entries], each less than n_keys.
            values: float64 [n_entries], finite.
            n_keys: how many keys there are.
            threads: how many threads may work; by default as many as the machine runs at once.

        Raises:
            ArgumentError: a key is out of range, a value is not finite or a sum overflows float64.
        """
        return cls(*global_importance(keys, values, n_keys, threads=threads))

    def merge(self, other: "ImportanceSums") -> "ImportanceSums":
        """Return the sums of both parts of the data.

        Raises:
            ArgumentError: the other has another number of keys, or a sum overflows float64.
        """
        if len(other.counts) != len(self.counts):
            raise ArgumentError(f"other: expected {len(self.counts)} keys, got {len(other.counts)}")
        with np.errstate(over="ignore"):
            absolute_sums = self.absolute_sums + other.absolute_sums
        overflowing = np.flatnonzero(~np.isfinite(absolute_sums))
        if len(overflowing):
            raise ArgumentError(f"other: the sum of key {overflowing[0]} overflows float64")
        return ImportanceSums(self.counts + other.counts, self.sums + other.sums, absolute_sums)

    def keys(self) -> Int64Array:
        """Return int64 [n_met]: the keys that contributed at least once, rising."""
        return np.flatnonzero(self.counts)

    def mean(self) -> Float64Array:
        """Return float64 [n_met]: the mean contribution of each of `keys`."""
        met = self.keys()
        means: Float64Array = self.sums[met] / self.counts[met]
        return means

    def mean_absolute(self) -> Float64Array:
        """Return float64 [n_met]: the mean absolute contribution of each of `keys`."""
        met = self.keys()
        means: Float64Array = self.absolute_sums[met] / self.counts[met]
        return means
