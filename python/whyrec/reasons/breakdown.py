"""From attributions to reasons: fold the players, pick the strongest, say what they stand for."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from whyrec._native import Strength, fold, strongest
from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.errors import ArgumentError
from whyrec.explain.attribution import Attributions
from whyrec.explain.interactions import Interactions
from whyrec.reasons.field_groups import group_by_field
from whyrec.reasons.grouping import Picked, group_by_item
from whyrec.reasons.narrator import Narrator
from whyrec.reasons.partners import partners_of
from whyrec.reasons.reason import Reason
from whyrec.reasons.reason_id import Seal
from whyrec.types import Float64Array, Int64Array


@dataclass(frozen=True, slots=True)
class Breakdown:
    """How one score comes about.

    base_value + the contributions of the reasons + other_contribution + efficiency_gap is the
    score, up to rounding in float64. All are in logits.
    """

    score: float
    base_value: float
    reasons: tuple[Reason, ...]
    """The strongest first, by absolute contribution; of two equal ones, that of earlier players."""

    other_contribution: float
    """The contributions of all players that are in none of the reasons."""

    efficiency_gap: float
    tier: str


def build_reasons(
    dataset: Dataset,
    histories: Histories,
    attributions: Attributions,
    *,
    max_reasons: int | None = None,
    group_by: str | None = None,
    interactions: Interactions | None = None,
    seals: Sequence[Seal] | None = None,
) -> list[Breakdown]:
    """Break the scores of a batch of pairs down into reasons.

    Args:
        dataset: what the indices stand for.
        histories: the rows that the pairs are about.
        attributions: the contributions of the players of every pair.
        max_reasons: how many reasons each pair has at most; None gives all of them.
        group_by: a categorical field or a field of tags of the items; items of the history that
            share a value of it become one reason.
        interactions: of each event with each feature of every pair: a reason from history is then
            told with the feature that it goes with best. None tells it without.
        seals: of each row of histories, to name the reasons by; None leaves them without names.

    Raises:
        ArgumentError: max_reasons is below 1, or group_by names no such field.
    """
    if max_reasons is not None and max_reasons < 1:
        raise ArgumentError(f"max_reasons must be at least 1, not {max_reasons}; None gives all")
    players, pairs = attributions.players, attributions.pairs
    if group_by is None:
        grouping = group_by_item(histories, players, pairs.rows)
    else:
        grouping = group_by_field(histories, dataset.item_features, attributions, group_by)
    contributions = fold(
        players.offsets, grouping.groups, attributions.contributions, grouping.offsets
    )
    most = max(1, len(contributions)) if max_reasons is None else max_reasons
    offsets, chosen = strongest(grouping.offsets, contributions, most, Strength.ABSOLUTE)
    others = contributions.copy()
    others[chosen] = 0.0
    picked, strengths = grouping.pick(chosen), contributions[chosen]
    partners = (
        {}
        if interactions is None
        else partners_of(dataset, attributions, picked, strengths, interactions)
    )
    narrator = Narrator(dataset, histories, attributions, seals)
    shares = _shares(attributions, picked, strengths)
    reasons = narrator.tell(picked, strengths, shares, partners)
    return [
        Breakdown(score, base_value, tuple(reasons[start:end]), other, gap, attributions.tier)
        for score, base_value, (start, end), other, gap in zip(
            attributions.full_values.tolist(),
            attributions.base_values.tolist(),
            pairwise(offsets.tolist()),
            _totals(grouping.offsets, others).tolist(),
            attributions.efficiency_gaps().tolist(),
            strict=True,
        )
    ]


def _shares(
    attributions: Attributions, picked: Picked, contributions: Float64Array
) -> Float64Array:
    """Return float64 [n_picked]: contributions over the absolute ones of all players of a pair."""
    absolute = np.abs(attributions.contributions)
    totals = _totals(attributions.players.offsets, absolute)[picked.pairs]
    # Where nothing contributes, every share is 0.
    return contributions / np.where(totals > 0, totals, 1)


def _totals(offsets: Int64Array, values: Float64Array) -> Float64Array:
    """Return float64 [n_rows]: the sum of the values of each row."""
    rows = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    totals = np.bincount(rows, values, minlength=len(offsets) - 1)
    return totals.astype(np.float64, copy=False)
