"""The public names, which are imported when they are first asked for."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import whyrec

HEAVY = {"numpy", "pandas", "polars", "pyarrow", "rich", "scipy", "sklearn", "torch", "tqdm"}


def imported_after(source: str) -> set[str]:
    told = f"import sys\n{source}\nprint(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert "whyrec" in run.stdout.split()
    return set(run.stdout.split())


def test_to_import_whyrec_imports_nothing_heavy() -> None:
    assert HEAVY & imported_after("import whyrec") == set()


def test_data_bring_no_pytorch_along() -> None:
    names = "EventColumns, Categorical, Numeric, Tags, Text, ArgumentError, datasets"
    modules = imported_after(f"from whyrec import {names}")
    assert "numpy" in modules
    assert "torch" not in modules


def test_a_model_brings_pytorch_along() -> None:
    assert "torch" in imported_after("import whyrec; whyrec.TwoTowerConfig")


def test_every_public_name_can_be_had_and_is_listed() -> None:
    assert len(whyrec.__all__) > 30
    for name in whyrec.__all__:
        assert getattr(whyrec, name) is not None
        assert name in dir(whyrec)


def test_what_type_checkers_see_is_what_there_is() -> None:
    tree = ast.parse(Path(whyrec.__file__).read_text())
    seen = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("whyrec")
        for alias in node.names
    }
    assert {*seen, "__version__"} == set(whyrec.__all__)
    for name, module in seen.items():
        if module != "whyrec":
            assert getattr(whyrec, name) is getattr(importlib.import_module(str(module)), name)


def test_a_name_that_there_is_not_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'whyrec' has no attribute 'Recommander'"):
        _ = whyrec.Recommander  # type: ignore[attr-defined]
