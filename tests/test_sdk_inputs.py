"""What the SDK takes in: any table, ids of any type, and what it refuses before it trains."""

from collections.abc import Callable, Hashable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest

from whyrec import (
    SDK,
    ArgumentError,
    DataError,
    EASEConfig,
    EventColumns,
    Numeric,
    Recommendations,
)
from whyrec.datasets import synthetic

WORLD = synthetic(seed=2, n_users=20, n_items=16, n_events_per_user=6)
EVENTS, USERS = pl.DataFrame(WORLD.events), pl.DataFrame(WORLD.users)
ITEMS = pl.DataFrame(WORLD.items).drop("topics").with_columns(price=pl.int_range(16) / 4)


def fit(*tables: Any, **settings: Any) -> SDK:
    return SDK.fit(*tables, model=EASEConfig(l2=5.0), progress=False, **settings)


def answers(sdk: SDK) -> list[Recommendations]:
    return sdk.recommend_with_reasons(list(sdk.dataset.users), k=4, max_reasons=None)


@pytest.fixture(scope="module")
def expected() -> list[Recommendations]:
    return answers(fit(EVENTS, ITEMS, USERS))


def as_csv(table: pl.DataFrame, path: Path) -> Path:
    table.write_csv(path.with_suffix(".csv"))
    return path.with_suffix(".csv")


def as_parquet(table: pl.DataFrame, path: Path) -> str:
    table.write_parquet(path.with_suffix(".parquet"))
    return str(path.with_suffix(".parquet"))


@pytest.mark.parametrize(
    "of",
    [
        lambda table, _: table.to_pandas(),
        lambda table, _: table.lazy(),
        lambda table, _: table.to_arrow(),
        as_csv,
        as_parquet,
    ],
    ids=["pandas", "polars lazy", "pyarrow", "csv", "parquet"],
)
def test_the_kind_of_table_changes_no_answer(
    expected: list[Recommendations], tmp_path: Path, of: Callable[[pl.DataFrame, Path], Any]
) -> None:
    tables = {"events": EVENTS, "items": ITEMS, "users": USERS}
    sdk = fit(*(of(table, tmp_path / name) for name, table in tables.items()))
    assert answers(sdk) == expected
    assert sdk.evaluate(of(EVENTS, tmp_path / "events")).n_users == 20


def test_the_tables_stay_as_they_were() -> None:
    tables = [EVENTS.to_pandas(), ITEMS.to_pandas(), USERS.to_pandas()]
    copies = [table.copy(deep=True) for table in tables]
    fit(*tables)
    for table, copy in zip(tables, copies, strict=True):
        pd.testing.assert_frame_equal(table, copy)


def test_items_and_users_need_no_tables() -> None:
    sdk = fit(EVENTS)
    assert sdk.dataset.items.ids == tuple(EVENTS["item_id"].unique(maintain_order=True))
    (best,) = sdk.recommend_with_reasons("u3", k=1, max_reasons=None)
    assert {reason.kind.value for reason in best.reasons} == {"history"}


def test_settings_of_the_tables_reach_the_dataset() -> None:
    sdk = fit(
        EVENTS.rename({"user_id": "who", "item_id": "what"}),
        ITEMS.rename({"item_id": "number"}),
        USERS.rename({"user_id": "name"}),
        columns=EventColumns(user_id="who", item_id="what", timestamp=False),
        item_id="number",
        user_id="name",
        item_fields={"price": Numeric(), "style": None},
        user_fields={"region": None},
    )
    assert sdk.report.columns == {"user_id": "who", "item_id": "what"}
    assert set(sdk.report.item_fields) == {"price"}
    assert set(sdk.report.user_fields) == {"age_group"}


@pytest.mark.parametrize(
    "of",
    [
        lambda n: n,
        lambda n: f"name {n}",
        lambda n: ("shelf", n),
        lambda n: date(2024, 1, 1) + timedelta(n),
        lambda n: n if n % 2 else str(n),
    ],
    ids=["int", "str", "tuple", "date", "mixed"],
)
def test_ids_come_back_as_they_went_in(of: Callable[[int], Hashable], tmp_path: Path) -> None:
    given = [(of(int(user[1:])), of(int(item[1:]))) for user, item, *_ in EVENTS.rows()]
    users, items = (list(dict.fromkeys(column)) for column in zip(*given, strict=True))
    frame = pd.DataFrame(
        {
            name: pd.Series(column, dtype=object)
            for name, column in zip(("user_id", "item_id"), zip(*given, strict=True), strict=True)
        }
    )
    sdk = fit(frame)
    sdk.save(tmp_path)
    for each in (sdk, SDK.load(tmp_path)):
        (answer,) = each.recommend_with_reasons(users[3:4], k=99, max_reasons=None)
        assert answer == each.recommend_with_reasons(users[3], k=99, max_reasons=None)
        seen = {item for user, item in given if user == users[3]}
        found = [one.item_id for one in answer]
        assert set(found) == set(items) - seen
        assert {reason.source for reason in answer[0].reasons} == seen
        types = {one: type(one) for one in (*items, users[3])}
        assert all(type(one) is types[one] for one in (answer.user_id, *found))
        assert each.explain(users[3], found[0]).reasons == answer[0].reasons
        left = each.recommend(users[3], k=99, exclude=found[:2])
        assert [one.item_id for one in left] == found[2:]


