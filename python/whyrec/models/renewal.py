"""How arrays of a fitted recommender become those of one over more items."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from whyrec.models.recommender import Before

_OF_ITEMS = ("events.identity", "items.identity", "biases.identity")
"""Arrays of a network with `ItemTables` that have a row for each item."""


def with_new_items(arrays: Mapping[str, NDArray[Any]], n_items: int) -> dict[str, NDArray[Any]]:
    """Return the arrays of a network with `ItemTables`, for more items.

    A new item has no identity of its own: its features are all that is known of it.
    """
    grown = dict(arrays)
    for name in _OF_ITEMS:
        rows = arrays[name]
        new = np.zeros((n_items - len(rows), rows.shape[1]), rows.dtype)
        grown[name] = np.concatenate([rows, new])
    return grown


def beginning(before: Before | None) -> Mapping[str, NDArray[Any]]:
    """Return what tells a training that goes on from one that starts anew, which has nothing."""
    return {} if before is None else before.arrays


def load(network: nn.Module, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Give a network the weights that it has had."""
    network.load_state_dict({name: torch.tensor(each) for name, each in arrays.items()})


def named(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return the arrays of a part, by the names that it knows."""
    return {
        name.removeprefix(prefix): each for name, each in arrays.items() if name.startswith(prefix)
    }
