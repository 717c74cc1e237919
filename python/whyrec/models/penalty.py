"""What training pays for reasons that users called wrong."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import nn

from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.data.wrong_reasons import WrongReason
from whyrec.models.loop import Chance
from whyrec.models.recommender import Before, DifferentiableRecommender
from whyrec.types import Int64Array

_PAIRS = 64
"""Pairs of a step, drawn where there are more."""

_WORTH = 0.1
"""So much of the NDCG@10 is given up, at most, for no weight at all on what was called wrong."""


@dataclass(frozen=True, slots=True)
class PenaltyConfig:
    """Settings of `Penalty`."""

    weight: float
    reasons: tuple[WrongReason, ...]
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """Pairs of users and items, with places for all players."""

    histories: Histories
    """One row each."""

    items: Int64Array
    """int64 [n_pairs, 1]."""

    present: torch.Tensor
    """float32 [n_pairs, 1, 1, n_places]: 1 where there is a player."""

    wrong: torch.Tensor
    """float32 [n_pairs, n_places]: 1 where that was called wrong."""

    widths: tuple[int, int, int]


class Penalty:
    """A companion of the recommender: the squared contributions of players that were called wrong.

    The contribution is gradient times input, the input being the presence of the player with all
    others there. The loss is the mean over pairs of the sum of its squares, in proportion to what
    it was at the start, times a weight.

    Source: A. S. Ross, M. C. Hughes and F. Doshi-Velez, Right for the Right Reasons: Training
    Differentiable Models by Constraining their Explanations, 2017.
    """

    learning_rate = 1e-3
    """Of nothing: there are no weights of its own."""

    def __init__(self, dataset: Dataset, settings: PenaltyConfig) -> None:
        self._dataset, self.settings = dataset, settings
        self.chance = Chance.of(settings.seed)
        self._at_start = 1.0

    def start(self, recommender: DifferentiableRecommender[Any]) -> nn.Module:
        """See how large the contributions are, and return a network without weights."""
        self._at_start = max(float(self._size(recommender, self._all).detach()), 1e-9)
        return nn.Module()

    def loss(
        self,
        recommender: DifferentiableRecommender[Any],
        histories: Histories,  # noqa: ARG002
    ) -> torch.Tensor:
        """Return the weighted penalty of some of the pairs, whoever is in the step."""
        pairs = self._all
        if len(pairs.items) > _PAIRS:
            drawn = self.chance.random.choice(len(pairs.items), _PAIRS, replace=False)
            pairs = self._taken(np.sort(drawn))
        return self.settings.weight * self._size(recommender, pairs) / self._at_start

    def worth(self, recommender: DifferentiableRecommender[Any]) -> float:
        """Return what an NDCG counts for, by what is left of the contributions: 0.9 to 1."""
        left = float(self._size(recommender, self._all).detach()) / self._at_start
        return 1 - _WORTH * min(1.0, float(np.sqrt(left)))

    def _size(self, recommender: DifferentiableRecommender[Any], pairs: _Pairs) -> torch.Tensor:
        """Return the mean over pairs of the sum of squared contributions, in squared logits."""
        with torch.enable_grad():
            rows = np.arange(len(pairs.items))
            embedded = recommender.embed_pairs(pairs.histories, rows, pairs.items, pairs.widths)
            presence = pairs.present.clone().requires_grad_()
            values = recommender.pair_values(embedded, presence)
            (gradients,) = torch.autograd.grad(values.sum(), presence, create_graph=True)
            contributions = (gradients * pairs.present)[:, 0, 0] * pairs.wrong
            return (contributions**2).sum(1).mean()

    @cached_property
    def _all(self) -> _Pairs:
        """Return each pair once, with all of its players that were called wrong."""
        reasons: dict[tuple[int, int], list[WrongReason]] = {}
        for each in self.settings.reasons:
            reasons.setdefault((each.user, each.item), []).append(each)
        users, items = (np.array(each, np.int64) for each in zip(*reasons, strict=True))
        histories = self._dataset.histories(users)
        features = self._dataset.item_features.take(items)
        tokens = np.split(features.tokens, features.offsets[1:-1])
        masks = [
            self._mask(histories, row, tokens[row], of_pair)
            for row, of_pair in enumerate(reasons.values())
        ]
        widths = tuple(max(len(mask[kind]) for mask in masks) for kind in range(3))
        present, wrong = np.zeros((2, len(users), sum(widths)), np.float32)
        for row, mask in enumerate(masks):
            for kind, of_kind in enumerate(mask):
                at = slice(sum(widths[:kind]), sum(widths[:kind]) + len(of_kind))
                present[row, at], wrong[row, at] = 1, of_kind
        return _Pairs(
            histories,
            items[:, None],
            torch.from_numpy(present)[:, None, None],
            torch.from_numpy(wrong),
            (widths[0], widths[1], widths[2]),
        )

    def _mask(
        self, histories: Histories, row: int, tokens: Any, reasons: Sequence[WrongReason]
    ) -> tuple[Any, Any, Any]:
        """Return bool of the events, fields and feature values of a pair: what was called wrong."""
        events = histories.items[histories.offsets[row] : histories.offsets[row + 1]]
        return (
            np.isin(events, [item for each in reasons for item in each.history]),
            np.isin(
                histories.attributes.fields_of(row),
                [one for each in reasons for one in each.fields],
            ),
            np.isin(tokens, [token for each in reasons for token in each.tokens]),
        )

    def _taken(self, rows: Int64Array) -> _Pairs:
        pairs = self._all
        return _Pairs(
            pairs.histories.take(rows),
            pairs.items[rows],
            pairs.present[rows],
            pairs.wrong[rows],
            pairs.widths,
        )


def penalty_of(dataset: Dataset, before: Before | None, seed: int) -> Penalty | None:
    """Return the penalty for what was called wrong; None if nothing was, or it counts for nothing.

    Args:
        dataset: all events, in whose indices the reasons are.
        before: what training begins with.
        seed: of the pairs that are drawn.
    """
    if before is None or not (before.wrong_weight and before.wrong_reasons):
        return None
    return Penalty(dataset, PenaltyConfig(before.wrong_weight, before.wrong_reasons, seed))
