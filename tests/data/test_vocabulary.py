from collections.abc import Hashable
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest

from whyrec.data.vocabulary import Noun, Vocabulary
from whyrec.errors import (
    ArgumentError,
    StorageError,
    UnknownIdError,
    UnknownItemError,
    UnknownUserError,
)

MIXED: tuple[Hashable, ...] = (
    1,
    10**40,
    "1",
    "ünï",
    "\ud800",
    2.5,
    float("inf"),
    True,
    b"\x00\xff",
    (),
    (1, ("a", None)),
    frozenset({"a", "b"}),
    None,
    UUID(int=9),
    datetime(2024, 1, 2, 3, 4, 5, 6),
    datetime(2024, 1, 2, tzinfo=UTC),
    datetime(2024, 1, 2, tzinfo=timezone(timedelta(hours=2))),
    datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")),
    date(2024, 1, 2),
    time(12, 30, fold=1),
    timedelta(days=-1, microseconds=5),
    Decimal("1.10"),
)


def name_of(one: Hashable) -> str:
    """Name an id the same in every process, although a set has no order that stays."""
    shown = sorted(one) if isinstance(one, frozenset) else one
    return f"{type(one).__name__}-{shown!r}"


class Colour(StrEnum):
    RED = "red"


class OwnZone(tzinfo):
    def utcoffset(self, _: datetime | None) -> timedelta:
        return timedelta(0)

    def dst(self, _: datetime | None) -> timedelta:
        return timedelta(0)

    def tzname(self, _: datetime | None) -> str:
        return "own"


def test_ids_are_numbered_in_order_of_first_appearance() -> None:
    vocabulary = Vocabulary.from_ids(["b", "a", "b", "c"])
    assert vocabulary.ids == ("b", "a", "c")
    assert [vocabulary.index_of(one) for one in "bac"] == [0, 1, 2]
    assert len(vocabulary) == 3
    assert vocabulary[2] == "c"
    assert list(vocabulary) == ["b", "a", "c"]


def test_many_ids_are_looked_up_as_int64() -> None:
    indices = Vocabulary.from_ids([10, 20, 30]).indices_of([30, 10, 30])
    assert indices.dtype == np.int64
    assert indices.tolist() == [2, 0, 2]


def test_looking_up_no_ids_gives_no_indices() -> None:
    indices = Vocabulary.from_ids([1]).indices_of([])
    assert indices.shape == (0,)
    assert indices.dtype == np.int64


def test_membership_is_that_of_a_dict() -> None:
    vocabulary = Vocabulary.from_ids([1, "a"])
    assert 1 in vocabulary
    assert "a" in vocabulary
    assert "1" not in vocabulary
    assert [] not in vocabulary


def test_numpy_scalars_are_looked_up_and_kept_as_python_ones() -> None:
    vocabulary = Vocabulary.from_ids(np.array([3, 4]))
    assert [type(one) for one in vocabulary.ids] == [int, int]
    assert vocabulary.index_of(np.int32(4)) == 1
    assert vocabulary.indices_of(np.array([4, 3], np.int32)).tolist() == [1, 0]
    assert [type(one) for one in Vocabulary.from_ids([np.float64(0.5), "a"])] == [float, str]


def test_arrow_arrays_are_ids() -> None:
    vocabulary = Vocabulary.from_ids(pa.array(["a", "b"]))
    assert vocabulary.indices_of(pa.chunked_array([["b"], ["a"]])).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("of", "error"),
    [("id", UnknownIdError), ("item", UnknownItemError), ("user", UnknownUserError)],
)
def test_unknown_ids_are_named_and_counted(of: Noun, error: type[UnknownIdError]) -> None:
    vocabulary = Vocabulary.from_ids([1], of)
    with pytest.raises(error, match=rf"7 unknown {of}s: 'a', 2, 3, 4, 5 and 2 more") as caught:
        vocabulary.indices_of([1, "a", 2, 2, 3, 4, 5, 6, 7])
    assert type(caught.value) is error
    with pytest.raises(error, match=rf"^1 unknown {of}: \(1, 2\)$"):
        vocabulary.index_of((1, 2))


def test_an_id_that_cannot_be_hashed_is_refused() -> None:
    with pytest.raises(ArgumentError, match="hashable"):
        Vocabulary.from_ids([[1]])  # type: ignore[list-item]
    with pytest.raises(ArgumentError, match="hashable"):
        Vocabulary.from_ids([1]).index_of([1])  # type: ignore[arg-type]


