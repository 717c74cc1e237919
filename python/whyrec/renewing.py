"""Goes on from a fitted SDK: new events, users and items, with or without training."""

from dataclasses import replace
from typing import cast

from whyrec.data.dataset import Dataset
from whyrec.data.grown import grown
from whyrec.explain import NetworkConfig
from whyrec.explain.explainer import refit_explainer, update_explainer
from whyrec.feedback import Store
from whyrec.feedback.recorded import with_recorded
from whyrec.fitting import check_training, fit_all
from whyrec.models import RecommenderConfig, Run, TrainingConfig
from whyrec.models.recommender import Before, renewable
from whyrec.saved import Fitted


def all_known(
    fitted: Fitted,
    store: Store | None,
    events: object | None,
    items: object | None,
    users: object | None,
) -> Dataset:
    """Return all that is known by now: what was fitted, then the tables, then what was recorded.

    Raises:
        DataError: a table, a column or a row cannot be used; the message says which.
        StoreError: the store cannot be read.
    """
    known = fitted.dataset.settled() if store is None else fitted.dataset.unrecorded()
    known = grown(known, events, items, users)
    return known if store is None else with_recorded(known, store)


def update(fitted: Fitted, dataset: Dataset) -> Fitted:
    """Return the same model over all that is known by now; nothing is trained in steps.

    Raises:
        ArgumentError: the recommender cannot be built over these items.
    """
    before = Before(fitted.dataset, fitted.model.arrays())
    model = renewable(fitted.model_config).update(dataset, before)
    explainer = update_explainer(fitted.explainer_config, model, dataset, fitted.explainer.arrays())
    return replace(fitted, dataset=dataset, model=model, explainer=explainer)


def refit(
    fitted: Fitted, dataset: Dataset, training: TrainingConfig | None, progress: bool
) -> Fitted:
    """Train recommender and explainer on all that is known by now, from what they are on.

    They begin anew where weights may know somebody who was forgotten, and where recommender and
    explainer learn together.

    Raises:
        ArgumentError: the recommender cannot go on from what it has learned.
        TrainingError: training that cannot go on.
        StorageError: a checkpoint that cannot be made or read.
    """
    check_training(training)
    config, explainer_config = renewable(fitted.model_config), fitted.explainer_config
    n_forgotten, dataset = dataset.forgotten, replace(dataset, forgotten=0)
    jointly = isinstance(explainer_config, NetworkConfig) and explainer_config.joint_weight > 0
    if (n_forgotten or jointly) and hasattr(config, "fit"):
        return fit_all(
            dataset,
            model=cast(RecommenderConfig, config),
            ranker=None,
            explainer=explainer_config,
            training=training,
            progress=progress,
        )
    run = Run(training, progress=progress)
    model = config.refit(dataset, Before(fitted.dataset, fitted.model.arrays()), run)
    explainer = refit_explainer(explainer_config, model, dataset, fitted.explainer.arrays(), run)
    run.end()
    return replace(fitted, dataset=dataset, model=model, explainer=explainer)
