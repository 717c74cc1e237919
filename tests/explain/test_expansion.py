import numpy as np
import pytest

from whyrec.data.coalitions import Coalitions
from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.data.rows import offsets_of
from whyrec.explain import Estimator, ShapleyConfig
from whyrec.explain.expansion import Expansions
from whyrec.explain.shapley import shapley_values
from whyrec.models import TwoTower
from whyrec.types import Float64Array, Int64Array

N_POINTS = 21


@pytest.fixture
def drawn() -> Expansions:
    """Games of 5, 1, 0 and 9 players; in the first, player 2 is none, and in the last nobody is."""
    random = np.random.default_rng(0)
    counts = np.array([5, 1, 0, 9])
    slopes = random.integers(-1_000, 1_000, (counts.sum(), N_POINTS)).astype(np.float32)
    slopes[2] = 0
    slopes[6:] = 0
    return Expansions(
        offsets_of(counts), slopes, random.random(4), random.normal(size=(4, N_POINTS))
    )


@pytest.fixture(scope="module")
def asked(shop: Dataset, tower: TwoTower) -> tuple[Histories, Pairs, Float64Array]:
    histories = shop.histories(np.arange(shop.n_users))
    rows = np.flatnonzero(histories.counts() > 7)[:6].astype(np.int32)
    pairs = Pairs(rows, np.arange(len(rows), dtype=np.int32))
    scores = tower.query_vectors(histories) @ tower.item_vectors().T + tower.item_biases()
    return histories, pairs, scores[pairs.rows, pairs.items].astype(np.float64)


def test_the_contributions_are_the_shapley_values_of_the_values(drawn: Expansions) -> None:
    counts = np.diff(drawn.offsets)
    exact = shapley_values(drawn.values, counts, np.arange(4), ShapleyConfig())
    assert np.abs(exact.contributions).max() > 10
    np.testing.assert_allclose(drawn.contributions(), exact.contributions, atol=1e-9)


def test_who_has_no_gradient_adds_nothing(drawn: Expansions) -> None:
    assert drawn.contributions()[2] == 0
    without = np.random.default_rng(1).random((40, 5)) < 0.5
    without[:, 2] = False
    joined = without.copy()
    joined[:, 2] = True
    first = np.array([0])
    alone, together = (
        drawn.values(first, Coalitions.of_matrices([each])) for each in (without, joined)
    )
    assert len(set(alone)) > 10
    np.testing.assert_array_equal(alone, together)


def test_a_value_has_the_same_bits_whatever_else_is_asked(drawn: Expansions) -> None:
    cells = np.random.default_rng(2).random((300, 5)) < 0.5
    first = np.array([0])
    whole = drawn.values(first, Coalitions.of_matrices([cells]))
    for n in (1, 2, 7):
        part = drawn.values(first, Coalitions.of_matrices([cells[:n]]))
        np.testing.assert_array_equal(part, whole[:n])


@pytest.mark.parametrize("estimator", list(Estimator))
def test_what_is_known_of_a_game_is_not_left_to_chance(
    estimator: Estimator, drawn: Expansions
) -> None:
    counts, keys = np.array([5]), np.arange(1)
    first = Expansions(drawn.offsets[:2], drawn.slopes[:5], drawn.units[:1], drawn.values_above[:1])

    def value(games: Int64Array, coalitions: Coalitions) -> Float64Array:
        together = coalitions.cells.reshape(-1, 5)[:, :2].all(axis=1)
        return 2 + first.values(games, coalitions) + together

    exact = shapley_values(value, counts, keys, ShapleyConfig())
    config = ShapleyConfig(exact_players=0, tolerance=0, max_permutations=64, estimator=estimator)
    plain = shapley_values(value, counts, keys, config)
    found = shapley_values(value, counts, keys, config, lambda _: first)
    np.testing.assert_allclose(found.base_values, exact.base_values)
    np.testing.assert_allclose(found.contributions, exact.contributions, atol=0.3)
    assert np.abs(plain.contributions - exact.contributions).max() > 3
    assert found.standard_errors.max() < plain.standard_errors.max() / 20


def test_what_is_known_of_a_score_is_near_it(
    tower: TwoTower, shop: Dataset, asked: tuple[Histories, Pairs, Float64Array]
) -> None:
    exact = ShapleyConfig(exact_players=20).fit(tower, shop).explain(*asked)
    known = Expansions.of(tower, *asked[:2]).contributions()
    assert np.corrcoef(known, exact.contributions)[0, 1] > 0.9


def test_what_is_sampled_is_as_near_to_the_truth_as_it_says(
    tower: TwoTower, shop: Dataset, asked: tuple[Histories, Pairs, Float64Array]
) -> None:
    exact = ShapleyConfig(exact_players=20).fit(tower, shop).explain(*asked)
    config = ShapleyConfig(exact_players=0, tolerance=0, max_permutations=256)
    found = config.fit(tower, shop).explain(*asked)
    assert found.standard_errors is not None
    ratios = (found.contributions - exact.contributions) / found.standard_errors
    assert 0.7 < np.sqrt((ratios**2).mean()) < 1.4


def test_sampling_ends_when_errors_are_small_beside_whole_contributions(
    tower: TwoTower, shop: Dataset, asked: tuple[Histories, Pairs, Float64Array]
) -> None:
    config = ShapleyConfig(exact_players=0, tolerance=0.05, max_permutations=100_000)
    found = config.fit(tower, shop).explain(*asked)
    assert found.standard_errors is not None
    for pair in range(len(found.pairs)):
        part = found.of(pair)
        largest = found.standard_errors[part].max()
        assert 0 < largest <= 0.05 * np.abs(found.contributions[part]).mean() * 1.001
