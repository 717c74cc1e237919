"""How a fit goes about its training: where it computes, what it tells and what it keeps."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import torch

from whyrec.errors import ArgumentError
from whyrec.models.loop.checkpoint import Checkpoint, Identity
from whyrec.settings import check_numbers


@dataclass(frozen=True, slots=True)
class TrainingStep:
    """What is told of a step of training.

    >>> TrainingStep("recommender", 1, 6.5, None, 0.001, 0.2).values()
    {'recommender/loss': 6.5, 'recommender/learning_rate': 0.001, 'recommender/seconds': 0.2}
    """

    phase: str
    """What is trained: "recommender", "ranker" or "explainer"."""

    step: int
    """Its number, from 1; 0 stands for the look before the first step."""

    loss: float | None
    """None before the first step, and in a step without anything to learn from."""

    metric: float | None
    """What a look at held-out data found: the NDCG@10 of a recommender or a ranker, the error of an
    explainer, which is the better the lower. None in a step without a look.
    """

    learning_rate: float
    """The highest of the step."""

    seconds: float
    """Since the training began; what a restart from a checkpoint lost does not count."""

    def values(self) -> dict[str, float]:
        """Return the numbers that there are, each named as in "recommender/loss"."""
        named = {
            "loss": self.loss,
            "metric": self.metric,
            "learning_rate": self.learning_rate,
            "seconds": self.seconds,
        }
        return {f"{self.phase}/{name}": each for name, each in named.items() if each is not None}


Log: TypeAlias = Callable[[TrainingStep], object]
"""Takes what is told of each step; what it returns is ignored, what it raises ends the training."""


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How `SDK.fit` trains, whatever the model: where, and what it tells and keeps on the way.

    TensorBoard and MLflow take the steps by a line each:

        log=lambda at: [writer.add_scalar(*each, at.step) for each in at.values().items()]
        log=lambda at: mlflow.log_metrics(at.values(), at.step)

    >>> import whyrec
    >>> world = whyrec.datasets.synthetic(seed=0, n_users=40, n_items=30)
    >>> steps: list[whyrec.TrainingStep] = []
    >>> sdk = whyrec.SDK.fit(
    ...     world.events,
    ...     model=whyrec.TwoTowerConfig(dimension=16, max_steps=20),
    ...     explainer=whyrec.GradientPathConfig(),
    ...     training=whyrec.TrainingConfig(log=steps.append),
    ...     progress=False,
    ... )
    >>> [(at.phase, at.step) for at in steps if at.metric is not None]
    [('recommender', 0), ('recommender', 10), ('recommender', 20)]
    """

    device: str | None = None
    """Where recommenders are trained, such as "cpu" or "cuda:1"; None takes CUDA or MPS where it is
    there. What is fitted comes back to the CPU. The promise of the same bits is for the CPU.
    Rankers, and recommenders together with an explainer, are trained on the CPU.
    """

    mixed_precision: bool | None = None
    """Whether recommenders multiply matrices in bfloat16 while they learn; None does so on CUDA
    where the hardware has it.
    """

    checkpoint: str | os.PathLike[str] | None = None
    """A directory to keep the state of the training in, so that the same fit, called again after a
    kill, goes on where it was and ends with the same bits. The same fit is one of the same data,
    settings and versions; any other keeps a state of its own beside it. A fit that ends removes
    what it has kept. None keeps nothing.
    """

    checkpoint_seconds: float = 60.0
    """The least time from one state that is kept to the next; 0 keeps each step."""

    log: Log | None = None
    """Called with each step of training."""

    max_events_per_user: int | None = None
    """How many events of a user are learned from, at most: drawn at random, and one with each item,
    the last. It bounds what one user adds to the scores of others: one to the count of an item and
    to that of two items together, and so many in all. Answers are still drawn from whole histories.
    None learns from all.
    """

    def __post_init__(self) -> None:
        check_numbers(self)
        most = self.max_events_per_user
        if most is not None and most < 1:
            raise ArgumentError(f"max_events_per_user must be at least 1, not {most}")
        find_device(self.device)


class Run:
    """One fit while it goes on."""

    def __init__(self, config: TrainingConfig | None = None, *, progress: bool = True) -> None:
        self.config = config or TrainingConfig()
        self.progress = progress
        self.device = find_device(self.config.device)
        self._checkpoints: list[Checkpoint] = []

    @property
    def mixed_precision(self) -> bool:
        """Whether matrices are multiplied in bfloat16."""
        asked = self.config.mixed_precision
        if asked is None:
            return self.device.type == "cuda" and torch.cuda.is_bf16_supported()
        return asked

    def on_cpu(self, what: str) -> "Run":
        """Return the same run on the CPU, for what is trained nowhere else.

        Raises:
            ArgumentError: another device was asked for.
        """
        if self.config.device is not None and self.device.type != "cpu":
            raise ArgumentError(
                f"{what} is trained on the CPU, not on {self.config.device!r}; leave device=None"
            )
        run = Run(replace(self.config, device="cpu"), progress=self.progress)
        run._checkpoints = self._checkpoints
        return run

    def checkpoint(self, phase: str, identity: Identity) -> Checkpoint | None:
        """Open the checkpoint of a phase; None where none is to be kept.

        Raises:
            StorageError: the directory cannot be made.
        """
        if self.config.checkpoint is None:
            return None
        told_apart = identity.digest(str(self.device), self.mixed_precision)
        path = Path(self.config.checkpoint) / f"{phase}-{told_apart}"
        opened = Checkpoint.open(path, self.config.checkpoint_seconds)
        self._checkpoints.append(opened)
        return opened

    def end(self) -> None:
        """Remove the checkpoints: everything is fitted."""
        for checkpoint in self._checkpoints:
            checkpoint.remove()


def find_device(name: str | None) -> torch.device:
    """Return the device of a name; for None CUDA or MPS where it is there, else the CPU.

    Raises:
        ArgumentError: there is no such device here.
    """
    if name is None:
        there = (each for each in ("cuda", "mps") if _why_not(each) is None)
        return torch.device(next(there, "cpu"))
    why_not = _why_not(name)
    if why_not is not None:
        raise ArgumentError(f"device {name!r} cannot be used ({why_not}); None takes one that can")
    return torch.device(name)


def _why_not(name: str) -> str | None:
    """Say why a device cannot be computed on; None where it can."""
    try:
        torch.zeros(1, device=name).cpu()
    except (AssertionError, NotImplementedError, RuntimeError) as error:  # as each device likes it
        return str(error).partition("\n")[0]
    return None
