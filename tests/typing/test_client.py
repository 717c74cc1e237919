"""The types of the package, as an application's type checkers see them."""

import ast
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

import whyrec

HERE = Path(__file__).parent
CLIENT = HERE / "client.py"
PACKAGE = Path(whyrec.__file__).parents[1]

CHECKERS = {
    "mypy": ["mypy", "--strict", "--config-file=", "--cache-dir", os.devnull, str(CLIENT)],
    "basedpyright": ["basedpyright", "--pythonpath", sys.executable, "--project", str(HERE)],
}


def test_the_client_uses_every_public_name() -> None:
    tree = ast.parse(CLIENT.read_text())
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "whyrec"
        for alias in node.names
    }
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert len(whyrec.__all__) > 30
    assert imported == set(whyrec.__all__)
    assert imported <= used


@pytest.mark.parametrize("checker", CHECKERS)
def test_the_client_passes_strict_checks_and_its_mistakes_are_found(checker: str) -> None:
    if importlib.util.find_spec(checker) is None:
        pytest.skip(f"there is no {checker} here")
    module, *arguments = CHECKERS[checker]
    run = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=HERE,
        env=os.environ | {"MYPYPATH": str(PACKAGE)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert CLIENT.read_text().count("# type: ignore[") == 5
