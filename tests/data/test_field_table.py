import datetime
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from whyrec.data.dataset import Dataset
from whyrec.data.field_table import field_table, rows_where
from whyrec.data.fields import Categorical, Tags, Text
from whyrec.errors import ArgumentError

ITEMS: dict[str, list[Any]] = {
    "item_id": [1, 2, 3, 4],
    "style": ["noir", None, "pop", "noir"],
    "genres": [["War", "Drama"], [], None, ["War"]],
    "year": [1979, 1985, None, 2001],
    "price": [19.99, 0.1, 1e-3, None],
    "out": [datetime.date(2020, 1, day) for day in (1, 2, 3, 4)],
    "mixed": [1, 2, 1, 2],
    "plot": ["a ship in space", "space cats", "cats and a ship", None],
}


@pytest.fixture(scope="module")
def table() -> pa.Table:
    dataset = Dataset.from_tables(
        pa.table({"user_id": ["ann"], "item_id": [1]}),
        pa.table(ITEMS),
        item_fields={
            "style": Categorical(),
            "genres": Tags(),
            "mixed": Categorical(),
            "plot": Text(),
        },
    )
    return field_table(dataset.item_features)


def test_the_values_are_those_that_came_in(table: pa.Table) -> None:
    content = table.to_pydict()
    assert [sorted(tags) for tags in content["genres"]] == [["Drama", "War"], [], [], ["War"]]
    for name in ("style", "year", "price", "out", "mixed"):
        assert content[name] == ITEMS[name], name
    assert content["plot"][3] == []
    assert set(content["plot"][1]) == {"space", "cats"}
    assert pa.types.is_date32(table.schema.field("out").type)
    assert pa.types.is_int64(table.schema.field("year").type)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (pc.field("year") > 1980, [2, 4]),
        (nw.col("year") > 1980, [2, 4]),
        (nw.col("genres").list.contains("War"), [1, 4]),
        (pc.field("style") == "noir", [1, 4]),
        (~(pc.field("style") == "noir"), [3]),  # of null nothing is known
        (pc.field("style").is_null(), [2]),
        ((nw.col("style") == "noir") & (nw.col("price") == 19.99), [1]),
        (pc.field("price").isin([0.1, 1e-3]), [2, 3]),
        (pc.field("out") >= datetime.date(2020, 1, 3), [3, 4]),
        (pc.list_value_length(pc.field("genres")) == 0, [2, 3]),
        (nw.col("year") == nw.col("year").max(), [4]),
        (nw.lit(True), [1, 2, 3, 4]),
        (pc.scalar(False), []),
    ],
    ids=str,
)
def test_an_expression_of_either_kind_is_held_against_each_row(
    table: pa.Table, where: Any, expected: list[int]
) -> None:
    assert (np.flatnonzero(rows_where(table, where)) + 1).tolist() == expected


LISTED = r'the fields are "style" \(string\), .*"year" \(int64\)'


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (pc.field("colour") == 1, f'there is no field "colour" of the items; {LISTED}'),
        (nw.col("colour") == 1, f'there is no field "colour" of the items; {LISTED}'),
        (pc.field("year") == "old", f'it does not fit field "year": .*int64, string.*{LISTED}'),
        (nw.col("style") > 3, f'it does not fit field "style": .*string, int64.*{LISTED}'),
        (pc.field("genres") == "War", f'it does not fit field "genres": .*{LISTED}'),
        (pc.field("year"), f'it does not fit field "year": .*must evaluate to bool.*{LISTED}'),
        (nw.col("year") + 1, "gives 4 values of type int64; one boolean an item is needed"),
        ("year > 1980", "must be an expression of pyarrow.compute or narwhals .* not builtins.str"),
        (lambda row: row, "not builtins.function"),
    ],
    ids=lambda each: "a function" if callable(each) else str(each),
)
def test_what_is_no_question_about_the_fields_is_refused(
    table: pa.Table, where: Any, message: str
) -> None:
    with pytest.raises(ArgumentError, match=f"^where.*{message}"):
        rows_where(table, where)


def test_without_fields_there_is_nothing_to_ask() -> None:
    dataset = Dataset.from_tables(pa.table({"user_id": ["ann"], "item_id": [1]}))
    with pytest.raises(ArgumentError, match='no field "year" of the items; the fields are none'):
        rows_where(field_table(dataset.item_features), pc.field("year") > 1)
