import gzip
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from whyrec.data.tables import read_table
from whyrec.errors import DataError


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_csv_is_read_from_a_path_or_its_text(tmp_path: Path) -> None:
    path = write(tmp_path / "items.csv", "id,name\n1,ann\n2,bob\n")
    for source in (path, str(path)):
        table = read_table(source, "items")
        assert table["id"].objects() == [1, 2]
        assert table["name"].objects() == ["ann", "bob"]


def test_a_compressed_csv_is_read(tmp_path: Path) -> None:
    path = tmp_path / "items.csv.gz"
    path.write_bytes(gzip.compress(b"id\n1\n2\n"))
    assert read_table(path, "items")["id"].objects() == [1, 2]


@pytest.mark.parametrize("suffix", [".parquet", ".pq", ".PARQUET"])
def test_parquet_is_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"items{suffix}"
    pq.write_table(pa.table({"id": ["a", "b"]}), path)
    assert read_table(path, "items")["id"].objects() == ["a", "b"]


def test_the_index_that_pandas_adds_to_parquet_is_no_column(tmp_path: Path) -> None:
    path = tmp_path / "items.parquet"
    pd.DataFrame({"id": [1, 2, 3]}).iloc[[0, 2]].to_parquet(path)
    assert read_table(path, "items").names == ("id",)


def test_an_empty_cell_of_text_is_missing(tmp_path: Path) -> None:
    path = write(tmp_path / "items.csv", 'id,name\n1,ann\n2,\n3,""\n')
    assert read_table(path, "items")["name"].missing().tolist() == [False, True, True]


def test_text_that_spells_null_is_text(tmp_path: Path) -> None:
    path = write(tmp_path / "items.csv", "country\nNA\nDE\n")
    assert read_table(path, "items")["country"].objects() == ["NA", "DE"]


@pytest.mark.parametrize("codes", [["007", "7"], ["007", "7.5"], ["12345678901234567890", "1"]])
def test_a_code_that_a_number_would_change_stays_text(tmp_path: Path, codes: list[str]) -> None:
    path = write(tmp_path / "items.csv", "id,n\n" + "".join(f"{code},1\n" for code in codes))
    table = read_table(path, "items")
    assert table["id"].objects() == codes
    assert table["n"].objects() == [1, 1]


def test_numbers_with_a_leading_zero_before_the_point_are_numbers(tmp_path: Path) -> None:
    path = write(tmp_path / "items.csv", "price\n0.5\n0\n-0.25\n")
    assert read_table(path, "items")["price"].objects() == [0.5, 0.0, -0.25]


def test_the_mark_that_some_programs_put_first_is_no_part_of_a_name(tmp_path: Path) -> None:
    path = write(tmp_path / "items.csv", "\ufeffid\n1\n")
    assert read_table(path, "items").names == ("id",)


def test_a_path_without_a_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"events: there is no file .*gone\.csv"):
        read_table(tmp_path / "gone.csv", "events")


@pytest.mark.parametrize("name", ["events.xlsx", "events", "events.json.gz"])
def test_an_unknown_suffix_is_told(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, "id\n1\n")
    with pytest.raises(DataError, match=r"events: the suffix .* must be \.csv"):
        read_table(path, "events")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.parquet", b"this is no parquet"),
        ("a.csv", b""),
        ("a.csv", b"a,b\n1,2\n3\n"),
        ("a.csv.gz", b"this is not compressed"),
    ],
    ids=["parquet", "no line", "a short row", "gzip"],
)
def test_a_damaged_file_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"events: .*{name} cannot be read"):
        read_table(path, "events")


def test_a_csv_of_a_header_alone_is_empty(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"events: the table is empty \(0 rows, 2 columns\)"):
        read_table(write(tmp_path / "a.csv", "a,b\n"), "events")


def test_a_csv_that_is_not_utf_8_is_told_with_its_column(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("id,name\n1,Zoë\n".encode("latin-1"))
    with pytest.raises(DataError, match=r'is not UTF-8 in column "name"'):
        read_table(path, "items")


def test_a_csv_with_two_columns_of_one_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r'more than one column is called "a"'):
        read_table(write(tmp_path / "a.csv", "a,a\n1,2\n"), "events")
