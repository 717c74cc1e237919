"""What the controls of a user come to, in the indices of a data set."""

from collections.abc import Hashable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

import numpy as np
import scipy.sparse

from whyrec.data.dataset import Dataset
from whyrec.data.fields import FittedSet
from whyrec.data.interactions import Histories
from whyrec.data.wording import listed
from whyrec.errors import ArgumentError
from whyrec.feedback.records import Control, ControlKind
from whyrec.reasons.reason import ReasonKind
from whyrec.reasons.reason_id import About
from whyrec.types import BoolArray, Float32Array, Int32Array

_CONTROL_OF = {
    ReasonKind.HISTORY: ControlKind.EVENT,
    ReasonKind.HISTORY_GROUP: ControlKind.HISTORY_GROUP,
    ReasonKind.USER_ATTRIBUTE: ControlKind.ATTRIBUTE,
    ReasonKind.ITEM_FEATURE: ControlKind.FEATURE,
}
_WITH_VALUE = {ControlKind.FEATURE, ControlKind.HISTORY_GROUP}


@dataclass(frozen=True, slots=True)
class Weights:
    """How much players count that count for less: what cannot be told by a history alone.

    Each is an index with its weight, rising; whoever is not named counts whole.
    """

    features: tuple[tuple[int, float], ...] = ()
    """By token of the items; from 0, below 1."""

    items: tuple[tuple[int, float], ...] = ()
    """By item, for the events with it; above 0, below 1."""

    fields: tuple[tuple[int, float], ...] = ()
    """By field of the user; above 0, below 1."""


@dataclass(slots=True)
class Wishes:
    """What one user wants, a weight for each index that a control names."""

    items: dict[int, float] = field(default_factory=dict)
    groups: dict[int, float] = field(default_factory=dict)
    """By token, for events with items that have it."""
    fields: dict[int, float] = field(default_factory=dict)
    features: dict[int, float] = field(default_factory=dict)
    kinds: dict[ReasonKind, float] = field(default_factory=dict)
    hidden_items: set[int] = field(default_factory=set)
    hidden_features: set[int] = field(default_factory=set)


