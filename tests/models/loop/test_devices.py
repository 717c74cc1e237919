"""A second device, made of the CPU and a wall around it: what is on it may not meet what is not."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map_only

from whyrec.data.dataset import Dataset
from whyrec.errors import ArgumentError
from whyrec.models import Sequence, SequenceConfig, TwoTower, TwoTowerConfig
from whyrec.models.loop import Run, TrainingConfig, TrainingStep

ELSEWHERE = "meta"
"""The one device that PyTorch knows everywhere; tensors that are really there hold nothing."""

MOVES = {torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default}


class Elsewhere(torch.Tensor):
    """A tensor that says that it is on another device, and is held on the CPU."""

    held: torch.Tensor

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> "Elsewhere":
        made: Elsewhere = torch.Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=torch.device(ELSEWHERE),
        )
        assert held.dtype != torch.float64, "MPS knows no doubles"
        made.held = held
        return made

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return compute(func, args, kwargs or {})


class Wall(TorchDispatchMode):
    """Sees every operation, those that make a tensor too."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.n_seen = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = compute(func, args, kwargs or {})
        self.n_seen += any(isinstance(each, Elsewhere) for each in tree_flatten(result)[0])
        return result


def compute(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Do on the CPU what is asked, and say where the result is."""
    tensors = [each for each in tree_flatten((args, kwargs))[0] if isinstance(each, torch.Tensor)]
    there = [each for each in tensors if isinstance(each, Elsewhere)]
    # Numbers may go anywhere; the rest has to be moved.
    here = [each for each in tensors if not isinstance(each, Elsewhere) and each.dim()]
    assert not (there and here) or func in MOVES, f"{func} of tensors on two devices"
    goes_to, where = kwargs.get("device"), bool(there)
    if goes_to is not None:
        where = torch.device(goes_to).type == ELSEWHERE
        kwargs = kwargs | {"device": torch.device("cpu")}
    if func is torch.ops.aten.copy_.default:
        where = isinstance(args[0], Elsewhere)
    held = tree_map_only(Elsewhere, lambda each: each.held, (args, kwargs))
    result = func(*held[0], **held[1])
    if not where:
        return result
    known = {id(each.held): each for each in there}
    return tree_map_only(
        torch.Tensor, lambda each: known[id(each)] if id(each) in known else Elsewhere(each), result
    )


@pytest.fixture
def wall() -> Iterator[Wall]:
    with Wall() as wall:
        yield wall


def test_the_wall_sees_what_is_on_two_devices(wall: Wall) -> None:
    there = torch.ones(3, device=ELSEWHERE)
    assert (there + 1).sum().item() == 6
    assert (there.cpu() + torch.ones(3)).tolist() == [2.0, 2.0, 2.0]
    assert wall.n_seen
    with pytest.raises(AssertionError, match=r"add.* of tensors on two devices"):
        there + torch.ones(3)
    with pytest.raises(RuntimeError, match="numpy"):
        there.numpy()
    with pytest.raises(AssertionError, match="MPS knows no doubles"):
        there.double()


@pytest.mark.parametrize("with_looks", [True, False])
@pytest.mark.parametrize("full_softmax_items", [1, 1_000])
def test_all_of_the_training_is_on_the_device_that_was_asked_for(
    shop: Dataset,
    tower_config: TwoTowerConfig,
    sequence_config: SequenceConfig,
    full_softmax_items: int,
    with_looks: bool,
    tmp_path: Path,
) -> None:
    def cut_off(at: TrainingStep) -> None:
        steps.append(at)
        if len(steps) == 3:
            raise KeyboardInterrupt

    changes: dict[str, Any] = {"full_softmax_items": full_softmax_items, "max_steps": 6}
    configs: tuple[TwoTowerConfig | SequenceConfig, ...] = (
        replace(tower_config, **changes, validation_share=0.5 * with_looks, evaluate_every=3),
        replace(sequence_config, **changes, validation_share=1.0 * with_looks, n_looks=2),
    )
    for config in configs:
        expected, steps = config.fit(shop, progress=False).arrays(), list[TrainingStep]()
        with Wall() as wall:
            training = TrainingConfig(
                device=ELSEWHERE, checkpoint=tmp_path, checkpoint_seconds=0, log=cut_off
            )
            with pytest.raises(KeyboardInterrupt):
                config.train(shop, Run(training, progress=False))
            model = config.train(shop, Run(training, progress=False))
        assert wall.n_seen > 1_000
        assert any(at.metric is not None for at in steps) == with_looks
        assert isinstance(model, TwoTower | Sequence)
        found = model.arrays()  # on the CPU again
        assert found.keys() == expected.keys()
        for name, array in found.items():
            np.testing.assert_allclose(array, expected[name], rtol=1e-4, atol=1e-5, err_msg=name)


def test_a_device_that_is_not_there_is_refused() -> None:
    absent = "cuda:77" if torch.cuda.is_available() else "cuda"
    with pytest.raises(ArgumentError, match=f"device '{absent}' cannot be used"):
        TrainingConfig(device=absent)
    with pytest.raises(ArgumentError, match="device 'toaster' cannot be used"):
        TrainingConfig(device="toaster")
    assert Run(TrainingConfig(device="cpu")).device == torch.device("cpu")


@pytest.mark.skipif(
    torch.cuda.is_available() or torch.backends.mps.is_available(), reason="there is another"
)
def test_without_another_device_it_is_the_cpu_in_full_precision() -> None:
    assert Run().device == torch.device("cpu")
    assert not Run().mixed_precision


def test_mixed_precision_changes_the_training_but_little(
    world_data: Dataset, tower_config: TwoTowerConfig, sequence_config: SequenceConfig
) -> None:
    for config in (tower_config, sequence_config):
        mixed = Run(TrainingConfig(mixed_precision=True), progress=False)
        whole, found = (
            each.arrays()["events.identity"]
            for each in (config.fit(world_data, progress=False), config.train(world_data, mixed))
        )
        assert found.dtype == np.float32
        assert not np.array_equal(found, whole)
        assert np.corrcoef(found.ravel(), whole.ravel())[0, 1] > 0.95
