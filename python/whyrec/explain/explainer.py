"""The protocols that every explainer speaks."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.errors import ArgumentError
from whyrec.explain.attribution import Attributions
from whyrec.explain.interactions import Interactions, PlayerPairs
from whyrec.models.loop import Run
from whyrec.models.recommender import Recommender
from whyrec.types import Float32Array, Float64Array


class Explainer(Protocol):
    """Says what each player contributes to the score of an item for a history."""

    def explain(
        self, histories: Histories, pairs: Pairs, full_values: Float64Array
    ) -> Attributions:
        """Attribute the scores of a batch of pairs to their players.

        Args:
            histories: what the pairs are about.
            pairs: rows of histories, each with an item.
            full_values: float64 [n_pairs], in logits: the scores that ranked the items. The
                contributions are made to add up to exactly these.

        Raises:
            ScoreError: a score is no finite number.
        """
        ...

    def arrays(self) -> dict[str, Float32Array]:
        """Return every learned array, by name; none where nothing is learned."""
        ...


@runtime_checkable
class InteractionExplainer(Explainer, Protocol):
    """Says of two players, too, what they are worth together."""

    def interactions(self, histories: Histories, pairs: Pairs, chosen: PlayerPairs) -> Interactions:
        """Return what chosen players of each pair are worth together, beyond each by itself.

        Args:
            histories: what the pairs are about.
            pairs: rows of histories, each with an item.
            chosen: the players, such as `PlayerPairs.of_strongest(attributions)`.

        Raises:
            ArgumentError: a player is none of its pair, or is put with itself.
        """
        ...


def interacting(explainer: Explainer) -> InteractionExplainer:
    """Return the explainer as one that finds interactions, or say that it does not."""
    if not isinstance(explainer, InteractionExplainer):
        raise ArgumentError(
            f"{type(explainer).__name__} finds no interactions; fit with NetworkConfig(), "
            "GradientPathConfig() or ShapleyConfig()"
        )
    return explainer


class ExplainerConfig(Protocol):
    """The settings of one kind of explainer, which also fit it."""

    def fit(
        self, recommender: Recommender, dataset: Dataset, *, progress: bool = True
    ) -> Explainer:
        """Prepare to explain a recommender; what is learned, is learned from the data set.

        Raises:
            ArgumentError: the recommender has not what this explainer needs.
        """
        ...

    def restore(self, recommender: Recommender, arrays: Mapping[str, Float32Array]) -> Explainer:
        """Build what `fit` returned from the arrays it gave, bit for bit."""
        ...


@runtime_checkable
class TrainableExplainerConfig(ExplainerConfig, Protocol):
    """The settings of an explainer that is trained in steps."""

    def train(self, recommender: Recommender, dataset: Dataset, run: Run) -> Explainer:
        """Do what `fit` does, where a run says and with what it tells and keeps on the way."""
        ...


@runtime_checkable
class RenewableExplainerConfig(ExplainerConfig, Protocol):
    """The settings of an explainer that goes on from what it has learned before."""

    def update(
        self, recommender: Recommender, dataset: Dataset, arrays: Mapping[str, Float32Array]
    ) -> Explainer:
        """Build the explainer for the recommender over a larger data set; nothing is trained.

        Args:
            recommender: over all items.
            dataset: all events.
            arrays: what it has learned before.
        """
        ...

    def refit(
        self,
        recommender: Recommender,
        dataset: Dataset,
        arrays: Mapping[str, Float32Array],
        run: Run,
    ) -> Explainer:
        """Train for the recommender as it has become, from what was learned before on.

        Args:
            recommender: as it is now, over all items.
            dataset: all events.
            arrays: what was learned before.
            run: what is told and kept on the way.
        """
        ...


def update_explainer(
    config: ExplainerConfig,
    recommender: Recommender,
    dataset: Dataset,
    arrays: Mapping[str, Float32Array],
) -> Explainer:
    """Build an explainer for the recommender over a larger data set; nothing is trained."""
    if isinstance(config, RenewableExplainerConfig):
        return config.update(recommender, dataset, arrays)
    return config.restore(recommender, arrays)


def refit_explainer(
    config: ExplainerConfig,
    recommender: Recommender,
    dataset: Dataset,
    arrays: Mapping[str, Float32Array],
    run: Run,
) -> Explainer:
    """Train an explainer from what it has learned before on, or anew where it keeps nothing."""
    if isinstance(config, RenewableExplainerConfig):
        return config.refit(recommender, dataset, arrays, run)
    return fit_explainer(config, recommender, dataset, run)


def fit_explainer(
    config: ExplainerConfig, recommender: Recommender, dataset: Dataset, run: Run
) -> Explainer:
    """Fit what the settings say, as the run says where there is anything to train."""
    if isinstance(config, TrainableExplainerConfig):
        return config.train(recommender, dataset, run)
    return config.fit(recommender, dataset, progress=run.progress)
