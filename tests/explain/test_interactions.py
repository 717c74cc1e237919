from collections.abc import Sequence
from itertools import combinations
from math import factorial

import numpy as np
import pytest

from whyrec.data.coalitions import Coalitions
from whyrec.data.dataset import Dataset
from whyrec.data.pairs import Pairs
from whyrec.errors import ArgumentError, ScoreError
from whyrec.explain import PlayerKind, PlayerPairs, Players, ShapleyConfig, sampling
from whyrec.explain.interaction_sampling import FoundInteractions, shapley_interactions
from whyrec.models import EASEConfig, PopularityConfig, Recommender, TwoTower, TwoTowerConfig
from whyrec.types import BoolArray, Float64Array, Int64Array

EXACT = ShapleyConfig()
SAMPLED = ShapleyConfig(exact_players=0, tolerance=0, max_permutations=256)


class DrawnGame:
    """A game with a value of its own for every coalition."""

    def __init__(self, n_players: int, seed: int) -> None:
        self.n_players = n_players
        self.values = np.random.default_rng(seed).normal(size=1 << n_players)

    def __call__(self, coalitions: BoolArray) -> Float64Array:
        found: Float64Array = self.values[coalitions @ (1 << np.arange(self.n_players))]
        return found

    def interaction(self, one: int, other: int) -> float:
        """Return the index by its definition: factorials over all coalitions of the others."""
        n, total = self.n_players, 0.0
        others = [player for player in range(n) if player not in (one, other)]
        for size in range(n - 1):
            weight = factorial(size) * factorial(n - size - 2) / factorial(n - 1)
            for chosen in combinations(others, size):
                without = sum(1 << player for player in chosen)
                first, second = without | 1 << one, without | 1 << other
                values = self.values[[first | second, first, second, without]]
                total += weight * float(values @ [1, -1, -1, 1])
        return total


def all_of(n_players: Sequence[int]) -> PlayerPairs:
    """Every two players of every game, now this one first and now that one."""
    both = [list(combinations(range(n), 2)) for n in n_players]
    flat = np.array([pair for each in both for pair in each], np.int64).reshape(-1, 2)
    flat[::2] = flat[::2, ::-1]
    offsets = np.append(0, np.cumsum([len(each) for each in both]))
    return PlayerPairs(offsets, flat[:, 0].copy(), flat[:, 1].copy())


def found_of(
    games: Sequence[DrawnGame],
    config: ShapleyConfig,
    asked: PlayerPairs | None = None,
    keys: Int64Array | None = None,
) -> FoundInteractions:
    def value(chosen: Int64Array, coalitions: Coalitions) -> Float64Array:
        assert (np.diff(chosen) > 0).all()
        return np.concatenate(
            [games[game](coalitions.of(place)) for place, game in enumerate(chosen)]
        )

    n_players = [game.n_players for game in games]
    return shapley_interactions(
        value,
        np.array(n_players),
        np.arange(len(games)) if keys is None else keys,
        all_of(n_players) if asked is None else asked,
        config,
    )


def test_exact_interactions_are_those_of_the_definition() -> None:
    games = [DrawnGame(n, seed=n) for n in (2, 5, 8, 3)]
    found = found_of(games, EXACT)
    expected = [
        game.interaction(*pair) for game in games for pair in combinations(range(game.n_players), 2)
    ]
    np.testing.assert_allclose(found.values, expected, rtol=0, atol=1e-12)
    assert not found.standard_errors.any()
    assert found.evaluations.tolist() == [4, 32, 256, 8]


def test_sampled_interactions_are_as_near_as_their_errors_say() -> None:
    games = [DrawnGame(7, seed=1)] * 200
    exact = found_of(games[:1], EXACT).values
    found = found_of(games, SAMPLED)
    ratios = (found.values.reshape(200, -1) - exact) / found.standard_errors.reshape(200, -1)
    # 128 draws make them nearly normal; a deviation of 200 is off by 0.05, the furthest of 21
    # stays within four times that.
    assert np.abs(ratios.std(axis=0) - 1.01).max() < 4 * 0.05
    # Unbiased: the mean of 200 has a 200th of the variance.
    assert np.abs(ratios.mean(axis=0)).max() < 4.5 / 200**0.5
    assert found.evaluations.tolist() == [21 * 128 * 8] * 200


