"""Held-out events during training: how far to train, and how much popularity to serve."""

import numpy as np
import scipy.optimize
import scipy.special
import torch

from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Interactions
from whyrec.data.split import random_split
from whyrec.models.start import Calibration
from whyrec.models.towers import Towers
from whyrec.types import Float32Array, Float64Array

_AT = 10
_MOST_CELLS = 20_000_000
"""Scores of the held-out users over the catalog that are held at once."""

_PRIOR_SHARES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0)


class Validation:
    """Held-out events, and what each of their users had before."""

    def __init__(self, part: Dataset, held_out: Interactions, seed: int) -> None:
        users = np.flatnonzero(np.diff(held_out.offsets) > 0)
        most = max(100, _MOST_CELLS // max(1, part.n_items))
        if len(users) > most:
            users = np.sort(np.random.default_rng(seed).choice(users, most, replace=False))
        self.part = part
        """The data set without the held-out events."""
        self._histories = part.histories(users)
        wanted = held_out.histories(users, part.user_features)
        self._rows = np.repeat(np.arange(len(users)), wanted.counts())
        self._items = wanted.items
        had = np.repeat(np.arange(len(users)), self._histories.counts())
        self._seen = (torch.from_numpy(had), torch.from_numpy(self._histories.items).long())
        self._wanted = torch.zeros(len(users), part.n_items, dtype=torch.bool)
        self._wanted[torch.from_numpy(self._rows), torch.from_numpy(self._items).long()] = True
        self._wanted[self._seen] = False
        n_wanted = self._wanted.sum(1).numpy()
        gains = 1 / np.log2(np.arange(2, _AT + 2))
        self._ideal = np.cumsum(gains)[np.minimum(n_wanted, _AT) - 1]
        self._gains = torch.from_numpy(gains)
        self._has_wanted = n_wanted > 0

    @torch.no_grad()
    def products(self, towers: Towers) -> torch.Tensor:
        """Return float32 [n_users, n_items]: query vectors times item vectors."""
        towers.eval()
        features = self.part.item_features
        events = towers.event_vectors(features)
        summed = towers.sum_events(events, events @ towers.gate_of_vector, self._histories)
        queries = towers.queries(summed, towers.attribute_vectors(self._histories.attributes))
        return queries @ towers.item_vectors(features).T

    def best_share(self, towers: Towers) -> tuple[float, float]:
        """Return the best NDCG@10, and the share of the popularity prior that reaches it."""
        products = self.products(towers)
        with torch.no_grad():
            prior = towers.item_biases(self.part.item_features)
        return max((self._ndcg(products + share * prior), share) for share in _PRIOR_SHARES)

    def _ndcg(self, scores: torch.Tensor) -> float:
        scores[self._seen] = -torch.inf
        top = scores.topk(min(_AT, scores.shape[1])).indices
        hits = self._wanted.gather(1, top).double()
        reached = (hits @ self._gains[: top.shape[1]]).numpy()
        return float((reached / self._ideal)[self._has_wanted].mean())

    def calibrate(self, towers: Towers, popularity: Float32Array) -> Calibration:
        """Find the scale and the prior under which the held-out events are likeliest."""
        products = self.products(towers).numpy() / np.exp(towers.log_scale.item())
        seen = tuple(each.numpy() for each in self._seen)

        def loss(point: Float64Array) -> float:
            logits = np.float32(np.exp(point[0])) * products + np.float32(point[1]) * popularity
            logits[seen] = -np.inf
            held_out = logits[self._rows, self._items]
            possible = np.isfinite(held_out)
            normalisers = scipy.special.logsumexp(logits, axis=1)[self._rows]
            return float(np.mean((normalisers - held_out)[possible]))

        found = scipy.optimize.minimize(
            loss, (np.log(20.0), 0.5), method="Nelder-Mead", options={"maxiter": 40}
        )
        scale, prior = np.exp(found.x[0]), found.x[1]
        return Calibration(float(np.clip(scale, 1.0, 1_000.0)), float(np.clip(prior, 0.0, 2.0)))


def hold_out(dataset: Dataset, share: float, seed: int) -> Validation | None:
    """Hold a share of the events of each user out; None if there are too few to choose by."""
    # Of short histories a tenth is nothing; a third is one event of three.
    for ratio in (share, max(share, 0.34)):
        split = random_split(dataset.interactions, (1 - ratio, ratio, 0), seed=seed)
        if share and len(split.validation) >= max(20, len(dataset.interactions) // 50):
            return Validation(dataset.with_interactions(split.train), split.validation, seed)
    return None
