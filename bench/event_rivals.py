"""How far reasons are from Shapley values, beside what anyone could compute in their place."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any, cast

import numpy as np
import torch
from bench.event_shapley import sample

from whyrec import SDK
from whyrec.data.coalitions import Coalitions
from whyrec.data.pairs import Pairs
from whyrec.models import EncodingRecommender
from whyrec.types import BoolArray, Float64Array, Int64Array

Gradients = Callable[[Int64Array, torch.Tensor], torch.Tensor]
"""From the places of a history in the model's `item_ids`, and an item's vector, to gradient × input
of each event, float [n_events].
"""

N_ITEMS = 3


def relative_errors(
    sdk: SDK,
    item_ids: Sequence[Hashable],
    gradients: Gradients,
    *,
    n_users: int,
    n_permutations: int,
) -> dict[str, list[float]]:
    """Return, of each user, the mean of ‖φ̂ − φ‖² / ‖φ‖² over the best items, by method.

    All methods are scaled to add up to the score, as reasons do; beside them is the largest
    efficiency gap of the reasons of each user, as "gap".

    Args:
        sdk: of a wrapped encoder.
        item_ids: those of the encoder, in its order.
        gradients: what says gradient × input of its events.
        n_users: the first so many of 6 to 20 events.
        n_permutations: of the reference.
    """
    random, dataset = np.random.default_rng(0), sdk.dataset
    model = cast(EncodingRecommender, sdk.recommender)
    places = {each: place for place, each in enumerate(item_ids)}
    counts = np.diff(dataset.interactions.offsets)
    found: dict[str, list[float]] = {"reasons": [], "leave one out": [], "gradient": [], "gap": []}
    for user in np.flatnonzero((counts > 5) & (counts <= 20))[:n_users].tolist():
        histories, n_events = dataset.histories(np.array([user])), int(counts[user])

        def queries(present: BoolArray, histories: Any = histories) -> Float64Array:
            asked = Coalitions.of_matrices([present])
            return model.coalition_queries(histories, asked).astype(np.float64)

        reference = sample(queries, n_events, n_permutations, random).mean
        every = np.ones((1, n_events), bool)
        gone = queries(every)[0] - queries(~np.eye(n_events, dtype=bool))
        own = np.array([places[dataset.items[item]] for item in histories.items.tolist()])
        scores = (queries(every) @ model.item_vectors().T)[0]
        best = np.argsort(-scores, kind="stable")[:N_ITEMS].astype(np.int32)
        pairs = Pairs(np.zeros(N_ITEMS, np.int32), best)
        told = sdk.explainer.explain(histories, pairs, scores[best])
        errors: dict[str, list[float]] = {name: [] for name in found if name != "gap"}
        for pair, item in enumerate(best.tolist()):
            vector = model.item_vectors()[item]
            said = {
                "reasons": told.contributions[told.of(pair)][:n_events],
                "leave one out": gone @ vector,
                "gradient": gradients(own, torch.from_numpy(vector)).double().numpy(),
            }
            true = reference @ vector
            for name, values in said.items():
                missing = true.sum() - values.sum()
                closed = values + missing * np.abs(values) / np.abs(values).sum()
                errors[name].append(float(((closed - true) ** 2).sum() / (true**2).sum()))
        for name, values_of in errors.items():
            found[name].append(float(np.mean(values_of)))
        found["gap"].append(float(np.abs(told.efficiency_gaps()).max()))
    return found
