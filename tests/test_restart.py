"""Fits that are killed, cut off or run out of disk, and what becomes of them when called again."""

import errno
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from whyrec import (
    SDK,
    ArgumentError,
    DeepRankerConfig,
    EASEConfig,
    NetworkConfig,
    RefinedConfig,
    SequenceConfig,
    StorageError,
    TrainingConfig,
    TrainingError,
    TrainingStep,
    TwoTowerConfig,
)
from whyrec.data.dataset import Dataset
from whyrec.explain import ExplainerConfig
from whyrec.models import RecommenderConfig

TOWER = TwoTowerConfig(dimension=16, heads=2, hidden=8, max_steps=24, evaluate_every=4)
SEQUENCE = SequenceConfig(dimension=16, heads=2, hidden=8, max_steps=24, n_looks=6)
NETWORK = NetworkConfig(max_steps=16, evaluate_every=4, batch_size=8, confidence_pairs=4)

# Forks from a process that has everything imported. A fit tells the parent each step by a byte, and
# is killed after so many, wherever it is then: it keeps its state after each step.
KILLED_FITS = """
import hashlib, json, os, random, signal, sys
import whyrec

world = whyrec.datasets.synthetic(seed=0, n_users=200, n_items=80, n_events_per_user=15)
dataset = whyrec.SDK.fit(world.events, world.items, world.users, model=whyrec.PopularityConfig(),
                         progress=False).dataset
model = {"tower": whyrec.TwoTowerConfig(dimension=16, heads=2, hidden=8, max_steps=24,
                                        evaluate_every=4),
         "sequence": whyrec.SequenceConfig(dimension=16, heads=2, hidden=8, max_steps=24,
                                           n_looks=6)}[sys.argv[1]]
explainer = whyrec.NetworkConfig(max_steps=16, evaluate_every=4, batch_size=8, confidence_pairs=0)
random = random.Random(int(sys.argv[3]))

def fit(training):
    sdk = whyrec.SDK.fit_dataset(dataset, model=model, explainer=explainer, training=training,
                                 progress=False)
    digest = hashlib.sha256()
    for part in (sdk._fitted.model, sdk._fitted.explainer):
        for name, array in sorted(part.arrays().items()):
            digest.update(name.encode() + array.tobytes())
    return digest.hexdigest()

def start(checkpoint):
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(told)
        log = lambda at: os.write(tell, at.phase[:1].encode())
        training = whyrec.TrainingConfig(log=log, checkpoint=checkpoint, checkpoint_seconds=0)
        os.write(tell, fit(training).encode() + b"!")
        os._exit(0)
    os.close(tell)
    return child, told

def rest_of(told):
    return b"".join(iter(lambda: os.read(told, 1 << 16), b"")).decode()

child, told = start(None)
whole = rest_of(told)
os.waitpid(child, 0)
killed_in = []
while True:
    child, told = start(sys.argv[2])
    seen, n_steps = "", random.randint(5, 15)
    while len(seen) < n_steps and (byte := os.read(told, 1)):
        seen += byte.decode()
    os.kill(child, signal.SIGKILL)
    seen += rest_of(told)
    os.waitpid(child, 0)
    if seen.endswith("!"):
        break
    killed_in.append(seen[-1])
print(json.dumps({"whole": whole[-65:], "last": seen[-65:], "killed_in": killed_in,
                  "left": os.listdir(sys.argv[2])}))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="forks and kills")
@pytest.mark.parametrize(("model", "seed"), [("tower", 0), ("sequence", 1)])
def test_a_fit_that_is_killed_again_and_again_ends_with_the_same_bits(
    tmp_path: Path, model: str, seed: int
) -> None:
    command = [sys.executable, "-c", KILLED_FITS, model, str(tmp_path), str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["last"] == seen["whole"]
    assert {"r", "e"} <= set(seen["killed_in"])  # while either was trained
    assert seen["left"] == []


class CutOffError(Exception):
    """What ends a fit in the middle."""


def cut_off(phase: str, step: int) -> Callable[[TrainingStep], None]:
    def log(at: TrainingStep) -> None:
        if (at.phase, at.step) == (phase, step):
            raise CutOffError

    return log


def fit(dataset: Dataset, path: Path | None = None, **settings: Any) -> SDK:
    chosen: dict[str, Any] = {"model": TOWER, "explainer": NETWORK} | settings
    log = chosen.pop("log", None)
    training = TrainingConfig(checkpoint=path, checkpoint_seconds=0, log=log)
    return SDK.fit_dataset(dataset, training=training, progress=False, **chosen)


def bits(sdk: SDK) -> list[bytes]:
    fitted = sdk._fitted
    return [
        array.tobytes()
        for part in (fitted.model, fitted.explainer)
        for array in part.arrays().values()
    ]


def told(steps: list[TrainingStep]) -> tuple[str, int]:
    return steps[0].phase, steps[0].step


@pytest.mark.parametrize("explainer", [NETWORK, RefinedConfig(explainer=NETWORK)])
@pytest.mark.parametrize("model", [TOWER, SEQUENCE])
def test_a_fit_goes_on_in_the_phase_in_which_it_was_cut_off(
    world_data: Dataset, tmp_path: Path, model: RecommenderConfig, explainer: ExplainerConfig
) -> None:
    settings: dict[str, Any] = {"model": model, "explainer": explainer}
    for phase, step in (("recommender", 7), ("explainer", 9)):
        with pytest.raises(CutOffError):
            fit(world_data, tmp_path, log=cut_off(phase, step), **settings)
    steps: list[TrainingStep] = []
    sdk = fit(world_data, tmp_path, log=steps.append, **settings)
    assert told(steps) == ("explainer", 9)
    assert bits(sdk) == bits(fit(world_data, **settings))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("validation_share", [0.0, 0.4])
def test_a_ranker_that_was_cut_off_between_two_looks_goes_on(
    world_data: Dataset, tmp_path: Path, validation_share: float
) -> None:
    ranker = DeepRankerConfig(
        n_ranked=20,
        layers=(16, 8),
        max_steps=12,
        evaluate_every=5,
        absent_features=0.5,
        validation_share=validation_share,
        learning_rate=5e-3,
    )
    with pytest.raises(CutOffError):
        fit(world_data, tmp_path, ranker=ranker, log=cut_off("ranker", 8))
    steps: list[TrainingStep] = []
    sdk = fit(world_data, tmp_path, ranker=ranker, log=steps.append)
    assert told(steps) == ("ranker", 8)
    assert bits(sdk) == bits(fit(world_data, ranker=ranker))
    assert list(tmp_path.iterdir()) == []


def test_a_joint_training_that_was_cut_off_goes_on_with_both(
    world_data: Dataset, tmp_path: Path
) -> None:
    joint = replace(NETWORK, joint_weight=2.0)
    for phase, step in (("recommender", 7), ("explainer", 9)):
        with pytest.raises(CutOffError):
            fit(world_data, tmp_path, explainer=joint, log=cut_off(phase, step))
    steps: list[TrainingStep] = []
    sdk = fit(world_data, tmp_path, explainer=joint, log=steps.append)
    assert told(steps) == ("explainer", 9)
    assert bits(sdk) == bits(fit(world_data, explainer=joint))
    assert list(tmp_path.iterdir()) == []


def test_other_data_and_other_settings_keep_states_of_their_own(
    world_data: Dataset, tmp_path: Path
) -> None:
    events = world_data.interactions
    less = world_data.with_interactions(events.only(events.items != 3))
    of_item = replace(world_data.item_features, weights=world_data.item_features.weights * 2)
    others: list[tuple[Dataset, TwoTowerConfig]] = [
        (world_data, TOWER),
        (less, TOWER),
        (replace(world_data, item_features=of_item), TOWER),
        (world_data, replace(TOWER, seed=1)),
        (world_data, replace(TOWER, kind_weights={"": 0.5})),
    ]
    for dataset, model in others:
        with pytest.raises(CutOffError):
            fit(dataset, tmp_path, model=model, log=cut_off("recommender", 5))
    assert len(list(tmp_path.iterdir())) == len(others)
    for n_left, (dataset, model) in reversed(list(enumerate(others))):
        steps: list[TrainingStep] = []
        fit(dataset, tmp_path, model=model, log=steps.append)
        assert told(steps) == ("recommender", 5)
        assert len(list(tmp_path.iterdir())) == n_left


def test_the_explainer_of_another_recommender_begins_anew(
    world_data: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(CutOffError):
        fit(world_data, tmp_path, log=cut_off("explainer", 3))
    steps: list[TrainingStep] = []
    fit(world_data, tmp_path, model=replace(TOWER, seed=1), log=steps.append)
    assert next(at.step for at in steps if at.phase == "explainer") == 0


def test_a_state_is_kept_no_more_often_than_asked(world_data: Dataset, tmp_path: Path) -> None:
    training = TrainingConfig(
        checkpoint=tmp_path, checkpoint_seconds=1e6, log=cut_off("explainer", 9)
    )
    with pytest.raises(CutOffError):
        SDK.fit_dataset(
            world_data, model=TOWER, explainer=NETWORK, training=training, progress=False
        )
    states = {path.name.split("-")[0]: len(list(path.iterdir())) for path in tmp_path.iterdir()}
    assert states == {"recommender": 3, "explainer": 0}  # what is over is kept at once


def test_names_of_users_and_items_change_no_state(world_data: Dataset, tmp_path: Path) -> None:
    with pytest.raises(CutOffError):
        fit(world_data, tmp_path, log=cut_off("recommender", 5))
    steps: list[TrainingStep] = []
    labels = tuple(f"The {label}" for label in world_data.item_labels)
    fit(replace(world_data, item_labels=labels), tmp_path, log=steps.append)
    assert told(steps) == ("recommender", 5)


def test_a_full_disk_ends_no_training(
    world_data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    whole = bits(fit(world_data))
    with monkeypatch.context() as disk:
        disk.setattr("whyrec.storage.directory.os.fsync", full)
        with pytest.warns(RuntimeWarning, match="training goes on, but .*: No space left on devic"):
            assert bits(fit(world_data, tmp_path)) == whole
    assert list(tmp_path.iterdir()) == []


def test_a_state_from_before_the_disk_was_full_is_gone_on_from(
    world_data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(at: TrainingStep) -> None:
        if at.step == 6:
            monkeypatch.setattr("whyrec.storage.directory.os.fsync", fail)
        if at.step == 9:
            raise CutOffError

    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.warns(RuntimeWarning, match="No space left"), pytest.raises(CutOffError):
        fit(world_data, tmp_path, log=fill)
    monkeypatch.undo()
    steps: list[TrainingStep] = []
    assert bits(fit(world_data, tmp_path, log=steps.append)) == bits(fit(world_data))
    assert told(steps) == ("recommender", 6)


def test_a_place_where_nothing_can_be_kept_is_refused_before_the_training(
    world_data: Dataset, tmp_path: Path
) -> None:
    file, steps = tmp_path / "file", list[TrainingStep]()
    file.write_text("of somebody else")
    with pytest.raises(StorageError, match=r"file/recommender-\w+: no checkpoint can be kept here"):
        fit(world_data, file, log=steps.append)
    assert steps == []
    assert file.read_text() == "of somebody else"


def test_other_files_beside_the_state_stay(world_data: Dataset, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    fit(world_data, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_damaged_state_is_named(world_data: Dataset, tmp_path: Path) -> None:
    with pytest.raises(CutOffError):
        fit(world_data, tmp_path, log=cut_off("recommender", 5))
    (arrays,) = tmp_path.glob("*/*.safetensors")
    arrays.write_bytes(arrays.read_bytes()[:-9])
    with pytest.raises(StorageError, match=r"arrays-\w+\.safetensors: has \d+ bytes where"):
        fit(world_data, tmp_path)


@pytest.mark.parametrize(
    "steep",
    [
        replace(TOWER, learning_rate=1e30, vector_learning_rate=1e30, residual_learning_rate=1e30),
        replace(SEQUENCE, learning_rate=1e30),
    ],
)
def test_a_learning_rate_that_diverges_is_told(
    world_data: Dataset, tmp_path: Path, steep: RecommenderConfig
) -> None:
    with pytest.raises(TrainingError, match=r"in step \d+; lower the learning rates \(now 1e\+30"):
        fit(world_data, tmp_path, model=steep)


def test_what_trains_nothing_takes_the_same_settings(world_data: Dataset, tmp_path: Path) -> None:
    steps: list[TrainingStep] = []
    fit(world_data, tmp_path / "kept", model=EASEConfig(), explainer=None, log=steps.append)
    assert steps == []
    assert not (tmp_path / "kept").exists()


def test_what_is_no_training_config_is_refused(world_data: Dataset) -> None:
    with pytest.raises(ArgumentError, match=r"training must be whyrec\.TrainingConfig\(…\), not"):
        SDK.fit_dataset(world_data, training={"device": "cpu"}, progress=False)  # type: ignore[arg-type]
