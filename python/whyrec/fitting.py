"""Trains what an SDK is made of: a recommender on a data set, and then its explainer."""

from whyrec.data.dataset import Dataset
from whyrec.errors import ArgumentError
from whyrec.explain import (
    AdditiveRecommender,
    ClosedFormConfig,
    ExplainerConfig,
    NetworkConfig,
    fit_explainer,
)
from whyrec.models import DeepRankerConfig, RecommenderConfig, Run, TrainingConfig, fit_recommender
from whyrec.models.deep_ranker import composed
from whyrec.saved import Fitted


def fit_all(
    dataset: Dataset,
    *,
    model: RecommenderConfig | None,
    ranker: DeepRankerConfig | None,
    explainer: ExplainerConfig | None,
    training: TrainingConfig | None,
    progress: bool,
) -> Fitted:
    """Fit the recommender and the explainer that the settings say; None as in `SDK.fit`.

    Raises:
        ArgumentError: an argument is no settings, or they do not go together.
        TrainingError: training that cannot go on.
        StorageError: a checkpoint that cannot be made or read.
    """
    for name, settings in (("model", model), ("explainer", explainer)):
        if settings is not None and not hasattr(settings, "fit"):
            raise ArgumentError(
                f"{name} must be settings, such as whyrec.TwoTowerConfig() or "
                f"whyrec.NetworkConfig(), not {settings!r}"
            )
    if training is not None and not hasattr(training, "checkpoint"):
        raise ArgumentError(f"training must be whyrec.TrainingConfig(…), not {training!r}")
    model, run = composed(model, ranker), Run(training, progress=progress)
    if isinstance(explainer, NetworkConfig) and explainer.joint_weight:
        both = explainer.train_jointly(model, dataset, run)
        run.end()
        return Fitted(dataset, model, both[0], explainer, both[1])
    recommender = fit_recommender(model, dataset, run)
    if explainer is None:
        additive = isinstance(recommender, AdditiveRecommender)
        explainer = ClosedFormConfig() if additive else NetworkConfig()
    fitted = fit_explainer(explainer, recommender, dataset, run)
    run.end()
    return Fitted(dataset, model, recommender, explainer, fitted)
