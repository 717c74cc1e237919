"""Interactions from gradients on the path: how the worth of one player moves with another."""

from typing import Any

import numpy as np
import torch

from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.data.rows import gather_rows, offsets_of
from whyrec.explain.attribution import Players
from whyrec.explain.batches import Batch, batches
from whyrec.explain.interactions import Interactions, PlayerPairs
from whyrec.models.recommender import DifferentiableRecommender
from whyrec.types import Float64Array, Int64Array

_AT_ONCE = 8
"""Players of a pair that are switched together; always as many, so that bits never change."""


def interactions_by_gradients(
    recommender: DifferentiableRecommender[Any],
    histories: Histories,
    pairs: Pairs,
    chosen: PlayerPairs,
    quadrature: tuple[torch.Tensor, torch.Tensor],
    tier: str,
) -> Interactions:
    """Return the interactions of chosen players by the path on which all others come in together.

    The Shapley interaction index of i and j is the integral over t of what j adds, derived by the
    presence of i, with every other player there at rate t (G. Owen, Multilinear Extensions of
    Games, 1972; M. Grabisch and M. Roubens, 1999). As on the path of contributions, the score of
    the blended input stands for the mean score. The second player of each two is switched on and
    off, the first is derived by: of an event and a feature the order first, second is the cheap
    one, since one switch serves all events, and exact in the feature where a score is linear in it.

    Args:
        recommender: whose score is followed.
        histories: what the pairs are about.
        pairs: rows of histories, each with an item.
        chosen: the players.
        quadrature: points and weights, float32 [n_points] each.
        tier: what the interactions are called.

    Raises:
        ArgumentError: a player is none of its pair, or is put with itself.
    """
    players = Players.of(histories, recommender.item_features, pairs)
    chosen.check(players.counts())
    pair = np.repeat(np.arange(len(pairs)), np.diff(chosen.offsets))
    first, second = (players.offsets[pair] + each for each in (chosen.first, chosen.second))
    switched, switch = np.unique(second, return_inverse=True)
    of_pair = np.searchsorted(players.offsets, switched, side="right") - 1
    offsets = offsets_of(np.bincount(of_pair, minlength=len(pairs)))
    values, place_of = np.zeros(len(first)), np.zeros(len(players.kinds), np.int64)
    for batch in batches(players, pairs):
        rows, items = np.nonzero(batch.pairs >= 0)
        here = batch.pairs[rows, items]
        counts, entries = gather_rows(chosen.offsets, here)
        if not len(entries):
            continue
        found = _mixed(recommender, histories, batch, (offsets, switched), quadrature)
        is_player = batch.places >= 0
        place_of[batch.places[is_player]] = np.nonzero(is_player)[2]
        which = np.repeat(np.arange(len(here)), np.diff(counts))
        values[entries] = found[
            rows[which],
            items[which],
            switch[entries] - offsets[here[which]],
            place_of[first[entries]],
        ]
    evaluations = 2 * len(quadrature[0]) * np.diff(offsets)
    return Interactions(pairs, players, chosen, values, None, evaluations, tier)


def _mixed(
    recommender: DifferentiableRecommender[Any],
    histories: Histories,
    batch: Batch,
    switches: tuple[Int64Array, Int64Array],
    quadrature: tuple[torch.Tensor, torch.Tensor],
) -> Float64Array:
    """Return [n_rows, n_items, n_switched, n_places]: what each switch changes of each gradient.

    switches: offsets, int64 [n_pairs + 1], and the players that are switched, over all pairs.
    """
    (offsets, switched), (points, weights) = switches, quadrature
    embedded = recommender.embed_pairs(histories, batch.rows, batch.items, batch.widths)
    rate = torch.from_numpy(batch.places >= 0)[:, :, None, None] * points[:, None]
    starts = np.where(batch.pairs < 0, 0, offsets[batch.pairs])
    counts = np.where(batch.pairs < 0, 0, np.diff(offsets)[batch.pairs])
    found = []
    for begin in range(0, counts.max(), _AT_ONCE):
        number = begin + np.arange(_AT_ONCE)
        at = np.minimum(starts[..., None] + number, len(switched) - 1)
        player = np.where(number < counts[..., None], switched[at], -2)
        is_switched = torch.from_numpy(batch.places[:, :, None] == player[..., None])[:, :, :, None]
        presence = torch.stack(
            [torch.where(is_switched, there, rate) for there in (1.0, 0.0)], 2
        ).requires_grad_()
        with torch.enable_grad():
            on, off = recommender.pair_values(embedded, presence.flatten(2, 4)).chunk(2, -1)
            (gradients,) = torch.autograd.grad((on - off).sum(), presence)
        found.append((gradients.sum(2) * weights[:, None]).sum(3))
    return torch.cat(found, 2).double().cpu().numpy()
