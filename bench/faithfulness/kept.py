"""What took long is kept, so that a run that was ended goes on where it was."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from bench.data import CACHE, ROOT
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]

_OF_MODELS = ("python/whyrec/data", "python/whyrec/models", "rust", "bench/data.py")
_OF_ALL = (
    "python/whyrec",
    "rust",
    "bench/data.py",
    *(
        f"bench/faithfulness/{name}.py"
        for name in ("asked", "counting", "data", "event_game", "passing")
    ),
    "bench/faithfulness/methods",
)
"""What figures come from: where a line of it is another, nothing that was kept is used."""


class Kept:
    """Arrays by what they are of, in files of their own.

    A file is named by the sources that figures come from and by all that it is said to depend on.
    """

    def __init__(self, folder: Path | None = CACHE / "faithfulness") -> None:
        """Take a folder, which is made when it is needed; None keeps nothing."""
        self._folder = folder
        self._of_models, self._of_all = _digest(_OF_MODELS), _digest(_OF_ALL)

    def arrays(
        self,
        depends_on: tuple[object, ...],
        make: Callable[[], Arrays],
        *,
        of_models: bool = False,
    ) -> Arrays:
        """Return what was kept of this, or make it now.

        Args:
            depends_on: what it is and what it is made from, each of a telling `repr`.
            make: computes it.
            of_models: whether it is a fitted recommender, of which no explainer changes a thing.
        """
        if self._folder is None:
            return make()
        told = "\n".join([self._of_models if of_models else self._of_all, *map(repr, depends_on)])
        path = self._folder / f"{hashlib.sha256(told.encode()).hexdigest()[:32]}.npz"
        if not path.exists():
            made = make()
            self._folder.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_suffix(".part")
            with unfinished.open("wb") as file:
                np.savez(file, **made)  # type: ignore[arg-type]
            unfinished.replace(path)
            return made
        with np.load(path) as stored:
            return {name: stored[name] for name in stored.files}


def _digest(sources: tuple[str, ...]) -> str:
    digest = hashlib.sha256()
    for source in sources:
        path = ROOT / source
        files = [path] if path.is_file() else sorted([*path.rglob("*.py"), *path.rglob("*.rs")])
        for file in files:
            digest.update(str(file.relative_to(ROOT)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()
