"""Which players fold into one reason: a partition, so that everything still adds up."""

from dataclasses import dataclass

import numpy as np

from whyrec.data.interactions import Histories
from whyrec.data.rows import offsets_of
from whyrec.explain.attribution import PlayerKind, Players
from whyrec.types import BoolArray, Int32Array, Int64Array


@dataclass(frozen=True, slots=True)
class Grouping:
    """The groups of every pair, in the order of their first players."""

    offsets: Int64Array
    """int64 [n_pairs + 1]: the groups of pair p are those from offsets[p] to offsets[p + 1]."""

    groups: Int32Array
    """int32 [n_players]: the group of each player, counted from the first group of its pair."""

    numbers: Int64Array
    """int64 [n_players]: the same group, counted over all pairs."""

    leaders: Int64Array
    """int64 [n_groups]: the first player of each group."""

    shared: Int64Array
    """int64 [n_shared]: the groups whose items share a value of a field."""

    tokens: Int32Array
    """int32 [n_shared]: the token of that value."""

    @classmethod
    def of(cls, players: Players, leader_of: Int64Array) -> "Grouping":
        """Number the groups, given the first player of each player's group."""
        leads = leader_of == np.arange(len(leader_of))
        n_before = offsets_among(leads)
        offsets, numbers = n_before[players.offsets], n_before[leader_of]
        groups = (numbers - np.repeat(offsets[:-1], players.counts())).astype(np.int32)
        none = np.zeros(0, np.int64)
        return cls(offsets, groups, numbers, np.flatnonzero(leads), none, none.astype(np.int32))

    def pick(self, chosen: Int64Array) -> "Picked":
        """Return some of the groups, given as int64 [n_picked] counted over all pairs."""
        places = np.zeros(len(self.leaders), np.int64)
        places[chosen] = np.arange(1, len(chosen) + 1)
        place_of_player = places[self.numbers]
        players = np.flatnonzero(place_of_player)
        order = np.argsort(place_of_player[players], kind="stable")
        sizes = np.bincount(place_of_player[players] - 1, minlength=len(chosen))
        pairs = np.searchsorted(self.offsets, chosen, side="right") - 1
        place_of_shared = places[self.shared]
        is_picked = place_of_shared > 0
        return Picked(
            pairs.astype(np.int64),
            offsets_of(sizes),
            players[order],
            place_of_shared[is_picked] - 1,
            self.tokens[is_picked],
        )


@dataclass(frozen=True, slots=True)
class Picked:
    """Some groups, in the order in which they were picked."""

    pairs: Int64Array
    """int64 [n_picked]: the pair of each group."""

    offsets: Int64Array
    """int64 [n_picked + 1]: the players of group g are those from offsets[g] to offsets[g + 1]."""

    players: Int64Array
    """int64: counted over all pairs, rising in a group."""

    shared: Int64Array
    """int64 [n_shared]: which of the picked groups share a value of a field."""

    tokens: Int32Array
    """int32 [n_shared]: the token of that value."""


def group_by_item(histories: Histories, players: Players, pair_rows: Int32Array) -> Grouping:
    """Fold the events of one item in one history together, and leave all other players alone.

    pair_rows: int32 [n_pairs], the row of histories that each pair is about.
    """
    leader_of = np.arange(len(players.kinds))
    firsts = first_meetings(histories)
    if (firsts < np.arange(len(firsts))).any():
        events = np.flatnonzero(players.kinds == PlayerKind.EVENT)
        starts = np.repeat(histories.offsets[pair_rows], players.counts())
        positions = starts[events] + players.sources[events]
        # The events of a pair are its first players, in the order of the history.
        leader_of[events] = events - (positions - firsts[positions])
    return Grouping.of(players, leader_of)


def first_meetings(histories: Histories) -> Int64Array:
    """Return int64 [n_events]: the position of the first event of the same item and row."""
    n_items = int(histories.items.max(initial=0)) + 1
    rows = np.repeat(np.arange(len(histories)), histories.counts())
    _, firsts, inverse = np.unique(
        rows * n_items + histories.items, return_index=True, return_inverse=True
    )
    return np.asarray(firsts[inverse], np.int64)


def offsets_among(chosen: BoolArray) -> Int64Array:
    """Return int64 [n + 1]: how many of the entries before each place are True."""
    return offsets_of(chosen.astype(np.int64))