@pytest.mark.parametrize("config", [EXACT, SAMPLED])
def test_where_nobody_depends_on_anybody_there_are_no_interactions(config: ShapleyConfig) -> None:
    game = DrawnGame(9, seed=0)
    terms = np.random.default_rng(0).normal(size=9)
    game.values = ((np.arange(1 << 9)[:, None] >> np.arange(9)) & 1) @ terms
    found = found_of([game], config)
    assert np.abs(found.values).max() < 1e-12
    assert found.standard_errors.max() < 1e-12


@pytest.mark.parametrize("config", [EXACT, SAMPLED])
def test_of_a_product_of_all_but_the_mean_over_sizes_is_left(config: ShapleyConfig) -> None:
    """v(S) = 1 if all n are in S: Δ is 1 for S = all others alone, which is one size of n − 1."""
    game = DrawnGame(6, seed=0)
    game.values = (np.arange(1 << 6) == (1 << 6) - 1).astype(np.float64)
    found = found_of([game], config)
    apart = np.abs(found.values - 1 / 5)
    assert (apart <= 1e-12 + 5 * found.standard_errors).all()


@pytest.mark.parametrize("config", [EXACT, SAMPLED])
def test_where_players_meet_by_twos_interactions_are_what_they_are_worth_together(
    config: ShapleyConfig,
) -> None:
    together = np.triu(np.random.default_rng(4).normal(size=(8, 8)), 1)
    present = ((np.arange(1 << 8)[:, None] >> np.arange(8)) & 1).astype(np.float64)
    game = DrawnGame(8, seed=0)
    game.values = ((present @ together) * present).sum(axis=1)
    found = found_of([game], config)
    np.testing.assert_allclose(found.values, together[np.triu_indices(8, 1)], atol=1e-12)
    assert found.standard_errors.max() < 1e-12


def test_which_of_two_players_is_the_first_changes_no_bit() -> None:
    games = [DrawnGame(9, seed=3)]
    asked = all_of([9])
    turned = PlayerPairs(asked.offsets, asked.second, asked.first)
    for config in (EXACT, SAMPLED):
        one, other = found_of(games, config, asked), found_of(games, config, turned)
        np.testing.assert_array_equal(one.values, other.values)
        np.testing.assert_array_equal(one.standard_errors, other.standard_errors)


def test_a_game_gets_the_same_bits_in_any_company(monkeypatch: pytest.MonkeyPatch) -> None:
    games = [DrawnGame(n, seed=n) for n in (5, 2, 9, 3, 7)]
    config = ShapleyConfig(exact_players=3, tolerance=0.2, max_permutations=200)
    whole = found_of(games, config)
    offsets = all_of([game.n_players for game in games]).offsets
    for cells in (sampling._CELLS, 5_000):
        monkeypatch.setattr(sampling, "_CELLS", cells)
        for place, game in enumerate(games):
            mine = slice(offsets[place], offsets[place + 1])
            alone = found_of([game], config, keys=np.array([place]))
            np.testing.assert_array_equal(alone.values, whole.values[mine])
            np.testing.assert_array_equal(alone.standard_errors, whole.standard_errors[mine])
            assert alone.evaluations == whole.evaluations[place]


def test_the_tolerance_and_the_budget_end_the_sampling() -> None:
    games, seen = [DrawnGame(8, seed=5)], []
    for tolerance in (10.0, 0.5):
        found = found_of(games, ShapleyConfig(exact_players=0, tolerance=tolerance))
        assert found.standard_errors.max() <= tolerance * np.abs(found.values).mean()
        seen.append(int(found.evaluations[0]))
    assert 28 * 8 * 8 == seen[0] < seen[1] < 28 * 512 * 8
    for most, expected in ((5_000, 28 * 8 * 22), (1, 28 * 8 * 2)):
        config = ShapleyConfig(exact_players=0, tolerance=0, max_evaluations=most)
        assert found_of(games, config).evaluations.tolist() == [expected]
    config = ShapleyConfig(exact_players=0, tolerance=0, max_seconds=1e-9)
    assert found_of(games, config).evaluations.tolist() == [28 * 8 * 2]


