"""Parts of a saved directory are replaced, and the others stay."""

from pathlib import Path

import numpy as np
import pytest

from whyrec.errors import StorageError
from whyrec.storage import (
    Arrays,
    Document,
    Loaded,
    Part,
    amend_directory,
    load_directory,
    save_directory,
)


def test_the_parts_that_change_are_replaced_and_their_old_files_gone(tmp_path: Path) -> None:
    arrays = Arrays({"bias": np.arange(3)})
    save_directory(tmp_path, {"model": arrays, "words": Document(["old"])}, {"kind": "x"})
    (old,) = tmp_path.glob("words-*")

    def amend(loaded: Loaded) -> dict[str, Part]:
        assert loaded.document("words") == ["old"]
        return {"words": Document(["new"])}

    amend_directory(tmp_path, amend)
    loaded = load_directory(tmp_path)
    assert loaded.document("words") == ["new"]
    assert loaded.arrays("model")["bias"].tolist() == [0, 1, 2]
    assert loaded.description == {"kind": "x"}
    assert not old.exists()


def test_what_does_not_change_is_not_written(tmp_path: Path) -> None:
    save_directory(tmp_path, {"words": Document(["old"])})
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    amend_directory(tmp_path, lambda _: {})
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_there_must_be_a_finished_save(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no finished save is there"):
        amend_directory(tmp_path, lambda _: {})
