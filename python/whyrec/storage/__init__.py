"""The safe directory: named parts on disk behind a manifest with checksums; no pickle.

It knows nothing of models: whoever saves hands over arrays, Arrow tables and JSON values.
"""

from whyrec.storage.directory import Loaded, amend_directory, load_directory, save_directory
from whyrec.storage.manifest import SCHEMA_VERSION
from whyrec.storage.parts import Arrays, Document, JsonValue, Part, Table

__all__ = [
    "SCHEMA_VERSION",
    "Arrays",
    "Document",
    "JsonValue",
    "Loaded",
    "Part",
    "Table",
    "amend_directory",
    "load_directory",
    "save_directory",
]
