"""Items of a history that share a value, such as a genre, as one reason."""

from dataclasses import dataclass, replace

import numpy as np

from whyrec._native import Strength, fold, strongest
from whyrec.data.features import Features
from whyrec.data.fields import FittedSet
from whyrec.data.interactions import Histories
from whyrec.data.rows import gather_rows
from whyrec.data.wording import listed
from whyrec.errors import ArgumentError
from whyrec.explain.attribution import Attributions
from whyrec.reasons.grouping import Grouping, first_meetings, group_by_item, offsets_among
from whyrec.types import BoolArray, Float64Array, Int32Array, Int64Array

_FEWEST_ITEMS = 2
"""A group of fewer items is none: the item is shown by itself."""


def group_by_field(
    histories: Histories, item_features: Features, attributions: Attributions, field: str
) -> Grouping:
    """Fold items of the history that share a value of a field of theirs.

    In each pair, the value with the largest absolute total contribution among the items not yet
    grouped, and with at least two of them, becomes a group, until there is none; of two equal
    totals the earlier token wins. All other players are grouped as `group_by_item` does.

    Raises:
        ArgumentError: the field is not a categorical field or a field of tags of the items.
    """
    in_field = _tokens_of_field(item_features, field)
    players, rows = attributions.players, attributions.pairs.rows
    by_item = group_by_item(histories, players, rows)
    values = fold(players.offsets, by_item.groups, attributions.contributions, by_item.offsets)
    slots = _Slots.of(histories, item_features, in_field, rows.astype(np.int64))
    folded, slot_of = _choose(slots, by_item.offsets, values)
    if not len(folded):
        return by_item
    # Written from the last to the first, so that the first item of each slot stays.
    first_of_slot = np.zeros(len(slots.tokens), np.int64)
    first_of_slot[slot_of[::-1]] = folded[::-1]
    merged = np.arange(len(by_item.leaders))
    merged[folded] = first_of_slot[slot_of]
    grouping = Grouping.of(players, by_item.leaders[merged[by_item.numbers]])
    is_chosen = np.zeros(len(slots.tokens), bool)
    is_chosen[slot_of] = True
    chosen = np.flatnonzero(is_chosen)
    shared = np.searchsorted(grouping.leaders, by_item.leaders[first_of_slot[chosen]])
    return replace(grouping, shared=shared, tokens=slots.tokens[chosen].astype(np.int32))


def _tokens_of_field(item_features: Features, field: str) -> BoolArray:
    """Return bool [n_tokens]: which tokens of the schema are those of a field."""
    schema = item_features.schema
    names = [each.name for each in schema.fields if isinstance(each, FittedSet)]
    if field not in names:
        raise ArgumentError(
            f"group_by: {field!r} is no field of categories or tags of the items; "
            f"those are: {listed(names)}"
        )
    in_field: BoolArray = schema.token_fields == schema.field_names.index(field)
    return in_field


@dataclass(frozen=True, slots=True)
class _Slots:
    """The values that each pair's history has in a field, and the items that have them.

    A slot is one value in one pair; an entry says that an item of the history has the value.
    """

    offsets: Int64Array
    """int64 [n_pairs + 1]: slots of each pair."""

    tokens: Int64Array
    """int64 [n_slots]: token, counted over all fields, rising in a pair."""

    entry_offsets: Int64Array
    """int64 [n_pairs + 1]: entries of each pair."""

    entry_slots: Int32Array
    """int32 [n_entries]: slot, counted from the first of the pair."""

    entry_items: Int32Array
    """int32 [n_entries]: item of the history, counted from the first of the pair."""

    @classmethod
    def of(
        cls,
        histories: Histories,
        item_features: Features,
        in_field: BoolArray,
        pair_rows: Int64Array,
    ) -> "_Slots":
        """Find the slots of each history once, then repeat them for each pair that it is in."""
        firsts = first_meetings(histories)
        distinct = firsts == np.arange(len(firsts))
        history_offsets = offsets_among(distinct)[histories.offsets]
        items, inverse = np.unique(histories.items[distinct], return_inverse=True)
        features = item_features.take(items)
        belongs = in_field[features.tokens]
        tokens = features.tokens[belongs].astype(np.int64)
        offsets = offsets_among(belongs)[features.offsets]
        item_entries, positions = gather_rows(offsets, inverse)
        row_of_item = np.repeat(np.arange(len(histories)), np.diff(history_offsets))
        row_of_entry = np.repeat(row_of_item, np.diff(item_entries))
        n_tokens = len(in_field)
        keys, slots = np.unique(row_of_entry * n_tokens + tokens[positions], return_inverse=True)
        slot_offsets = np.searchsorted(keys, np.arange(len(histories) + 1) * n_tokens)
        numbers = np.arange(len(row_of_item)) - history_offsets[row_of_item]
        entry_items = np.repeat(numbers, np.diff(item_entries))
        entry_slots = slots - slot_offsets[row_of_entry]

        pair_offsets, slot_positions = gather_rows(slot_offsets, pair_rows)
        entry_offsets, entries = gather_rows(item_entries[history_offsets], pair_rows)
        return cls(
            pair_offsets,
            (keys % n_tokens)[slot_positions],
            entry_offsets,
            entry_slots.astype(np.int32)[entries],
            entry_items.astype(np.int32)[entries],
        )


def _choose(
    slots: _Slots, group_offsets: Int64Array, values: Float64Array
) -> tuple[Int64Array, Int64Array]:
    """Choose slot after slot in every pair at once.

    group_offsets and values give the contributions of the groups by item, of which the items of
    the history are the first in each pair. Returns the groups that fold, rising, and the slot of
    each.
    """
    offsets, local = slots.entry_offsets, slots.entry_slots
    counts = np.diff(offsets)
    slot = local + np.repeat(slots.offsets[:-1], counts)
    item = slots.entry_items + np.repeat(group_offsets[:-1], counts)
    is_folded = np.zeros(len(values), bool)
    slot_of = np.zeros(len(values), np.int64)
    while len(slot):
        totals = fold(offsets, local, values[item], slots.offsets)
        wide = np.bincount(slot, minlength=len(totals)) >= _FEWEST_ITEMS
        candidates = np.flatnonzero(wide)
        _, best = strongest(
            offsets_among(wide)[slots.offsets], totals[candidates], 1, Strength.ABSOLUTE
        )
        is_best = np.zeros(len(totals), bool)
        is_best[candidates[best]] = True
        taken = is_best[slot]
        is_folded[item[taken]] = True
        slot_of[item[taken]] = slot[taken]
        # A slot that is too narrow now stays so: its entries need not be looked at again.
        kept = wide[slot] & ~is_folded[item]
        offsets = offsets_among(kept)[offsets]
        local, slot, item = local[kept], slot[kept], item[kept]
    folded = np.flatnonzero(is_folded)
    return folded, slot_of[folded]
