import numpy as np
import pytest
import torch

from whyrec.data.dataset import Dataset
from whyrec.data.features import Features
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.data.split import random_split
from whyrec.models import EASEConfig
from whyrec.models.validation import Validation
from whyrec.models.wide import WideWeights
from whyrec.models.wide_features import FeatureModel
from whyrec.models.wide_model import WideModel
from whyrec.types import BoolArray, Float64Array, Int64Array

PLAIN = WideModel(l2=20.0, windows=False)
BY_FEATURES = WideModel(
    l2=5.0, windows=False, features=FeatureModel(l2=1.0, of_weights=0.6, of_likeness=0.5)
)
PLAIN_OF_FIVE = WideModel(l2=5.0, windows=False)
ALL = 10**9
NEW = 1
"""The item of the shop that has features and no events."""


def every_pair(n_rows: int, n_items: int) -> Pairs:
    rows = np.repeat(np.arange(n_rows, dtype=np.int32), n_items)
    return Pairs(rows, np.tile(np.arange(n_items, dtype=np.int32), n_rows))


def of_coalition(
    wide: WideWeights,
    histories: Histories,
    present: BoolArray,
    features: Features,
    kept: BoolArray | None = None,
) -> Float64Array:
    """Return the values of all pairs by `HistoryWeights`, some events and features being there."""
    n_rows, n_items = len(histories), wide.n_items
    width, n_places = int(histories.counts().max()), int(np.diff(features.offsets).max())
    items = np.tile(np.arange(n_items), (n_rows, 1))
    found = wide.of_pairs(histories, np.arange(n_rows), items, (width, 0, n_places))
    of_items = torch.zeros(n_rows, n_items, 1, n_places)
    for item in range(n_items):
        mine = slice(int(features.offsets[item]), int(features.offsets[item + 1]))
        own = np.ones(len(features.tokens), bool) if kept is None else kept
        of_items[:, item, 0, : mine.stop - mine.start] = torch.from_numpy(own[mine]).float()
    presence = torch.zeros(n_rows, n_items, 1, width)
    for row in range(n_rows):
        own = present[histories.offsets[row] : histories.offsets[row + 1]]
        presence[row, :, 0, : len(own)] = torch.from_numpy(own.astype(np.float32))
    values: Float64Array = found.values(presence, of_items)[..., 0].flatten().double().numpy()
    return values


def test_all_weights_over_whole_histories_are_ease(world_data: Dataset) -> None:
    wide = WideWeights.of(world_data, PLAIN, ALL)
    ease = EASEConfig(l2=20.0).fit(world_data)
    users = np.bincount(world_data.interactions.items, minlength=world_data.n_items)
    assert users.min() >= 2  # so every item has weights
    histories = world_data.histories(np.arange(world_data.n_users))
    expected = ease.query_vectors(histories) @ ease.item_vectors().T
    found = wide.pair_values(histories, every_pair(len(histories), world_data.n_items))
    np.testing.assert_allclose(found.reshape(expected.shape), expected, atol=2e-4)


def test_an_item_counts_once_however_often_it_was_chosen(shop: Dataset) -> None:
    histories = shop.histories(np.arange(shop.n_users))
    rows = np.repeat(np.arange(len(histories)), histories.counts())
    cells = rows * shop.n_items + histories.items
    assert len(np.unique(cells)) < len(cells)  # somebody chose something twice
    wide = WideWeights.of(shop, PLAIN, ALL)
    _, first = np.unique(cells, return_index=True)
    once = np.zeros(len(cells), bool)
    once[first] = True
    pairs = every_pair(len(histories), shop.n_items)
    np.testing.assert_array_equal(
        wide.pair_values(histories, pairs), wide.pair_values(histories.only_events(once), pairs)
    )


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 1.0])
def test_a_coalition_is_worth_what_the_history_without_the_absent_events_is(
    shop: Dataset, share: float
) -> None:
    histories = shop.histories(np.arange(shop.n_users))
    present = np.random.default_rng(3).random(len(histories.items)) < share
    wide = WideWeights.of(shop, WideModel(l2=5.0, windows=True), ALL)
    expected = wide.pair_values(
        histories.only_events(present), every_pair(len(histories), shop.n_items)
    )
    assert expected.any() == (share > 0)
    found = of_coalition(wide, histories, present, shop.item_features)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_events_of_one_item_have_the_same_gradient(shop: Dataset) -> None:
    wide = WideWeights.of(shop, PLAIN, ALL)
    histories = shop.histories(np.arange(shop.n_users))
    width = int(histories.counts().max())
    items = np.tile(np.arange(shop.n_items), (len(histories), 1))
    found = wide.of_pairs(histories, np.arange(len(histories)), items, (width, 0, 0))
    assert found.most_alike >= 1
    presence = torch.full((len(histories), shop.n_items, 1, width), 0.4, requires_grad=True)
    (gradients,) = torch.autograd.grad(
        found.values(presence, torch.zeros(*presence.shape[:3], 0)).sum(), presence
    )
    n_compared = 0
    for row in range(len(histories)):
        own = histories.items[histories.offsets[row] : histories.offsets[row + 1]]
        for item in np.unique(own):
            of_item = gradients[row, :, 0, : len(own)][:, own == item]
            torch.testing.assert_close(of_item, of_item[:, :1].expand_as(of_item))
            n_compared += of_item.shape[1] > 1
    assert n_compared


