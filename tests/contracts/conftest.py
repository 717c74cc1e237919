"""What the contracts of recommenders and of explainers have in common."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass

import numpy as np
import pytest
import torch

from whyrec.data.dataset import Dataset


@pytest.fixture
def digest() -> Callable[[Dataset], str]:
    """Tell whether any array of a data set has changed by a single bit."""

    def of(dataset: Dataset) -> str:
        found, waiting = hashlib.sha256(), [object(), dataset]
        n_arrays = 0
        while waiting:
            part = waiting.pop()
            if isinstance(part, np.ndarray):
                found.update(part.tobytes())
                n_arrays += 1
            elif is_dataclass(part):
                waiting += [getattr(part, each.name) for each in fields(part)]
        assert n_arrays >= 11  # the events and both kinds of features
        return found.hexdigest()

    return of


@pytest.fixture
def on_threads() -> Iterator[Callable[[int], None]]:
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)
