"""Held-out events during training: how confident to be, how far to train, what to serve."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.optimize
import torch

from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories, Interactions
from whyrec.data.split import random_split
from whyrec.types import Float32Array, Float64Array, Int32Array, Int64Array

Scorer = Callable[[Histories, Int64Array], torch.Tensor]
"""From histories and the indices of their users to scores, float32 [n_users, n_items]."""

_AT = 10
_MOST_CELLS = 20_000_000
"""Scores of the held-out users over the catalog that are held at once."""

_FEWEST = 20
"""With fewer held-out events there is nothing to choose by."""

_CPU = torch.device("cpu")

_PRIOR_SHARES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0)


@dataclass(frozen=True, slots=True)
class Calibration:
    """How confident the start is, in logits."""

    scale: float = 20.0
    """Of query vectors."""

    prior: float = 0.5
    """Of the logarithm of popularity."""


def most_users(n_items: int) -> int:
    """Return how many users are validated on; for more, their scores would take too much memory."""
    return max(100, _MOST_CELLS // max(1, n_items))


class Validation:
    """Held-out events, and what each of their users had before."""

    def __init__(
        self,
        part: Dataset,
        held_out: Interactions,
        seed: int,
        device: torch.device = _CPU,
    ) -> None:
        self.held_out, self._device = held_out, device
        users = np.flatnonzero(np.diff(held_out.offsets) > 0)
        most = most_users(part.n_items)
        if len(users) > most:
            users = np.sort(np.random.default_rng(seed).choice(users, most, replace=False))
        self._users = users
        self._histories = part.histories(users)
        wanted = held_out.histories(users, part.user_features)
        rows = np.repeat(np.arange(len(users)), wanted.counts())
        had = np.repeat(np.arange(len(users)), self._histories.counts())
        self._seen = _on(device, had, self._histories.items)
        self._targets = _on(device, rows, wanted.items)
        self._wanted = torch.zeros(len(users), part.n_items, dtype=torch.bool, device=device)
        self._wanted[self._targets] = True
        self._wanted[self._seen] = False
        n_wanted = self._wanted.sum(1).cpu().numpy()
        gains = 1 / np.log2(np.arange(2, _AT + 2))
        self._ideal = np.cumsum(gains)[np.clip(n_wanted, 1, _AT) - 1]
        self._gains = torch.from_numpy(gains)
        self._counts = n_wanted > 0

    @property
    def says_anything(self) -> bool:
        """Whether anybody wants an item that is new to them: others no ranking can please."""
        return bool(self._counts.any())

    def scores(self, score: Scorer) -> torch.Tensor:
        """Return float32 [n_users, n_items], without biases."""
        return score(self._histories, self._users).to(self._device)

    def best_ndcg(self, scores: torch.Tensor, prior: torch.Tensor) -> tuple[float, float]:
        """Return the best NDCG@10, and the share of the prior [n_items] that reaches it."""
        return max((self.ndcg(scores + share * prior), share) for share in _PRIOR_SHARES)

    def ndcg(self, scores: torch.Tensor) -> float:
        """Return the mean NDCG@10 of scores, which are written over."""
        scores[self._seen] = -torch.inf
        top = scores.topk(min(_AT, scores.shape[1])).indices
        hits = self._wanted.gather(1, top).cpu().double()
        reached = (hits @ self._gains[: top.shape[1]]).numpy()
        return float((reached / self._ideal)[self._counts].mean())

    def calibrate(self, score: Scorer, popularity: Float32Array) -> Calibration:
        """Find the scale and the prior under which the held-out events are likeliest.

        The scores are those at scale 1.
        """
        products = self.scores(score)
        prior = torch.from_numpy(popularity).to(products.device)

        def loss(point: Float64Array) -> float:
            return self._loss(float(np.exp(point[0])) * products, float(point[1]) * prior)

        start = Calibration()
        found = scipy.optimize.minimize(
            loss, (np.log(start.scale), start.prior), method="Nelder-Mead", options={"maxiter": 40}
        )
        scale, prior = np.exp(found.x[0]), found.x[1]
        return Calibration(float(np.clip(scale, 1.0, 1_000.0)), float(np.clip(prior, 0.0, 2.0)))

    def _loss(self, scores: torch.Tensor, prior: torch.Tensor) -> float:
        """Return the mean of −log softmax over the held-out events, seen items left out."""
        logits = scores + prior
        logits[self._seen] = -torch.inf
        held_out = logits[self._targets]
        losses = logits.logsumexp(1)[self._targets[0]] - held_out
        return losses[torch.isfinite(held_out)].cpu().double().mean().item()


def _on(device: torch.device, *indices: Int32Array | Int64Array) -> tuple[torch.Tensor, ...]:
    return tuple(torch.from_numpy(each).to(device, torch.int64) for each in indices)


def hold_out_last(
    dataset: Dataset, share: float, seed: int, device: torch.device = _CPU
) -> tuple[Dataset, Validation | None]:
    """Hold the last event of some users out; None if there are too few to choose by.

    Who has fewer than three events keeps them all.

    Args:
        dataset: all that is known.
        share: how many of the users, at most as many as a validation takes.
        seed: the same seed chooses the same users.
        device: where scores are held against the events.
    """
    interactions = dataset.interactions
    users = np.flatnonzero(np.diff(interactions.offsets) >= 3)
    n_chosen = min(int(share * len(users)), most_users(dataset.n_items))
    if n_chosen < _FEWEST:
        return dataset, None
    users = np.random.default_rng(seed).permutation(users)[:n_chosen]
    is_last = np.zeros(len(interactions), bool)
    is_last[interactions.offsets[users + 1] - 1] = True
    part = dataset.with_interactions(interactions.only(~is_last))
    validation = Validation(part, interactions.only(is_last), seed, device)
    return (part, validation) if validation.says_anything else (dataset, None)


def hold_out(
    dataset: Dataset, share: float, seed: int, device: torch.device = _CPU
) -> tuple[Dataset, Validation | None]:
    """Hold a share of the events of each user out; None if there are too few to choose by."""
    # Of short histories a tenth is nothing; a third is one event of three.
    for ratio in (share, max(share, 0.34)):
        split = random_split(dataset.interactions, (1 - ratio, ratio, 0), seed=seed)
        if share and len(split.validation) >= max(_FEWEST, len(dataset.interactions) // 50):
            part = dataset.with_interactions(split.train)
            validation = Validation(part, split.validation, seed, device)
            if validation.says_anything:
                return part, validation
    return dataset, None