def test_the_bits_of_a_pair_are_the_same_in_any_batch(shop: Dataset) -> None:
    wide = WideWeights.of(shop, PLAIN, 5 * shop.n_items)
    histories = shop.histories(np.arange(shop.n_users))
    whole = wide.pair_values(histories, every_pair(len(histories), shop.n_items))
    for row in range(len(histories)):
        alone = wide.pair_values(histories.take(np.array([row])), every_pair(1, shop.n_items))
        np.testing.assert_array_equal(alone, whole.reshape(-1, shop.n_items)[row])


def test_the_weights_are_kept_that_count_for_most(world_data: Dataset) -> None:
    n_items, most = world_data.n_items, 4 * world_data.n_items + 3
    whole, part = (WideWeights.of(world_data, PLAIN, each) for each in (ALL, most))
    assert len(part.arrays()["weights"]) == most
    apart = []
    rows = np.arange(world_data.n_users)
    histories, pairs = world_data.histories(rows), every_pair(len(rows), n_items)
    expected = whole.pair_values(histories, pairs)
    kept = part.arrays()
    apart.append(np.square(part.pair_values(histories, pairs) - expected).sum())
    # Weights that are merely large, as many of them, lie further off.
    dense = whole.arrays()["weights"]
    largest = np.sort(np.argsort(-np.abs(dense), kind="stable")[:most])
    rows_of = np.repeat(np.arange(n_items), np.diff(whole.arrays()["offsets"]))[largest]
    other = kept | {
        "offsets": np.searchsorted(rows_of, np.arange(n_items + 1)).astype(np.int64),
        "columns": whole.arrays()["columns"][largest],
        "weights": dense[largest],
    }
    found = WideWeights.restore(other, world_data.item_features).pair_values(histories, pairs)
    apart.append(np.square(found - expected).sum())
    assert 0 < apart[0] < apart[1]


def test_what_is_told_is_built_again_to_the_bit(shop: Dataset) -> None:
    wide = WideWeights.of(shop, PLAIN, ALL).times(3.0)
    again = WideWeights.restore(wide.arrays(), shop.item_features)
    histories = shop.histories(np.arange(shop.n_users))
    pairs = every_pair(len(histories), shop.n_items)
    values = wide.pair_values(histories, pairs)
    assert values.any()
    np.testing.assert_array_equal(again.pair_values(histories, pairs), values)


def test_nothing_weighs_nothing(shop: Dataset) -> None:
    histories = shop.histories(np.arange(shop.n_users))
    for wide in (
        WideWeights.nothing(shop.item_features),
        WideWeights.restore(WideWeights.nothing(shop.item_features).arrays(), shop.item_features),
    ):
        everybody = np.ones(len(histories.items), bool)
        assert not wide.pair_values(histories, every_pair(len(histories), shop.n_items)).any()
        assert not of_coalition(wide, histories, everybody, shop.item_features).any()


def test_an_item_of_one_user_has_no_weights(shop: Dataset) -> None:
    lone = int(shop.interactions.items[0])
    kept = shop.interactions.items != lone
    kept[0] = True
    part = shop.with_interactions(shop.interactions.only(kept))
    wide = WideWeights.of(part, BY_FEATURES, ALL)
    assert lone not in wide.items
    assert NEW in wide.items
    assert len(wide.arrays()["items"])


