"""The search for better settings: what it finds, when it ends, and what it says of it."""

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from whyrec import (
    SDK,
    ArgumentError,
    DeepRankerConfig,
    EASEConfig,
    GradientPathConfig,
    MissingDependencyError,
    PopularityConfig,
    TrainingConfig,
    TrainingError,
    TuneConfig,
    TwoTowerConfig,
    tuning,
)
from whyrec.data.dataset import Dataset
from whyrec.fitting import fit_all
from whyrec.models import RecommenderConfig
from whyrec.models.linear import EASE
from whyrec.saved import Fitted

TOWER = TwoTowerConfig(dimension=16, heads=2, hidden=8, max_steps=8, evaluate_every=4)
RANKER = DeepRankerConfig(retrieval=TOWER, n_ranked=20, layers=(8,), max_steps=8, evaluate_every=4)
BAD = EASEConfig(l2=1e9)


@pytest.fixture
def optuna() -> Any:
    return pytest.importorskip("optuna")


def fit(dataset: Dataset, model: RecommenderConfig | None, tune: Any, **settings: Any) -> SDK:
    if not isinstance(model, EASEConfig | PopularityConfig):
        settings["explainer"] = GradientPathConfig()
    return SDK.fit_dataset(dataset, model=model, tune=tune, progress=False, **settings)


def config_of(sdk: SDK) -> Any:
    return sdk._fitted.model_config


@pytest.mark.usefixtures("optuna")
def test_what_ranks_held_out_events_better_is_found_and_fitted_on_all(world_data: Dataset) -> None:
    sdk = fit(world_data, BAD, TuneConfig(max_trials=8))
    assert config_of(sdk).l2 <= 5_000
    told, _ = sdk.choices
    assert told.what == "tuning"
    assert told.chosen == f"l2 {config_of(sdk).l2:.4g}"
    assert "ended after 8 trials" in told.why
    whole = config_of(sdk).fit(world_data)
    assert isinstance(sdk.recommender, EASE)
    assert (whole.weights == sdk.recommender.weights).all()


@pytest.mark.usefixtures("optuna")
def test_the_same_seed_and_number_of_trials_find_the_same(world_data: Dataset) -> None:
    found = [fit(world_data, BAD, TuneConfig(max_trials=4, seed=seed)) for seed in (1, 1, 2)]
    assert config_of(found[0]) == config_of(found[1]) != config_of(found[2])


@pytest.mark.usefixtures("optuna")
@pytest.mark.parametrize("model", [TOWER, RANKER])
def test_settings_of_each_part_are_searched(
    world_data: Dataset, monkeypatch: pytest.MonkeyPatch, model: RecommenderConfig
) -> None:
    tried: list[Any] = []

    def remember(dataset: Dataset, **settings: Any) -> Fitted:
        tried.append(settings["model"])
        return fit_all(dataset, **settings)

    monkeypatch.setattr(tuning, "fit_all", remember)

    fit(world_data, model, TuneConfig(max_trials=3))
    assert tried[0] == model
    assert len({repr(each) for each in tried}) == 3
    if isinstance(model, DeepRankerConfig):
        assert len({each.retrieval.l2 for each in tried}) == 3


@pytest.mark.usefixtures("optuna")
def test_time_ends_the_search_in_the_middle_of_a_training(world_data: Dataset) -> None:
    endless = replace(TOWER, max_steps=10**9, patience=10**9)
    part, choices = tuning.tuned(
        world_data, endless, None, TuneConfig(seconds=0.5), None, progress=False
    )
    assert part == endless
    assert [str(each) for each in choices] == ["tuning: as it was, since no trial ended in 0.5 s"]


def after(n_trials: int, error: BaseException) -> Callable[..., Fitted]:
    """Fit so many times, and then fail."""
    left = [n_trials]

    def failing(dataset: Dataset, **settings: Any) -> Fitted:
        if not left[0]:
            raise error
        left[0] -= 1
        return fit_all(dataset, **settings)

    return failing


@pytest.mark.usefixtures("optuna")
def test_an_interruption_keeps_the_best_so_far(
    world_data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "fit_all", after(3, KeyboardInterrupt()))
    sdk = fit(world_data, BAD, True)
    assert config_of(sdk).l2 <= 5_000
    assert "ended after 3 trials, when it was interrupted" in sdk.choices[0].why
    monkeypatch.setattr(tuning, "fit_all", after(0, KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):  # there is no best yet
        fit(world_data, BAD, True)


@pytest.mark.usefixtures("optuna")
def test_settings_that_cannot_be_trained_are_passed_over(
    world_data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "fit_all", after(1, TrainingError("the loss is nan")))
    sdk = fit(world_data, BAD, TuneConfig(max_trials=3))
    assert config_of(sdk) == BAD
    assert sdk.choices[0].chosen == "as it was"


@pytest.mark.usefixtures("optuna")
def test_where_there_is_nothing_to_search_nothing_is(world_data: Dataset) -> None:
    assert fit(world_data, PopularityConfig(), True).choices[0].chosen == "none"
    few = world_data.with_interactions(
        world_data.interactions.only(world_data.interactions.users() < 1)
    )
    assert fit(few, EASEConfig(), True).choices[0].why == "events are too few to hold some out"


def test_without_optuna_the_error_says_what_to_install(
    world_data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'whyrec\[tune\]'"):
        fit(world_data, EASEConfig(), True)


@pytest.mark.parametrize("settings", [{"seconds": -1.0}, {"max_trials": 0}, {"seed": -1}])
def test_a_budget_that_is_none_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match=next(iter(settings))):
        TuneConfig(**settings)


def test_what_is_no_tune_config_is_refused(world_data: Dataset) -> None:
    with pytest.raises(ArgumentError, match=r"tune must be True or whyrec\.TuneConfig"):
        fit(world_data, EASEConfig(), 60)


@pytest.mark.usefixtures("optuna")
def test_the_log_and_the_checkpoint_of_the_caller_are_those_of_the_fit(
    world_data: Dataset, tmp_path: Any
) -> None:
    steps: list[int] = []
    training = TrainingConfig(log=lambda at: steps.append(at.step), checkpoint=tmp_path)
    fit(world_data, TOWER, TuneConfig(max_trials=2), training=training)
    assert steps == sorted(steps)  # of one training
    assert len(steps) > 1
