"""Players and their contributions: what every explainer answers with."""

from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np

from whyrec.data.features import Features
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.data.rows import counts_of, gather_rows, offsets_of
from whyrec.errors import ScoreError
from whyrec.models.features import split_by_field
from whyrec.types import Float64Array, Int8Array, Int32Array, Int64Array


class PlayerKind(IntEnum):
    """Where a player comes from."""

    EVENT = 0
    """One event of the history; its source is the event's position in the history, oldest first."""

    ATTRIBUTE = 1
    """One field of the user; its source is the field's index in the user schema."""

    FEATURE = 2
    """One feature value of the item; its source is the value's position in the item's row."""


@dataclass(frozen=True, slots=True)
class Players:
    """The players of every pair, pair by pair: events, then attributes, then features."""

    offsets: Int64Array
    """int64 [n_pairs + 1]: the players of pair p are those from offsets[p] to offsets[p + 1]."""

    kinds: Int8Array
    """int8 [n_players]: a `PlayerKind` each."""

    sources: Int32Array
    """int32 [n_players]: see `PlayerKind` for what it counts."""

    @classmethod
    def of(cls, histories: Histories, item_features: Features, pairs: Pairs) -> "Players":
        """List the players of each pair in their fixed order."""
        field_offsets, fields, _ = split_by_field(histories.attributes)
        n_events = counts_of(histories.offsets, pairs.rows)
        n_attributes = counts_of(field_offsets, pairs.rows)
        n_features = counts_of(item_features.offsets, pairs.items)
        counts = np.stack([n_events, n_attributes, n_features], axis=1)
        offsets = offsets_of(counts.sum(axis=1))
        kinds = np.repeat(np.tile(np.arange(3, dtype=np.int8), len(pairs)), counts.ravel())
        starts = offsets_of(counts.ravel())[:-1]
        sources = np.arange(len(kinds)) - np.repeat(starts, counts.ravel())
        _, places = gather_rows(field_offsets, pairs.rows)
        sources[kinds == PlayerKind.ATTRIBUTE] = fields[places]
        return cls(offsets, kinds, sources.astype(np.int32))

    def counts(self) -> Int64Array:
        """Return int64 [n_pairs]: how many players each pair has."""
        return np.diff(self.offsets)

    def counts_by_kind(self) -> Int64Array:
        """Return int64 [n_pairs, 3]: how many players of each `PlayerKind` each pair has."""
        n_pairs = len(self.offsets) - 1
        pairs = np.repeat(np.arange(n_pairs), self.counts())
        return np.bincount(pairs * 3 + self.kinds, minlength=3 * n_pairs).reshape(n_pairs, 3)


@dataclass(frozen=True, slots=True)
class Attributions:
    """Contributions of all players of a batch of pairs, in logits."""

    pairs: Pairs
    players: Players
    contributions: Float64Array
    """float64 [n_players]."""

    base_values: Float64Array
    """float64 [n_pairs]: v(none), what the item scores when no player is present."""

    full_values: Float64Array
    """float64 [n_pairs]: v(all), the score that ranked the item."""

    tier: str
    """Which explainer made them: network, path, shapley, closed form or refined."""

    standard_errors: Float64Array | None = None
    """float64 [n_players] where the contributions are estimates from samples."""

    confidences: Float64Array | None = None
    """float64 [n_players]: how likely, from 0 to 1, a player is among the five truly strongest.

    Only an explainer that has learned how far it may be off says so, see `Confidence`. Others have
    none: samples have standard errors, and of exact values there is nothing to be unsure of.
    """

    def efficiency_gaps(self) -> Float64Array:
        """Return float64 [n_pairs]: v(all) − v(none) − Σφ."""
        row_of_player = np.repeat(np.arange(len(self.pairs)), self.players.counts())
        totals = np.bincount(row_of_player, self.contributions, minlength=len(self.pairs))
        return self.full_values - self.base_values - totals

    def of(self, pair: int) -> slice:
        """Return the slice of `contributions` that belongs to one pair."""
        return slice(int(self.players.offsets[pair]), int(self.players.offsets[pair + 1]))


def _check_finite(attributions: Attributions) -> None:
    """Refuse scores that are no finite numbers with none of the players, with all, or between."""
    with np.errstate(invalid="ignore"):
        gaps = attributions.efficiency_gaps()
    bad = np.flatnonzero(~np.isfinite(gaps))
    if len(bad):
        pair = int(bad[0])
        base, full = attributions.base_values[pair], attributions.full_values[pair]
        found = f"{gaps[pair]} with some of the players present"
        for value, whom in ((base, "no player"), (full, "every player")):
            if not np.isfinite(value):
                found = f"{value} with {whom} present"
        rows, items = attributions.pairs.rows, attributions.pairs.items
        raise ScoreError(int(rows[pair]), int(items[pair]), found)


def close_gaps(attributions: Attributions, shares: Float64Array | None = None) -> Attributions:
    """Normalise additively: share each pair's efficiency gap out among its players.

    A player's part of the gap is in proportion to its absolute contribution, so that one of no
    effect keeps 0. Where all are 0, all get the same; where there are no players, the base value is
    the score itself.

    Args:
        attributions: whose gaps are closed.
        shares: float64 [n_players], none below 0: what the parts are in proportion to, in the place
            of the absolute contributions.

    Raises:
        ScoreError: there is a gap that is no finite number, as a score is none.
    """
    _check_finite(attributions)
    counts = attributions.players.counts()
    rows = np.repeat(np.arange(len(counts)), counts)
    weights = np.abs(attributions.contributions) if shares is None else shares
    totals = np.bincount(rows, weights, minlength=len(counts))
    # Less than tiny, what is divided by them could be more than a float can hold.
    counted = totals > np.finfo(np.float64).tiny
    weights = np.where(counted[rows], weights, 1.0)
    totals = np.where(counted, totals, np.maximum(counts, 1))
    added = weights * (attributions.efficiency_gaps() / totals)[rows]
    return replace(
        attributions,
        contributions=attributions.contributions + added,
        base_values=np.where(counts > 0, attributions.base_values, attributions.full_values),
    )
