"""Why this rather than those: the game of a margin, for every kind of recommender."""

import numpy as np
import pytest

from whyrec.data.coalitions import Coalitions
from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.errors import ArgumentError
from whyrec.explain import (
    ClosedFormConfig,
    ExplainerConfig,
    GradientPathConfig,
    NetworkConfig,
    PlayerKind,
    Players,
    ShapleyConfig,
)
from whyrec.explain.margin import DifferentiableMargin, Margin, Rivals, margin_over
from whyrec.models import DeepRanker, EASEConfig, PopularityConfig, Recommender, Sequence, TwoTower
from whyrec.types import Float64Array

ITEMS = np.array([3, 0, 5], np.int32)
RIVALS = Rivals(np.array([0, 2, 3, 6]), np.array([1, 7, 4, 2, 0, 9], np.int32))


@pytest.fixture(scope="module", params=["two towers", "sequence", "ranker", "EASE", "popularity"])
def model(
    request: pytest.FixtureRequest,
    shop: Dataset,
    tower: TwoTower,
    sequence: Sequence,
    ranker: DeepRanker,
) -> Recommender:
    if request.param == "ranker":
        return ranker
    if request.param == "two towers":
        return tower
    if request.param == "sequence":
        return sequence
    config = EASEConfig(l2=2.0) if request.param == "EASE" else PopularityConfig()
    return config.fit(shop, progress=False)


@pytest.fixture
def histories(shop: Dataset) -> Histories:
    return shop.histories(np.array([1, 3, 4, 5, 2]))


def every_pair(histories: Histories) -> Pairs:
    rows, items = np.divmod(np.arange(len(histories) * len(ITEMS)), len(ITEMS))
    return Pairs(rows.astype(np.int32), items.astype(np.int32))


def drawn(model: Recommender, histories: Histories, pairs: Pairs, n: int) -> Coalitions:
    counts = Players.of(histories, model.item_features, pairs).counts()
    random = np.random.default_rng(0)
    return Coalitions.of_matrices([random.random((n, count)) < 0.6 for count in counts.tolist()])


def margins_one_by_one(
    model: Recommender, histories: Histories, pairs: Pairs, coalitions: Coalitions
) -> Float64Array:
    """Evaluate each item and each of its rivals by itself."""
    values = []
    for pair in range(len(pairs)):
        row, place = int(pairs.rows[pair]), int(pairs.items[pair])
        present = coalitions.of(pair)
        others = RIVALS.items[RIVALS.offsets[place] : RIVALS.offsets[place + 1]].tolist()
        found = []
        for item in [int(ITEMS[place]), *others]:
            one = Pairs(np.array([row], np.int32), np.array([item], np.int32))
            kinds = Players.of(histories, model.item_features, one).kinds
            shared = int((kinds != PlayerKind.FEATURE).sum())
            theirs = np.ones((len(present), len(kinds)), bool)
            theirs[:, :shared] = present[:, :shared]
            asked = present if item == ITEMS[place] else theirs
            found.append(model.coalition_values(histories, one, Coalitions.of_matrices([asked])))
        values.append(found[0] - np.mean(found[1:], axis=0))
    return np.concatenate(values)


def test_the_value_is_that_of_the_item_less_the_mean_of_its_rivals(
    model: Recommender, histories: Histories
) -> None:
    game, pairs = margin_over(model, ITEMS, RIVALS), every_pair(histories)
    coalitions = drawn(game, histories, pairs, 4)
    found = game.coalition_values(histories, pairs, coalitions)
    expected = margins_one_by_one(model, histories, pairs, coalitions)
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_what_is_evaluated_rival_by_rival_is_the_same(
    model: Recommender, histories: Histories
) -> None:
    pairs = every_pair(histories)
    plain = Margin(model, ITEMS, RIVALS)
    coalitions = drawn(plain, histories, pairs, 3)
    np.testing.assert_allclose(
        plain.coalition_values(histories, pairs, coalitions),
        margins_one_by_one(model, histories, pairs, coalitions),
        atol=1e-5,
    )