def test_games_of_which_nothing_is_asked_are_not_evaluated() -> None:
    games = [DrawnGame(4, seed=0), DrawnGame(13, seed=1), DrawnGame(5, seed=2)]
    asked = PlayerPairs(np.array([0, 0, 0, 1]), np.array([4]), np.array([0]))
    found = found_of(games, EXACT, asked)
    assert found.evaluations.tolist() == [0, 0, 32]
    nothing = PlayerPairs(np.zeros(4, np.int64), *np.zeros((2, 0), np.int64))
    assert found_of(games, EXACT, nothing).values.shape == (0,)


@pytest.mark.parametrize(
    ("offsets", "first", "second", "message"),
    [
        ([0, 1], [4], [0], "entry 0 puts player 4 with 0; pair 0 has 4 players"),
        ([0, 1], [0], [-1], "entry 0 puts player 0 with -1; pair 0 has 4 players"),
        ([0, 1], [2], [2], "entry 0 puts player 2 with 2; .* each is put with another"),
        ([0, 0, 0], [], [], "are of 2 pairs, not of 1"),
        ([0, 2], [0], [1], "not from 0 to 2 with 1 first and 1 second"),
        ([0, 1], [0], [], "not from 0 to 1 with 1 first and 0 second"),
        ([1, 1], [0], [1], "not from 1 to 1"),
        ([0, 2, 1], [0], [1], "not from 0 to 1 with 1 first"),
    ],
)
def test_players_that_there_are_not_are_refused(
    offsets: list[int], first: list[int], second: list[int], message: str
) -> None:
    def ask() -> None:
        arrays = (np.array(each, np.int64) for each in (offsets, first, second))
        found_of([DrawnGame(4, seed=0)], EXACT, PlayerPairs(*arrays))

    with pytest.raises(ArgumentError, match=message):
        ask()


def test_they_are_those_of_shapiq() -> None:
    shapiq = pytest.importorskip("shapiq")
    game = DrawnGame(7, seed=6)
    found = found_of([game], EXACT)
    index = shapiq.ExactComputer(lambda each: game(np.asarray(each, bool)), n_players=7)("SII", 2)
    expected = [index[pair] for pair in combinations(range(7), 2)]
    np.testing.assert_allclose(found.values, expected, rtol=0, atol=1e-10)


USERS = np.array([3, 5, 0, 2, 7])
PAIRS = Pairs(np.array([0, 0, 1, 2, 3, 4], np.int32), np.array([5, 0, 9, 4, 0, 6], np.int32))


def test_every_event_meets_every_feature(shop: Dataset) -> None:
    players = Players.of(shop.histories(USERS), shop.item_features, PAIRS)
    asked = PlayerPairs.events_by_features(players)
    counts = players.counts_by_kind()
    np.testing.assert_array_equal(np.diff(asked.offsets), counts[:, 0] * counts[:, 2])
    assert (np.diff(asked.offsets) == 0).any()
    for pair in range(len(PAIRS)):
        mine = slice(asked.offsets[pair], asked.offsets[pair + 1])
        kinds = players.kinds[players.offsets[pair] : players.offsets[pair + 1]]
        events, features = (
            np.flatnonzero(kinds == kind) for kind in (PlayerKind.EVENT, PlayerKind.FEATURE)
        )
        expected = [(event, feature) for event in events for feature in features]
        assert list(zip(asked.first[mine], asked.second[mine], strict=True)) == expected


