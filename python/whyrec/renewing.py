"""Goes on from a fitted SDK: new events, users and items, with or without training."""

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np

from whyrec.data.dataset import Dataset
from whyrec.data.grown import grown
from whyrec.errors import ArgumentError
from whyrec.explain import NetworkConfig
from whyrec.explain.explainer import fit_explainer, refit_explainer, update_explainer
from whyrec.feedback import Event, ReasonRating, Store
from whyrec.feedback.called_wrong import called_wrong
from whyrec.feedback.recorded import with_recorded
from whyrec.fitting import check_training, fit_all, learned_from
from whyrec.models import DeepRankerConfig, RecommenderConfig, RestorableConfig, Run, TrainingConfig
from whyrec.models.recommender import Before, CompanionableConfig, renewable
from whyrec.saved import Fitted

_USUAL_WEIGHT = 1.0
"""Of reasons that were called wrong, where the recommender learns from them."""


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
    fitted: Fitted,
    dataset: Dataset,
    ratings: Sequence[ReasonRating],
    *,
    wrong_weight: float | None,
    training: TrainingConfig | None,
    progress: bool,
) -> Fitted:
    """Train recommender and explainer on all that is known by now, from what they are on.

    They begin anew where weights may know somebody who was forgotten, and where recommender and
    explainer learn together.

    Args:
        fitted: what goes on.
        dataset: all that is known by now.
        ratings: of reasons, oldest first.
        wrong_weight: what those that were called wrong count for; see `SDK.refit`.
        training: where to train, and what to tell and keep on the way.
        progress: whether to show progress bars.

    Raises:
        ArgumentError: the recommender cannot go on from what it has learned, or learns nothing
            from ratings and is to.
        TrainingError: training that cannot go on.
        StorageError: a checkpoint that cannot be made or read.
    """
    check_training(training)
    config, explainer_config = renewable(fitted.model_config), fitted.explainer_config
    n_forgotten, dataset = dataset.forgotten, replace(dataset, forgotten=0)
    jointly = isinstance(explainer_config, NetworkConfig) and explainer_config.joint_weight > 0
    weight = _weight(config, wrong_weight, jointly=jointly)
    if jointly:
        return fit_all(
            dataset,
            model=cast(RecommenderConfig, config),
            ranker=None,
            explainer=explainer_config,
            training=training,
            progress=progress,
        )
    run = Run(training, progress=progress)
    anew = n_forgotten > 0 and hasattr(config, "fit")
    before = Before(
        fitted.dataset,
        {} if anew else fitted.model.arrays(),
        called_wrong(dataset, ratings) if weight else (),
        weight,
    )
    model = config.refit(learned_from(dataset, training), before, run)
    if anew:
        explainer = fit_explainer(explainer_config, model, dataset, run)
    else:
        learned = fitted.explainer.arrays()
        explainer = refit_explainer(explainer_config, model, dataset, learned, run)
    run.end()
    return replace(fitted, dataset=dataset, model=model, explainer=explainer)


def without_forgotten(fitted: Fitted, before: Dataset, now: Dataset, store: Store | None) -> Fitted:
    """Leave out who was forgotten while a model was made; it counts as one who knows of them.

    Args:
        fitted: what was made.
        before: the data set that it was made from.
        now: the same as it has become meanwhile.
        store: that recorded events came from.
    """
    dataset = fitted.dataset
    gone = [each for each in before.users if each not in now.users]
    if store is not None and dataset.recorded is not None:
        met = set(store.table(Event)["user_id"].objects())
        n_own = np.bincount(
            dataset.interactions.users()[~dataset.recorded], minlength=dataset.n_users
        )
        n_all = np.diff(dataset.interactions.offsets)
        only_recorded = np.flatnonzero((n_own == 0) & (n_all > 0))
        gone += [
            user
            for user in (dataset.users[row] for row in only_recorded.tolist())
            if user not in met and user not in now.users
        ]
    for user in gone:
        if user in dataset.users:
            dataset = dataset.without_user(user)
    return fitted if dataset is fitted.dataset else fitted.fitted_on(dataset)


def _weight(config: RestorableConfig, asked: float | None, *, jointly: bool) -> float:
    """Return what reasons that were called wrong count for.

    Raises:
        ArgumentError: no such number, or nothing that learns from it.
    """
    if asked is not None and not 0 <= asked < np.inf:
        raise ArgumentError(f"wrong_weight must be a number from 0, not {asked!r}")
    towers = config.retrieval if isinstance(config, DeepRankerConfig) else config
    can_learn = isinstance(towers, CompanionableConfig) and not jointly
    if asked and not can_learn:
        raise ArgumentError(
            "wrong_weight: only two towers, with or without a ranker on them, learn from reasons "
            f"that were called wrong, not {type(towers).__name__}"
            + (" that learns with its explainer" if jointly else "")
            + "; leave it out"
        )
    return _USUAL_WEIGHT if asked is None and can_learn else asked or 0.0
