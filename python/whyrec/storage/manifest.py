"""The manifest of a saved directory: which files belong to it, and what they must contain."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from whyrec.errors import ArgumentError, StorageError
from whyrec.storage.parts import JsonValue, encode_json

SCHEMA_VERSION = 1
"""The newest schema that this whyrec reads, and the one that it writes."""

MANIFEST_NAME = "manifest.json"

_FORMAT = "whyrec"
_PART_NAME = re.compile(r"[a-z][a-z0-9_]*")
_FILE_NAME = re.compile(r"[a-z][a-z0-9_]*-[0-9a-f]{16}\.(?:safetensors|arrow|json)")


@dataclass(frozen=True, slots=True)
class Entry:
    """One file, and what it must contain."""

    file: str
    sha256: str
    size: int
    """In bytes."""

    @classmethod
    def of(cls, part: str, suffix: str, payload: bytes) -> "Entry":
        """Name a file after the part and its checksum, so that no save overwrites another's."""
        if not _PART_NAME.fullmatch(part):
            raise ArgumentError(
                f'part "{part}": a name starts with a lower-case letter and goes on with '
                'lower-case letters, digits and "_"'
            )
        digest = hashlib.sha256(payload).hexdigest()
        return cls(f"{part}-{digest[:16]}{suffix}", digest, len(payload))

    def check(self, path: Path, payload: bytes) -> None:
        """Raise StorageError unless the payload read from path is what it must be."""
        if len(payload) != self.size:
            raise StorageError(
                f"{path}: has {len(payload)} bytes where the manifest says {self.size}; "
                "it was cut short or altered"
            )
        if hashlib.sha256(payload).hexdigest() != self.sha256:
            raise StorageError(f"{path}: was altered; its SHA-256 is not that of the manifest")


@dataclass(frozen=True, slots=True)
class Manifest:
    """The files of a save by part name, and the caller's description of the whole."""

    files: Mapping[str, Entry]
    description: Mapping[str, JsonValue]
    schema_version: int = SCHEMA_VERSION
    whyrec_version: str = version("whyrec")

    def encode(self) -> bytes:
        """Return the manifest as JSON."""
        files: dict[str, JsonValue] = {
            part: {"file": entry.file, "sha256": entry.sha256, "bytes": entry.size}
            for part, entry in self.files.items()
        }
        content: dict[str, JsonValue] = {
            "format": _FORMAT,
            "schema_version": self.schema_version,
            "whyrec_version": self.whyrec_version,
            "files": files,
            "description": self.description,
        }
        return encode_json("the description", content)

    @classmethod
    def decode(cls, path: Path, text: bytes) -> "Manifest":
        """Read a manifest, and let nothing in that could lead out of its directory."""
        try:
            content = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise StorageError(f"{path}: is not JSON ({error}); the save is damaged") from None
        if not isinstance(content, dict) or content.get("format") != _FORMAT:
            raise StorageError(f'{path}: is no manifest of whyrec ("format" is not "{_FORMAT}")')
        schema = _expect(path, content, "schema_version", int)
        written_by = _expect(path, content, "whyrec_version", str)
        if schema > SCHEMA_VERSION:
            raise StorageError(
                f"{path}: has schema {schema}, written by whyrec {written_by}; whyrec "
                f"{version('whyrec')} reads up to schema {SCHEMA_VERSION}; upgrade whyrec"
            )
        files = {
            part: _entry(path, part, entry)
            for part, entry in _expect(path, content, "files", dict).items()
        }
        description = _expect(path, content, "description", dict)
        return cls(files, description, schema, written_by)

    def file_names(self) -> frozenset[str]:
        """Return the names of the files that belong to the save."""
        return frozenset(entry.file for entry in self.files.values())


def is_data_file(name: str) -> bool:
    """Tell whether a name is one that only a save gives."""
    return bool(_FILE_NAME.fullmatch(name))


def _entry(path: Path, part: str, content: object) -> Entry:
    if not isinstance(content, dict):
        raise StorageError(f'{path}: what it says of part "{part}" is not an object')
    file = _expect(path, content, "file", str)
    if not is_data_file(file):
        raise StorageError(f'{path}: part "{part}" has the file name {file!r}, not one of ours')
    size = _expect(path, content, "bytes", int)
    return Entry(file, _expect(path, content, "sha256", str), size)


def _expect(path: Path, content: dict[str, Any], key: str, kind: type) -> Any:
    value = content.get(key)
    # type() rather than isinstance(): true and false are no numbers here.
    if type(value) is not kind:
        raise StorageError(f'{path}: "{key}" is missing or not of type {kind.__name__}')
    return value
