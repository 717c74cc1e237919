"""What users do and ask for, kept safely: a store's protocol, SQLite and PostgreSQL behind it."""

from whyrec.feedback.batch import Batch
from whyrec.feedback.buffer import Buffer
from whyrec.feedback.database import Database
from whyrec.feedback.impressions import impressions_of
from whyrec.feedback.past import Forgotten, PastEvent
from whyrec.feedback.postgres import PostgreSQL
from whyrec.feedback.rate_limit import RateLimit
from whyrec.feedback.records import (
    Control,
    ControlKind,
    Event,
    Impression,
    Rating,
    ReasonRating,
    Record,
    Undo,
)
from whyrec.feedback.salvage import Salvaged, salvage
from whyrec.feedback.sql_store import SQLStore
from whyrec.feedback.sqlite import SQLite
from whyrec.feedback.store import Store

__all__ = [
    "Batch",
    "Buffer",
    "Control",
    "ControlKind",
    "Database",
    "Event",
    "Forgotten",
    "Impression",
    "PastEvent",
    "PostgreSQL",
    "RateLimit",
    "Rating",
    "ReasonRating",
    "Record",
    "SQLStore",
    "SQLite",
    "Salvaged",
    "Store",
    "Undo",
    "impressions_of",
    "salvage",
]
