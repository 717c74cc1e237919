import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as np_st

from whyrec.errors import ArgumentError, StorageError
from whyrec.storage import Arrays, Document, JsonValue, Part, Table, load_directory, save_directory

DTYPES = "?,i1,i2,i4,i8,u1,u2,u4,u8,f2,f4,f8"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "saved"


@pytest.mark.parametrize("dtype", DTYPES.split(","))
@pytest.mark.parametrize("shape", [(), (0,), (0, 3), (3, 0), (1,), (2, 3, 4)])
def test_arrays_come_back_bit_for_bit(path: Path, dtype: str, shape: tuple[int, ...]) -> None:
    n_bytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
    bits = np.random.default_rng(7).integers(0, 2 if dtype == "?" else 256, n_bytes, np.uint8)
    array = np.frombuffer(bits.tobytes(), dtype).reshape(shape)
    save_directory(path, {"part": Arrays({"a": array})})
    back = load_directory(path).arrays("part")["a"]
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    assert back.tobytes() == array.tobytes()


def test_the_payload_of_a_nan_and_the_sign_of_zero_survive(path: Path) -> None:
    bits = np.array([0x7FC00001, 0xFFC12345, 0x7F800001, 0x80000000], np.uint32)
    save_directory(path, {"part": Arrays({"a": bits.view(np.float32)})})
    back = load_directory(path).arrays("part")["a"]
    np.testing.assert_array_equal(back.view(np.uint32), bits)


@given(array=np_st.arrays(np.float64, np_st.array_shapes(min_dims=2, max_dims=3)), data=st.data())
def test_views_with_any_strides_come_back_by_value(
    tmp_path_factory: pytest.TempPathFactory, array: np.ndarray, data: st.DataObject
) -> None:
    axes = data.draw(st.permutations(range(array.ndim)))
    view = np.transpose(array, axes)[::-1, ::2]
    path = tmp_path_factory.mktemp("saved")
    save_directory(path, {"part": Arrays({"a": view})})
    np.testing.assert_array_equal(load_directory(path).arrays("part")["a"], view)


def test_tables_and_documents_and_the_description_come_back(path: Path) -> None:
    table = pa.table(
        {
            "id": ["a", None, "ü"],
            "n": pa.array([1, 2, None], pa.int64()),
            "tags": [["x", "y"], [], None],
            "label": pa.array(["p", "q", "p"]).dictionary_encode(),
        }
    )
    document: JsonValue = {"names": ["é", ""], "size": 3, "rate": 0.1, "none": None, "yes": True}
    save_directory(path, {"t": Table(table), "d": Document(document)}, {"kind": "two_tower"})
    loaded = load_directory(path)
    assert loaded.table("t").equals(table)
    assert loaded.table("t").schema.equals(table.schema)
    assert loaded.document("d") == document
    assert loaded.description == {"kind": "two_tower"}
    assert set(loaded.parts) == {"t", "d"}


def test_parts_without_content_come_back(path: Path) -> None:
    parts: dict[str, Part] = {
        "a": Arrays({}),
        "t": Table(pa.table({"x": pa.array([], pa.int8())})),
        "d": Document(None),
    }
    save_directory(path, parts)
    loaded = load_directory(path)
    assert loaded.arrays("a") == {}
    assert loaded.table("t").num_rows == 0
    assert loaded.document("d") is None


def test_no_parts_at_all_is_a_save(path: Path) -> None:
    save_directory(path, {}, {"n": 1})
    assert load_directory(path).parts == {}
    assert load_directory(path).description == {"n": 1}


def test_the_same_parts_give_the_same_files(tmp_path: Path) -> None:
    parts: dict[str, Part] = {
        "a": Arrays({"x": np.arange(5), "y": np.ones((2, 2), np.float32)}),
        "t": Table(pa.table({"x": [1, 2]})),
        "d": Document({"k": [1.5, None]}),
    }
    for name in ("one", "two"):
        save_directory(tmp_path / name, parts, {"n": 1})
    contents = [
        {file.name: file.read_bytes() for file in (tmp_path / name).iterdir()}
        for name in ("one", "two")
    ]
    assert len(contents[0]) == 4
    assert contents[0] == contents[1]


def test_a_second_save_leaves_nothing_of_the_first(path: Path) -> None:
    save_directory(path, {"a": Arrays({"x": np.arange(3)}), "b": Document([1])}, {"n": 1})
    save_directory(path, {"a": Arrays({"x": np.arange(4)})}, {"n": 2})
    loaded = load_directory(path)
    assert loaded.description == {"n": 2}
    assert len(loaded.arrays("a")["x"]) == 4
    assert len(list(path.iterdir())) == 2


def test_folders_above_are_made(tmp_path: Path) -> None:
    save_directory(tmp_path / "a" / "b", {"d": Document(1)})
    assert load_directory(str(tmp_path / "a" / "b")).document("d") == 1


def test_nothing_that_is_saved_is_a_pickle(path: Path) -> None:
    save_directory(path, {"a": Arrays({"x": np.arange(3)}), "t": Table(pa.table({"x": [1]}))})
    suffixes = sorted(file.suffix for file in path.iterdir())
    assert suffixes == [".arrow", ".json", ".safetensors"]


@pytest.mark.parametrize(
    "array",
    [
        np.array(["text"]),
        np.array([object()]),
        np.array([1 + 2j]),
        np.array(["2020-01-01"], "M8[D]"),
        np.array([1.0], np.longdouble),
        np.array([1], ">i4"),
    ],
    ids=lambda array: str(array.dtype),
)
def test_an_array_that_cannot_be_stored_is_named_and_nothing_is_written(
    path: Path, array: np.ndarray
) -> None:
    with pytest.raises(ArgumentError, match=r'part "model": array "bias" has dtype'):
        save_directory(path, {"model": Arrays({"bias": array})})
    assert not path.exists()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), b"bytes", {1, 2}, np.int64(3)])
def test_a_document_that_is_no_json_is_named_and_nothing_is_written(
    path: Path, value: JsonValue
) -> None:
    with pytest.raises(ArgumentError, match='part "fields" is not a JSON value'):
        save_directory(path, {"fields": Document([value])})
    with pytest.raises(ArgumentError, match="description is not a JSON value"):
        save_directory(path, {}, {"x": value})
    assert not path.exists()


@pytest.mark.parametrize("name", ["", "Model", "../up", "a-b", "a.b", "1a", "a/b"])
def test_a_part_name_that_is_no_plain_word_is_refused(path: Path, name: str) -> None:
    with pytest.raises(ArgumentError, match="a name starts with a lower-case letter"):
        save_directory(path, {name: Document(1)})
    assert not path.exists()


def test_asking_for_a_part_of_another_kind_names_it(path: Path) -> None:
    save_directory(path, {"a": Arrays({}), "d": Document(1), "t": Table(pa.table({}))})
    loaded = load_directory(path)
    for call, name in [
        (loaded.arrays, "d"),
        (loaded.table, "a"),
        (loaded.document, "t"),
        (loaded.arrays, "missing"),
    ]:
        with pytest.raises(StorageError, match=rf'manifest\.json: has no part "{name}"'):
            call(name)


def test_the_manifest_says_who_wrote_what(path: Path) -> None:
    save_directory(path, {"d": Document(1)})
    manifest = json.loads((path / "manifest.json").read_text())
    assert manifest["schema_version"] == load_directory(path).schema_version == 1
    assert manifest["whyrec_version"] == load_directory(path).whyrec_version
    assert set(manifest["files"]["d"]) == {"file", "sha256", "bytes"}
