"""How far attributions are from those of a reference, such as sampled Shapley values."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from whyrec.errors import ArgumentError
from whyrec.explain.attribution import Attributions
from whyrec.types import Float64Array

_TOP = 5


@dataclass(frozen=True, slots=True, eq=False)
class Faithfulness:
    """How the attributions of each pair compare with the reference; pairs of one player are out."""

    tier: str
    """Which explainer was measured."""

    reference: str
    """Which explainer it was measured against."""

    spearman: Float64Array
    """float64 [n_pairs]: rank correlation of the contributions; NaN where all are the same."""

    pearson: Float64Array
    """float64 [n_pairs]: correlation of the contributions; NaN where all are the same."""

    relative_error: Float64Array
    """float64 [n_pairs]: ‖φ̂ − φ‖² / ‖φ‖²."""

    top_overlap: Float64Array
    """float64 [n_pairs]: the share of the reference's five strongest players found."""

    relative_gap: float
    """The largest efficiency gap of all, over the range of the scores."""

    reference_error: float
    """Mean over pairs of the reference's largest standard error, over its mean |φ|."""

    def means(self) -> dict[str, float]:
        """Return each measure's mean over pairs, by name."""
        return {
            "Spearman": float(np.nanmean(self.spearman)),
            "Pearson": float(np.nanmean(self.pearson)),
            "relative squared error": float(np.nanmean(self.relative_error)),
            f"top-{_TOP} overlap": float(self.top_overlap.mean()),
            "largest efficiency gap": self.relative_gap,
        }

    def __str__(self) -> str:
        figures = ", ".join(f"{name} {value:.4g}" for name, value in self.means().items())
        return f"{self.tier} against {self.reference}, {len(self.spearman):,} pairs: {figures}"


def faithfulness(attributions: Attributions, reference: Attributions) -> Faithfulness:
    """Compare the attributions of some pairs with those of a reference, pair by pair.

    Raises:
        ArgumentError: the two are of different pairs, or no pair has two players.
    """
    if not np.array_equal(attributions.players.offsets, reference.players.offsets):
        raise ArgumentError("the attributions and the reference are of different pairs")
    chosen = np.flatnonzero(attributions.players.counts() > 1)
    if not len(chosen):
        raise ArgumentError("no pair has two players; there is nothing to compare")
    rows = []
    for pair in chosen.tolist():
        found, truth = (each.contributions[each.of(pair)] for each in (attributions, reference))
        error = float(((found - truth) ** 2).sum())
        size = float((truth**2).sum())
        rows.append(
            (
                _correlation(rankdata(found), rankdata(truth)),
                _correlation(found, truth),
                error / size if size else np.nan,
                _overlap(found, truth),
            )
        )
    spearman, pearson, relative_error, top_overlap = np.array(rows).T
    scores = attributions.full_values
    return Faithfulness(
        attributions.tier,
        reference.tier,
        spearman,
        pearson,
        relative_error,
        top_overlap,
        relative_gap=float(
            np.abs(attributions.efficiency_gaps()).max() / (np.ptp(scores) or np.abs(scores).max())
        ),
        reference_error=_reference_error(reference),
    )


def _correlation(one: Float64Array, other: Float64Array) -> float:
    one, other = one - one.mean(), other - other.mean()
    size = float(np.sqrt((one**2).sum() * (other**2).sum()))
    return float(one @ other) / size if size else float("nan")


def _overlap(found: Float64Array, truth: Float64Array) -> float:
    most = min(_TOP, len(truth))
    mine, true = (np.argsort(-np.abs(each), kind="stable")[:most] for each in (found, truth))
    return len(np.intersect1d(mine, true)) / most


def _reference_error(reference: Attributions) -> float:
    if reference.standard_errors is None:
        return 0.0
    ratios = []
    for pair in range(len(reference.pairs)):
        mine = reference.of(pair)
        mean = np.abs(reference.contributions[mine]).mean() if mine.stop > mine.start else 0.0
        if mean:
            ratios.append(reference.standard_errors[mine].max() / mean)
    return float(np.mean(ratios)) if ratios else 0.0
