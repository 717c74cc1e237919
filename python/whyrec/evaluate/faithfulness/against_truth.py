"""How far attributions are from those of a reference, such as sampled Shapley values."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise

import numpy as np

from whyrec.errors import ArgumentError
from whyrec.evaluate.faithfulness.agreement import (
    TOP,
    cosine,
    pearson,
    relative_error,
    spearman,
    strongest_players,
    top_overlap,
)
from whyrec.evaluate.faithfulness.reliability import Reliability, reliability
from whyrec.evaluate.intervals import mean_of_defined
from whyrec.explain.attribution import Attributions
from whyrec.types import BoolArray, Float64Array, Int64Array

BANDS = (2, 11, 21, 51, 101, 201)
"""The fewest players of each band that pairs are shown by."""


@dataclass(frozen=True, slots=True, eq=False)
class Faithfulness:
    """How the attributions of each pair compare with the reference; pairs of one player are out.

    What a reference that says nothing leaves undefined is NaN, and not in any mean.
    """

    tier: str
    """Which explainer was measured."""

    reference: str
    """Which explainer it was measured against."""

    n_players: Int64Array
    """int64 [n_pairs]."""

    spearman: Float64Array
    """float64 [n_pairs]: rank correlation of the contributions.

    It is NaN where all contributions of the reference are the same, 0 where only those found are.
    """

    pearson: Float64Array
    """float64 [n_pairs]: correlation of the contributions; NaN and 0 as for spearman."""

    cosine: Float64Array
    """float64 [n_pairs]: NaN where the reference is all 0, 0 where only what was found is."""

    relative_error: Float64Array
    """float64 [n_pairs]: ‖φ̂ − φ‖² / ‖φ‖²; NaN where the reference is all 0."""

    top_overlap: Float64Array
    """float64 [n_pairs]: the share of the reference's five strongest players found."""

    efficiency_gap: Float64Array
    """float64 [n_pairs]: the absolute efficiency gap, over the range of the scores of all pairs."""

    reference_errors: Float64Array
    """float64 [n_pairs]: the reference's largest standard error, over its mean |φ|.

    It is 0 where nothing was estimated, and NaN where the reference is all 0.
    """

    relative_gap: float
    """The largest efficiency gap of all pairs, those of one player too, as in efficiency_gap."""

    confidences: Float64Array | None = None
    """float64 [n_pairs, 5]: those stated of the five players found to be the strongest.

    None where none were stated; NaN in pairs of five players or fewer, all of which are among the
    strongest.
    """

    is_strongest: BoolArray | None = None
    """bool [n_pairs, 5]: whether they are among the reference's five strongest."""

    @property
    def reference_error(self) -> float:
        """Mean over pairs of the reference's largest standard error, over its mean |φ|."""
        return mean_of_defined(self.reference_errors)

    @property
    def reliability(self) -> Reliability | None:
        """How often the strongest reasons are among the true ones, beside how sure they were said.

        None where no confidence was stated of a pair of more than five players.
        """
        if self.confidences is None or self.is_strongest is None:
            return None
        stated = ~np.isnan(self.confidences)
        if not stated.any():
            return None
        return reliability(self.confidences[stated], self.is_strongest[stated])

    def figures(self) -> dict[str, Float64Array]:
        """Return each measure of the single pairs, float64 [n_pairs], by name."""
        return {
            "Spearman": self.spearman,
            "Pearson": self.pearson,
            "cosine": self.cosine,
            "relative squared error": self.relative_error,
            f"top-{TOP} overlap": self.top_overlap,
        }

    def means(self) -> dict[str, float]:
        """Return each measure's mean over the pairs where it is defined, by name."""
        means = {name: mean_of_defined(values) for name, values in self.figures().items()}
        return means | {"largest efficiency gap": self.relative_gap}

    def take(self, chosen: Int64Array) -> "Faithfulness":
        """Return the pairs asked for; the largest gap is then that of these alone."""
        arrays = {
            field.name: getattr(self, field.name)[chosen]
            for field in fields(self)
            if isinstance(getattr(self, field.name), np.ndarray)
        }
        gap = float(arrays["efficiency_gap"].max(initial=0.0))
        return replace(self, **arrays, relative_gap=gap)

    def by_players(self, fewest: Sequence[int] = BANDS) -> dict[str, "Faithfulness"]:
        """Return the pairs by their number of players, band by band, in rising order.

        Args:
            fewest: rising; the fewest players of each band. Pairs of fewer than the first are in
                no band, and a band without pairs is left out.

        Raises:
            ArgumentError: fewest does not rise.
        """
        if not len(fewest) or any(np.diff(fewest) <= 0):
            raise ArgumentError(f"fewest must rise from band to band, not {tuple(fewest)}")
        bands = np.searchsorted(fewest, self.n_players, side="right") - 1
        names = [f"{low}–{high - 1} players" for low, high in pairwise(fewest)]
        names.append(f"{fewest[-1]} players or more")
        return {
            name: self.take(np.flatnonzero(bands == band))
            for band, name in enumerate(names)
            if (bands == band).any()
        }

    def __str__(self) -> str:
        figures = ", ".join(f"{name} {value:.4g}" for name, value in self.means().items())
        told = f"{self.tier} against {self.reference}, {len(self.spearman):,} pairs: {figures}"
        return told if self.reliability is None else f"{told}\n{self.reliability}"


