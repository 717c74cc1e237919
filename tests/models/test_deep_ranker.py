from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from whyrec import DeepRankerConfig, EASEConfig, PopularityConfig, SequenceConfig, TwoTowerConfig
from whyrec.data.coalitions import Coalitions
from whyrec.data.dataset import Dataset
from whyrec.data.pairs import Pairs
from whyrec.errors import ArgumentError, ScoreError, StorageError
from whyrec.models import DeepRanker, RecommenderConfig, TwoStageRecommender
from whyrec.models.recommender import LinearRecommender


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def every_pair(dataset: Dataset) -> Pairs:
    rows, items = np.divmod(np.arange(dataset.n_users * dataset.n_items), dataset.n_items)
    return Pairs(rows.astype(np.int32), items.astype(np.int32))


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("n_ranked", 0, "n_ranked must be at least 1, not 0"),
        ("layers", (), r"layers must be whole numbers from 1, not \(\)"),
        ("layers", (8, 0), r"layers must be whole numbers from 1, not \(8, 0\)"),
        ("layers", (8.0,), r"layers must be whole numbers from 1, not \(8.0,\)"),
        ("dropout", 1.0, "dropout must be less than 1, not 1.0"),
        ("absent_events", 1.5, "absent_events must be at most 1, not 1.5"),
        ("absent_fields", 1.0, "absent_fields must be less than 1, not 1.0"),
        ("absent_features", 2.0, "absent_features must be less than 1, not 2.0"),
        ("validation_share", 1.0, "validation_share must be less than 1, not 1.0"),
        ("batch_size", 0, "batch_size must be at least 1, not 0"),
        ("max_steps", -1, "max_steps must be at least 0, not -1"),
        ("evaluate_every", 0, "evaluate_every must be at least 1, not 0"),
        ("patience", 0, "patience must be at least 1, not 0"),
        ("learning_rate", float("nan"), "learning_rate must be a number from 0, not nan"),
        ("weight_decay", -1.0, "weight_decay must be a number from 0, not -1.0"),
        ("seed", -1, "seed must be at least 0, not -1"),
    ],
)
def test_a_setting_out_of_range_is_refused_by_its_name(
    setting: str, value: object, message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        replace(DeepRankerConfig(), **{setting: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("config", [EASEConfig(), PopularityConfig(), DeepRankerConfig(), None])
def test_a_retrieval_without_vectors_to_read_is_refused(config: RecommenderConfig) -> None:
    with pytest.raises(ArgumentError, match=r"TwoTowerConfig\(\) or whyrec.SequenceConfig\(\); "):
        DeepRankerConfig(retrieval=config)  # type: ignore[arg-type]


def test_it_is_of_two_stages_and_not_linear_in_the_item(ranker: DeepRanker) -> None:
    assert isinstance(ranker, TwoStageRecommender)
    assert not isinstance(ranker, LinearRecommender)
    assert ranker.n_ranked == 8


def test_the_score_is_what_the_network_says_it_is(shop: Dataset, ranker: DeepRanker) -> None:
    """Against the formula in the docstring of `RankerNetwork`, in float64 and plain loops."""
    of = {name: each.astype(np.float64) for name, each in ranker.arrays().items()}
    histories = shop.histories(np.arange(6))
    queries = ranker.query_vectors(histories).astype(np.float64)
    vectors, biases = ranker.item_vectors().astype(np.float64), ranker.item_biases()
    pairs = Pairs(
        np.repeat(np.arange(6, dtype=np.int32), 4), np.tile([0, 1, 7, 20], 6).astype("i4")
    )
    found = ranker.pair_scores(histories, pairs)
    assert found.dtype == np.float32
    for score, row, item in zip(found, pairs.rows.tolist(), pairs.items.tolist(), strict=True):
        query, vector = queries[row], vectors[item]
        retrieved = query @ vector + biases[item]
        by_query, by_item, by_product, by_score = of["spreads"]
        first = of["first_bias"] + query / by_query @ of["of_query"]
        first += vector / by_item @ of["of_item"] + query * vector / by_product @ of["of_product"]
        first += (retrieved - of["mean_score"]) / by_score * of["of_score"]
        attributes, features = histories.attributes, shop.item_features
        for field in {0, 1} - set(attributes.fields_of(row).tolist()):
            first += of["absent_fields"][field]
        for entry in range(*attributes.offsets[row : row + 2]):
            first += attributes.weights[entry] * of["attributes"][attributes.tokens[entry]]
        for entry in range(*features.offsets[item : item + 2]):
            first += features.weights[entry] * of["features"][features.tokens[entry]]
        second = np.maximum(first, 0) @ of["weights.0"] + of["biases.0"]
        expected = retrieved + np.maximum(second, 0) @ of["output"]
        np.testing.assert_allclose(score, expected, rtol=1e-4, atol=1e-4)
    assert np.abs(of["output"]).max() > 0.01
    assert all(
        np.abs(of[name]).max() > 0.01 for name in ("attributes", "absent_fields", "features")
    )


@pytest.mark.usefixtures("two_threads")
def test_a_score_has_the_same_bits_in_any_batch(shop: Dataset, ranker: DeepRanker) -> None:
    histories, pairs = shop.histories(np.arange(shop.n_users)), every_pair(shop)
    several = Pairs(np.tile(pairs.rows, 3), np.tile(pairs.items, 3))  # more than one call takes
    together = ranker.pair_scores(histories, several)
    assert (together.reshape(3, -1) == together[: len(pairs)]).all()
    order = np.random.default_rng(0).permutation(len(pairs))
    moved = ranker.pair_scores(histories, pairs.take(order), ranker.query_vectors(histories))
    np.testing.assert_array_equal(moved, together[order])
    for pair in order[:40]:
        alone = histories.take(pairs.rows[[pair]].astype(np.int64))
        one = Pairs(np.zeros(1, np.int32), pairs.items[[pair]])
        assert ranker.pair_scores(alone, one) == together[pair]
    torch.set_num_threads(1)
    np.testing.assert_array_equal(ranker.pair_scores(histories, several), together)


def test_no_pairs_have_no_scores(shop: Dataset, ranker: DeepRanker) -> None:
    nothing = np.zeros(0, np.int32)
    scores = ranker.pair_scores(shop.histories(np.zeros(0, np.int64)), Pairs(nothing, nothing))
    assert scores.shape == (0,)
    assert scores.dtype == np.float32


def test_an_absent_field_is_worth_its_absent_row(shop: Dataset, ranker: DeepRanker) -> None:
    histories = shop.histories(np.array([5]))
    n_events, pair = len(histories.items), Pairs(np.zeros(1, np.int32), np.array([4], np.int32))
    coalitions = np.ones((2, n_events + 2 + 4), bool)
    coalitions[1, n_events] = False
    values = ranker.coalition_values(histories, pair, Coalitions.of_matrices([coalitions]))
    features = histories.attributes
    kept = features.schema.token_fields[features.tokens] != features.fields_of(0)[0]
    without = ranker.pair_scores(replace(histories, attributes=features.only(kept)), pair)
    np.testing.assert_allclose(values[1], without[0], rtol=1e-4, atol=1e-5)
    assert abs(values[1] - values[0]) > 1e-3


def test_a_feature_left_out_is_left_out_of_vector_and_network(
    shop: Dataset, ranker_config: DeepRankerConfig, ranker: DeepRanker
) -> None:
    """The same item in a catalog where it has not the feature."""
    histories = shop.histories(np.array([5]))
    n_shared, item = len(histories.items) + 2, 4
    pair = Pairs(np.zeros(1, np.int32), np.array([item], np.int32))
    first = int(shop.item_features.offsets[item])
    coalitions = np.ones((1, n_shared + 4), bool)
    coalitions[0, n_shared] = False
    (value,) = ranker.coalition_values(histories, pair, Coalitions.of_matrices([coalitions]))
    kept = np.arange(len(shop.item_features.tokens)) != first
    without = replace(shop, item_features=shop.item_features.only(kept))
    score = ranker_config.restore(without, ranker.arrays()).pair_scores(histories, pair)
    whole = ranker.pair_scores(histories, pair)
    # The item is in the history of nobody here, so that only the candidate has changed.
    assert item not in histories.items
    np.testing.assert_allclose(value, score[0], rtol=1e-4, atol=1e-5)
    assert abs(value - whole[0]) > 1e-3


def test_between_absent_and_present_the_gradient_is_that_of_the_value(
    shop: Dataset, ranker: DeepRanker
) -> None:
    histories, rows = shop.histories(np.array([12])), np.zeros(1, np.int64)
    widths = (len(histories.items), 2, 4)
    embedded = ranker.embed_pairs(histories, rows, np.array([[7, 9]]), widths)
    presence = torch.rand((1, 2, 1, sum(widths)), generator=torch.Generator().manual_seed(0))
    presence.requires_grad_()
    values = ranker.pair_values(embedded, presence)
    (gradients,) = torch.autograd.grad(values.sum(), presence)
    step = 1e-2
    for place in range(0, sum(widths), 3):
        moved = presence.detach().clone().repeat(1, 1, 2, 1)
        moved[:, :, 0, place] -= step
        moved[:, :, 1, place] += step
        below, above = ranker.pair_values(embedded, moved).unbind(2)
        numeric = (above - below) / (2 * step)
        torch.testing.assert_close(gradients[:, :, 0, place], numeric, rtol=0.05, atol=2e-2)


def test_a_score_that_is_not_finite_is_named(
    shop: Dataset, ranker_config: DeepRankerConfig, ranker: DeepRanker
) -> None:
    arrays = ranker.arrays()
    arrays["output"] = np.full_like(arrays["output"], np.nan)
    broken = ranker_config.restore(shop, arrays)
    pairs = Pairs(np.array([1, 0], np.int32), np.array([6, 2], np.int32))
    with pytest.raises(ScoreError, match="item 6 for row 1 of the histories is nan"):
        broken.pair_scores(shop.histories(np.array([4, 5])), pairs)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda arrays: arrays.pop("output"), "arrays of the ranker do not fit.*output"),
        (lambda arrays: arrays.pop("retrieval.log_scale"), "of the recommender do not.*log_scale"),
        (lambda arrays: arrays.update(more=arrays["output"]), "of the ranker do not fit.*more"),
    ],
)
def test_arrays_of_another_ranker_are_refused(
    shop: Dataset,
    ranker_config: DeepRankerConfig,
    ranker: DeepRanker,
    change: Callable[[dict[str, object]], object],
    message: str,
) -> None:
    arrays = ranker.arrays()
    change(arrays)  # type: ignore[arg-type]
    with pytest.raises(StorageError, match=f"(?s){message}"):
        ranker_config.restore(shop, arrays)
    with pytest.raises(StorageError, match=r"(?s)do not fit.*of_query"):
        replace(ranker_config, layers=(17, 12)).restore(shop, ranker.arrays())


