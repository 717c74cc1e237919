"""Saving and loading a directory such that a good save is never lost.

A save writes every part under a name that carries its checksum, then replaces the manifest in one
step. Until that step the directory holds the old save, from it on the new one: a save that is
killed half way changes nothing for whoever reads.
"""

import contextlib
import os
import re
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from safetensors import SafetensorError

from whyrec.errors import StorageError
from whyrec.storage.manifest import MANIFEST_NAME, Entry, Manifest, is_data_file
from whyrec.storage.parts import Arrays, Document, JsonValue, Part, Table, decode, encode, suffix_of

if sys.platform != "win32":
    import fcntl

_UNFINISHED = re.compile(r"\.whyrec-[0-9a-f]{16}\.unfinished")

# Each attempt after the first means that another save was committed meanwhile.
_LOAD_ATTEMPTS = 8


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a directory held: every part by name, and the caller's description."""

    path: Path
    parts: Mapping[str, Part]
    description: Mapping[str, JsonValue]
    schema_version: int
    whyrec_version: str
    """The version of whyrec that wrote the directory."""

    def arrays(self, name: str) -> Mapping[str, np.ndarray[Any, Any]]:
        """Return the arrays of a part; StorageError when no part of that name holds arrays."""
        match self.parts.get(name):
            case Arrays(values):
                return values
        raise self._lack(name, "arrays")

    def table(self, name: str) -> pa.Table:
        """Return the table of a part; StorageError when no part of that name is one."""
        match self.parts.get(name):
            case Table(value):
                return value
        raise self._lack(name, "an Arrow table")

    def document(self, name: str) -> JsonValue:
        """Return the JSON value of a part; StorageError when no part of that name is one."""
        match self.parts.get(name):
            case Document(value):
                return value
        raise self._lack(name, "a JSON value")

    def _lack(self, name: str, what: str) -> StorageError:
        return StorageError(f'{self.path / MANIFEST_NAME}: has no part "{name}" with {what}')


def save_directory(
    path: str | os.PathLike[str],
    parts: Mapping[str, Part],
    description: Mapping[str, JsonValue] | None = None,
) -> None:
    """Save named parts as a directory, in place of what was saved there before.

    Files that no save names any more are removed; a file that is not whyrec's is never touched.
    Two savers of one directory take turns.

    Raises:
        ArgumentError: a part that cannot be stored as it is.
        StorageError: a directory with other content or of a newer schema, or a failing disk.

    >>> import tempfile
    >>> import numpy as np
    >>> from whyrec.storage import Arrays, load_directory, save_directory
    >>> with tempfile.TemporaryDirectory() as path:
    ...     save_directory(path, {"model": Arrays({"bias": np.zeros(3)})}, {"kind": "example"})
    ...     load_directory(path).arrays("model")["bias"].tolist()
    [0.0, 0.0, 0.0]
    """
    directory = Path(path)
    prepared = _Prepared.of(parts, description or {})
    with _disk_errors(directory):
        directory.mkdir(parents=True, exist_ok=True)
        with _turn(directory):
            _commit(directory, prepared)


