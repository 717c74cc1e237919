"""Lists as Python has them, for the tests of all metrics."""

from collections.abc import Callable

import numpy as np
import pytest

from whyrec.types import Int32Array, Int64Array

Ragged = Callable[[list[list[int]]], tuple[Int64Array, Int32Array]]


@pytest.fixture(scope="session")
def ragged() -> Ragged:
    """Give what turns rows into offsets and items."""

    def made(rows: list[list[int]]) -> tuple[Int64Array, Int32Array]:
        offsets = np.cumsum([0, *map(len, rows)]).astype(np.int64)
        return offsets, np.array([item for row in rows for item in row], np.int32)

    return made
