"""What tells one answer from another that says the same: when it was given, and a name."""

from datetime import UTC, datetime
from uuid import uuid4


def new_request_id() -> str:
    """Make the name of an answer: 122 random bits in hexadecimal."""
    return uuid4().hex


def now() -> datetime:
    """Return the present time, UTC."""
    return datetime.now(UTC)
