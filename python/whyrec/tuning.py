"""Searches better settings of a recommender on held-out events, within a budget of seconds."""

import time
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from tqdm.auto import tqdm

from whyrec.choosing import Choice, choose_model
from whyrec.data.dataset import Dataset
from whyrec.errors import ArgumentError, MissingDependencyError, TrainingError
from whyrec.explain import ShapleyConfig
from whyrec.fitting import fit_all
from whyrec.models import (
    DeepRankerConfig,
    EASEConfig,
    RecommenderConfig,
    SequenceConfig,
    TrainingConfig,
    TrainingStep,
    TwoTowerConfig,
)
from whyrec.models.ranker_config import composed
from whyrec.models.validation import hold_out, hold_out_last
from whyrec.pipeline import Pipeline
from whyrec.settings import check_numbers

if TYPE_CHECKING:
    import optuna

_SHARE = 0.1
"""Of the events of each user held out, where order does not count."""

_METRIC = "NDCG@10"
_DIMENSIONS = (64, 128, 256)


@dataclass(frozen=True, kw_only=True)
class TuneConfig:
    """Settings of the search of `SDK.fit(…, tune=…)`, which needs the extra `tune`."""

    seconds: float = 600.0
    """Of the search; the fit with what it has found comes after it."""

    max_trials: int | None = None
    """The most settings that are tried; None tries as many as time allows. The same number of
    trials, if time allows them all, finds the same settings.
    """

    seed: int = 0
    """Of what is tried and of what is held out."""

    def __post_init__(self) -> None:
        check_numbers(self, may_be_zero=("seed",))
        if self.max_trials is not None and self.max_trials < 1:
            raise ArgumentError(f"max_trials must be at least 1, not {self.max_trials}")


class _OutOfTimeError(Exception):
    """What ends a training when the budget is spent."""


def tuned(
    dataset: Dataset,
    model: RecommenderConfig | None,
    ranker: DeepRankerConfig | None,
    tune: TuneConfig | bool,
    training: TrainingConfig | None,
    *,
    progress: bool,
) -> tuple[RecommenderConfig, list[Choice]]:
    """Return the settings that rank held-out events best, and how they were chosen.

    The settings that are given, or chosen by the data, are tried first, and stay if none are
    better. The last event of each user is held out for a sequence, a tenth of them at random for
    any other model. Ctrl-C ends the search with the best so far.

    Source: the trials are drawn by the tree-structured Parzen estimator of Optuna.

    Raises:
        ArgumentError: tune is no settings, or model and ranker do not go together.
        MissingDependencyError: Optuna is not installed.
        TrainingError: the settings that are given cannot be trained.
    """
    tune = TuneConfig() if tune is True else tune
    if not isinstance(tune, TuneConfig):
        raise ArgumentError(f"tune must be True or whyrec.TuneConfig(…), not {tune!r}")
    study = _study(tune.seed)
    choices: list[Choice] = []
    if model is None and ranker is None:
        model, choices = choose_model(dataset)
    config = composed(model, ranker)
    last = isinstance(getattr(config, "retrieval", config), SequenceConfig)
    hold = hold_out_last if last else hold_out
    part, validation = hold(dataset, 1.0 if last else _SHARE, tune.seed)
    if not isinstance(config, DeepRankerConfig | TwoTowerConfig | SequenceConfig | EASEConfig):
        why = f"{type(config).__name__} has no settings to search"
        return config, [*choices, Choice("tuning", "none", why)]
    if validation is None:
        why = "events are too few to hold some out"
        return config, [*choices, Choice("tuning", "none", why)]
    held_out = validation.held_out

    def score(candidate: RecommenderConfig, training: TrainingConfig) -> float:
        explainer = ShapleyConfig()  # is asked nothing, and so costs nothing
        fitted = fit_all(
            part,
            model=candidate,
            ranker=None,
            explainer=explainer,
            training=training,
            progress=False,
        )
        return Pipeline(fitted).evaluate(part, held_out, (10,)).means()[_METRIC]

    search = _Search(study, config, score, tune, training or TrainingConfig())
    search.go(progress=progress)
    return search.best, [*choices, search.outcome()]