def faithfulness(attributions: Attributions, reference: Attributions) -> Faithfulness:
    """Compare the attributions of some pairs with those of a reference, pair by pair.

    Raises:
        ArgumentError: the two are of different pairs, a contribution is not finite, or no pair has
            two players.
    """
    offsets = reference.players.offsets
    if not np.array_equal(attributions.players.offsets, offsets):
        raise ArgumentError("the attributions and the reference are of different pairs")
    n_players = reference.players.counts()
    chosen = np.flatnonzero(n_players > 1)
    if not len(chosen):
        raise ArgumentError("no pair has two players; there is nothing to compare")
    scores = attributions.full_values
    gaps = np.abs(attributions.efficiency_gaps()) / (np.ptp(scores) or np.abs(scores).max() or 1.0)
    compared = attributions.contributions, reference.contributions, offsets
    stated, is_strongest = _stated(attributions, reference, chosen)
    return Faithfulness(
        attributions.tier,
        reference.tier,
        n_players[chosen],
        spearman(*compared)[chosen],
        pearson(*compared)[chosen],
        cosine(*compared)[chosen],
        relative_error(*compared)[chosen],
        top_overlap(*compared)[chosen],
        gaps[chosen],
        _reference_errors(reference, chosen),
        relative_gap=float(gaps.max()),
        confidences=stated,
        is_strongest=is_strongest,
    )


def _stated(
    attributions: Attributions, reference: Attributions, chosen: Int64Array
) -> tuple[Float64Array | None, BoolArray | None]:
    """Return what was stated of the strongest players found of the chosen pairs, and the truth."""
    if attributions.confidences is None:
        return None, None
    offsets = reference.players.offsets
    found, true = (
        strongest_players(each.contributions, offsets) for each in (attributions, reference)
    )
    shape = len(offsets) - 1, TOP
    stated, is_strongest = np.full(shape, np.nan), np.zeros(shape, bool)
    more = np.diff(offsets) > TOP
    players = np.flatnonzero(found & np.repeat(more, np.diff(offsets)))
    stated[more] = attributions.confidences[players].reshape(-1, TOP)
    is_strongest[more] = true[players].reshape(-1, TOP)
    return stated[chosen], is_strongest[chosen]


def _reference_errors(reference: Attributions, chosen: Int64Array) -> Float64Array:
    """Return float64 [n_chosen] for pairs that have players."""
    if reference.standard_errors is None:
        return np.zeros(len(chosen))
    counts = reference.players.counts()
    rows = np.repeat(np.arange(len(counts)), counts)
    means = np.bincount(rows, np.abs(reference.contributions), len(counts))[chosen] / counts[chosen]
    largest = np.zeros(len(counts))
    np.maximum.at(largest, rows, reference.standard_errors)
    return np.where(means > 0, largest[chosen] / np.where(means > 0, means, 1), np.nan)
