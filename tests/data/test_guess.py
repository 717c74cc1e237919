"""What columns are taken for when nobody says."""

from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from whyrec.data.fields import Categorical, Field, Ignored, Numeric, Tags, Text, guess_field
from whyrec.data.tables import read_table

PLOTS = [
    "A whale sinks the ship of a captain who hunts it",
    "Two orphans cross the desert by night",
    "The captain comes home and nobody knows him",
    "A clerk wakes up, turned into a beetle",
]


def guess(cells: Any, name: str = "x") -> Field | Ignored:
    frame = cells if isinstance(cells, pl.DataFrame | pd.DataFrame) else pl.DataFrame({name: cells})
    return guess_field(read_table(frame, "items")[name])


def objects(*cells: Any) -> pd.DataFrame:
    return pd.DataFrame({"x": pd.Series(cells, dtype=object)})


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ([["a"], ["a", "b"], None], Tags()),
        (objects({"a"}, {"a", "b"}), Tags()),
        ([1.5, 2.0, None], Numeric()),
        ([1999, 2000, 2001], Numeric()),
        ([5, 5, 7], Numeric()),
        (objects(1, 2.5, 1), Numeric()),
        ([date(2024, 1, 1), date(2023, 1, 1), date(2022, 1, 1)], Numeric()),
        ([True, False, True], Categorical()),
        (objects(True, False, None, True), Categorical()),
        (["red", "blue", "red"], Categorical()),
        (["red", "red", None], Categorical()),
        (objects(1, "a", 1), Categorical()),
        (["Drama|War", "Drama", "Comedy|Drama"], Tags(separator="|")),
        (["Drama; War", "Drama", "Comedy; Drama"], Tags(separator=";")),
        (["Drama, War", "War, Drama", "Drama"], Tags(separator=",")),
        (["Drama|War"] + ["Drama"] * 50, Tags(separator="|")),
        (PLOTS, Text()),
        ([plot.replace(" ", " | ", 1) for plot in PLOTS], Text()),
        (["Ford, Harrison", "Hanks, Tom", "Ford, Harrison"], Categorical()),
        (["a b c d"] * 9 + ["e f g h"], Categorical()),
    ],
)
def test_a_column_is_taken_for_what_it_looks_like(cells: Any, kind: Field) -> None:
    assert guess(cells) == kind


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        ([None, None], "every cell is empty"),
        ([float("nan"), float("nan")], "every cell is empty"),
        (["", "", None], "every cell is empty"),
        (["a", "a"], "every row has the same value, 'a'"),
        ([5, 5], "every row has the same value, 5"),
        ([[], []], "every list is empty"),
        ([["a"], ["a"]], "every row has the same tag, 'a'"),
        (["a", "b", "c"], "every row has another value"),
        ([["a", ""], ["a"]], "every row has the same tag, 'a'"),
        ([1, 2, 3], "it numbers the rows"),
        ([0, 1, 2], "it numbers the rows"),
        (objects("a", 1, (2,)), "every row has another value"),
        (objects({"a": 1}, {"a": 1}), "its cells are nested"),
        ([[["a"]], [["b"]]], "its lists are nested"),
        (pl.DataFrame({"x": [{"a": 1}, {"a": 2}]}), "its cells are nested"),
        (
            pd.DataFrame({"x": pd.PeriodIndex(["2020", "2021", "2020"], freq="Y")}),
            "values of type Period cannot be stored",
        ),
    ],
)
def test_a_column_of_no_use_is_ignored_and_that_is_said(cells: Any, why: str) -> None:
    assert guess(cells) == Ignored(why)


@pytest.mark.parametrize("name", ["zip_code", "genre_id", "GenreId", "storeID", "EAN"])
def test_whole_numbers_that_are_called_codes_are_categories(name: str) -> None:
    assert guess([80331, 10115, 80331], name) == Categorical()
    assert guess([80331, 10115, 50667], name) == Ignored("every row has another code")
    assert guess([0.5, 0.25, 0.5], name) == Numeric()


@pytest.mark.parametrize("name", ["bid", "width", "paid", "monkey"])
def test_a_name_that_only_ends_like_a_code_is_none(name: str) -> None:
    assert guess([30, 10, 20], name) == Numeric()


def test_a_few_separators_in_many_texts_make_no_tags() -> None:
    cells = [f"colour {n % 30}" for n in range(60)] + ["red|blue"]
    assert guess(cells) == Categorical()


def test_an_empty_text_is_a_gap() -> None:
    for gap in ("", None):
        assert guess(["yes", gap, "yes"]) == Categorical()
        assert guess(["yes", gap, "no"]) == Ignored("every row has another value")


def test_a_constant_with_gaps_says_which_rows_have_it() -> None:
    assert guess(["yes", None, "yes"]) == Categorical()


def test_days_in_a_row_are_no_row_numbers() -> None:
    days = [date(2024, 1, 1) + timedelta(days=n) for n in range(5)]
    assert guess(days) == Numeric()


def test_numbers_that_differ_in_every_row_are_still_numbers() -> None:
    assert guess(np.arange(5) * 7 + 3) == Numeric()