class ControlReader:
    """Reads controls for one data set."""

    def __init__(self, dataset: Dataset, *, fractions: bool = True) -> None:
        """Take the data set, and whether events and attributes can count for less than whole.

        If they cannot, what is to count for less does not count at all.
        """
        self._dataset, self._fractions = dataset, fractions

    def objection(self, user: Hashable, about: About | ReasonKind, weight: float) -> Control:
        """Return the control that leaves out what a reason is about, or a kind of reason.

        Raises:
            ArgumentError: the data set has no such field, or its field no such value.
        """
        if isinstance(about, ReasonKind):
            return Control(user, ControlKind.REASON_KIND, about.value, weight=weight)
        kind = _CONTROL_OF[about.kind]
        value = about.value if kind in _WITH_VALUE else None
        if kind is ControlKind.FEATURE and self._is_numeric(about.source):
            value = None
        control = Control(user, kind, about.source, value, weight=weight)
        self.demand_known(control)
        return control

    def asked(self, control: Control) -> Weights:
        """Return the weights that a control asks for, of events as if all were."""
        wishes = self.wishes([control])
        weight = control.weight
        fraction = ((0, weight),) if 0 < weight < 1 else ()
        of_events = wishes.items or wishes.groups or ReasonKind.HISTORY in wishes.kinds
        of_user = wishes.fields or ReasonKind.USER_ATTRIBUTE in wishes.kinds
        of_items = wishes.features or ReasonKind.ITEM_FEATURE in wishes.kinds
        return Weights(
            ((0, weight),) if of_items else (),
            fraction if of_events else (),
            fraction if of_user else (),
        )

    def demand_known(self, control: Control) -> None:
        """Refuse a control that names a field or a value that the data set does not have.

        An item that it does not know is none of these: the control counts once it is known.

        Raises:
            ArgumentError: the message names what there is.
        """
        if control.kind is ControlKind.HIDDEN_FEATURE:
            closed = [
                each.name
                for each in self._dataset.item_features.schema.fields
                if isinstance(each, FittedSet)
            ]
            if control.source not in closed:
                raise ArgumentError(
                    f"where: {control.source!r} is no field of categories or tags of the items; "
                    f"those are: {listed(closed)}"
                )
        self._read(control, Wishes())

    def wishes(self, controls: Iterable[Control]) -> Wishes:
        """Return what controls of one user come to; of two of the same, the later one counts.

        One that names what the data set does not have says nothing.
        """
        found = Wishes()
        for control in controls:
            with suppress(ArgumentError):
                self._read(control, found)
        return found

    def _read(self, control: Control, wishes: Wishes) -> None:
        source, weight = control.source, control.weight
        match control.kind:
            case ControlKind.EVENT:
                wishes.items.update(dict.fromkeys(self._item(source), weight))
            case ControlKind.HIDDEN_ITEM:
                wishes.hidden_items.update(self._item(source))
            case ControlKind.HISTORY_GROUP:
                wishes.groups[self._feature(control)] = weight
            case ControlKind.FEATURE:
                wishes.features[self._feature(control)] = weight
            case ControlKind.HIDDEN_FEATURE:
                wishes.hidden_features.add(self._feature(control))
            case ControlKind.ATTRIBUTE:
                names = self._dataset.user_features.schema.field_names
                if source not in names:
                    raise ArgumentError(
                        f"unknown field {source!r} of users; the fields are {listed(names)}"
                    )
                wishes.fields[names.index(source)] = weight
            case ControlKind.REASON_KIND:
                try:
                    kind = ReasonKind(cast(str, source))
                except ValueError as error:
                    raise ArgumentError(str(error)) from None
                # A group of events is another way to tell of events.
                kind = ReasonKind.HISTORY if kind is ReasonKind.HISTORY_GROUP else kind
                wishes.kinds[kind] = weight

    def _item(self, item: Hashable) -> list[int]:
        items = self._dataset.items
        return [items.index_of(item)] if item in items else []

    def _feature(self, control: Control) -> int:
        schema = self._dataset.item_features.schema
        token = schema.token_of(cast(str, control.source), control.value)
        if token is None:
            raise ArgumentError(
                f"the field {control.source!r} of the items has no value {control.value!r}"
            )
        return token

    def _is_numeric(self, name: Hashable) -> bool:
        fields = self._dataset.item_features.schema.fields
        return any(each.name == name and each.kind == "numeric" for each in fields)

    @cached_property
    def _items_by_feature(self) -> scipy.sparse.csc_matrix:
        return self._dataset.item_features.matrix().tocsc()

    def items_with(self, token: int) -> Int32Array:
        """Return int32 [n]: the items that have a feature value, rising."""
        matrix = self._items_by_feature
        return matrix.indices[matrix.indptr[token] : matrix.indptr[token + 1]].astype(np.int32)

    def hidden(self, wishes: Wishes) -> Int32Array:
        """Return int32 [n]: the items that are never to be shown."""
        parts = [np.array(sorted(wishes.hidden_items), np.int32)]
        parts += [self.items_with(token) for token in sorted(wishes.hidden_features)]
        return np.concatenate(parts)

    def event_weights(self, wishes: Wishes, items: Int32Array) -> Float32Array:
        """Return float32 [n_events]: how much events with these items count."""
        weights = np.full(len(items), wishes.kinds.get(ReasonKind.HISTORY, 1.0), np.float32)
        for token, weight in wishes.groups.items():
            _lower(weights, np.isin(items, self.items_with(token)), weight)
        for item, weight in wishes.items.items():
            _lower(weights, items == item, weight)
        return self._possible(weights)

    def field_weights(self, wishes: Wishes) -> Float32Array:
        """Return float32 [n_fields]: how much each field of the user counts."""
        n_fields = len(self._dataset.user_features.schema.fields)
        weights = np.full(n_fields, wishes.kinds.get(ReasonKind.USER_ATTRIBUTE, 1.0), np.float32)
        for index, weight in wishes.fields.items():
            weights[index] = min(weights[index], weight)
        return self._possible(weights)

    def _possible(self, weights: Float32Array) -> Float32Array:
        return weights if self._fractions else np.floor(weights)

    def weights(self, wishes: Wishes, history: Histories) -> Weights:
        """Return what is left to weigh, beside what `left_in` leaves out of the history.

        Args:
            wishes: of the one whose history it is.
            history: of one row.
        """
        of_all = wishes.kinds.get(ReasonKind.ITEM_FEATURE, 1.0)
        n_tokens = self._dataset.item_features.schema.n_tokens
        named = range(n_tokens) if of_all < 1 else sorted(wishes.features)
        features = [(token, min(of_all, wishes.features.get(token, 1.0))) for token in named]
        of_events = self.event_weights(wishes, history.items)
        items = dict(zip(history.items.tolist(), of_events.tolist(), strict=True))
        fields = enumerate(self.field_weights(wishes).tolist())
        return Weights(
            tuple((token, weight) for token, weight in features if weight < 1),
            tuple(sorted((item, weight) for item, weight in items.items() if 0 < weight < 1)),
            tuple((index, weight) for index, weight in fields if 0 < weight < 1),
        )


def _lower(weights: Float32Array, chosen: BoolArray, weight: float) -> None:
    weights[chosen] = np.minimum(weights[chosen], np.float32(weight))


def by_user(controls: Iterable[Control]) -> Mapping[Hashable, list[Control]]:
    """Return the controls of each user, in their order."""
    found: dict[Any, list[Control]] = {}
    for control in controls:
        found.setdefault(control.user_id, []).append(control)
    return found
