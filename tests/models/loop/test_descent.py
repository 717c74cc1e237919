"""The loop by itself, on a network of one number whose best place is known."""

import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from whyrec.data.dataset import Dataset
from whyrec.errors import TrainingError
from whyrec.models.loop import (
    Chance,
    Identity,
    Learner,
    Look,
    Pace,
    Run,
    TrainingConfig,
    TrainingStep,
    train_to_best,
)
from whyrec.models.loop.descent import learning_rate_share

PACE = Pace(max_steps=40, evaluate_every=4, patience=3)


class Point(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.zeros(3))


@pytest.fixture
def learner(shop: Dataset) -> Callable[[], Learner]:
    """Make learners that walk to a place that each step draws about 1, and are best at a half."""

    def make() -> Learner:
        point, random = Point(), np.random.default_rng(3)
        generator = torch.Generator().manual_seed(4)

        def loss(_: int) -> torch.Tensor:
            drawn = torch.from_numpy(random.normal(1, 0.1, 3)) + torch.rand(3, generator=generator)
            return ((point.place - drawn) ** 2).sum()

        return Learner(
            phase="walk",
            network=point,
            optimizer=torch.optim.AdamW(point.parameters(), 0.05),
            loss=loss,
            look=lambda: Look(-abs(point.place.mean().item() - 0.5), point.place[0].item()),
            chance=(Chance(random, generator),),
            identity=Identity(shop, (PACE,)),
        )

    return make


def place(learner: Learner) -> bytes:
    assert isinstance(learner.network, Point)
    return learner.network.place.detach().numpy().tobytes()


def quiet(path: Path | None = None, log: Callable[[TrainingStep], object] | None = None) -> Run:
    return Run(TrainingConfig(checkpoint=path, checkpoint_seconds=0, log=log), progress=False)


def test_the_best_weights_are_kept_with_the_share_of_their_look(
    learner: Callable[[], Learner],
) -> None:
    walk, steps = learner(), list[TrainingStep]()
    share = train_to_best(walk, PACE, quiet(log=steps.append))
    looks = {at.step: at.metric for at in steps if at.metric is not None}
    best = max(looks, key=lambda step: looks[step] or 0)
    assert [*looks] == list(range(0, best + 13, 4))  # three looks beyond the best
    assert 0 < best < 28
    short = learner()
    assert train_to_best(replace(short, look=None), replace(PACE, max_steps=best), quiet()) == 1
    assert place(walk) == place(short)
    assert isinstance(walk.network, Point)
    assert share == walk.network.place[0].item()


def test_where_less_is_better_the_least_is_kept(learner: Callable[[], Learner]) -> None:
    more, less = learner(), learner()
    assert isinstance(less.network, Point)
    of_less = less.network
    turned = replace(
        less, less_is_better=True, look=lambda: Look(abs(of_less.place.mean().item() - 0.5))
    )
    train_to_best(turned, PACE, quiet())
    train_to_best(more, PACE, quiet())
    assert place(turned) == place(more)


def test_every_step_is_told(learner: Callable[[], Learner]) -> None:
    steps: list[TrainingStep] = []
    train_to_best(learner(), replace(PACE, max_steps=6, cosine=True), quiet(log=steps.append))
    assert [at.step for at in steps] == list(range(7))
    assert {at.phase for at in steps} == {"walk"}
    assert [at.metric is not None for at in steps] == [step in (0, 4) for step in range(7)]
    assert [at.loss is None for at in steps] == [step == 0 for step in range(7)]
    rates = [at.learning_rate for at in steps[1:]]
    assert rates == [0.05 * learning_rate_share(step, 6) for step in range(6)]
    assert (np.diff([at.seconds for at in steps]) > 0).all()
    assert steps[2].values().keys() == {"walk/loss", "walk/learning_rate", "walk/seconds"}
    assert steps[4].values()["walk/metric"] == steps[4].metric


def test_tensorboard_takes_the_steps(learner: Callable[[], Learner], tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(tmp_path)) as writer:
        log = lambda at: [writer.add_scalar(*each, at.step) for each in at.values().items()]  # noqa: E731
        train_to_best(learner(), replace(PACE, max_steps=4), quiet(log=log))
    (written,) = tmp_path.iterdir()
    assert all(name in written.read_bytes() for name in (b"walk/loss", b"walk/metric"))


def test_steps_without_a_lesson_are_passed_over(learner: Callable[[], Learner]) -> None:
    walk, steps = learner(), list[TrainingStep]()
    odd = replace(walk, loss=lambda step: None if step % 2 else walk.loss(step), look=None)
    train_to_best(odd, replace(PACE, max_steps=6), quiet(log=steps.append))
    assert [at.step for at in steps if at.loss is not None] == [1, 3, 5]
    every = learner()
    train_to_best(replace(every, look=None), replace(PACE, max_steps=3), quiet())
    assert place(odd) == place(every)


@pytest.mark.parametrize("cosine", [True, False])
@pytest.mark.parametrize("with_looks", [True, False])
def test_a_training_that_is_cut_off_anywhere_goes_on_to_the_same_bits(
    learner: Callable[[], Learner], tmp_path: Path, with_looks: bool, cosine: bool
) -> None:
    def walk() -> Learner:
        made = learner()
        return made if with_looks else replace(made, look=None)

    class CutOffError(Exception):
        pass

    def cut(at: TrainingStep) -> None:
        told.append(at.step)
        if at.step in left:
            left.remove(at.step)
            raise CutOffError

    pace, whole, told = replace(PACE, cosine=cosine), walk(), list[int]()
    share = train_to_best(whole, pace, quiet())
    left = {0, 1, 2, 7, 8, 15} if with_looks else {1, 2, 7, 8, 15}
    for _ in range(len(left)):
        with pytest.raises(CutOffError):
            train_to_best(walk(), pace, quiet(tmp_path, cut))
    told.clear()
    last = walk()
    assert train_to_best(last, pace, quiet(tmp_path, cut)) == share
    assert place(last) == place(whole)
    assert told[0] == 15  # what is told comes before what is kept
    again = walk()
    told.clear()
    assert train_to_best(again, pace, quiet(tmp_path, cut)) == share  # it is over
    assert (place(again), told) == (place(whole), [])