@pytest.mark.parametrize("model", ["two towers", "sequence", "EASE", "popularity"], indirect=True)
def test_a_margin_is_a_recommender_that_scores_it(model: Recommender, histories: Histories) -> None:
    game = margin_over(model, ITEMS, RIVALS)
    scores = model.query_vectors(histories) @ model.item_vectors().T + model.item_biases()
    expected = np.stack(
        [
            scores[:, item] - scores[:, RIVALS.items[start:end]].mean(axis=1)
            for item, start, end in zip(ITEMS, RIVALS.offsets, RIVALS.offsets[1:], strict=False)
        ],
        axis=1,
    )
    found = game.query_vectors(histories) @ game.item_vectors().T + game.item_biases()
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize(
    "config",
    [
        ShapleyConfig(),
        GradientPathConfig(),
        NetworkConfig(max_steps=4, evaluate_every=2),
    ],
    ids=["shapley", "path", "network"],
)
@pytest.mark.parametrize("model", ["two towers", "ranker"], indirect=True)
def test_what_explains_the_scores_explains_the_margins(
    model: Recommender, shop: Dataset, histories: Histories, config: ExplainerConfig
) -> None:
    game, pairs = margin_over(model, ITEMS, RIVALS), every_pair(histories)
    counts = Players.of(histories, game.item_features, pairs).counts()
    ends = Coalitions.of_matrices([np.array([[False], [True]]).repeat(n, 1) for n in counts])
    values = game.coalition_values(histories, pairs, ends).reshape(-1, 2)
    explainer = config.fit(model, shop, progress=False)
    found = config.restore(game, explainer.arrays()).explain(histories, pairs, values[:, 1])
    assert np.abs(found.efficiency_gaps()).max() <= 1e-9
    some = counts > 0
    np.testing.assert_allclose(found.base_values[some], values[some, 0], atol=1e-5)
    truth = ShapleyConfig(exact_players=20).fit(game, shop).explain(histories, pairs, values[:, 1])
    apart = np.abs(found.contributions - truth.contributions).sum()
    assert apart <= 0.3 * np.abs(truth.contributions).sum()


@pytest.mark.parametrize("kind", ["EASE", "popularity"])
def test_margins_of_sums_are_sums(shop: Dataset, histories: Histories, kind: str) -> None:
    config = EASEConfig(l2=2.0) if kind == "EASE" else PopularityConfig()
    model = config.fit(shop, progress=False)
    game, pairs = margin_over(model, ITEMS, RIVALS), every_pair(histories)
    counts = Players.of(histories, game.item_features, pairs).counts()
    everybody = Coalitions.of_matrices([np.ones((1, count), bool) for count in counts])
    full = game.coalition_values(histories, pairs, everybody)
    found = ClosedFormConfig().fit(game, shop).explain(histories, pairs, full)
    truth = ShapleyConfig(exact_players=20).fit(game, shop).explain(histories, pairs, full)
    np.testing.assert_allclose(found.contributions, truth.contributions, atol=1e-6)


@pytest.mark.parametrize("model", ["two towers", "ranker"], indirect=True)
def test_a_margin_can_be_held_against_more(model: Recommender, histories: Histories) -> None:
    game = margin_over(model, ITEMS, RIVALS)
    assert isinstance(game, DifferentiableMargin)
    rival = Rivals(np.array([0, 1]), np.array([2], np.int32))
    twice = margin_over(game, np.array([0], np.int32), rival)
    pairs = Pairs(np.array([1], np.int32), np.array([0], np.int32))
    both = Pairs(np.array([1, 1], np.int32), np.array([0, 2], np.int32))
    counts = Players.of(histories, game.item_features, both).counts()
    full = Coalitions.of_matrices([np.ones((1, count), bool) for count in counts])
    first, second = game.coalition_values(histories, both, full)
    one = Coalitions.of_matrices([np.ones((1, int(counts[0])), bool)])
    np.testing.assert_allclose(
        twice.coalition_values(histories, pairs, one), first - second, atol=1e-5
    )


def test_a_margin_of_the_ranker_has_the_same_bits_whatever_else_is_asked(
    ranker: DeepRanker, histories: Histories
) -> None:
    """Items of one, two and three rivals, whose features are of different numbers."""
    game, pairs = margin_over(ranker, ITEMS, RIVALS), every_pair(histories)
    coalitions = drawn(game, histories, pairs, 20)
    together = game.coalition_values(histories, pairs, coalitions)
    for pair in range(len(pairs)):
        alone = game.coalition_values(
            histories.take(pairs.rows[[pair]].astype(np.int64)),
            Pairs(np.zeros(1, np.int32), pairs.items[[pair]]),
            Coalitions.of_matrices([coalitions.of(pair)]),
        )
        np.testing.assert_array_equal(alone, together[20 * pair : 20 * pair + 20])


def test_an_item_without_rivals_is_refused(tower: TwoTower) -> None:
    with pytest.raises(ArgumentError, match="item 1 has no rivals"):
        Rivals(np.array([0, 1, 1]), np.array([4], np.int32))
    with pytest.raises(ArgumentError, match="3 items are held against 1 rivals"):
        margin_over(tower, ITEMS, Rivals(np.array([0, 1]), np.array([4], np.int32)))
