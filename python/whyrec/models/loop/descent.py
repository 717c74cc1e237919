"""Takes steps as long as held-out data says that they help, and goes back to the best."""

import copy
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import cos, pi
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm.auto import tqdm

from whyrec.errors import TrainingError
from whyrec.models.loop.chance import Chance
from whyrec.models.loop.checkpoint import Identity, State
from whyrec.models.loop.run import Run, TrainingStep

_LARGEST_GRADIENT = 1.0
_WARM_UP = 0.05
"""Share of the steps in which the learning rate rises."""


@dataclass(frozen=True, slots=True)
class Look:
    """What held-out data says of the weights as they are."""

    metric: float

    share: float = 1.0
    """What is worth keeping beside the weights: the share of the prior that reaches the metric."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Learner:
    """What is trained, and how."""

    phase: str
    """Such as "recommender"; it tells checkpoints and what is logged apart."""

    network: nn.Module
    optimizer: torch.optim.Optimizer

    loss: Callable[[int], torch.Tensor | None]
    """Draws the lesson of the step of this number, from 0, and gives its loss; None where there is
    nothing to learn from.
    """

    look: Callable[[], Look] | None
    """None where there is no held-out data: all steps are taken then."""

    chance: tuple[Chance, ...]
    """All chance that a step and a look draw from comes from here."""

    identity: Identity

    metric: str = "NDCG"
    """What the metric is called beside the progress bar."""

    less_is_better: bool = False
    mixed_precision: bool = False

    clipped: nn.Module | None = None
    """The part of the network whose gradients are clipped; None clips those of all of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How far to go, how fast, and how often to look."""

    max_steps: int
    evaluate_every: int
    patience: int
    """Looks without improvement after which training stops."""

    cosine: bool = False
    """Whether the learning rates rise at first and then fall to zero along a cosine."""

    def shortened(self) -> "Pace":
        """Return half as many steps at most, and half the patience, for what has learned before."""
        return replace(self, max_steps=(self.max_steps + 1) // 2, patience=(self.patience + 1) // 2)


def train_to_best(learner: Learner, pace: Pace, run: Run) -> float:
    """Train, and leave the network as it was at the best look, or at the last step without looks.

    Returns:
        The share of the prior at the best look; 1 without looks.

    Raises:
        TrainingError: the loss is no longer finite. With a checkpoint, the best weights are kept
            and the same training, called again, ends with them.
        StorageError: a checkpoint that cannot be made or read.
    """
    return _Descent(learner, pace, run).go()


def learning_rate_share(step: int, n_steps: int) -> float:
    """Return the share of the learning rate at a step: it rises in a line and falls in a cosine."""
    rising = max(1, round(_WARM_UP * n_steps))
    if step < rising:
        return (step + 1) / rising
    return 0.5 + 0.5 * cos(pi * (step - rising) / max(1, n_steps - rising))


@dataclass(frozen=True, slots=True)
class _Best:
    """The best look so far."""

    look: Look
    step: int
    weights: dict[str, torch.Tensor]


class _Descent:
    """One training on its way."""

    def __init__(self, learner: Learner, pace: Pace, run: Run) -> None:
        self._learner, self._pace, self._run = learner, pace, run
        self._device = next(learner.network.parameters()).device
        self._rates = [group["lr"] for group in learner.optimizer.param_groups]
        self._checkpoint = run.checkpoint(learner.phase, learner.identity)
        self._began = time.perf_counter()
        self._step = 0
        self._best: _Best | None = None
        self._is_over = False

    def go(self) -> float:
        """Take all steps; see `train_to_best`."""
        learner = self._learner
        state = None if self._checkpoint is None else self._checkpoint.load()
        if state is not None:
            self._take_up(state)
        elif learner.look is not None:
            self._tell(None, self._keep_better(learner.look()))
        with tqdm(
            total=self._pace.max_steps,
            desc=f"{learner.phase}, training",
            initial=self._step,
            disable=not self._run.progress,
        ) as shown:
            while not self._is_over and self._step < self._last_step():
                self._advance(shown)
        if self._best is not None:
            learner.network.load_state_dict(self._best.weights)
        if self._checkpoint is not None and not self._is_over:
            self._checkpoint.keep_now(self._outcome(""))
        return 1.0 if self._best is None else self._best.look.share

    def _last_step(self) -> int:
        """Return the step after which to stop, as things are."""
        pace = self._pace
        if self._best is None:
            return pace.max_steps
        return min(pace.max_steps, self._best.step + pace.patience * pace.evaluate_every)

    def _advance(self, shown: "tqdm[Any]") -> None:
        """Take one step, look if it is time, and say and keep what has come of it."""
        learner, pace = self._learner, self._pace
        loss, look = self._descend(), None
        self._step += 1
        if self._step % pace.evaluate_every == 0 or self._step == pace.max_steps:
            self._check_weights()
        if learner.look is not None and self._step % pace.evaluate_every == 0:
            look = learner.look()
            best = self._keep_better(look)
            shown.set_postfix({learner.metric: f"{look.metric:.4f}", "best": f"{best.metric:.4f}"})
        shown.update()
        self._tell(loss, look)
        if self._checkpoint is not None:
            self._checkpoint.keep(self._state)

    def _descend(self) -> float | None:
        """Take a step down the gradient of the loss, clipped."""
        learner, optimizer = self._learner, self._learner.optimizer
        share = learning_rate_share(self._step, self._pace.max_steps) if self._pace.cosine else 1.0
        for group, rate in zip(optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * share
        loss = self._loss()
        if loss is None:
            return None
        value = loss.item()
        if not np.isfinite(value):
            raise self._diverged(
                f"the loss of the {learner.phase} is {value} in step {self._step + 1}"
            )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        clipped = learner.network if learner.clipped is None else learner.clipped
        nn.utils.clip_grad_norm_(clipped.parameters(), _LARGEST_GRADIENT)
        optimizer.step()
        return value

    def _loss(self) -> torch.Tensor | None:
        if not self._learner.mixed_precision:
            return self._learner.loss(self._step)
        with torch.autocast(self._device.type, torch.bfloat16):
            return self._learner.loss(self._step)

    def _check_weights(self) -> None:
        """Refuse weights that the last step has spoilt: no look may find anything good in them."""
        parameters = self._learner.network.parameters()
        if not all(torch.isfinite(each).all() for each in parameters):
            raise self._diverged(
                f"weights of the {self._learner.phase} are no longer finite after step {self._step}"
            )

    def _diverged(self, what: str) -> TrainingError:
        """Keep the best weights as the outcome, and return the error that says so."""
        *others, last = (f"{rate:g}" for rate in self._rates)
        rates = f"{', '.join(others)} and {last}" if others else last
        message = f"{what}; lower the learning rates (now {rates})"
        if self._best is None or not self._best.step:
            return TrainingError(message)
        step = self._best.step
        if self._checkpoint is None:
            hint = "with TrainingConfig(checkpoint=…) they would be kept"
        elif self._checkpoint.keep_now(self._outcome(message)):
            hint = f"they are kept in {self._checkpoint}, and the same fit again ends with them"
        else:
            hint = "they could not be kept"
        return TrainingError(f"{message}. The best weights were those after step {step}: {hint}")

    def _keep_better(self, look: Look) -> Look:
        """Keep the weights if they are better than the best, and return the look at the best."""
        best = self._best
        if best is None or (
            look.metric < best.look.metric
            if self._learner.less_is_better
            else look.metric > best.look.metric
        ):
            weights = copy.deepcopy(self._learner.network.state_dict())
            best = self._best = _Best(look, self._step, weights)
        return best.look

    def _state(self) -> State:
        """Return all that going on from here depends on."""
        learner = self._learner
        arrays = _named("network", learner.network.state_dict()) | self._of_best(self._best)
        for index, moments in learner.optimizer.state_dict()["state"].items():
            arrays |= _named(f"optimizer.{index}", moments)
        for number, chance in enumerate(learner.chance):
            arrays[f"generator.{number}"] = chance.generator.get_state().numpy()
        arrays["step"] = np.array(self._step)
        arrays["seconds"] = np.array(time.perf_counter() - self._began)
        randoms = [chance.random.bit_generator.state for chance in learner.chance]
        return State(arrays, {"is_over": False, "random": randoms})

    def _outcome(self, message: str) -> State:
        """Return what the training ends with, and why it ended if it was too early."""
        best = self._best or _Best(Look(np.nan), self._step, self._learner.network.state_dict())
        return State(self._of_best(best), {"is_over": True, "message": message})

    def _of_best(self, best: _Best | None) -> dict[str, np.ndarray[Any, Any]]:
        if best is None:
            return {}
        look = np.array([best.look.metric, best.look.share])
        return _named("best", best.weights) | {"best_look": look, "best_step": np.array(best.step)}

    def _take_up(self, state: State) -> None:
        """Go on from a state that was kept."""
        learner, arrays = self._learner, state.arrays
        if "best_step" in arrays:
            metric, share = arrays["best_look"].tolist()
            weights = _tensors("best", arrays, self._device)
            self._best = _Best(Look(metric, share), int(arrays["best_step"]), weights)
        if state.values["is_over"]:
            self._is_over = True
            if state.values["message"]:
                warnings.warn(
                    f"the {learner.phase} has the best weights of a training that failed: "
                    f"{state.values['message']}",
                    RuntimeWarning,
                    stacklevel=2,
                )
            return
        learner.network.load_state_dict(_tensors("network", arrays, self._device))
        of_parameter: dict[int, dict[str, torch.Tensor]] = {}
        for name, tensor in _tensors("optimizer", arrays, torch.device("cpu")).items():
            index, _, moment = name.partition(".")
            of_parameter.setdefault(int(index), {})[moment] = tensor
        groups = learner.optimizer.state_dict()["param_groups"]
        learner.optimizer.load_state_dict({"state": of_parameter, "param_groups": groups})
        for number, chance in enumerate(learner.chance):
            chance.generator.set_state(torch.tensor(arrays[f"generator.{number}"]))
            chance.random.bit_generator.state = state.values["random"][number]
        self._step = int(arrays["step"])
        self._began -= float(arrays["seconds"])

    def _tell(self, loss: float | None, look: Look | None) -> None:
        if self._run.config.log is not None:
            self._run.config.log(
                TrainingStep(
                    self._learner.phase,
                    self._step,
                    loss,
                    None if look is None else look.metric,
                    max(group["lr"] for group in self._learner.optimizer.param_groups),
                    time.perf_counter() - self._began,
                )
            )


def _named(kind: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, np.ndarray[Any, Any]]:
    return {f"{kind}.{name}": each.detach().cpu().numpy() for name, each in tensors.items()}


def _tensors(
    kind: str, arrays: Mapping[str, np.ndarray[Any, Any]], device: torch.device
) -> dict[str, torch.Tensor]:
    """Return what `_named` was given."""
    return {
        name.removeprefix(f"{kind}."): torch.tensor(each, device=device)
        for name, each in arrays.items()
        if name.startswith(f"{kind}.")
    }
