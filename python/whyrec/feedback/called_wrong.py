"""What users said of reasons, as players that training is to lean on less."""

from collections.abc import Hashable, Iterable
from typing import cast

from whyrec.data.dataset import Dataset
from whyrec.data.wrong_reasons import WrongReason
from whyrec.errors import ArgumentError
from whyrec.feedback.controls import ControlReader
from whyrec.feedback.records import Rating, ReasonRating
from whyrec.reasons.reason import ReasonKind


def called_wrong(dataset: Dataset, ratings: Iterable[ReasonRating]) -> tuple[WrongReason, ...]:
    """Return the reasons that were called wrong, and not said to be something else since.

    Those of users, items, fields or values that the data set does not have are left out.

    Args:
        dataset: in whose indices they are.
        ratings: oldest first.
    """
    latest = {
        (each.user_id, each.item_id, each.kind, each.source, each.value): each for each in ratings
    }
    reader = ControlReader(dataset)
    found = (
        _read(dataset, reader, each) for each in latest.values() if each.rating == Rating.WRONG
    )
    return tuple(each for each in found if each is not None)


def _read(dataset: Dataset, reader: ControlReader, rated: ReasonRating) -> WrongReason | None:
    """Return what a rating is about; None if the data set does not have it."""
    if rated.user_id not in dataset.users or rated.item_id not in dataset.items:
        return None
    user, item = dataset.users.index_of(rated.user_id), dataset.items.index_of(rated.item_id)
    field = cast(str, rated.source)
    match rated.kind:
        case ReasonKind.HISTORY:
            if rated.source in dataset.items:
                return WrongReason(user, item, history=(dataset.items.index_of(rated.source),))
        case ReasonKind.USER_ATTRIBUTE:
            names = dataset.user_features.schema.field_names
            if field in names:
                return WrongReason(user, item, fields=(names.index(field),))
        case ReasonKind.ITEM_FEATURE | ReasonKind.HISTORY_GROUP:
            token = _token(dataset, field, rated.value)
            if token is None:
                return None
            if rated.kind == ReasonKind.ITEM_FEATURE:
                return WrongReason(user, item, tokens=(token,))
            return WrongReason(user, item, history=tuple(reader.items_with(token).tolist()))
    return None


def _token(dataset: Dataset, field: str, value: Hashable) -> int | None:
    """Return the token of a feature value; None if there is none, or no such field."""
    try:
        return dataset.item_features.schema.token_of(field, value)
    except ArgumentError:
        return None