def test_the_vectors_that_retrieve_are_those_of_the_retrieval_alone(
    shop: Dataset, ranker_config: DeepRankerConfig
) -> None:
    for retrieval in (ranker_config.retrieval, SequenceConfig(dimension=8, heads=2, max_steps=2)):
        config = replace(ranker_config, retrieval=retrieval, max_steps=0)
        both, alone = config.fit(shop, progress=False), retrieval.fit(shop, progress=False)
        histories = shop.histories(np.arange(8))
        for one, other in (
            (both.query_vectors(histories), alone.query_vectors(histories)),
            (both.item_vectors(), alone.item_vectors()),
            (both.item_biases(), alone.item_biases()),
        ):
            np.testing.assert_array_equal(one, other)


def test_a_ranker_without_a_step_scores_as_the_retrieval_does(
    shop: Dataset, ranker_config: DeepRankerConfig
) -> None:
    model = replace(ranker_config, max_steps=0).fit(shop, progress=False)
    histories, pairs = shop.histories(np.arange(shop.n_users)), every_pair(shop)
    queries, vectors = model.query_vectors(histories), model.item_vectors()
    expected = (queries[pairs.rows] * vectors[pairs.items]).sum(1) + model.item_biases()[
        pairs.items
    ]
    np.testing.assert_allclose(model.pair_scores(histories, pairs), expected, atol=1e-4)


def test_the_default_retrieval_is_the_two_towers() -> None:
    assert DeepRankerConfig().retrieval == TwoTowerConfig()
    assert DeepRankerConfig().layers == (128, 64, 32)