def amend_directory(
    path: str | os.PathLike[str], amend: Callable[[Loaded], Mapping[str, Part]]
) -> None:
    """Replace some parts of what a directory holds, with no other save in between.

    Args:
        path: the directory.
        amend: gives the parts that change, from all that there are; none leaves all as it is.

    Raises:
        ArgumentError: a part that cannot be stored as it is.
        StorageError: as of `load_directory`, or a failing disk.
    """
    directory = Path(path)
    with _disk_errors(directory), _turn(directory):
        loaded = _load(directory, _manifest_text(directory))
        changed = amend(loaded)
        if changed:
            _commit(directory, _Prepared.of({**loaded.parts, **changed}, loaded.description))


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A save as bytes, before any of it is written."""

    files: Mapping[str, Entry]
    payloads: Mapping[str, bytes]
    manifest: bytes

    @classmethod
    def of(cls, parts: Mapping[str, Part], description: Mapping[str, JsonValue]) -> "_Prepared":
        payloads = {name: encode(name, part) for name, part in parts.items()}
        files = {name: Entry.of(name, suffix_of(parts[name]), payloads[name]) for name in parts}
        return cls(files, payloads, Manifest(files, description).encode())


def _commit(directory: Path, prepared: _Prepared) -> None:
    """Put a save in place of the one before, in a turn of its own."""
    _sweep(directory, _files_in_place(directory))
    for name, entry in prepared.files.items():
        _write(directory, entry.file, prepared.payloads[name])
    _write(directory, MANIFEST_NAME, prepared.manifest)
    # The new save stands: an old file that cannot go now goes with the next save.
    with contextlib.suppress(OSError):
        _sweep(directory, frozenset(entry.file for entry in prepared.files.values()))


def load_directory(path: str | os.PathLike[str]) -> Loaded:
    """Read what `save_directory` wrote, each file checked against its size and SHA-256.

    A reader that meets a save going on starts again with the new manifest.

    Raises:
        StorageError: what is missing, damaged, not whyrec's or of a newer schema, by file name.
    """
    directory = Path(path)
    with _disk_errors(directory):
        text = _manifest_text(directory)
        for _ in range(_LOAD_ATTEMPTS):
            try:
                return _load(directory, text)
            except StorageError:
                seen, text = text, _manifest_text(directory)
                if text == seen:
                    raise
        return _load(directory, text)


def _load(directory: Path, text: bytes) -> Loaded:
    manifest = Manifest.decode(directory / MANIFEST_NAME, text)
    return Loaded(
        directory,
        {name: _read(directory / entry.file, entry) for name, entry in manifest.files.items()},
        manifest.description,
        manifest.schema_version,
        manifest.whyrec_version,
    )


def _manifest_text(directory: Path) -> bytes:
    path = directory / MANIFEST_NAME
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise StorageError(f"{path}: is missing; no finished save is there") from None


def _read(path: Path, entry: Entry) -> Part:
    try:
        payload = path.read_bytes()
    except FileNotFoundError:
        raise StorageError(f"{path}: is missing, though the manifest names it") from None
    entry.check(path, payload)
    try:
        return decode(path.suffix, payload)
    except (ValueError, SafetensorError) as error:
        raise StorageError(f"{path}: cannot be read ({error})") from error


def _write(directory: Path, name: str, payload: bytes) -> None:
    """Write beside and rename: nobody ever sees the file half full."""
    unfinished = directory / f".whyrec-{secrets.token_hex(8)}.unfinished"
    try:
        with unfinished.open("xb") as file:
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(directory / name)
    except BaseException:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise
    if sys.platform != "win32":
        # The name is on the disk only once the directory is.
        with _opened(directory) as descriptor:
            os.fsync(descriptor)


def _files_in_place(directory: Path) -> frozenset[str]:
    """Return the files of the save that stands, or refuse a directory that is not ours."""
    path = directory / MANIFEST_NAME
    if path.exists():
        return Manifest.decode(path, path.read_bytes()).file_names()
    # A save that was killed before its first commit leaves files of ours without a manifest.
    foreign = sorted(entry.name for entry in directory.iterdir() if not _is_ours(entry.name))
    if foreign:
        raise StorageError(
            f"{directory}: holds {len(foreign)} files that are not whyrec's, {foreign[0]} among "
            "them, and no manifest; save into a new or an empty directory"
        )
    return frozenset()


def _is_ours(name: str) -> bool:
    return is_data_file(name) or bool(_UNFINISHED.fullmatch(name))


def _sweep(directory: Path, kept: frozenset[str]) -> None:
    """Remove the files of ours that the save in place does not need."""
    for entry in list(directory.iterdir()):
        if _is_ours(entry.name) and entry.name not in kept:
            entry.unlink()


@contextlib.contextmanager
def _turn(directory: Path) -> Iterator[None]:
    """Let one saver at a time into the directory; the system frees the lock of a killed one."""
    if sys.platform == "win32":
        yield
        return
    with _opened(directory) as descriptor:
        # Some network file systems know no locks; there, taking turns is left to the savers.
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _opened(directory: Path) -> Iterator[int]:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _disk_errors(directory: Path) -> Iterator[None]:
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        where = error.filename if isinstance(error.filename, str) else directory
        raise StorageError(f"{where}: {error.strerror or error}") from error
