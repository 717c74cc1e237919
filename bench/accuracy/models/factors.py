"""Matrix factorisation as the package implicit has it: ALS and BPR."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import scipy.sparse
from bench.accuracy.models.model import accuracy_of_rows, asked_users
from bench.accuracy.protocols import CUTOFFS, Question

from whyrec.data.dataset import Dataset
from whyrec.evaluate.accuracy import Accuracy
from whyrec.models.linear import interaction_matrix


@dataclass(frozen=True, kw_only=True)
class ALS:
    """Alternating least squares; whoever is asked is solved for from what is given.

    Y. Hu, Y. Koren and C. Volinsky, Collaborative Filtering for Implicit Feedback Datasets, 2008.
    """

    factors: int
    alpha: float
    regularization: float = 0.01
    iterations: int = 15

    def fit(self, dataset: Dataset, seed: int) -> "FittedFactors":
        """Fit it on one thread of BLAS, as implicit asks for, and on all threads of its own."""
        from implicit.als import AlternatingLeastSquares
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1, "blas"):
            model = AlternatingLeastSquares(**asdict(self), random_state=seed)
            matrix = interaction_matrix(dataset.interactions, dataset.n_items)
            model.fit(matrix, show_progress=False)
        return FittedFactors(model, dataset.n_items, solves_for_users=True)


@dataclass(frozen=True, kw_only=True)
class BPR:
    """Bayesian personalised ranking, which knows nobody but those whom it was fitted on.

    S. Rendle et al., BPR: Bayesian Personalized Ranking from Implicit Feedback, 2009.
    """

    factors: int
    learning_rate: float
    regularization: float = 0.01
    iterations: int = 100

    def fit(self, dataset: Dataset, seed: int) -> "FittedFactors":
        """Fit it on all threads."""
        from implicit.bpr import BayesianPersonalizedRanking

        model = BayesianPersonalizedRanking(**asdict(self), random_state=seed)
        matrix = interaction_matrix(dataset.interactions, dataset.n_items)
        model.fit(matrix, show_progress=False)
        return FittedFactors(model, dataset.n_items, solves_for_users=False)


@dataclass(frozen=True, slots=True)
class FittedFactors:
    """A model of implicit's."""

    model: Any
    n_items: int
    solves_for_users: bool

    def answer(self, question: Question) -> Accuracy:
        """Rank what is new to each user."""
        users = asked_users(question)
        given = scipy.sparse.csr_matrix(interaction_matrix(question.given, self.n_items)[users])
        items, _ = self.model.recommend(
            users, given, N=CUTOFFS[-1], recalculate_user=self.solves_for_users
        )
        return accuracy_of_rows(question, np.asarray(items))