def test_a_user_whose_id_is_a_tuple_is_one_user() -> None:
    sdk = fit(pd.DataFrame({"user_id": [("a", 1), ("a", 1), ("b", 2)], "item_id": ["x", "y", "x"]}))
    assert sdk.recommend(("b", 2)).user_id == ("b", 2)
    assert [answer.user_id for answer in sdk.recommend([("b", 2), ("a", 1)])] == [
        ("b", 2),
        ("a", 1),
    ]


def replaced(table: pl.DataFrame, column: str, row: int, cell: object) -> pl.DataFrame:
    cells = table[column].to_list()
    cells[row] = cell
    return table.with_columns(pl.Series(column, cells, strict=False))


def mixed_times() -> pd.DataFrame:
    times: list[object] = [datetime(2024, 1, 1)] * len(EVENTS)
    times[5] = "2024-01-01"
    frame = EVENTS.drop("timestamp").to_pandas()
    frame["timestamp"] = pd.Series(times, dtype=object)
    return frame


REFUSED = {
    "no column of users": (
        (EVENTS.drop("user_id"),),
        "events: no column looks like the user_id",
    ),
    "no column of items": (
        (EVENTS.drop("item_id"),),
        "events: no column looks like the item_id",
    ),
    "no ids in items": (
        (EVENTS, ITEMS.drop("item_id")),
        "items: no column looks like the item_id",
    ),
    "no ids in users": (
        (EVENTS, ITEMS, USERS.drop("user_id")),
        "users: no column looks like the user_id",
    ),
    "no events": ((EVENTS.clear(),), "events: the table is empty"),
    "no items": ((EVENTS, ITEMS.clear()), "items: the table is empty"),
    "no users": ((EVENTS, ITEMS, USERS.clear()), "users: the table is empty"),
    "a null user": (
        (replaced(EVENTS, "user_id", 7, None),),
        r'events: column "user_id" has null ids \(row 7\)',
    ),
    "a null item": (
        (replaced(EVENTS, "item_id", 3, None),),
        r'events: column "item_id" has null ids \(row 3\)',
    ),
    "a null id in items": (
        (EVENTS, replaced(ITEMS, "item_id", 2, None)),
        r'items: column "item_id" has null ids \(row 2\)',
    ),
    "a null id in users": (
        (EVENTS, ITEMS, replaced(USERS, "user_id", 4, None)),
        r'users: column "user_id" has null ids \(row 4\)',
    ),
    "an item in two rows": (
        (EVENTS, pl.concat([ITEMS, ITEMS[2:3]])),
        r"items: column \"item_id\" has items in more than one row: 'i2' \(rows 2, 16\)",
    ),
    "a user in two rows": (
        (EVENTS, ITEMS, pl.concat([USERS, USERS[:1]])),
        r"users: column \"user_id\" has users in more than one row: 'u0' \(rows 0, 20\)",
    ),
    "an unknown item": (
        (replaced(EVENTS, "item_id", 9, "x"), ITEMS),
        r"events: column \"item_id\" has 1 event of 1 item that the items table does not have: "
        r"'x' \(row 9\)",
    ),
    "a price that is not finite": (
        (EVENTS, replaced(ITEMS, "price", 5, float("inf"))),
        r'items: column "price" has 1 non-finite value \(row 5\)',
    ),
    "a rating that is not finite": (
        (EVENTS.with_columns(rating=pl.when(pl.int_range(pl.len()) == 8).then(float("-inf"))),),
        r'events: column "rating" has 1 non-finite value \(row 8\)',
    ),
    "times of mixed types": (
        (mixed_times(),),
        r'events: column "timestamp" mixes types: datetime first, but text in row 5',
    ),
    "a missing time": (
        (replaced(EVENTS, "timestamp", 6, None),),
        r'events: column "timestamp" has null times \(row 6\)',
    ),
    "a path that is not there": (("no/events.csv",), "events: there is no file no/events.csv"),
    "no table": (([1, 2],), "events: builtins.list is not a table"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_refused_by_table_column_and_row(case: str) -> None:
    tables, message = REFUSED[case]
    with pytest.raises(DataError, match=message):
        fit(*tables)


def test_events_of_unknown_items_are_dropped_and_counted_when_asked() -> None:
    events = replaced(replaced(EVENTS, "item_id", 9, "x"), "item_id", 11, "y")
    sdk = fit(events, ITEMS, unknown_items="drop")
    assert sdk.report.dropped_events == 2
    assert sdk.report.dropped_items == ("'x'", "'y'")
    assert sdk.report.n_events == len(EVENTS) - 2
    assert "2 events of unknown items dropped ('x', 'y')" in str(sdk.report)
    with pytest.raises(ArgumentError, match="unknown_items"):
        fit(events, ITEMS, unknown_items="keep")


def test_a_model_is_settings_and_no_name() -> None:
    events = pl.DataFrame({"user_id": ["a", "b"], "item_id": ["x", "y"]})
    with pytest.raises(ArgumentError, match=r"model must be settings.*not 'ease'"):
        SDK.fit(events, model="ease")  # type: ignore[arg-type]
