"""Puts ranked items and their breakdowns together into what the SDK answers with."""

from collections.abc import Hashable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.ranking.slots import SlotSource
from whyrec.reasons.breakdown import Breakdown
from whyrec.reasons.explanation import Explanation
from whyrec.reasons.recommendation import Recommendation, Recommendations
from whyrec.types import Float32Array, Float64Array, Int32Array, Int64Array


def recommendations_of(
    dataset: Dataset,
    user_ids: Sequence[Hashable | None],
    histories: Histories,
    offsets: Int64Array,
    items: Int32Array,
    scores: Float32Array | Float64Array,
    *,
    k: int,
    sources: Sequence[SlotSource] | None = None,
    breakdowns: Sequence[Breakdown] | None = None,
    against: tuple[Int64Array, Int32Array] | None = None,
    model_id: str = "",
) -> list[Recommendations]:
    """Return the answer for each user of a batch.

    Args:
        dataset: what the indices stand for.
        user_ids: one per row of histories; None for a visitor.
        histories: what the answers are drawn from.
        offsets: int64 [n_rows + 1], the items of row r are those from offsets[r] to offsets[r + 1].
        items: int32 [n_ranked], item index, best first in each row.
        scores: [n_ranked], the logit that ranked each item.
        k: how many items were asked for.
        sources: what put each item where it stands; None says the model.
        breakdowns: how each of the scores comes about, or how far it is above those of others;
            None answers without reasons.
        against: which others: offsets, int64 [n_rows + 1], and item indices, int32, row by row;
            None if the breakdowns are of the scores themselves.
        model_id: which model answers.
    """
    ranks = np.arange(len(items)) - np.repeat(offsets[:-1], np.diff(offsets)) + 1
    sources = [SlotSource.MODEL] * len(items) if sources is None else sources
    ranked = [
        Recommendation(rank, dataset.items[item], dataset.item_labels[item], score, source=source)
        for rank, item, score, source in zip(
            ranks.tolist(), items.tolist(), scores.tolist(), sources, strict=True
        )
    ]
    if breakdowns is not None:
        tell = _explained if against is None else _held_against
        ranked = [tell(each, breakdown) for each, breakdown in zip(ranked, breakdowns, strict=True)]
    rivals = [()] * len(histories) if against is None else _ids_of(dataset, *against)
    return [
        Recommendations(user_id, tuple(ranked[start:end]), k, n_events > 0, others, model_id)
        for user_id, (start, end), n_events, others in zip(
            user_ids, pairwise(offsets.tolist()), histories.counts().tolist(), rivals, strict=True
        )
    ]


def explanation_of(
    dataset: Dataset,
    user_id: Hashable | None,
    histories: Histories,
    item: int,
    score: float,
    breakdown: Breakdown,
    against: Int32Array | None = None,
    model_id: str = "",
) -> Explanation:
    """Return the answer to why an item scores as it does, for the one row of histories.

    Args:
        dataset: what the indices stand for.
        user_id: None for a visitor.
        histories: what the score is drawn from.
        item: item index.
        score: in logits.
        breakdown: how the score comes about, or how far it is above those of others.
        against: int32 [n_others], item indices; None if the breakdown is of the score itself.
        model_id: which model answers.
    """
    return Explanation(
        user_id,
        dataset.items[item],
        dataset.item_labels[item],
        score,
        breakdown.reasons,
        breakdown.base_value,
        breakdown.efficiency_gap,
        breakdown.tier,
        bool(histories.counts()[0] > 0),
        None if against is None else breakdown.score,
        () if against is None else tuple(dataset.items[other] for other in against.tolist()),
        model_id,
    )


def _explained(ranked: Recommendation, breakdown: Breakdown) -> Recommendation:
    return Recommendation(
        ranked.rank,
        ranked.item_id,
        ranked.label,
        ranked.score,
        breakdown.reasons,
        breakdown.base_value,
        breakdown.other_contribution,
        # The parts add up to the score that is shown, even if the explainer's own rounds elsewhere.
        breakdown.efficiency_gap + (ranked.score - breakdown.score),
        breakdown.tier,
        source=ranked.source,
    )


def _held_against(ranked: Recommendation, breakdown: Breakdown) -> Recommendation:
    # It is the margin that the parts add up to.
    told = _explained(replace(ranked, score=breakdown.score), breakdown)
    return replace(told, score=ranked.score, margin=breakdown.score)


def _ids_of(dataset: Dataset, offsets: Int64Array, items: Int32Array) -> list[tuple[Hashable, ...]]:
    ids = [dataset.items[item] for item in items.tolist()]
    return [tuple(ids[start:end]) for start, end in pairwise(offsets.tolist())]
