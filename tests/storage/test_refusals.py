import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from whyrec.errors import StorageError
from whyrec.storage import Arrays, Document, Part, Table, load_directory, save_directory

PARTS: dict[str, Part] = {
    "model": Arrays({"weights": np.arange(12.0).reshape(3, 4)}),
    "items": Table(pa.table({"id": ["a", "b"]})),
    "fields": Document({"genres": "tags"}),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    save_directory(tmp_path / "saved", PARTS, {"n": 1})
    return tmp_path / "saved"


def file_of(path: Path, part: str) -> Path:
    (file,) = path.glob(f"{part}-*")
    return file


def edit_manifest(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    manifest = json.loads((path / "manifest.json").read_text())
    change(manifest)
    (path / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize("part", list(PARTS))
@pytest.mark.parametrize("keep", [0, 1, -1])
def test_a_truncated_file_is_named(path: Path, part: str, keep: int) -> None:
    file = file_of(path, part)
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(StorageError, match=f"{file.name}: has .* bytes where the manifest says"):
        load_directory(path)


@pytest.mark.parametrize("part", list(PARTS))
def test_a_file_with_more_at_its_end_is_named(path: Path, part: str) -> None:
    file = file_of(path, part)
    file.write_bytes(file.read_bytes() + b"\0")
    with pytest.raises(StorageError, match=f"{file.name}: has .* bytes where the manifest says"):
        load_directory(path)


@pytest.mark.parametrize("part", list(PARTS))
def test_a_single_altered_bit_is_found_anywhere(path: Path, part: str) -> None:
    file = file_of(path, part)
    good = file.read_bytes()
    for position in range(0, len(good), max(1, len(good) // 40)):
        bad = bytearray(good)
        bad[position] ^= 1
        file.write_bytes(bad)
        with pytest.raises(StorageError, match=f"{file.name}: was altered"):
            load_directory(path)


@pytest.mark.parametrize("part", list(PARTS))
def test_a_missing_file_is_named(path: Path, part: str) -> None:
    file = file_of(path, part)
    file.unlink()
    with pytest.raises(StorageError, match=f"{file.name}: is missing"):
        load_directory(path)


@pytest.mark.parametrize("part", list(PARTS))
def test_a_file_that_is_not_of_its_kind_is_named_even_with_the_right_checksum(
    path: Path, tmp_path: Path, part: str
) -> None:
    other = Document([1]) if part != "fields" else Table(pa.table({"x": [1]}))
    save_directory(tmp_path / "other", {"x": other})
    payload = file_of(tmp_path / "other", "x").read_bytes()
    file = file_of(path, part)
    file.write_bytes(payload)
    digest = hashlib.sha256(payload).hexdigest()
    edit_manifest(
        path, lambda manifest: manifest["files"][part].update(sha256=digest, bytes=len(payload))
    )
    with pytest.raises(StorageError, match=f"{file.name}: cannot be read"):
        load_directory(path)


def test_a_newer_schema_is_refused_with_both_versions(path: Path) -> None:
    edit_manifest(path, lambda manifest: manifest.update(schema_version=2, whyrec_version="9.9"))
    with pytest.raises(StorageError, match=r"manifest\.json: has schema 2.*9\.9.*upgrade whyrec"):
        load_directory(path)
    with pytest.raises(StorageError, match="has schema 2"):
        save_directory(path, PARTS)


@pytest.mark.parametrize(
    "text", ["", "{", "nonsense", '{"a": 1', "\0\0", "[" * 100_000], ids=lambda text: text[:8]
)
def test_a_manifest_that_is_no_json_is_refused(path: Path, text: str) -> None:
    (path / "manifest.json").write_text(text)
    with pytest.raises(StorageError, match=r"manifest\.json: is not JSON"):
        load_directory(path)


@pytest.mark.parametrize("text", ["[]", "1", "null", '"whyrec"', "{}", '{"format": "other"}'])
def test_a_manifest_of_something_else_is_refused(path: Path, text: str) -> None:
    (path / "manifest.json").write_text(text)
    with pytest.raises(StorageError, match=r"manifest\.json: is no manifest of whyrec"):
        load_directory(path)
    with pytest.raises(StorageError, match=r"manifest\.json: is no manifest of whyrec"):
        save_directory(path, PARTS)
    assert (path / "manifest.json").read_text() == text


@pytest.mark.parametrize("key", ["schema_version", "whyrec_version", "files", "description"])
@pytest.mark.parametrize("value", [None, True, [], 1.5])
def test_a_manifest_that_lacks_a_key_or_its_type_is_refused(
    path: Path, key: str, value: object
) -> None:
    edit_manifest(path, lambda manifest: manifest.pop(key))
    with pytest.raises(StorageError, match=f'manifest.json: "{key}" is missing'):
        load_directory(path)
    edit_manifest(path, lambda manifest: manifest.update({key: value}))
    with pytest.raises(StorageError, match=f'manifest.json: "{key}" is missing or not of type'):
        load_directory(path)


@pytest.mark.parametrize("key", ["file", "sha256", "bytes"])
@pytest.mark.parametrize("value", [None, True, [], 1.5])
def test_an_entry_that_lacks_a_key_or_its_type_is_refused(
    path: Path, key: str, value: object
) -> None:
    edit_manifest(path, lambda manifest: manifest["files"]["model"].pop(key))
    with pytest.raises(StorageError, match=f'manifest.json: "{key}" is missing'):
        load_directory(path)
    edit_manifest(path, lambda manifest: manifest["files"]["model"].update({key: value}))
    with pytest.raises(StorageError, match=f'manifest.json: "{key}" is missing or not of type'):
        load_directory(path)
    edit_manifest(path, lambda manifest: manifest["files"].update(model=value))
    with pytest.raises(StorageError, match='part "model" is not an object'):
        load_directory(path)


@pytest.mark.parametrize(
    "trick",
    [
        "../{name}",
        "./{name}",
        "sub/{name}",
        "..\\{name}",
        "{absolute}",
        "{name}\n",
        "{name}\0",
        "C:{name}",
        "manifest.json",
        "",
        "..",
    ],
)
def test_a_file_name_that_leads_elsewhere_is_refused(path: Path, trick: str) -> None:
    file = file_of(path, "model")
    for place in (path.parent, path / "sub"):
        place.mkdir(exist_ok=True)
        shutil.copy(file, place)
    name = trick.format(name=file.name, absolute=path.parent / file.name)
    edit_manifest(path, lambda manifest: manifest["files"]["model"].update(file=name))
    with pytest.raises(StorageError, match=r"manifest\.json: part .*not one of ours"):
        load_directory(path)


def test_a_directory_without_a_save_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for missing in ("empty", "absent"):
        with pytest.raises(StorageError, match=rf"{missing}.manifest\.json: is missing"):
            load_directory(tmp_path / missing)


def test_a_file_in_the_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for call in (lambda path: save_directory(path, PARTS), load_directory):
        with pytest.raises(StorageError, match="file"):
            call(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_directory_with_foreign_files_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    (tmp_path / "src").mkdir()
    with pytest.raises(StorageError, match=r"holds 2 files that are not whyrec's, src among"):
        save_directory(tmp_path, PARTS)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["src", "thesis.tex"]


def test_foreign_files_beside_a_save_are_never_removed(path: Path) -> None:
    foreign = ["notes.txt", "model.safetensors", "model-12.arrow", ".whyrec-notes", "x.unfinished"]
    for name in foreign:
        (path / name).write_text("mine")
    (path / "folder").mkdir()
    save_directory(path, {"model": Arrays({"weights": np.zeros(2)})})
    names = {file.name for file in path.iterdir()}
    assert names >= {*foreign, "folder"}
    assert len(names) == len(foreign) + 3


def test_what_a_killed_save_left_is_removed_by_the_next_one(tmp_path: Path) -> None:
    (tmp_path / ".whyrec-0123456789abcdef.unfinished").write_text("half")
    (tmp_path / "model-0123456789abcdef.safetensors").write_text("whole, but never committed")
    save_directory(tmp_path, {"d": Document(1)})
    assert load_directory(tmp_path).document("d") == 1
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("call", ["fsync", "replace", "write"])
def test_a_disk_error_at_any_step_leaves_a_loadable_directory(
    path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Fail the first call, then the second, and so on until a save goes through."""
    n_failures = 100
    messages = set()
    while True:
        before = load_directory(path).description["n"]
        with monkeypatch.context() as patched:
            _fail_at(patched, call, n_failures - 100)
            try:
                save_directory(path, _generation(n_failures), {"n": n_failures})
                break
            except StorageError as error:
                messages.add(str(error).rpartition(": ")[2])
        loaded = load_directory(path)
        assert loaded.description["n"] in (before, n_failures)
        if loaded.description["n"] != 1:
            assert (loaded.arrays("model")["weights"] == loaded.description["n"]).all()
        n_failures += 1
    assert n_failures >= 103
    assert messages == {os.strerror(errno.ENOSPC)}
    assert load_directory(path).description["n"] == n_failures
    assert len(list(path.iterdir())) == 3


def _generation(n: int) -> dict[str, Part]:
    return {"model": Arrays({"weights": np.full(50, n)}), "d": Document({"n": n})}


def _fail_at(patched: pytest.MonkeyPatch, call: str, at: int) -> None:
    n_calls = 0

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def counted(whole: Callable[..., Any]) -> Callable[..., Any]:
        def step(*arguments: object, **options: object) -> Any:
            nonlocal n_calls
            n_calls += 1
            return full() if n_calls == at + 1 else whole(*arguments, **options)

        return step

    if call == "fsync":
        patched.setattr(os, "fsync", counted(os.fsync))
    elif call == "replace":
        patched.setattr(Path, "replace", counted(Path.replace))
    else:
        patched.setattr(Path, "open", counted(Path.open))


@pytest.fixture
def read_only() -> Iterator[Path]:
    """Give a directory that the process cannot write to, without its privileges if it is root."""
    directory = Path(tempfile.mkdtemp())
    save_directory(directory, PARTS, {"n": 1})
    directory.chmod(0o555)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield directory
    finally:
        if root:
            os.seteuid(0)
        directory.chmod(0o755)
        shutil.rmtree(directory)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no read-only directories")
def test_a_read_only_directory_can_be_loaded_but_not_saved_to(read_only: Path) -> None:
    with pytest.raises(StorageError, match="Permission denied"):
        save_directory(read_only, PARTS, {"n": 2})
    assert load_directory(read_only).description == {"n": 1}
    with pytest.raises(StorageError, match="Permission denied"):
        save_directory(read_only / "below", PARTS)
