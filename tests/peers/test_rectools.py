"""RecTools' SASRec in its own environment, as the example wraps it."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv" / "rectools" / "bin" / "python"


@pytest.mark.skipif(not PYTHON.exists(), reason="RecTools is not there: make .venv/.rectools")
def test_sasrec_gives_reasons_near_to_shapley_values() -> None:
    paths = os.pathsep.join([str(ROOT / "python"), os.environ.get("PYTHONPATH", "")])
    told = subprocess.run(
        [PYTHON, ROOT / "examples" / "rectools_sasrec.py"],
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr[-2_000:]
    assert "Because of" in told.stdout
    # Of a small model, a short training, and a reference with errors of its own.
    assert float(told.stdout.split()[-1]) > 0.6
