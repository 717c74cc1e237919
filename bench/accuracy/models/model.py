"""What the benchmark asks of a model, and how lists of items become its figures."""

from typing import Any, Protocol, runtime_checkable

import numpy as np
from bench.accuracy.protocols import CUTOFFS, Question
from numpy.typing import NDArray

from whyrec.data.dataset import Dataset
from whyrec.data.rows import gather_rows, offsets_of
from whyrec.evaluate.accuracy import Accuracy, accuracy
from whyrec.types import Int64Array


class Fitted(Protocol):
    """A model that has learned."""

    def answer(self, question: Question) -> Accuracy:
        """Rank the catalog for all who are asked, and compare with what they want."""
        ...


class Model(Protocol):
    """A model with its settings."""

    def fit(self, dataset: Dataset, seed: int) -> Fitted:
        """Learn from all events of a data set."""
        ...


@runtime_checkable
class Resumable(Protocol):
    """A model that can go on from where one of the same kind has stopped."""

    def resume(self, fitted: Any) -> Fitted:
        """Train on, instead of from the beginning."""
        ...


def asked_users(question: Question) -> Int64Array:
    """Return int64 [n_users]: those who are asked."""
    return np.flatnonzero(np.diff(question.asked.offsets))


def accuracy_of_rows(question: Question, items: NDArray[Any]) -> Accuracy:
    """Measure lists of one length, [n_users asked, k]."""
    offsets = np.arange(len(items) + 1) * items.shape[1]
    return accuracy_of(question, offsets, items.ravel())


def accuracy_of(question: Question, offsets: Int64Array, items: NDArray[Any]) -> Accuracy:
    """Measure the lists of all who are asked, in their order."""
    wanted_offsets, positions = gather_rows(question.asked.offsets, asked_users(question))
    wanted = question.asked.items[positions]
    return accuracy(offsets, items.astype(np.int32), wanted_offsets, wanted, k=CUTOFFS)


def accuracy_of_scores(question: Question, scores: NDArray[Any]) -> Accuracy:
    """Measure by scores, [n_users asked, n_items]; what is given is left out of the ranking."""
    offsets, positions = gather_rows(question.given.offsets, asked_users(question))
    rows = np.repeat(np.arange(len(scores)), np.diff(offsets))
    scores[rows, question.given.items[positions]] = -np.inf
    ranked = np.argsort(-scores, axis=1, kind="stable")[:, : CUTOFFS[-1]]
    is_new = np.take_along_axis(scores, ranked, axis=1) > -np.inf
    return accuracy_of(question, offsets_of(is_new.sum(axis=1)), ranked[is_new])
