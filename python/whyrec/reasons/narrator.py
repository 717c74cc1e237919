"""Looks up what the players of an explanation stand for."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from whyrec.data.dataset import Dataset
from whyrec.data.features import Features
from whyrec.data.interactions import Histories
from whyrec.data.rows import gather_rows
from whyrec.explain.attribution import Attributions, PlayerKind
from whyrec.reasons.grouping import Picked
from whyrec.reasons.reason import Partner, Reason, ReasonKind
from whyrec.reasons.reason_id import About, Seal, reason_id
from whyrec.types import BoolArray, Float64Array, Int64Array


class Told(NamedTuple):
    """What a reason says, without its numbers; the fields are those of `Reason`."""

    kind: ReasonKind
    source: Hashable
    value: Hashable
    event: str | None = None
    label: str | None = None
    n_items: int | None = None


class Narrator:
    """Tells the reasons of one batch of pairs."""

    def __init__(
        self,
        dataset: Dataset,
        histories: Histories,
        attributions: Attributions,
        seals: Sequence[Seal] | None = None,
    ) -> None:
        self._dataset = dataset
        self._histories = histories
        self._pairs = attributions.pairs
        self._players = attributions.players
        self._confidences = attributions.confidences
        self._seals = seals

    def tell(
        self,
        picked: Picked,
        contributions: Float64Array,
        shares: Float64Array,
        partners: Mapping[int, Partner],
    ) -> list[Reason]:
        """Return one reason per picked group.

        Args:
            picked: the groups.
            contributions: float64 [n_picked], in logits.
            shares: float64 [n_picked].
            partners: of those groups that have one, by place among the picked.
        """
        kinds = self._players.kinds[picked.players[picked.offsets[:-1]]]
        is_shared = np.zeros(len(kinds), bool)
        is_shared[picked.shared] = True
        told: dict[int, Told] = {}
        for which, tell in (
            (np.flatnonzero((kinds == PlayerKind.EVENT) & ~is_shared), self._tell_history),
            (np.flatnonzero(is_shared), self._tell_groups),
            (np.flatnonzero(kinds == PlayerKind.ATTRIBUTE), self._tell_attributes),
            (np.flatnonzero(kinds == PlayerKind.FEATURE), self._tell_features),
        ):
            if len(which):
                told.update(zip(which.tolist(), tell(picked, which), strict=True))
        firsts = self._players.offsets[picked.pairs]
        places = (picked.players - np.repeat(firsts, np.diff(picked.offsets))).tolist()
        numbers = zip(
            contributions.tolist(), shares.tolist(), self._confidences_of(picked), strict=True
        )
        spans = pairwise(picked.offsets.tolist())
        reasons = []
        for index, ((contribution, share, confidence), (start, end), pair) in enumerate(
            zip(numbers, spans, picked.pairs.tolist(), strict=True)
        ):
            kind, source, value, event, label, n_items = told[index]
            reasons.append(
                Reason(
                    kind,
                    source,
                    value,
                    event,
                    contribution,
                    share,
                    tuple(places[start:end]),
                    confidence,
                    partners.get(index),
                    label,
                    n_items,
                    *self._named(told[index], pair),
                )
            )
        return reasons

    def _named(self, told: Told, pair: int) -> tuple[str, bool]:
        """Return the reason_id of a reason, and whether its user may object to it."""
        if self._seals is None:
            return "", False
        seal = self._seals[self._pairs.rows[pair]]
        item = self._dataset.items[int(self._pairs.items[pair])]
        return reason_id(About(told.kind, told.source, told.value, item), seal), seal.may_object

    def _confidences_of(self, picked: Picked) -> list[float | None]:
        """Return the confidence of each group that is a single player; None for the others."""
        counts = np.diff(picked.offsets)
        if self._confidences is None:
            return [None] * len(counts)
        firsts = self._confidences[picked.players[picked.offsets[:-1]]].tolist()
        return [
            first if count == 1 else None
            for first, count in zip(firsts, counts.tolist(), strict=True)
        ]

    def _tell_history(self, picked: Picked, which: Int64Array) -> Iterator[Told]:
        offsets, events = self._events(picked, which)
        firsts = events[offsets[:-1]]
        kind_names = self._dataset.interactions.kind_names
        kinds = self._histories.kinds
        values = self._histories.values
        ratings = _Ratings()
        # The same event speaks for many items; it is looked up once.
        known: dict[tuple[int, bool, bool], Told] = {}
        for first, item, kind, same_kind, value, same_value in zip(
            firsts.tolist(),
            self._histories.items[firsts].tolist(),
            kinds[firsts].tolist(),
            _agree(kinds[events], offsets).tolist(),
            values[firsts],
            # NaN, which stands for no rating, agrees with nothing.
            _agree(values[events], offsets).tolist(),
            strict=True,
        ):
            key = (first, same_kind, same_value)
            if key not in known:
                known[key] = Told(
                    ReasonKind.HISTORY,
                    self._dataset.items[item],
                    ratings[value] if same_value else None,
                    (kind_names[kind] or None) if same_kind else None,
                    self._dataset.item_labels[item],
                )
            yield known[key]

    def _tell_groups(self, picked: Picked, which: Int64Array) -> Iterator[Told]:
        offsets, events = self._events(picked, which)
        groups = np.repeat(np.arange(len(which)), np.diff(offsets))
        n_catalog = len(self._dataset.items)
        keys = np.sort(groups * n_catalog + self._histories.items[events])
        distinct = keys[np.diff(keys, prepend=-1) > 0] // n_catalog
        n_items = np.bincount(distinct, minlength=len(which))
        tokens = picked.tokens[np.argsort(picked.shared)]
        schema = self._dataset.item_features.schema
        known = {token: schema.describe(token, 1.0) for token in set(tokens.tolist())}
        for token, count in zip(tokens.tolist(), n_items.tolist(), strict=True):
            yield Told(ReasonKind.HISTORY_GROUP, *known[token], n_items=count)

    def _tell_attributes(self, picked: Picked, which: Int64Array) -> Iterator[Told]:
        attributes = self._histories.attributes
        rows = self._pairs.rows[picked.pairs[which]].tolist()
        fields = self._players.sources[picked.players[picked.offsets[which]]].tolist()
        known: dict[tuple[int, int], tuple[str, object]] = {}
        for row, field in zip(rows, fields, strict=True):
            if (row, field) not in known:
                known[row, field] = _attribute(attributes, row, field)
            yield Told(ReasonKind.USER_ATTRIBUTE, *known[row, field])

    def _tell_features(self, picked: Picked, which: Int64Array) -> Iterator[Told]:
        features = self._dataset.item_features
        starts = features.offsets[self._pairs.items[picked.pairs[which]]]
        positions = starts + self._players.sources[picked.players[picked.offsets[which]]]
        known: dict[int, tuple[str, object]] = {}
        for position in positions.tolist():
            if position not in known:
                known[position] = described(features, position)
            yield Told(ReasonKind.ITEM_FEATURE, *known[position])

    def _events(self, picked: Picked, which: Int64Array) -> tuple[Int64Array, Int64Array]:
        """Return the offsets and the events, as positions in the histories, of some groups."""
        offsets, positions = gather_rows(picked.offsets, which)
        rows = self._pairs.rows[picked.pairs[which]]
        starts = np.repeat(self._histories.offsets[rows], np.diff(offsets))
        return offsets, starts + self._players.sources[picked.players[positions]]


class _Ratings(dict[np.float32, float]):
    """The shortest decimal of each value: the 3.3 that came in, not 3.299999952316284."""

    def __missing__(self, value: np.float32) -> float:
        self[value] = float(str(value))
        return self[value]


def _agree(values: np.ndarray[Any, Any], offsets: Int64Array) -> BoolArray:
    """Tell of each group, none of which is empty, whether all its values are the same."""
    firsts = np.repeat(values[offsets[:-1]], np.diff(offsets))
    return np.logical_and.reduceat(values == firsts, offsets[:-1])


def _attribute(attributes: Features, row: int, field: int) -> tuple[str, object]:
    """Return the name of a user's field, and its value or the tuple of its values."""
    first, last = attributes.offsets[row], attributes.offsets[row + 1]
    in_field = attributes.schema.token_fields[attributes.tokens[first:last]] == field
    found = [described(attributes, first + place) for place in np.flatnonzero(in_field)]
    values = tuple(value for _, value in found)
    return found[0][0], values if len(values) > 1 else values[0]


def described(features: Features, position: int) -> tuple[str, object]:
    """Return the name of the field of one of all feature values, and the value."""
    token, weight = int(features.tokens[position]), float(features.weights[position])
    return features.schema.describe(token, weight)
