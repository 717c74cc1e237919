"""SASRec as the package RecTools has it: a transformer, cross-entropy over the whole catalog."""

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
from bench.accuracy.models.model import accuracy_of, asked_users
from bench.accuracy.protocols import CUTOFFS, Question

from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Interactions
from whyrec.data.rows import offsets_of
from whyrec.evaluate.accuracy import Accuracy


@dataclass(frozen=True, kw_only=True)
class SASRec:
    """RecTools' own settings, but for how long it trains.

    W.-C. Kang and J. McAuley, Self-Attentive Sequential Recommendation, 2018; A. Petrov and
    C. Macdonald, gSASRec, 2023, for how much the loss matters.
    """

    epochs: int

    def fit(self, dataset: Dataset, seed: int) -> "FittedSASRec":
        """Train for so many epochs."""
        from pytorch_lightning import seed_everything
        from rectools.models import SASRecModel

        for name in ("pytorch_lightning.utilities.rank_zero", "lightning_fabric.utilities.seed"):
            logging.getLogger(name).setLevel(logging.ERROR)
        seed_everything(seed, verbose=False)
        model = SASRecModel(deterministic=True, recommend_torch_device="cpu")
        return self.resume(FittedSASRec(model, rectools_dataset(dataset.interactions), n_epochs=0))

    def resume(self, fitted: "FittedSASRec") -> "FittedSASRec":
        """Train on until there have been so many epochs."""
        n_more = self.epochs - fitted.n_epochs
        fitted.model.fit_partial(fitted.dataset, min_epochs=n_more, max_epochs=n_more)
        return FittedSASRec(fitted.model, fitted.dataset, self.epochs)


@dataclass(frozen=True, slots=True)
class FittedSASRec:
    """A model of RecTools' with what it trains on."""

    model: Any
    dataset: Any
    n_epochs: int

    def answer(self, question: Question) -> Accuracy:
        """Rank what is new to each user; whoever has no history gets nothing."""
        users = asked_users(question)
        with_history = users[np.diff(question.given.offsets)[users] > 0]
        found = self.model.recommend(
            with_history, rectools_dataset(question.given), CUTOFFS[-1], filter_viewed=True
        ).sort_values(["user_id", "rank"])
        rows = np.searchsorted(users, found["user_id"].to_numpy())
        offsets = offsets_of(np.bincount(rows, minlength=len(users)))
        return accuracy_of(question, offsets, found["item_id"].to_numpy())


def rectools_dataset(interactions: Interactions) -> Any:
    """Return events as RecTools reads them, in the order that they have here."""
    import pandas as pd
    from rectools import Columns
    from rectools.dataset import Dataset as RecToolsDataset

    return RecToolsDataset.construct(
        pd.DataFrame(
            {
                Columns.User: interactions.users(),
                Columns.Item: interactions.items,
                Columns.Weight: 1.0,
                Columns.Datetime: pd.to_datetime(np.arange(len(interactions)), unit="s"),
            }
        )
    )
