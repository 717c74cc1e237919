"""Rank with the wheel that is installed: the whole package, or its native module alone.

`python smoke.py whole`, or `native` where not all that whyrec depends on can be installed.
"""

import sys
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader
from importlib.util import find_spec, module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import numpy as np

VECTORS = np.array([[1, 0], [0, 1], [1, 1]], np.float32)
BIASES = np.array([0, 0, 0.5], np.float32)
QUERIES = np.array([[2, 1]], np.float32)


def native() -> ModuleType:
    """Load the extension by its file: the package itself would import torch."""
    package = find_spec("whyrec")
    assert package is not None
    assert package.submodule_search_locations
    folder = Path(package.submodule_search_locations[0])
    (path,) = filter(Path.exists, (folder / f"_native{suffix}" for suffix in EXTENSION_SUFFIXES))
    loader = ExtensionFileLoader("whyrec._native", str(path))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


def main() -> None:
    """Rank three items; fail if the answer is another than by hand."""
    if sys.argv[1] == "whole":
        from whyrec.ranking import ItemIndex

        ranking = ItemIndex(VECTORS, BIASES).top_k(QUERIES, k=2)
        items, scores = ranking.items, ranking.scores
    else:
        kernels = native()
        _, items, scores = kernels.top_k(kernels.ItemIndex(VECTORS, BIASES), QUERIES, 2)
    assert items.tolist() == [2, 0], items
    assert scores.tolist() == [3.5, 2.0], scores


if __name__ == "__main__":
    main()
