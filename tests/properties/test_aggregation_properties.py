"""What holds of aggregated contributions, whatever they are."""

from dataclasses import dataclass

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_np

from whyrec.reasons.aggregation import (
    ImportanceSums,
    Strength,
    aggregate_rows,
    fold_rows,
    fold_triples,
    player_importance,
    strongest_groups,
)
from whyrec.types import Float32Array, Float64Array, Int64Array

STRENGTHS = st.sampled_from([Strength.ABSOLUTE, Strength.POSITIVE, Strength.NEGATIVE])


@dataclass(frozen=True)
class Rows:
    values: Float32Array | Float64Array
    groups: Int64Array
    n_groups: int


@st.composite
def rows(draw: st.DrawFn, *, whole: bool = False) -> Rows:
    """Draw rows of float32 or float64; of whole numbers every sum is exact."""
    n_rows, n_players = draw(st.integers(0, 20)), draw(st.integers(0, 80))
    n_groups = draw(st.integers(1, 12))
    width = draw(st.sampled_from([32, 64]))
    numbers = (
        st.integers(-100, 100).map(float)
        if whole
        else st.floats(-1e6, 1e6, width=32) | st.sampled_from([0.0, -0.0, 1.0, -1.0])
    )
    values = draw(st_np.arrays(f"float{width}", (n_rows, n_players), elements=numbers))
    groups = draw(st_np.arrays("int64", n_players, elements=st.integers(0, n_groups - 1)))
    return Rows(values, groups, n_groups)


@given(asked=rows(whole=True))
def test_folding_keeps_the_sum_of_every_row(asked: Rows) -> None:
    folded = fold_rows(asked.values, asked.groups, asked.n_groups)
    assert folded.sum(axis=1).tolist() == asked.values.sum(axis=1).tolist()


@given(asked=rows(), seed=st.integers(0, 99), m=st.integers(1, 10), strength=STRENGTHS)
def test_rows_in_another_order_give_the_same_bits(
    asked: Rows, seed: int, m: int, strength: Strength
) -> None:
    order = np.random.default_rng(seed).permutation(len(asked.values))
    one = aggregate_rows(asked.values, asked.groups, asked.n_groups, m=m, strength=strength)
    other = aggregate_rows(
        asked.values[order], asked.groups, asked.n_groups, m=m, strength=strength
    )
    assert other.folded.tobytes() == one.folded[order].tobytes()
    for place, row in enumerate(order.tolist()):
        assert other.strongest.of(place).tolist() == one.strongest.of(row).tolist()
    assert other.importance.counts.tolist() == one.importance.counts.tolist()


@given(asked=rows(whole=True), cut=st.integers(0, 20))
def test_parts_of_the_rows_merge_to_the_whole(asked: Rows, cut: int) -> None:
    first, second = player_importance(asked.values[:cut]), player_importance(asked.values[cut:])
    whole = player_importance(asked.values)
    merged = first.merge(second)
    for name in ("counts", "sums", "absolute_sums"):
        assert getattr(merged, name).tolist() == getattr(whole, name).tolist()


@given(asked=rows(), m=st.integers(1, 10), strength=STRENGTHS)
def test_the_strongest_of_fewer_are_a_prefix(asked: Rows, m: int, strength: Strength) -> None:
    fewer = strongest_groups(asked.values, asked.groups, asked.n_groups, m=m, strength=strength)
    more = strongest_groups(asked.values, asked.groups, asked.n_groups, m=m + 3, strength=strength)
    for row in range(len(fewer)):
        assert fewer.of(row).tolist() == more.of(row)[:m].tolist()


@given(asked=rows())
def test_contributions_turned_about_have_the_other_sign(asked: Rows) -> None:
    positive = strongest_groups(asked.values, asked.groups, m=4, strength=Strength.POSITIVE)
    negative = strongest_groups(-asked.values, asked.groups, m=4, strength=Strength.NEGATIVE)
    assert positive.groups.tolist() == negative.groups.tolist()
    assert positive.offsets.tolist() == negative.offsets.tolist()


@given(asked=rows())
def test_rows_and_triples_fold_to_the_same_bits(asked: Rows) -> None:
    n_rows, n_players = asked.values.shape
    found = fold_triples(
        np.repeat(np.arange(n_rows), n_players),
        np.tile(asked.groups, n_rows),
        asked.values.astype(np.float64).ravel(),
        n_rows,
        asked.n_groups,
    )
    folded = fold_rows(asked.values, asked.groups, asked.n_groups)
    assert found.tobytes() == folded.tobytes()


@given(asked=rows())
def test_float32_is_summed_as_float64(asked: Rows) -> None:
    narrow = asked.values.astype(np.float32)
    one = aggregate_rows(narrow, asked.groups, asked.n_groups)
    other = aggregate_rows(narrow.astype(np.float64), asked.groups, asked.n_groups)
    assert one.folded.tobytes() == other.folded.tobytes()
    assert one.strongest.groups.tolist() == other.strongest.groups.tolist()
    assert one.importance.sums.tobytes() == other.importance.sums.tobytes()


@given(asked=rows(whole=True))
def test_players_and_keys_are_summed_alike(asked: Rows) -> None:
    n_rows, n_players = asked.values.shape
    keys = np.tile(np.arange(n_players, dtype=np.int32), n_rows)
    by_key = ImportanceSums.of(keys, asked.values.astype(np.float64).ravel(), n_players)
    by_player = player_importance(asked.values)
    for name in ("counts", "sums", "absolute_sums"):
        assert getattr(by_key, name).tolist() == getattr(by_player, name).tolist()
