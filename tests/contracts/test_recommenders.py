"""What holds of every recommender."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest

from whyrec.data.coalitions import Coalitions
from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.errors import ArgumentError
from whyrec.explain.attribution import PlayerKind, Players
from whyrec.models import (
    DeepRankerConfig,
    EASEConfig,
    PopularityConfig,
    Recommender,
    RecommenderConfig,
    SequenceConfig,
    TwoTowerConfig,
)
from whyrec.models.recommender import ReweighableRecommender
from whyrec.types import BoolArray, Float64Array

Scores = Callable[[Recommender, Histories, Pairs], Float64Array]


@dataclass(frozen=True)
class Fitted:
    config: RecommenderConfig
    model: Recommender


@pytest.fixture(
    scope="module",
    params=["two towers", "sequence", "ranker", "ranked sequence", "EASE", "popularity"],
)
def fitted(
    request: pytest.FixtureRequest,
    shop: Dataset,
    tower_config: TwoTowerConfig,
    sequence_config: SequenceConfig,
    ranker_config: DeepRankerConfig,
) -> Fitted:
    ordered = replace(sequence_config, validation_share=1.0)
    configs: dict[str, RecommenderConfig] = {
        "two towers": tower_config,
        "sequence": sequence_config,
        "ranker": ranker_config,
        "ranked sequence": replace(ranker_config, retrieval=ordered),
        "EASE": EASEConfig(l2=2.0),
        "popularity": PopularityConfig(),
    }
    config = configs[request.param]
    return Fitted(config, config.fit(shop, progress=False))


@pytest.fixture
def everybody(shop: Dataset) -> Histories:
    return shop.histories(np.arange(shop.n_users))


def one_pair(item: int) -> Pairs:
    return Pairs(np.zeros(1, np.int32), np.array([item], np.int32))


def n_players(model: Recommender, histories: Histories, item: int) -> int:
    return len(Players.of(histories, model.item_features, one_pair(item)).kinds)


def values_of(
    model: Recommender, histories: Histories, item: int, coalitions: BoolArray
) -> Float64Array:
    """Return the values of one pair."""
    return model.coalition_values(histories, one_pair(item), Coalitions.of_matrices([coalitions]))


def drawn(n_coalitions: int, width: int) -> BoolArray:
    coalitions: BoolArray = np.random.default_rng(0).random((n_coalitions, width)) < 0.6
    return coalitions


def test_vectors_have_the_shapes_and_dtypes_that_are_promised(
    fitted: Fitted, shop: Dataset, everybody: Histories
) -> None:
    queries, items = fitted.model.query_vectors(everybody), fitted.model.item_vectors()
    biases = fitted.model.item_biases()
    assert queries.shape == (shop.n_users, items.shape[1])
    assert items.shape == (shop.n_items, queries.shape[1])
    assert biases.shape == (shop.n_items,)
    for each in (queries, items, biases):
        assert each.dtype == np.float32
        assert each.flags.c_contiguous
        assert np.isfinite(each).all()
    assert len(fitted.model.item_features) == shop.n_items


def test_a_batch_gives_the_same_bits_as_one_by_one_in_any_order(
    fitted: Fitted, shop: Dataset, everybody: Histories
) -> None:
    together = fitted.model.query_vectors(everybody)
    for user in np.random.default_rng(0).permutation(shop.n_users):
        alone = fitted.model.query_vectors(shop.histories(np.array([user])))
        np.testing.assert_array_equal(alone[0], together[user])


def test_the_number_of_threads_changes_no_bit(
    fitted: Fitted, everybody: Histories, on_threads: Callable[[int], None]
) -> None:
    coalitions = drawn(300, n_players(fitted.model, everybody.take(np.array([6])), 5))
    found = []
    for n_threads in (1, 2):
        on_threads(n_threads)
        model = fitted.model
        values = values_of(model, everybody.take(np.array([6])), 5, coalitions)
        found.append((model.query_vectors(everybody), model.item_vectors(), values))
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_nobody_at_all_is_a_batch_too(fitted: Fitted, shop: Dataset) -> None:
    queries = fitted.model.query_vectors(shop.histories(np.zeros(0, np.int64)))
    assert queries.shape == (0, fitted.model.item_vectors().shape[1])
    assert queries.dtype == np.float32


@pytest.mark.parametrize("user", [0, 1, 2, 3, 7])
@pytest.mark.parametrize("item", [0, 1, 2, 9])
def test_the_value_of_everything_is_the_score(
    fitted: Fitted, everybody: Histories, scores_of: Scores, user: int, item: int
) -> None:
    histories = everybody.take(np.array([user]))
    everyone = np.ones((1, n_players(fitted.model, histories, item)), bool)
    values = values_of(fitted.model, histories, item, everyone)
    assert values.dtype == np.float64
    assert values.shape == (1,)
    (score,) = scores_of(fitted.model, histories, one_pair(item))
    np.testing.assert_allclose(values[0], score, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("user", [1, 3, 7])
def test_an_absent_event_is_as_if_it_had_never_happened(
    fitted: Fitted, everybody: Histories, scores_of: Scores, user: int
) -> None:
    histories, item = everybody.take(np.array([user])), 9
    n_events, width = len(histories.items), n_players(fitted.model, histories, item)
    coalitions = drawn(12, width)
    coalitions[:, n_events:] = True
    values = values_of(fitted.model, histories, item, coalitions)
    for coalition, value in zip(coalitions, values, strict=True):
        left = histories.only_events(coalition[:n_events])
        (score,) = scores_of(fitted.model, left, one_pair(item))
        np.testing.assert_allclose(value, score, rtol=1e-4, atol=1e-5)


def test_nobody_present_leaves_what_the_item_scores_for_a_stranger(
    fitted: Fitted, everybody: Histories, scores_of: Scores
) -> None:
    item = 0  # without features, so that all of it is base value
    values = []
    for user in (2, 3, 9):
        histories = everybody.take(np.array([user]))
        nobody = np.zeros((1, n_players(fitted.model, histories, item)), bool)
        values.append(values_of(fitted.model, histories, item, nobody)[0])
    (stranger,) = scores_of(fitted.model, everybody.take(np.array([2])), one_pair(item))
    np.testing.assert_allclose(values, stranger, rtol=1e-4, atol=1e-5)


def test_coalitions_can_be_none_or_many(fitted: Fitted, everybody: Histories) -> None:
    histories = everybody.take(np.array([5]))
    coalitions = drawn(40, n_players(fitted.model, histories, 3))
    values = values_of(fitted.model, histories, 3, coalitions)
    assert values.shape == (40,)
    assert values_of(fitted.model, histories, 3, coalitions[:0]).shape == (0,)
    again = values_of(fitted.model, histories, 3, coalitions[::-1].copy())
    np.testing.assert_allclose(again[::-1], values, rtol=1e-5, atol=1e-6)


def test_many_pairs_get_the_same_bits_as_one_by_one_in_any_order(
    fitted: Fitted, shop: Dataset, everybody: Histories
) -> None:
    """Pairs of one user and of many, with no coalition, one and more."""
    random = np.random.default_rng(1)
    rows = np.append(np.arange(shop.n_users), [6] * 12)
    pairs = Pairs(rows.astype(np.int32), random.integers(25, size=len(rows)).astype(np.int32))
    n_players = Players.of(everybody, fitted.model.item_features, pairs).counts()
    matrices = [random.random((random.choice([0, 1, 30]), n)) < 0.5 for n in n_players]
    order = random.permutation(len(pairs))
    found = fitted.model.coalition_values(
        everybody, pairs.take(order), Coalitions.of_matrices([matrices[pair] for pair in order])
    )
    assert found.dtype == np.float64
    for pair in order.tolist():
        history = everybody.take(pairs.rows[[pair]].astype(np.int64))
        alone = values_of(fitted.model, history, int(pairs.items[pair]), matrices[pair])
        mine, found = found[: len(alone)], found[len(alone) :]
        np.testing.assert_array_equal(mine, alone)
    assert len(found) == 0


def test_coalitions_of_another_number_of_players_are_refused(
    fitted: Fitted, everybody: Histories
) -> None:
    with pytest.raises(ArgumentError, match=r"pair 0 \(row 0, item 4\) are of 3 players"):
        values_of(fitted.model, everybody.take(np.array([4])), 4, np.ones((1, 3), bool))
    no_pair = Pairs(np.zeros(0, np.int32), np.zeros(0, np.int32))
    coalitions = Coalitions.of_matrices([np.ones((1, 3), bool)])
    with pytest.raises(ArgumentError, match="coalitions are of 1 pairs, not of 0"):
        fitted.model.coalition_values(everybody, no_pair, coalitions)
    assert not len(fitted.model.coalition_values(everybody, no_pair, Coalitions.of_matrices([])))


def test_the_stored_arrays_restore_the_same_bits(
    fitted: Fitted, shop: Dataset, everybody: Histories
) -> None:
    arrays = {name: each.copy() for name, each in fitted.model.arrays().items()}
    assert arrays
    assert {each.dtype for each in arrays.values()} <= {*map(np.dtype, ("f4", "i4", "i8"))}
    restored = fitted.config.restore(shop, arrays)
    for one, other in (
        (restored.query_vectors(everybody), fitted.model.query_vectors(everybody)),
        (restored.item_vectors(), fitted.model.item_vectors()),
        (restored.item_biases(), fitted.model.item_biases()),
    ):
        np.testing.assert_array_equal(one, other)
    assert restored.arrays().keys() == arrays.keys()
    histories = everybody.take(np.array([3]))
    coalitions = drawn(20, n_players(restored, histories, 4))
    np.testing.assert_array_equal(
        values_of(restored, histories, 4, coalitions),
        values_of(fitted.model, histories, 4, coalitions),
    )


def test_fitting_twice_gives_the_same_bits(fitted: Fitted, shop: Dataset) -> None:
    again = fitted.config.fit(shop, progress=False).arrays()
    for name, each in fitted.model.arrays().items():
        np.testing.assert_array_equal(again[name], each)


def test_nothing_changes_the_data(
    fitted: Fitted, shop: Dataset, everybody: Histories, digest: Callable[[Dataset], str]
) -> None:
    before = digest(shop)
    model = fitted.config.fit(shop, progress=False)
    model.query_vectors(everybody)
    model.item_vectors()
    histories = everybody.take(np.array([3]))
    coalitions = drawn(5, n_players(model, histories, 4))
    kept = coalitions.copy()
    values_of(model, histories, 4, coalitions)
    np.testing.assert_array_equal(coalitions, kept)
    assert digest(shop) == before


def test_nothing_is_shown_while_fitting_unless_asked(
    fitted: Fitted, shop: Dataset, capfd: pytest.CaptureFixture[str]
) -> None:
    fitted.config.fit(shop, progress=False)
    assert capfd.readouterr() == ("", "")


def test_other_features_leave_the_value_of_the_coalition_of_those_that_stay(
    fitted: Fitted, shop: Dataset, everybody: Histories, scores_of: Scores
) -> None:
    model, features = fitted.model, shop.item_features
    assert isinstance(model, ReweighableRecommender)
    kept = np.random.default_rng(4).random(len(features.tokens)) < 0.6
    fewer = model.with_item_features(features.only(kept))
    assert model.item_features is features
    pairs = Pairs(
        np.repeat(np.arange(len(everybody), dtype=np.int32), shop.n_items),
        np.tile(np.arange(shop.n_items, dtype=np.int32), len(everybody)),
    )
    players = Players.of(everybody, features, pairs)
    cells = np.ones(len(players.kinds), bool)
    is_feature = players.kinds == PlayerKind.FEATURE
    item = np.repeat(pairs.items, players.counts())[is_feature]
    cells[is_feature] = kept[features.offsets[item] + players.sources[is_feature]]
    once = np.ones(len(pairs), np.int64)
    expected = model.coalition_values(everybody, pairs, Coalitions(players.counts(), once, cells))
    np.testing.assert_allclose(scores_of(fewer, everybody, pairs), expected, rtol=1e-4, atol=1e-5)
    again = fewer.with_item_features(features)
    np.testing.assert_array_equal(
        scores_of(again, everybody, pairs), scores_of(model, everybody, pairs)
    )
