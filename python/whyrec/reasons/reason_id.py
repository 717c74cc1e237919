"""Names of reasons: text that says by itself what a reason is about, so no server keeps a table."""

import base64
import binascii
import hashlib
import json
from collections.abc import Hashable
from dataclasses import dataclass
from typing import NamedTuple, Self

from whyrec.data.id_text import decode_id, encode_id
from whyrec.errors import ArgumentError, StorageError
from whyrec.reasons.reason import ReasonKind

_VERSION = "r1"
_N_DIGITS = 16
"""Hexadecimal digits of a digest: 64 bits."""


class About(NamedTuple):
    """What a reason is about."""

    kind: ReasonKind
    source: Hashable
    """The item's id for history; the field's name for groups, attributes and features."""

    value: Hashable
    """As of `Reason`, None where it has none; numbers that are equal are one, such as 5 and 5.0."""

    item_id: Hashable
    """The item whose score the reason is part of."""


@dataclass(frozen=True, slots=True)
class Seal:
    """For whom, and by which model, reasons are given; no id can be read from it."""

    model: str
    user: str
    may_object: bool
    """Whether the user has an id, by which an objection can be kept."""

    @classmethod
    def of(cls, model_id: str, user_id: Hashable | None) -> Self:
        """Return the digests that go into each reason_id; user_id is None for a visitor."""
        user = "" if user_id is None else _text(user_id)
        return cls(_digest(model_id), _digest(f"{model_id}\n{user}"), user_id is not None)


def reason_id(about: About, seal: Seal) -> str:
    """Name a reason: the same reason, for the same user by the same model, has the same name.

    It is made of letters, digits, "-", "_" and ".". It is no secret and proves nothing about who
    sends it: it holds what the reason says, and who knows user and model can make one.

    >>> about = About(ReasonKind.ITEM_FEATURE, "genres", "Comedy", "fig")
    >>> name = reason_id(about, Seal.of("m1", "ann"))
    >>> read(name, "m1", "ann") == about
    True
    """
    kind, source, value, item_id = about
    told = [kind.value, _text(source), None if value is None else _text(value), _text(item_id)]
    body = json.dumps([*told, seal.model, seal.user], separators=(",", ":"))
    text = base64.urlsafe_b64encode(body.encode()).decode().rstrip("=")
    return f"{_VERSION}.{text}.{_digest(text)}"


def read(reason_id: str, model_id: str, user_id: Hashable | None) -> About:
    """Return what a reason is about.

    Args:
        reason_id: from `Reason.reason_id`.
        model_id: of the model that is in use.
        user_id: who sends it; None for a visitor.

    Raises:
        ArgumentError: it is malformed, of another model or of another user; the message says which.
    """
    version, texts, model, user = _parts(reason_id)
    if version != _VERSION:
        raise ArgumentError(
            f"reason_id {reason_id!r} begins with {version!r}; this whyrec reads {_VERSION!r} alone"
        )
    seal = Seal.of(model_id, user_id)
    if model != seal.model:
        raise ArgumentError(
            f"reason_id {reason_id!r} is of another model than {model_id!r}; "
            "ask again for reasons, since the model that gave this one is no longer in use"
        )
    if user != seal.user:
        whom = "a visitor" if user_id is None else f"user {user_id!r}"
        raise ArgumentError(f"reason_id {reason_id!r} is of a reason for somebody else than {whom}")
    kind, source, value, item_id = texts
    try:
        return About(
            ReasonKind(kind),
            decode_id(source),
            None if value is None else decode_id(value),
            decode_id(item_id),
        )
    except (ValueError, StorageError) as error:
        raise ArgumentError(f"reason_id {reason_id!r} cannot be read back: {error}") from None


def _parts(reason_id: str) -> tuple[str, tuple[str, str, str | None, str], str, str]:
    """Return the version, what it says, and the digests of model and user."""
    try:
        version, text, check = reason_id.split(".")
        if check != _digest(text):
            raise ValueError
        body = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        kind, source, value, item_id, model, user = json.loads(body)
    except (AttributeError, TypeError, ValueError, binascii.Error):
        raise ArgumentError(
            f"reason_id {reason_id!r} is malformed; send it as the answer gave it"
        ) from None
    return version, (kind, source, value, item_id), model, user


def _text(one: Hashable) -> str:
    """Return an id or a value as text; one of a type that has none cannot be read back."""
    try:
        return encode_id(one)
    except ArgumentError:
        return f"?{type(one).__name__}: {one}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_N_DIGITS]
