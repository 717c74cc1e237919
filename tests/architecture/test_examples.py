"""Every example in a docstring runs and says what it says."""

import doctest
import importlib
import pkgutil
from types import ModuleType

import pytest

import whyrec


def modules() -> list[ModuleType]:
    found = pkgutil.walk_packages(whyrec.__path__, "whyrec.")
    return [importlib.import_module(each.name) for each in found if each.name != "whyrec._native"]


EXAMPLES = [
    example
    for module in modules()
    for example in doctest.DocTestFinder(exclude_empty=True).find(module)
    if example.examples
]


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 4


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_an_example_runs(example: doctest.DocTest) -> None:
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    runner.run(example, out=report.append)
    assert runner.failures == 0, "".join(report)
