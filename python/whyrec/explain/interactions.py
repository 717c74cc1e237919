"""Interactions: what two players of a pair are worth together, beyond each without the other."""

from dataclasses import dataclass

import numpy as np

from whyrec.data.pairs import Pairs
from whyrec.data.rows import offsets_of
from whyrec.errors import ArgumentError
from whyrec.explain.attribution import Attributions, PlayerKind, Players
from whyrec.types import Float64Array, Int64Array


@dataclass(frozen=True, slots=True, eq=False)
class PlayerPairs:
    """Two players each, of each of some pairs.

    Raises:
        ArgumentError: the arrays do not fit each other.
    """

    offsets: Int64Array
    """int64 [n_pairs + 1]: those of pair p are the ones from offsets[p] to offsets[p + 1]."""

    first: Int64Array
    """int64 [n_player_pairs]: a player, counted within its pair in the order of `Players`."""

    second: Int64Array
    """int64 [n_player_pairs]: another player of the same pair."""

    def __post_init__(self) -> None:
        fits = len(self.first) == len(self.second) == self.offsets[-1]
        if not fits or self.offsets[0] or (np.diff(self.offsets) < 0).any():
            raise ArgumentError(
                f"player pairs: offsets must rise from 0 to the number of players, not from "
                f"{self.offsets[0]} to {self.offsets[-1]} with {len(self.first)} first and "
                f"{len(self.second)} second players"
            )

    def check(self, n_players: Int64Array) -> None:
        """Refuse players whom pairs of so many, int64 [n_pairs], do not have.

        Raises:
            ArgumentError: a player is none of its pair or stands twice, or pairs are missing.
        """
        if len(self.offsets) != len(n_players) + 1:
            raise ArgumentError(
                f"player pairs are of {len(self.offsets) - 1} pairs, not of {len(n_players)}"
            )
        pair = np.repeat(np.arange(len(n_players)), np.diff(self.offsets))
        both = np.stack([self.first, self.second], axis=1)
        is_outside = ((both < 0) | (both >= n_players[pair][:, None])).any(axis=1)
        wrong = np.flatnonzero(is_outside | (self.first == self.second))
        if len(wrong):
            place = int(wrong[0])
            raise ArgumentError(
                f"player pairs: entry {place} puts player {self.first[place]} with "
                f"{self.second[place]}; pair {pair[place]} has {n_players[pair[place]]} players, "
                "counted from 0, and each is put with another"
            )

    @classmethod
    def events_by_features(cls, players: Players) -> "PlayerPairs":
        """Take every event with every feature of the item.

        A pair of 100 events and 8 features has 800; see `of_strongest` for fewer.
        """
        return _crossed(_of_kind(players, PlayerKind.EVENT), _of_kind(players, PlayerKind.FEATURE))

    @classmethod
    def of_strongest(
        cls, attributions: Attributions, n_events: int = 5, n_features: int = 5
    ) -> "PlayerPairs":
        """Take the events that contribute most, each with the features that contribute most.

        Raises:
            ArgumentError: n_events or n_features is below 1.
        """
        if min(n_events, n_features) < 1:
            raise ArgumentError(
                f"n_events and n_features must be at least 1, not {n_events} and {n_features}"
            )
        return _crossed(
            _of_kind(attributions.players, PlayerKind.EVENT, attributions.contributions, n_events),
            _of_kind(
                attributions.players, PlayerKind.FEATURE, attributions.contributions, n_features
            ),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Interactions:
    """Shapley interaction indices of two players each, in logits.

    Above 0, the two are worth more together than alone; where what one adds never depends on the
    other, it is 0.
    """

    pairs: Pairs
    players: Players
    chosen: PlayerPairs

    values: Float64Array
    """float64 [n_player_pairs]."""

    standard_errors: Float64Array | None
    """float64 [n_player_pairs] from coalitions, 0 where all were evaluated; None from gradients."""

    evaluations: Int64Array
    """int64 [n_pairs]: how many coalitions were evaluated."""

    tier: str
    """Which explainer made them."""

    def of(self, pair: int) -> slice:
        """Return the slice of `values` that belongs to one pair."""
        return slice(int(self.chosen.offsets[pair]), int(self.chosen.offsets[pair + 1]))


_Listed = tuple[Int64Array, Int64Array]
"""Offsets, int64 [n_pairs + 1], and players, counted within their pair."""


def _of_kind(
    players: Players,
    kind: PlayerKind,
    contributions: Float64Array | None = None,
    most: int | None = None,
) -> _Listed:
    """List the players of a kind, or the strongest of them, the strongest first."""
    counts = players.counts()
    pair = np.repeat(np.arange(len(counts)), counts)
    chosen = np.flatnonzero(players.kinds == kind)
    if contributions is not None:
        chosen = chosen[np.lexsort((-np.abs(contributions[chosen]), pair[chosen]))]
    offsets = offsets_of(np.bincount(pair[chosen], minlength=len(counts)))
    if most is not None:
        rank = np.arange(len(chosen)) - np.repeat(offsets[:-1], np.diff(offsets))
        chosen = chosen[rank < most]
        offsets = offsets_of(np.minimum(np.diff(offsets), most))
    return offsets, chosen - players.offsets[pair[chosen]]


def _crossed(one: _Listed, other: _Listed) -> PlayerPairs:
    """Put each of one list with each of the other, pair by pair."""
    (of_one, first), (of_other, second) = one, other
    n_second = np.diff(of_other)
    counts = np.diff(of_one) * n_second
    offsets = offsets_of(counts)
    place = np.arange(offsets[-1]) - np.repeat(offsets[:-1], counts)
    row, column = np.divmod(place, np.repeat(n_second, counts).clip(1))
    starts, other_starts = (np.repeat(each[:-1], counts) for each in (of_one, of_other))
    return PlayerPairs(offsets, first[starts + row], second[other_starts + column])
