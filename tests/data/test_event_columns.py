"""Which column is taken for what."""

from typing import Any

import polars as pl
import pytest

from whyrec.data.event_columns import EventColumns, find_id_column, find_label_column
from whyrec.data.tables import Table, read_table
from whyrec.errors import DataError


def table(*names: str, name: str = "events") -> Table:
    return read_table(pl.DataFrame({column: ["a", "b"] for column in names}), name)


@pytest.mark.parametrize(
    "names",
    [
        ("user_id", "item_id"),
        ("userId", "movieId", "timestamp", "rating"),
        ("user", "item", "time", "score", "type"),
        ("CustomerID", "StockCode", "InvoiceDate", "Quantity"),
        ("User ID", "Item-ID", "Date", "value", "Event_Type"),
    ],
    ids=" ".join,
)
def test_the_usual_names_are_known_whatever_their_spelling(names: tuple[str, ...]) -> None:
    roles = EventColumns().resolve(table(*names)).found()
    expected = ["user_id", "item_id", "timestamp", "value", "kind"][: len(names)]
    assert roles == dict(zip(expected, names, strict=True))


def test_columns_of_no_known_name_are_left_alone() -> None:
    columns = EventColumns().resolve(table("user_id", "item_id", "price", "note"))
    assert columns == EventColumns(user_id="user_id", item_id="item_id")
    assert columns.found() == {"user_id": "user_id", "item_id": "item_id"}


@pytest.mark.parametrize(
    "names", [("customer", "user_id"), ("userId", "user_id"), ("UserID", "user")]
)
def test_the_name_itself_wins_over_its_spellings_and_those_over_other_words(
    names: tuple[str, str],
) -> None:
    chosen = EventColumns().resolve(table(*names, "item_id")).user_id
    assert chosen == ("user_id" if "user_id" in names else "UserID")


def test_a_name_that_ends_in_id_wins_over_a_bare_word() -> None:
    assert EventColumns().resolve(table("user_id", "artist", "track_id")).item_id == "track_id"


@pytest.mark.parametrize(
    ("names", "role"),
    [
        (("customer", "visitor", "item_id"), "user_id"),
        (("userId", "USER_ID", "item_id"), "user_id"),
        (("user_id", "movie_id", "product_id"), "item_id"),
        (("user_id", "item_id", "date", "time"), "timestamp"),
        (("user_id", "item_id", "rating", "quantity"), "value"),
        (("user_id", "item_id", "type", "action"), "kind"),
    ],
)
def test_two_columns_that_could_be_meant_are_both_named(names: tuple[str, ...], role: str) -> None:
    with pytest.raises(DataError, match=rf"could all be the {role}") as caught:
        EventColumns().resolve(table(*names))
    mentioned = [name for name in names if f'"{name}"' in str(caught.value)]
    assert len(mentioned) == 2
    assert f"columns=EventColumns({role}=…)" in str(caught.value)


@pytest.mark.parametrize(("there", "missing"), [("user_id", "item_id"), ("item_id", "user_id")])
def test_an_id_column_that_nothing_looks_like_is_asked_for(there: str, missing: str) -> None:
    with pytest.raises(
        DataError, match=rf'events: no column looks like the {missing}; .*"{there}", "x"'
    ):
        EventColumns().resolve(table(there, "x"))


def test_what_the_caller_says_holds() -> None:
    columns = EventColumns(user_id="who", item_id="what", value="much").resolve(
        table("who", "what", "much", "user_id", "item_id", "rating")
    )
    assert columns.found() == {"user_id": "who", "item_id": "what", "value": "much"}


def test_a_column_the_caller_names_must_be_there() -> None:
    with pytest.raises(DataError, match='events: there is no column "when"'):
        EventColumns(timestamp="when").resolve(table("user_id", "item_id", "timestamp"))


def test_false_reads_no_column() -> None:
    columns = EventColumns(timestamp=False, value=False, kind=False).resolve(
        table("user_id", "item_id", "timestamp", "value", "rating", "quantity", "kind")
    )
    assert columns == EventColumns(user_id="user_id", item_id="item_id")


def test_one_column_cannot_be_two_things() -> None:
    with pytest.raises(DataError, match='"user_id" cannot be both the user_id and the value'):
        EventColumns(value="user_id").resolve(table("user_id", "item_id"))


def test_resolved_columns_resolve_to_themselves() -> None:
    resolved = EventColumns().resolve(table("user", "item", "rating"))
    assert resolved.resolve(table("user", "item", "rating")) == resolved


@pytest.mark.parametrize(
    ("names", "in_events", "found"),
    [
        (("sku", "title"), "sku", "sku"),
        (("StockCode", "item_id"), "StockCode", "StockCode"),
        (("id", "artist"), "item", "id"),
        (("item_id", "id"), "product", "item_id"),
        (("ItemId", "id"), "product", "ItemId"),
        (("movieId", "title"), "film", "movieId"),
    ],
)
def test_the_id_column_of_items_is_that_of_the_events_or_guessed(
    names: tuple[str, ...], in_events: str, found: str
) -> None:
    assert find_id_column(table(*names, name="items"), None, "item_id", in_events) == found


def test_an_id_column_of_users_that_nothing_looks_like_is_asked_for() -> None:
    with pytest.raises(DataError, match=r"users: no column looks like the user_id; .*user_id=…"):
        find_id_column(table("age", name="users"), None, "user_id", "user")
    with pytest.raises(DataError, match='users: there is no column "nick"'):
        find_id_column(table("age", name="users"), "nick", "user_id", "user")
    assert find_id_column(table("nick", "user", name="users"), "nick", "user_id", "user") == "nick"


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ("item_id description Title", "Title"),
        ("item_id name label", "name"),
        ("item_id Product_Name", "Product_Name"),
        ("item_id description", "description"),
        ("item_id genre", None),
    ],
)
def test_the_label_is_the_likeliest_name_of_an_item(names: str, found: str | None) -> None:
    assert find_label_column(table(*names.split(), name="items")) == found


def test_a_label_that_is_a_number_names_nothing() -> None:
    frame: Any = pl.DataFrame({"label": [0, 1], "description": ["a", "b"]})
    assert find_label_column(read_table(frame, "items")) == "description"
