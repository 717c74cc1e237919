import numpy as np
import pytest
import scipy.stats

from whyrec.errors import ArgumentError
from whyrec.evaluate.faithfulness import Interval, differences, interval, intervals


def ends(found: Interval) -> tuple[float, float]:
    return found.low, found.high


def test_the_ends_are_those_of_resampled_means() -> None:
    values = np.array([0.0, 1.0])
    # Of two draws both are 0, both 1, or one of each: means of 0, 0.5 and 1, a quarter at the ends.
    assert ends(interval(values)) == (0, 1)
    assert ends(interval(values, confidence=0.4)) == (0.5, 0.5)
    assert interval(values).mean == 0.5
    assert interval(values).n_pairs == 2


def test_an_interval_is_near_that_of_the_normal_distribution() -> None:
    values = np.random.default_rng(0).exponential(size=400)
    error = values.std(ddof=1) / np.sqrt(len(values))
    found = interval(values)
    np.testing.assert_allclose(
        ends(found), values.mean() + error * np.array([-1.96, 1.96]), rtol=0.02
    )
    narrower = interval(values, confidence=0.5)
    assert found.low < narrower.low < found.mean < narrower.high < found.high


def test_the_true_mean_is_inside_as_often_as_it_is_said() -> None:
    random, inside = np.random.default_rng(1), 0
    for _ in range(400):
        found = interval(random.random(60), n_resamples=499)
        inside += found.low <= 0.5 <= found.high
    # 380 are expected; 4.5 deviations are 20.
    assert 360 <= inside <= 396


def test_seed_decides_and_the_order_of_pairs_does_not() -> None:
    values = np.random.default_rng(0).normal(size=50)
    assert interval(values) == interval(values[::-1].copy()) == interval(values, seed=0)
    assert ends(interval(values, seed=1)) != ends(interval(values))


def test_a_pair_where_nothing_is_defined_is_left_out() -> None:
    values = np.array([np.nan, 0.2, 0.4, np.nan, 0.9])
    assert interval(values) == interval(np.array([0.2, 0.4, 0.9]))
    assert interval(values).n_pairs == 3


def test_a_constant_has_an_interval_of_no_width() -> None:
    assert ends(interval(np.full(10, 0.1))) == pytest.approx((0.1, 0.1))


def test_what_two_methods_have_in_common_is_not_in_their_difference() -> None:
    random = np.random.default_rng(2)
    luck = random.normal(size=300)
    one, other = luck + 0.1, luck + random.normal(scale=0.05, size=300)
    found = differences({"CDCG": one}, {"CDCG": other})["CDCG"]
    assert found.is_apart
    assert found.mean == pytest.approx((one - other).mean())
    alone = interval(one), interval(other)
    assert alone[0].low < alone[1].high
    assert found.high - found.low < (alone[0].high - alone[0].low) / 5
    turned = differences({"CDCG": other}, {"CDCG": one})["CDCG"]
    assert turned.is_apart
    assert turned.high < 0
    assert not differences({"CDCG": one}, {"CDCG": one[::-1]})["CDCG"].is_apart


def test_a_paired_interval_is_that_of_scipy_with_both_drawn_together() -> None:
    one, other = np.random.default_rng(3).random((2, 200))
    found = differences({"x": one}, {"x": other})["x"]
    reference = scipy.stats.bootstrap(
        (one, other),
        lambda a, b, axis: (a - b).mean(axis=axis),
        paired=True,
        vectorized=True,
        method="percentile",
        random_state=np.random.default_rng(5),
    ).confidence_interval
    width = reference.high - reference.low
    np.testing.assert_allclose(ends(found), (reference.low, reference.high), atol=0.05 * width)


def test_each_figure_has_its_own_interval() -> None:
    figures = {"one": np.array([0.0, 1, 2]), "two": np.array([5.0, 5, 6])}
    found = intervals(figures, seed=3)
    assert found == {name: interval(values, seed=3) for name, values in figures.items()}
    assert str(interval(np.full(3, 0.25))) == "0.25 [0.25, 0.25]"


def test_what_has_no_interval_is_refused() -> None:
    two = np.array([1.0, 2.0])
    with pytest.raises(ArgumentError, match="an interval needs two pairs or more, not 1"):
        interval(np.array([1.0, np.nan]))
    with pytest.raises(ArgumentError, match=r"values: expected .* got shape \(1, 2\)"):
        interval(two[None])
    with pytest.raises(ArgumentError, match="confidence must be between 0 and 1, not 1"):
        interval(two, confidence=1)
    with pytest.raises(ArgumentError, match="n_resamples must be at least 1, not 0"):
        interval(two, n_resamples=0)
    with pytest.raises(ArgumentError, match="figures are a here and b there"):
        differences({"a": two}, {"b": two})
    with pytest.raises(ArgumentError, match="a is of 2 pairs here, 3 there"):
        differences({"a": two}, {"a": np.zeros(3)})
