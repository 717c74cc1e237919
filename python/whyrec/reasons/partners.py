"""The feature of the item that makes an event of the history count for most."""

import numpy as np

from whyrec.data.dataset import Dataset
from whyrec.explain.attribution import Attributions, PlayerKind
from whyrec.explain.interactions import Interactions
from whyrec.reasons.grouping import Picked
from whyrec.reasons.narrator import described
from whyrec.reasons.reason import Partner
from whyrec.types import Float64Array


def partners_of(
    dataset: Dataset,
    attributions: Attributions,
    picked: Picked,
    contributions: Float64Array,
    interactions: Interactions,
) -> dict[int, Partner]:
    """Return the partners of the picked groups of events that have one, by place among the picked.

    It is the feature with which the events of the group interact most, in the direction of what
    they contribute: without it they would speak less for the item, or against it.

    Args:
        dataset: what the indices stand for.
        attributions: whose players they are.
        picked: groups of players.
        contributions: float64 [n_picked], in logits.
        interactions: of the same pairs, each of an event and a feature.
    """
    players, chosen, features = attributions.players, interactions.chosen, dataset.item_features
    pair = np.repeat(np.arange(len(attributions.pairs)), np.diff(chosen.offsets))
    first, second = (players.offsets[pair] + each for each in (chosen.first, chosen.second))
    # Which group a player is in, counted from 1; 0 for none.
    group_of = np.zeros(len(players.kinds), np.int64)
    group_of[picked.players] = np.repeat(np.arange(len(contributions)), np.diff(picked.offsets)) + 1
    counts = (group_of[first] > 0) & (players.kinds[first] == PlayerKind.EVENT)
    keys, where = np.unique(
        np.stack([group_of[first[counts]] - 1, second[counts]]), axis=1, return_inverse=True
    )
    group, feature = keys
    sums = np.bincount(where.ravel(), interactions.values[counts], minlength=len(group))
    strength = sums * np.sign(contributions[group])
    order = np.lexsort((-strength, group))
    best = order[np.flatnonzero(np.diff(group[order], prepend=-1))]
    best = best[strength[best] > 0]
    starts = features.offsets[attributions.pairs.items[picked.pairs[group[best]]]]
    positions = starts + players.sources[feature[best]]
    return {
        place: Partner(*described(features, position), interaction)
        for place, position, interaction in zip(
            group[best].tolist(), positions.tolist(), sums[best].tolist(), strict=True
        )
    }
