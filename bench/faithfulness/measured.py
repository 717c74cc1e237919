"""One method on all pairs: its attributions, and what they cost."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from bench.faithfulness.counting import counting
from bench.faithfulness.kept import Arrays
from bench.faithfulness.methods.lxr import LXR
from bench.faithfulness.methods.method import Method

from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.explain.attribution import Attributions, Players
from whyrec.models.recommender import DifferentiableRecommender, Recommender
from whyrec.types import Float64Array

Asked = tuple[Histories, Pairs, Float64Array]
"""Histories, pairs of them, and the scores of these."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a method said, and what an explanation cost."""

    attributions: Attributions
    coalitions: float
    """Coalitions evaluated for an explanation, the mean over pairs."""

    gradients: float
    """Gradients taken for an explanation, the mean over pairs."""

    milliseconds: float
    """Processor time of an explanation, all pairs being asked at once."""

    seconds: float
    """Processor time of the fit."""

    note: str = ""
    """What the fit chose, if it chose anything."""

    def costs(self) -> list[str]:
        """Return the cells of a table."""
        return [
            f"{self.coalitions:,.0f}",
            f"{self.gradients:,.0f}",
            f"{self.milliseconds:.2f} ms",
            f"{self.seconds:.1f} s",
        ]

    def arrays(self) -> Arrays:
        """Return all that `restored` needs."""
        return {
            **arrays_of(self.attributions),
            "costs": np.array(
                [self.coalitions, self.gradients, self.milliseconds, self.seconds], np.float64
            ),
            "note": np.array(self.note),
        }

    @classmethod
    def restored(cls, arrays: Arrays, recommender: Recommender, asked: Asked) -> "Measured":
        """Build it from what `arrays` gave, for the same recommender and pairs."""
        coalitions, gradients, milliseconds, seconds = arrays["costs"].tolist()
        found = attributions_of(arrays, recommender, asked)
        return cls(found, coalitions, gradients, milliseconds, seconds, str(arrays["note"]))


COSTS = ["coalitions", "gradients", "an explanation", "fit"]


def measure(
    method: Method,
    recommender: DifferentiableRecommender[Any],
    dataset: Dataset,
    asked: Asked,
    *,
    progress: bool,
) -> Measured:
    """Fit a method, explain all pairs at once, and say what that took."""
    counted = counting(recommender)
    started = time.process_time()
    explainer = method.fit(counted, dataset, progress=progress)
    seconds = time.process_time() - started
    histories, pairs, full_values = asked
    first = np.arange(min(4, len(pairs)))
    explainer.explain(histories, pairs.take(first), full_values[first])  # caches, lazy imports
    counted.reset()
    started = time.process_time()
    attributions = explainer.explain(*asked)
    milliseconds = (time.process_time() - started) * 1e3 / len(pairs)
    note = ""
    if isinstance(explainer, LXR):
        config = explainer.config
        note = (
            f"LXR chose λ₊ = {config.kept_weight:g}, λ₋ = {config.left_weight:g} and "
            f"{config.hidden} hidden units on held-out training users."
        )
    return Measured(
        attributions,
        counted.n_coalitions / len(pairs),
        counted.n_gradients / len(pairs),
        milliseconds,
        seconds,
        note,
    )


def arrays_of(attributions: Attributions) -> Arrays:
    """Return all of attributions but what the pairs tell of themselves."""
    errors = attributions.standard_errors
    return {
        "contributions": attributions.contributions,
        "base_values": attributions.base_values,
        "full_values": attributions.full_values,
        "tier": np.array(attributions.tier),
        **({} if errors is None else {"standard_errors": errors}),
    }


def attributions_of(arrays: Arrays, recommender: Recommender, asked: Asked) -> Attributions:
    """Build attributions from what `arrays_of` gave."""
    histories, pairs, _ = asked
    return Attributions(
        pairs,
        Players.of(histories, recommender.item_features, pairs),
        arrays["contributions"],
        arrays["base_values"],
        arrays["full_values"],
        str(arrays["tier"]),
        arrays.get("standard_errors"),
    )