def test_seconds_go_on_where_they_were(learner: Callable[[], Learner], tmp_path: Path) -> None:
    steps: list[TrainingStep] = []

    def stop(at: TrainingStep) -> None:
        steps.append(at)
        if at.step == 5 and len(steps) < 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_to_best(learner(), PACE, quiet(tmp_path, stop))
    n_told = len(steps)
    train_to_best(learner(), PACE, quiet(tmp_path, steps.append))
    assert steps[n_told].step == 5
    assert steps[n_told].seconds > steps[n_told - 2].seconds


def test_ctrl_c_leaves_nothing_half_written(learner: Callable[[], Learner], tmp_path: Path) -> None:
    def interrupt(at: TrainingStep) -> None:
        if at.step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_to_best(learner(), PACE, quiet(tmp_path, interrupt))
    (kept,) = tmp_path.iterdir()
    assert sorted(path.suffix for path in kept.iterdir()) == [".json", ".json", ".safetensors"]


def exploding(walk: Learner, step: int, what: float = math.nan) -> Learner:
    def loss(at: int) -> torch.Tensor | None:
        drawn = walk.loss(at)
        assert drawn is not None
        return drawn * what if at == step - 1 else drawn

    return replace(walk, loss=loss)


@pytest.mark.parametrize("what", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_is_told_with_the_step_and_the_rates(
    learner: Callable[[], Learner], what: float
) -> None:
    told = re.escape(f"the loss of the walk is {what} in step 3; lower the learning rates (now 0.")
    with pytest.raises(TrainingError, match=told):
        train_to_best(exploding(learner(), 3, what), PACE, quiet())


def test_weights_that_the_last_step_spoils_are_not_looked_at(
    learner: Callable[[], Learner],
) -> None:
    walk = learner()
    # So steep that the gradient is infinite, while the loss is not.
    spoilt = replace(walk, loss=lambda _: (walk.network.place**2).sum().sqrt())  # type: ignore[operator]
    with pytest.raises(TrainingError, match="weights of the walk are no longer finite after step"):
        train_to_best(spoilt, replace(PACE, max_steps=1), quiet())


def test_the_best_weights_of_a_training_that_fails_are_kept(
    learner: Callable[[], Learner], tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match=r"after step 8: with TrainingConfig\(checkpoint=…\)"):
        train_to_best(exploding(learner(), 10), PACE, quiet())
    with pytest.raises(TrainingError, match=r"after step 8: they are kept in .*walk-.*same fit"):
        train_to_best(exploding(learner(), 10), PACE, quiet(tmp_path))
    best, expected = learner(), learner()
    with pytest.warns(RuntimeWarning, match=r"best weights of a training that failed: the loss"):
        train_to_best(best, PACE, quiet(tmp_path))
    train_to_best(expected, replace(PACE, max_steps=8), quiet())
    assert place(best) == place(expected)


def test_nothing_is_kept_of_a_training_that_never_was_better_than_its_start(
    learner: Callable[[], Learner], tmp_path: Path
) -> None:
    for _ in range(2):
        with pytest.raises(TrainingError, match=r"\(now 0\.05\)$"):
            train_to_best(exploding(learner(), 2), PACE, quiet(tmp_path))


def test_the_learning_rate_rises_and_falls_to_zero() -> None:
    shares = [learning_rate_share(step, 200) for step in range(201)]
    assert shares[0] == 0.1
    assert max(shares) == shares[9] == 1.0
    assert (np.diff(shares[10:]) <= 0).all()
    assert shares[-1] == pytest.approx(0)


def test_a_gradient_is_clipped(learner: Callable[[], Learner]) -> None:
    one, other = learner(), learner()
    ends = []
    for walk, factor in ((one, 1e3), (other, 1e6)):
        optimizer = torch.optim.SGD(walk.network.parameters(), 0.05)
        steep = replace(
            walk,
            optimizer=optimizer,
            look=None,
            loss=lambda at, walk=walk, factor=factor: walk.loss(at) * factor,  # type: ignore[misc]
        )
        train_to_best(steep, replace(PACE, max_steps=1), quiet())
        assert isinstance(walk.network, Point)
        ends.append(walk.network.place.detach())
    assert ends[0].norm() == pytest.approx(0.05, rel=1e-4)
    torch.testing.assert_close(*ends)


def test_mixed_precision_is_on_where_the_learner_asks(learner: Callable[[], Learner]) -> None:
    for asked in (True, False):
        walk, seen = learner(), list[bool]()

        def loss(step: int, walk: Learner = walk, seen: list[bool] = seen) -> torch.Tensor | None:
            seen.append(torch.is_autocast_enabled("cpu"))
            return walk.loss(step)

        def look(walk: Learner = walk) -> Look:
            assert not torch.is_autocast_enabled("cpu")
            assert walk.look is not None
            return walk.look()

        train_to_best(
            replace(walk, loss=loss, look=look, mixed_precision=asked),
            replace(PACE, max_steps=4),
            quiet(),
        )
        assert seen == [asked] * 4