def test_the_strongest_events_meet_the_strongest_features(shop: Dataset, tower: TwoTower) -> None:
    attributions = SAMPLED.fit(tower, shop).explain(shop.histories(USERS), PAIRS, np.zeros(6))
    asked = PlayerPairs.of_strongest(attributions, n_events=3, n_features=2)
    players = attributions.players
    counts = players.counts_by_kind()
    n_expected = np.minimum(counts[:, 0], 3) * np.minimum(counts[:, 2], 2)
    np.testing.assert_array_equal(np.diff(asked.offsets), n_expected)
    for pair in np.flatnonzero(n_expected).tolist():
        mine = slice(asked.offsets[pair], asked.offsets[pair + 1])
        sizes = np.abs(attributions.contributions[attributions.of(pair)])
        kinds = players.kinds[attributions.of(pair)]
        for kind, most, named in (
            (PlayerKind.EVENT, 3, asked.first),
            (PlayerKind.FEATURE, 2, asked.second),
        ):
            of_kind = np.flatnonzero(kinds == kind)
            expected = of_kind[np.argsort(-sizes[of_kind], kind="stable")][:most]
            assert set(named[mine].tolist()) == set(expected.tolist())
    for bad in ({"n_events": 0}, {"n_features": -1}):
        with pytest.raises(ArgumentError, match="n_events and n_features must be at least 1"):
            PlayerPairs.of_strongest(attributions, **bad)


def test_pairs_are_explained_in_one_call_to_the_bits_of_one_by_one(
    shop: Dataset, tower: TwoTower
) -> None:
    histories = shop.histories(USERS)
    explainer = ShapleyConfig(exact_players=8, max_permutations=8).fit(tower, shop)
    players = Players.of(histories, shop.item_features, PAIRS)
    asked = PlayerPairs.events_by_features(players)
    found = explainer.interactions(histories, PAIRS, asked)
    assert found.tier == "shapley"
    assert found.standard_errors is not None
    assert found.values.shape == found.standard_errors.shape == asked.first.shape
    assert np.abs(found.values).max() > 1e-3
    assert found.standard_errors.any()
    for pair in range(len(PAIRS)):
        one = PAIRS.take(np.array([pair]))
        mine = found.of(pair)
        only = PlayerPairs(
            np.array([0, mine.stop - mine.start]), asked.first[mine], asked.second[mine]
        )
        alone = explainer.interactions(histories, one, only)
        np.testing.assert_array_equal(alone.values, found.values[mine])
        assert alone.standard_errors is not None
        np.testing.assert_array_equal(alone.standard_errors, found.standard_errors[mine])


def test_additive_recommenders_have_no_interactions_but_of_an_item_twice(shop: Dataset) -> None:
    histories = shop.histories(USERS)
    recommenders: list[Recommender] = [
        EASEConfig(l2=2.0).fit(shop, progress=False),
        PopularityConfig().fit(shop, progress=False),
    ]
    for recommender in recommenders:
        pair = Pairs(np.zeros(1, np.int32), np.array([5], np.int32))
        n_events = int(histories.counts()[0])
        asked = all_of([n_events])
        found = SAMPLED.fit(recommender, shop).interactions(histories, pair, asked)
        items = histories.items[:n_events]
        twice = items[asked.first] == items[asked.second]
        assert twice.any()
        assert np.abs(found.values[~twice]).max() < 1e-9
        # Of two events of one item the second adds nothing: together they are worth less.
        if recommender is recommenders[0]:
            weight = recommenders[0].arrays()["weights"][items[asked.first[twice]], 5]
            np.testing.assert_allclose(found.values[twice], -weight, atol=1e-9)


def test_a_score_that_is_no_number_names_the_row_and_the_item(
    shop: Dataset, tower: TwoTower, tower_config: TwoTowerConfig
) -> None:
    arrays = {name: each.copy() for name, each in tower.arrays().items()}
    arrays["items.identity"][9] = np.nan
    broken = tower_config.restore(shop, arrays)
    histories = shop.histories(USERS)
    asked = PlayerPairs.events_by_features(Players.of(histories, shop.item_features, PAIRS))
    with pytest.raises(ScoreError, match="the score of item 9 for row 1 of the histories is nan"):
        SAMPLED.fit(broken, shop).interactions(histories, PAIRS, asked)