class _Search:
    """One search on its way."""

    def __init__(
        self,
        study: "optuna.Study",
        config: RecommenderConfig,
        score: Callable[[RecommenderConfig, TrainingConfig], float],
        tune: TuneConfig,
        training: TrainingConfig,
    ) -> None:
        self._study, self._first, self._score, self._tune = study, config, score, tune
        self._began = time.monotonic()
        self._training = replace(training, checkpoint=None, log=self._stop)
        self._n_tried = 0
        self._scores: list[float] = []
        self._ended = ""
        self.best = config

    def go(self, *, progress: bool) -> None:
        """Try the settings as they are, and then others, as long as there is time."""
        most = self._tune.max_trials
        with tqdm(total=most, desc="tuning, trials", disable=not progress) as shown:
            try:
                self._try(self._first, shown)
                while most is None or self._n_tried < most:
                    self._stop()
                    self._advance(shown)
            except _OutOfTimeError:
                self._ended = ", when time was over"
            except KeyboardInterrupt:
                if not self._scores:
                    raise
                self._ended = ", when it was interrupted"

    def outcome(self) -> Choice:
        """Tell what was found."""
        if not self._scores:
            return Choice("tuning", "as it was", f"no trial ended in {self._tune.seconds:g} s")
        first, best = self._scores[0], max(self._scores)
        why = (
            f"{_METRIC} of held-out events is {best:.4f}, and {first:.4f} as it was; the search "
            f"ended after {len(self._scores)} trials{self._ended}"
        )
        return Choice("tuning", _difference(self._first, self.best) or "as it was", why)

    def _advance(self, shown: "tqdm[Any]") -> None:
        """Try other settings; those that cannot be trained are told to be bad ones."""
        from optuna.trial import TrialState

        trial = self._study.ask()
        try:
            self._study.tell(trial, self._try(_drawn(self._first, trial), shown))
        except TrainingError:
            self._study.tell(trial, state=TrialState.FAIL)

    def _try(self, config: RecommenderConfig, shown: "tqdm[Any]") -> float:
        self._n_tried += 1
        shown.update()
        found = self._score(config, self._training)
        if self._scores and found > max(self._scores):
            self.best = config
        self._scores.append(found)
        shown.set_postfix({_METRIC: f"{found:.4f}", "best": f"{max(self._scores):.4f}"})
        return found

    def _stop(self, _: TrainingStep | None = None) -> None:
        """Stop if time is over; training asks after each step."""
        if time.monotonic() - self._began >= self._tune.seconds:
            raise _OutOfTimeError


def _study(seed: int) -> "optuna.Study":
    try:
        import optuna
    except ImportError as error:
        raise MissingDependencyError("tune=… needs Optuna: pip install 'whyrec[tune]'") from error
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # it would print that there is a study
    try:
        sampler = optuna.samplers.TPESampler(seed=seed)
        return optuna.create_study(direction="maximize", sampler=sampler)
    finally:
        optuna.logging.set_verbosity(before)


def _drawn(config: Any, trial: "optuna.Trial", part: str = "") -> Any:
    """Return the settings with those that matter most drawn anew."""

    def number(name: str, least: float, most: float, *, log: bool = True) -> float:
        return float(trial.suggest_float(part + name, least, most, log=log))

    found: dict[str, Any] = {}
    match config:
        case DeepRankerConfig():
            found["retrieval"] = _drawn(config.retrieval, trial, "retrieval.")
            found["learning_rate"] = number("learning_rate", 1e-4, 1e-3)
            found["dropout"] = number("dropout", 0.2, 0.7, log=False)
        case EASEConfig():
            found["l2"] = number("l2", 1.0, 5_000.0)
        case TwoTowerConfig() | SequenceConfig():
            towers = isinstance(config, TwoTowerConfig)
            sizes = [each for each in _DIMENSIONS if each % config.heads == 0]
            sizes = [each for each in sizes if each < config.dimension] + [config.dimension]
            found["dimension"] = trial.suggest_categorical(f"{part}dimension", sizes)
            found["l2"] = number("l2", 10.0, 2_000.0)
            found["learning_rate"] = number("learning_rate", 3e-4, 3e-3)
            least = 1e-6 if towers else 1e-5
            found["vector_learning_rate"] = number("vector_learning_rate", least, 100 * least)
            found["dropout"] = number("dropout", 0.0, 0.6, log=False)
    return replace(config, **found)


def _difference(before: Any, after: Any) -> str:
    """Name the settings that are others."""
    others = []
    for each in fields(before):
        old, new = getattr(before, each.name), getattr(after, each.name)
        if each.name == "retrieval":
            others.append(_difference(old, new))
        elif old != new:
            others.append(f"{each.name} {new:.4g}")
    return ", ".join(each for each in others if each)
