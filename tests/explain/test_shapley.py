from itertools import permutations

import numpy as np
import pytest

from whyrec.errors import ArgumentError
from whyrec.explain.shapley import Game, ShapleyConfig, shapley_values
from whyrec.types import BoolArray, Float64Array

EXACT = ShapleyConfig()


def drawn_game(n_players: int, seed: int) -> Game:
    """Give every coalition a value of its own."""
    values = np.random.default_rng(seed).normal(size=1 << n_players)
    codes = 1 << np.arange(n_players)

    def game(coalitions: BoolArray) -> Float64Array:
        found: Float64Array = values[coalitions @ codes]
        return found

    return game


def by_definition(game: Game, n_players: int) -> Float64Array:
    """Average what each player adds over all orders in which players can come."""
    orders = list(permutations(range(n_players)))
    total = np.zeros(n_players)
    for order in orders:
        present = np.zeros((1, n_players), bool)
        before = game(present)[0]
        for player in order:
            present[0, player] = True
            after = game(present)[0]
            total[player] += after - before
            before = after
    return total / len(orders)


@pytest.mark.parametrize("n_players", [1, 2, 3, 5])
def test_exact_values_are_those_of_the_definition(n_players: int) -> None:
    game = drawn_game(n_players, seed=n_players)
    found, errors = shapley_values(game, n_players, EXACT)
    np.testing.assert_allclose(found, by_definition(game, n_players), atol=1e-12)
    assert not errors.any()


def test_the_owner_of_the_right_glove_gets_two_thirds() -> None:
    """A pair of gloves is worth 1; players 0 and 1 own a left one, player 2 the right one."""

    def game(coalitions: BoolArray) -> Float64Array:
        pairs: Float64Array = ((coalitions[:, 0] | coalitions[:, 1]) & coalitions[:, 2]).astype(
            np.float64
        )
        return pairs

    found, _ = shapley_values(game, 3, EXACT)
    np.testing.assert_allclose(found, [1 / 6, 1 / 6, 4 / 6], atol=1e-12)


def test_in_a_weighted_vote_power_is_how_often_one_decides() -> None:
    """Weights 4, 2, 1, 1 and a quota of 5: the large one decides in 9 of 12 orders."""
    weights = np.array([4, 2, 1, 1])

    def game(coalitions: BoolArray) -> Float64Array:
        won: Float64Array = (coalitions @ weights >= 5).astype(np.float64)
        return won

    found, _ = shapley_values(game, 4, EXACT)
    np.testing.assert_allclose(found, [9 / 12, 1 / 12, 1 / 12, 1 / 12], atol=1e-12)


def test_of_a_sum_each_player_gets_its_own_term_however_it_is_found() -> None:
    terms = np.random.default_rng(0).normal(size=30)

    def game(coalitions: BoolArray) -> Float64Array:
        values: Float64Array = 3 + coalitions @ terms
        return values

    found, errors = shapley_values(game, 30, EXACT)
    np.testing.assert_allclose(found, terms, atol=1e-12)
    assert errors.max() < 1e-7
    few, _ = shapley_values(lambda c: game(np.pad(c, ((0, 0), (0, 22)))), 8, EXACT)
    np.testing.assert_allclose(few, terms[:8], atol=1e-12)


def test_nobody_gets_nothing() -> None:
    found, errors = shapley_values(drawn_game(0, 0), 0, EXACT)
    assert found.shape == errors.shape == (0,)


@pytest.mark.parametrize("seed", range(3))
def test_samples_are_within_their_error_of_the_exact_values(seed: int) -> None:
    game = drawn_game(8, seed)
    exact, _ = shapley_values(game, 8, EXACT)
    config = ShapleyConfig(exact_players=0, max_permutations=2_000, tolerance=0, seed=seed)
    found, errors = shapley_values(game, 8, config)
    assert (errors > 0).all()
    assert errors.max() < 0.05
    assert (np.abs(found - exact) < 4.5 * errors).all()
    # What is told of all players together has no error at all.
    np.testing.assert_allclose(found.sum(), exact.sum(), atol=1e-9)


def test_the_standard_error_is_honest() -> None:
    game = drawn_game(6, seed=1)
    exact, _ = shapley_values(game, 6, EXACT)
    ratios = []
    for seed in range(60):
        config = ShapleyConfig(exact_players=0, max_permutations=256, tolerance=0, seed=seed)
        found, errors = shapley_values(game, 6, config)
        ratios.append((found - exact) / errors)
    every = np.array(ratios)
    assert 0.90 < (np.abs(every) < 1.96).mean() < 0.98  # 95 % if the error is what it says
    assert 0.85 < every.std() < 1.15
    assert np.abs(every.mean(axis=0)).max() < 4 / 60**0.5


def test_sampling_goes_on_until_the_tolerance_or_the_most_permutations() -> None:
    game, asked = drawn_game(10, seed=0), 0

    def counted(coalitions: BoolArray) -> Float64Array:
        nonlocal asked
        asked += len(coalitions)
        return game(coalitions)

    n_asked = []
    for tolerance, most in ((10.0, 1_000), (0.5, 1_000), (0.0, 1_000), (0.0, 333), (0.0, 4)):
        asked = 0
        config = ShapleyConfig(exact_players=0, tolerance=tolerance, max_permutations=most)
        found, errors = shapley_values(counted, 10, config)
        n_asked.append(asked // 11)
        if tolerance:
            assert errors.max() <= tolerance * np.abs(found).mean()
    assert n_asked[0] < n_asked[1] < n_asked[2]
    assert n_asked[2:] == [1_000, 332, 4]


def test_the_same_seed_gives_the_same_estimate() -> None:
    config = ShapleyConfig(exact_players=0, max_permutations=32)
    game = drawn_game(9, seed=0)
    one, again = (shapley_values(game, 9, config)[0] for _ in range(2))
    np.testing.assert_array_equal(one, again)
    other, _ = shapley_values(game, 9, ShapleyConfig(exact_players=0, max_permutations=32, seed=1))
    assert (one != other).any()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"exact_players": 21}, "exact_players must be from 0 to 20, not 21"),
        ({"exact_players": -1}, "exact_players must be from 0 to 20, not -1"),
        ({"tolerance": -0.1}, "tolerance must be a number from 0, not -0.1"),
        ({"tolerance": float("nan")}, "tolerance must be a number from 0, not nan"),
        ({"max_permutations": 3}, "max_permutations must be at least 4, not 3"),
    ],
)
def test_a_setting_out_of_range_is_refused_by_its_name(
    settings: dict[str, float], message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        ShapleyConfig(**settings)  # type: ignore[arg-type]
