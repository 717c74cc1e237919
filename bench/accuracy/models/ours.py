"""Recommenders of whyrec's own, asked through the SDK."""

from dataclasses import dataclass, fields, replace
from typing import Any

from bench.accuracy.protocols import CUTOFFS, Question

import whyrec
from whyrec.data.dataset import Dataset
from whyrec.evaluate.accuracy import Accuracy


class Ours:
    """`SDK.fit_dataset` with its settings; what of them has a seed is given that of the run.

    The explainer is one that learns nothing: the recommender alone is timed.
    """

    def __init__(self, **settings: Any) -> None:
        self._settings = settings

    def __repr__(self) -> str:
        return ", ".join(f"{each}" for each in self._settings.values())

    def fit(self, dataset: Dataset, seed: int) -> "FittedOurs":
        """Fit the SDK."""
        seeded = {
            name: replace(each, seed=seed)
            for name, each in self._settings.items()
            if "seed" in {field.name for field in fields(each)}
        }
        settings = {"explainer": whyrec.ShapleyConfig(), **self._settings, **seeded}
        sdk = whyrec.SDK.fit_dataset(dataset, progress=False, **settings)
        return FittedOurs(sdk)


@dataclass(frozen=True, slots=True)
class FittedOurs:
    """A fitted SDK."""

    sdk: whyrec.SDK

    def answer(self, question: Question) -> Accuracy:
        """Evaluate it."""
        return self.sdk.evaluate(question.asked, CUTOFFS, given=question.given).accuracy
