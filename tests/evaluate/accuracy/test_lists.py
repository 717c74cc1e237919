"""What all metrics refuse, and how they read their cut-offs."""

from typing import Any

import numpy as np
import pytest

from whyrec.errors import ArgumentError
from whyrec.evaluate.accuracy import accuracy, beyond_accuracy, read_cutoffs

OFFSETS, ITEMS = np.array([0, 2]), np.array([3, 1], np.int32)


def test_cutoffs_rise_and_come_once() -> None:
    assert read_cutoffs(7) == (7,)
    assert read_cutoffs((20, 10, 20)) == (10, 20)
    assert read_cutoffs(np.array([5, 1])) == (1, 5)


@pytest.mark.parametrize(
    ("k", "message"),
    [
        (0, "k must be at least 1, not 0"),
        (-3, "k must be at least 1, not -3"),
        ((10, 0), "k must be at least 1, not 0"),
        ((), "k must be a whole number, or several; there is none"),
        (2.5, "k must be a whole number, or several, not 2.5"),
        (("10",), "k must be a whole number, or several, not "),
    ],
)
def test_a_k_that_is_no_number_of_items_is_refused(k: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        accuracy(OFFSETS, ITEMS, OFFSETS, ITEMS, k=k)
    with pytest.raises(ArgumentError, match=message):
        beyond_accuracy(OFFSETS, ITEMS, np.ones(4), k=k)


@pytest.mark.parametrize(
    ("offsets", "items", "message"),
    [
        ([0, 1], [3, 1], "must rise from 0 to the number of entries, 2"),
        ([1, 2], [3, 1], "must rise from 0"),
        ([0, 2, 1, 2], [3, 1], "must rise from 0"),
        ([0, 2], [3, -1], "have -1 at entry 1, no item index"),
        ([0, 2], [3.0, 1.0], "must be int32 .*, not float64"),
        ([0, 2], [[3, 1]], r"of shape \(1, 2\)"),
        ([], [3, 1], r"must be int64 \[n_users \+ 1\]"),
        ([0.0, 2.0], [3, 1], "not float64"),
    ],
)
def test_what_is_no_ragged_row_of_item_indices_is_refused(
    offsets: list[float], items: list[float], message: str
) -> None:
    rows = np.array(offsets), np.array(items)
    with pytest.raises(ArgumentError, match=f"ranked items .*{message}"):
        beyond_accuracy(*rows, np.ones(4), k=1)
    with pytest.raises(ArgumentError, match=f"wanted items .*{message}"):
        accuracy(OFFSETS, ITEMS, *rows, k=1)
