"""RecTools' SASRec in its own environment, as the example wraps it."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from whyrec.evaluate.intervals import interval

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv" / "rectools" / "bin" / "python"

pytestmark = pytest.mark.skipif(
    not PYTHON.exists(), reason="RecTools is not there: make .venv/.rectools"
)


def printed(*script: str) -> str:
    paths = os.pathsep.join([str(ROOT), str(ROOT / "python"), os.environ.get("PYTHONPATH", "")])
    told = subprocess.run(
        [PYTHON, *script],
        env=os.environ | {"PYTHONPATH": paths},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr[-2_000:]
    return told.stdout


def test_the_example_recommends_with_reasons() -> None:
    assert "Because of" in printed("examples/rectools_sasrec.py")


def test_reasons_are_nearer_to_shapley_values_than_what_anyone_could_compute() -> None:
    found = json.loads(printed("tests/peers/sasrec_rivals.py").splitlines()[-1])
    errors = {name: np.array(each) for name, each in found.items()}
    assert len(errors["gap"]) == 40
    assert errors["gap"].max() < 1e-9
    for rival in ("leave one out", "gradient"):
        assert interval(errors["reasons"] - errors[rival]).high < 0, rival