def test_one_string_is_not_taken_for_a_list_of_letters() -> None:
    with pytest.raises(ArgumentError, match="list of ids"):
        Vocabulary.from_ids("abc")
    with pytest.raises(ArgumentError, match="list of ids"):
        Vocabulary.from_ids(["a"]).indices_of("a")


def test_ids_given_twice_are_refused_where_each_needs_its_place() -> None:
    with pytest.raises(ArgumentError, match="distinct"):
        Vocabulary((1, 1))


def test_vocabularies_of_the_same_ids_are_equal() -> None:
    assert Vocabulary.from_ids([1, 2]) == Vocabulary((1, 2))
    assert hash(Vocabulary.from_ids([1, 2])) == hash(Vocabulary((1, 2)))
    assert Vocabulary((1, 2)) != Vocabulary((2, 1))
    assert Vocabulary((1,), "item") != Vocabulary((1,), "user")
    assert Vocabulary((1,)) != (1,)


@pytest.mark.parametrize(
    ("ids", "kind"),
    [
        ([1, -5], pa.int64()),
        (["a", "ü"], pa.large_string()),
        ([b"a", b"\xff"], pa.large_binary()),
    ],
    ids=["int", "str", "bytes"],
)
def test_ids_of_one_plain_type_are_stored_as_they_are(
    ids: list[Hashable], kind: pa.DataType
) -> None:
    table = Vocabulary.from_ids(ids).to_arrow()
    assert table.schema == pa.schema([("id", kind)])
    assert Vocabulary.from_arrow(table).ids == tuple(ids)


@pytest.mark.parametrize("one", MIXED, ids=name_of)
def test_an_id_of_any_type_comes_back_from_storage(one: Hashable) -> None:
    back = Vocabulary.from_arrow(Vocabulary.from_ids([one, "other"]).to_arrow())[0]
    assert back == one
    assert type(back) is type(one)
    assert repr(back) == repr(one)


def test_mixed_ids_come_back_from_storage_in_their_order() -> None:
    ids = (*MIXED[:7], *MIXED[8:])  # True equals 1, so it is no id of its own
    table = Vocabulary.from_ids(ids, "user").to_arrow()
    assert Vocabulary.from_arrow(table, "user") == Vocabulary(ids, "user")


def test_no_ids_come_back_from_storage() -> None:
    assert len(Vocabulary.from_arrow(Vocabulary(()).to_arrow())) == 0


@pytest.mark.parametrize(
    ("one", "name"),
    [
        (Fraction(1, 2), "fractions.Fraction"),
        (Colour.RED, "Colour"),
        ((1, Fraction(1, 2)), "fractions.Fraction"),
    ],
    ids=["fraction", "enum", "in a tuple"],
)
def test_a_type_that_cannot_be_stored_is_named(one: Hashable, name: str) -> None:
    with pytest.raises(StorageError, match=name):
        Vocabulary.from_ids([one]).to_arrow()


def test_a_time_zone_that_cannot_be_stored_is_named() -> None:
    with pytest.raises(StorageError, match="time zone"):
        Vocabulary.from_ids([datetime(2024, 1, 1, tzinfo=OwnZone())]).to_arrow()


@pytest.mark.parametrize(
    "table",
    [
        pa.table({"x": [1]}),
        pa.table({"id_json": ["no json"]}),
        pa.table({"id_json": ['["Fraction", "1/2"]']}),
        pa.table({"id_json": ['["int", "x"]']}),
        pa.table({"id_json": ["5"]}),
        pa.table({"id_json": ["[]"]}),
        pa.table({"id": [1, 1]}),
    ],
    ids=["column", "json", "type", "value", "no list", "empty list", "twice"],
)
def test_ids_that_were_not_stored_so_are_refused(table: pa.Table) -> None:
    with pytest.raises(StorageError):
        Vocabulary.from_arrow(table)


def test_an_array_of_ids_is_flat() -> None:
    vocabulary = Vocabulary.from_ids(["u", "1"], "user")
    for ids in (np.array("u1"), np.array([["u"], ["1"]])):
        with pytest.raises(ArgumentError, match="a flat array of ids"):
            vocabulary.indices_of(ids)
