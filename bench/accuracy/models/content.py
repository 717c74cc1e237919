"""What ranks items that nobody has chosen yet without learning: their features, or chance."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse
from bench.accuracy.models.model import accuracy_of_scores, asked_users
from bench.accuracy.protocols import Question
from sklearn.preprocessing import normalize

from whyrec.data.dataset import Dataset
from whyrec.evaluate.accuracy import Accuracy
from whyrec.models.linear import interaction_matrix


@dataclass(frozen=True)
class Content:
    """Cosine of an item's features to the sum of those of the history; words are by TF-IDF."""

    def fit(self, dataset: Dataset, seed: int) -> "FittedContent":  # noqa: ARG002
        """Take the features as they are."""
        return FittedContent(scipy.sparse.csr_matrix(normalize(dataset.item_features.matrix())))


@dataclass(frozen=True, slots=True)
class FittedContent:
    """Features of length 1."""

    features: scipy.sparse.csr_matrix

    def answer(self, question: Question) -> Accuracy:
        """Rank by similarity."""
        matrix = interaction_matrix(question.given, self.features.shape[0])
        profiles = matrix[asked_users(question)] @ self.features
        return accuracy_of_scores(question, (profiles @ self.features.T).toarray())


@dataclass(frozen=True)
class RandomOrder:
    """Another order of the catalog for each user."""

    def fit(self, dataset: Dataset, seed: int) -> "FittedRandomOrder":
        """Keep the seed."""
        return FittedRandomOrder(dataset.n_items, seed)


@dataclass(frozen=True, slots=True)
class FittedRandomOrder:
    """A seed."""

    n_items: int
    seed: int

    def answer(self, question: Question) -> Accuracy:
        """Rank at random."""
        shape = len(asked_users(question)), self.n_items
        return accuracy_of_scores(question, np.random.default_rng(self.seed).random(shape))
