import numpy as np
import pytest

from whyrec.data.coalitions import Coalitions
from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.data.rows import offsets_of
from whyrec.explain import Attributions, Estimator, ShapleyConfig
from whyrec.explain.expansion import Expansions
from whyrec.explain.shapley import Shapley, shapley_values
from whyrec.models import TwoTower
from whyrec.types import Float64Array

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
def test_what_is_known_of_a_score_leaves_little_to_chance(
    estimator: Estimator,
    tower: TwoTower,
    shop: Dataset,
    asked: tuple[Histories, Pairs, Float64Array],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = ShapleyConfig(exact_players=0, tolerance=0, max_permutations=64, estimator=estimator)
    exact = ShapleyConfig(exact_players=20).fit(tower, shop).explain(*asked)
    found = config.fit(tower, shop).explain(*asked)
    monkeypatch.setattr(Shapley, "_expand", lambda *_: None)
    plain = config.fit(tower, shop).explain(*asked)

    def error(of: Attributions) -> float:
        return float(np.sqrt(((of.contributions - exact.contributions) ** 2).mean()))

    def stated(of: Attributions) -> float:
        assert of.standard_errors is not None
        return float(np.sqrt((of.standard_errors**2).mean()))

    assert error(found) < 0.9 * error(plain)
    assert stated(found) < 0.9 * stated(plain)
    assert error(found) < 2 * stated(found)
    np.testing.assert_allclose(found.base_values, exact.base_values, atol=1e-6)


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