def test_the_model_that_ranks_held_out_events_best_is_chosen(world_data: Dataset) -> None:
    split = random_split(world_data.interactions, (3, 1, 0), seed=0)
    part = world_data.with_interactions(split.train)
    validation = Validation(part, split.validation, seed=0)
    chosen = WideModel.chosen(part, validation)
    best = ndcg(part, validation, chosen)
    others = [
        ndcg(part, validation, WideModel(l2=l2, windows=windows))
        for l2 in (25.0, 50.0, 100.0, 200.0, 400.0, 800.0)
        for windows in (True, False)
    ]
    assert min(others) < best
    assert best == pytest.approx(max(others), abs=1e-3)


def ndcg(part: Dataset, validation: Validation, model: WideModel) -> float:
    wide = WideWeights.of(part, model, ALL)

    def scores(histories: Histories, _: Int64Array) -> torch.Tensor:
        found = wide.pair_values(histories, every_pair(len(histories), part.n_items))
        return torch.from_numpy(found).reshape(len(histories), part.n_items)

    return validation.ndcg(validation.scores(scores))


def test_an_item_without_events_has_the_weights_that_its_features_foretell(shop: Dataset) -> None:
    wide = WideWeights.of(shop, BY_FEATURES, ALL)
    weights, values = WideWeights.of(shop, PLAIN_OF_FIVE, ALL).arrays(), wide.arrays()
    known = values["items"]
    np.testing.assert_array_equal(known, weights["items"])
    assert NEW in wide.items
    assert NEW not in known
    dense = np.zeros((len(known), len(known)))
    rows = np.repeat(np.arange(len(known)), np.diff(weights["offsets"]))
    dense[rows, weights["columns"]] = weights["weights"]
    features = shop.item_features.matrix().toarray().astype(np.float64)
    # The ridge smoother by its other form: one weight an item, from all likenesses at once.
    kernel = features[known] @ features[known].T + np.eye(len(known))
    smoother = np.linalg.solve(kernel, features[known] @ features[NEW])
    expected = (0.6 * dense + 0.5 * np.eye(len(known))) @ smoother
    histories = shop.histories(np.arange(shop.n_users))
    had = EASEConfig(l2=5.0).fit(shop).query_vectors(histories)[:, known]
    assert expected.any()
    found = wide.pair_values(histories, every_pair(len(histories), shop.n_items))
    np.testing.assert_allclose(found.reshape(-1, shop.n_items)[:, NEW], had @ expected, atol=1e-5)


def test_an_item_with_weights_keeps_them_whatever_features_foretell(shop: Dataset) -> None:
    wide, plain = (WideWeights.of(shop, each, ALL) for each in (BY_FEATURES, PLAIN_OF_FIVE))
    histories = shop.histories(np.arange(shop.n_users))
    pairs = every_pair(len(histories), shop.n_items)
    known = np.isin(pairs.items, plain.items)
    found, expected = (each.pair_values(histories, pairs)[known] for each in (wide, plain))
    assert expected.any()
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_a_coalition_of_features_is_worth_what_the_item_with_these_alone_is(
    shop: Dataset, share: float
) -> None:
    random = np.random.default_rng(4)
    histories, features = shop.histories(np.arange(shop.n_users)), shop.item_features
    present = random.random(len(histories.items)) < 0.7
    kept = random.random(len(features.tokens)) < share
    kept[features.offsets[NEW]] = share > 0
    wide = WideWeights.of(shop, BY_FEATURES, ALL)
    pairs = every_pair(len(histories), shop.n_items)
    expected = wide.with_item_features(features.only(kept)).pair_values(
        histories.only_events(present), pairs
    )
    assert expected[pairs.items == NEW].any() == (share > 0)
    found = of_coalition(wide, histories, present, features, kept)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_all_items_are_scored_as_pairs_of_them_are(shop: Dataset) -> None:
    wide = WideWeights.of(shop, BY_FEATURES, ALL).times(3.0)
    wide = WideWeights.restore(wide.arrays(), shop.item_features)
    histories = shop.histories(np.arange(shop.n_users))
    found = wide.pair_values(histories, every_pair(len(histories), shop.n_items))
    expected = found.reshape(-1, shop.n_items)
    assert expected[:, NEW].any()
    np.testing.assert_array_equal(wide.scores(histories), expected[:, wide.items])
    assert not np.delete(expected, wide.items, 1).any()
