"""The state of a training on disk: written whole or not at all, and told apart by its inputs."""

import hashlib
import json
import shutil
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from whyrec.data.dataset import Dataset
from whyrec.data.fields import FeatureSchema
from whyrec.errors import StorageError
from whyrec.storage import Arrays, Document, JsonValue, load_directory, save_directory
from whyrec.types import Float32Array


@dataclass(frozen=True, slots=True)
class Identity:
    """All that the outcome of a training depends on."""

    dataset: Dataset
    settings: tuple[Any, ...]
    """Dataclasses."""

    arrays: Mapping[str, Float32Array] = field(default_factory=dict)
    """Of the recommender that is explained, say."""

    def digest(self, *surroundings: JsonValue) -> str:
        """Return 16 hexadecimal digits of a SHA-256 over everything, and of what is around it."""
        digest = hashlib.sha256()

        def take(value: Any) -> None:
            match value:
                case np.ndarray():
                    digest.update(f"{value.dtype.str}{value.shape}".encode())
                    digest.update(np.ascontiguousarray(value).data)
                case FeatureSchema():  # what the values are called trains nothing
                    take([len(value.fields), value.token_fields])
                case list():
                    for each in value:
                        take(each)
                case _:
                    digest.update(json.dumps(value, default=_plain).encode())

        take([version("whyrec"), torch.__version__, np.__version__, *surroundings])
        for each in self.settings:
            take([type(each).__name__, *_contents(each)])
        dataset = self.dataset
        for each in (dataset.interactions, dataset.item_features, dataset.user_features):
            take(_contents(each))
        take([part for name in sorted(self.arrays) for part in (name, self.arrays[name])])
        return digest.hexdigest()[:16]


def _contents(value: Any) -> list[Any]:
    return [part for each in fields(value) for part in (each.name, getattr(value, each.name))]


def _plain(value: object) -> object:
    return sorted(value.items()) if isinstance(value, Mapping) else repr(value)


@dataclass(frozen=True, slots=True)
class State:
    """What a training needs to go on."""

    arrays: Mapping[str, np.ndarray[Any, Any]]

    values: Mapping[str, Any]
    """JSON."""


class Checkpoint:
    """A directory with the state of one training."""

    def __init__(self, path: Path, least_seconds: float) -> None:
        self._path, self._least_seconds = path, least_seconds
        self._kept_at = time.perf_counter()

    @classmethod
    def open(cls, path: Path, least_seconds: float) -> "Checkpoint":
        """Make the directory if it is not there.

        Raises:
            StorageError: it cannot be made.
        """
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(
                f"{path}: no checkpoint can be kept here ({error.strerror or error})"
            ) from error
        return cls(path, least_seconds)

    def __str__(self) -> str:
        return str(self._path)

    def load(self) -> State | None:
        """Return the state that was kept; None if there is none.

        Raises:
            StorageError: it is damaged; the message names the file.
        """
        if not any(self._path.glob("manifest.json")):
            return None
        loaded = load_directory(self._path)
        values = loaded.document("values")
        if not isinstance(values, Mapping):
            raise StorageError(f"{self._path}: holds no state of a training")
        return State(loaded.arrays("arrays"), values)

    def keep(self, state: Callable[[], State]) -> None:
        """Keep the state, if it is time."""
        if time.perf_counter() - self._kept_at >= self._least_seconds:
            self.keep_now(state())

    def keep_now(self, state: State) -> bool:
        """Keep the state in place of the one before, and tell whether it could be done.

        A disk that fails ends no training: the state before it stays, and a warning says why.
        """
        try:
            save_directory(
                self._path, {"arrays": Arrays(state.arrays), "values": Document(state.values)}
            )
        except StorageError as error:
            warnings.warn(
                f"the training goes on, but its state could not be kept: {error}",
                RuntimeWarning,
                stacklevel=2,
            )
            return False
        finally:
            self._kept_at = time.perf_counter()
        return True

    def remove(self) -> None:
        """Remove the directory; what cannot be removed stays."""
        shutil.rmtree(self._path, ignore_errors=True)
