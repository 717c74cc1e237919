"""Trains what an SDK is made of: a recommender on a data set, and then its explainer.

A recommender that the application brings is not trained; it is put in the place of one that is.
"""

from collections.abc import Callable, Sequence
from typing import cast

import pyarrow as pa
from torch import nn

from whyrec.choosing import Choice, choose_explainer, choose_model, tell
from whyrec.data.dataset import Dataset
from whyrec.data.influence import capped
from whyrec.errors import ArgumentError
from whyrec.explain import ExplainerConfig, NetworkConfig, fit_explainer
from whyrec.models import (
    DeepRankerConfig,
    Encoder,
    Factors,
    FactorsConfig,
    RecommenderConfig,
    Run,
    ScoredBy,
    TrainingConfig,
    TwoTowerConfig,
    WrappedConfig,
    fit_recommender,
)
from whyrec.models.ranker_config import composed
from whyrec.saved import Fitted


def fit_all(
    dataset: Dataset,
    *,
    model: RecommenderConfig | None,
    ranker: DeepRankerConfig | None,
    explainer: ExplainerConfig | None,
    training: TrainingConfig | None,
    progress: bool,
    choices: Sequence[Choice] = (),
) -> Fitted:
    """Fit the recommender and the explainer that the settings say; None as in `SDK.fit`.

    Choices that were made before are told with those that are made here.

    Raises:
        ArgumentError: an argument is no settings, or they do not go together.
        TrainingError: training that cannot go on.
        StorageError: a checkpoint that cannot be made or read.
    """
    for name, settings in (("model", model), ("explainer", explainer)):
        _check_settings(name, settings)
    check_training(training)
    learned = learned_from(dataset, training)
    jointly = isinstance(explainer, NetworkConfig) and explainer.joint_weight > 0
    if model is None and ranker is None and jointly:
        model = TwoTowerConfig()  # a ranker learns by itself
    elif model is None and ranker is None:
        model, choices = choose_model(dataset)
    model, run = composed(model, ranker), Run(training, progress=progress)
    if isinstance(explainer, NetworkConfig) and jointly:
        both = explainer.train_jointly(model, learned, run)
        run.end()
        return Fitted(dataset, model, both[0], explainer, both[1])
    recommender = fit_recommender(model, learned, run)
    if explainer is None:
        explainer, further = choose_explainer(recommender, dataset)
        choices = [*choices, *further]
    fitted = fit_explainer(explainer, recommender, dataset, run)
    run.end()
    return Fitted(dataset, model, recommender, explainer, fitted, tell(choices))


def fit_factors(
    dataset: Dataset, settings: FactorsConfig, model: Factors, explainer: ExplainerConfig | None
) -> Fitted:
    """Fit an explainer to factors that are there already; None takes the closed form.

    Raises:
        ArgumentError: the explainer is no settings, or needs what factors have not.
    """
    _check_settings("explainer", explainer)
    choices: list[Choice] = []
    if explainer is None:
        explainer, choices = choose_explainer(model, dataset)
    fitted = fit_explainer(explainer, model, dataset, Run(progress=False))
    return Fitted(dataset, settings, model, explainer, fitted, tell(choices))


def model_settings(model: Encoder | RecommenderConfig | Callable[..., object]) -> RecommenderConfig:
    """Return what an application brings as settings: an encoder, a function, or settings already.

    Raises:
        ArgumentError: it is none of these.
    """
    if hasattr(model, "fit") and hasattr(model, "restore"):
        return cast(RecommenderConfig, model)
    if callable(model) and not isinstance(model, Encoder | nn.Module):
        return ScoredBy(model)
    return WrappedConfig(model)  # type: ignore[arg-type]  # it says what is missing


def known_items(model: RecommenderConfig) -> pa.Table | None:
    """Return a table of the ids of the items that an encoder knows; None of any other model.

    Raises:
        ArgumentError: the ids are of several types.
    """
    if not isinstance(model, WrappedConfig):
        return None
    ids = model.encoder.item_ids
    try:
        return pa.table({"item_id": ids.tolist() if hasattr(ids, "tolist") else list(ids)})
    except pa.ArrowException as error:
        raise ArgumentError(
            f"{type(model.encoder).__name__}.item_ids are of several types ({error}); give the "
            "items as a table, items=…"
        ) from error


def check_training(training: object) -> None:
    """Refuse what does not say how to train.

    Raises:
        ArgumentError: it is neither a `TrainingConfig` nor None.
    """
    if training is not None and not hasattr(training, "checkpoint"):
        raise ArgumentError(f"training must be whyrec.TrainingConfig(…), not {training!r}")


def learned_from(dataset: Dataset, training: TrainingConfig | None) -> Dataset:
    """Return the data set with no more events of each user than are to be learned from."""
    if training is None or training.max_events_per_user is None:
        return dataset
    return dataset.with_interactions(capped(dataset.interactions, training.max_events_per_user))


def _check_settings(name: str, settings: object) -> None:
    if settings is not None and not hasattr(settings, "fit"):
        raise ArgumentError(
            f"{name} must be settings, such as whyrec.TwoTowerConfig() or "
            f"whyrec.NetworkConfig(), not {settings!r}"
        )
