from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from whyrec import SDK, ArgumentError, ModelError, ShapleyConfig, StorageError, WrappedConfig
from whyrec.data.coalitions import Coalitions
from whyrec.data.dataset import Dataset
from whyrec.data.pairs import Pairs
from whyrec.explain.attribution import Players
from whyrec.models import Wrapped
from whyrec.types import Float32Array, Int64Array

DIMENSION = 8


class Bag:
    """An encoder whose query is a squashed mean of the vectors of the items."""

    def __init__(self, item_ids: list[Any]) -> None:
        self.item_ids = item_ids
        self.vectors = torch.randn(
            len(item_ids), DIMENSION, generator=torch.Generator().manual_seed(0)
        )
        self.asked: list[Int64Array] = []

    def encode(self, histories: list[Int64Array]) -> Any:
        self.asked += histories
        rows = [self.vectors[torch.from_numpy(each)].mean(0) for each in histories]
        return torch.tanh(2 * torch.stack(rows))

    def item_vectors(self) -> Any:
        return self.vectors


class Biased(Bag):
    def item_biases(self) -> Any:
        return np.arange(len(self.item_ids), dtype=np.float64) / 10


@pytest.fixture
def bag(shop: Dataset) -> Bag:
    return Bag(list(shop.items.ids)[::-1])


def expected_query(bag: Bag, shop: Dataset, items: Int64Array) -> Float32Array:
    own = torch.tensor([bag.item_ids.index(shop.items[item]) for item in items.tolist()])
    query: Float32Array = torch.tanh(2 * bag.vectors[own].mean(0)).numpy()
    return query


def test_histories_reach_the_model_in_its_own_numbers(bag: Bag, shop: Dataset) -> None:
    model = WrappedConfig(bag).fit(shop)
    histories = shop.histories(np.arange(shop.n_users))
    queries = model.query_vectors(histories)
    for row in range(shop.n_users):
        items = histories.items[histories.offsets[row] : histories.offsets[row + 1]]
        if len(items):
            expected = expected_query(bag, shop, items.astype(np.int64))
            np.testing.assert_allclose(queries[row], expected, rtol=1e-5, atol=1e-6)
        else:
            assert not queries[row].any()
    np.testing.assert_array_equal(model.item_vectors(), bag.vectors.numpy()[::-1])
    assert not model.item_biases().any()


def test_an_empty_history_is_never_encoded(bag: Bag, shop: Dataset) -> None:
    model = WrappedConfig(bag, batch_size=3).fit(shop)
    assert (shop.histories(np.arange(shop.n_users)).counts() == 0).any()
    model.query_vectors(shop.histories(np.arange(shop.n_users)))
    assert bag.asked
    assert min(len(each) for each in bag.asked) == 1


def test_the_batch_size_changes_no_answer(bag: Bag, shop: Dataset) -> None:
    histories = shop.histories(np.arange(shop.n_users))
    one, many = (WrappedConfig(bag, batch_size=size).fit(shop) for size in (1, 256))
    np.testing.assert_allclose(
        one.query_vectors(histories), many.query_vectors(histories), rtol=1e-5, atol=1e-6
    )


def drawn(model: Wrapped, shop: Dataset, n_coalitions: int) -> tuple[Any, Pairs, Coalitions]:
    histories = shop.histories(np.array([3, 0, 4]))
    pairs = Pairs(np.array([2, 0, 0, 1], np.int32), np.array([5, 1, 0, 7], np.int32))
    counts = Players.of(histories, model.item_features, pairs).counts()
    random = np.random.default_rng(0)
    cells = [random.random((n_coalitions, count)) < 0.5 for count in counts.tolist()]
    return histories, pairs, Coalitions.of_matrices(cells)


def test_an_absent_event_is_left_out_and_what_the_model_cannot_see_does_nothing(
    shop: Dataset,
) -> None:
    bag = Biased(list(shop.items.ids))
    model = WrappedConfig(bag).fit(shop)
    histories, pairs, coalitions = drawn(model, shop, 6)
    values = model.coalition_values(histories, pairs, coalitions).reshape(4, 6)
    for pair, (row, item) in enumerate(zip(pairs.rows, pairs.items, strict=True)):
        items = histories.items[histories.offsets[row] : histories.offsets[row + 1]]
        for place, present in enumerate(coalitions.of(pair)):
            left = items[present[: len(items)]].astype(np.int64)
            score = item / 10
            if len(left):
                score += expected_query(bag, shop, left) @ bag.vectors[item].numpy()
            np.testing.assert_allclose(values[pair, place], score, rtol=1e-4, atol=1e-5)


def test_what_differs_in_no_event_is_encoded_once(bag: Bag, shop: Dataset) -> None:
    model = WrappedConfig(bag).fit(shop)
    histories = shop.histories(np.array([3]))
    pairs = Pairs(np.zeros(2, np.int32), np.array([5, 7], np.int32))
    counts = Players.of(histories, model.item_features, pairs).counts()
    bag.asked.clear()
    everyone = Coalitions.of_matrices([np.ones((4, count), bool) for count in counts.tolist()])
    model.coalition_values(histories, pairs, everyone)
    assert len(bag.asked) == 1


def test_an_item_that_the_model_does_not_know_is_named(shop: Dataset) -> None:
    with pytest.raises(ArgumentError, match=r"Bag\.item_ids has not 2 items.*'i0', 'i1'"):
        WrappedConfig(Bag(list(shop.items.ids)[2:])).fit(shop)


def test_what_is_no_encoder_is_told_what_it_lacks() -> None:
    with pytest.raises(ArgumentError, match=r"Linear has no item_ids and no encode and no item_v"):
        SDK.wrap(nn.Linear(2, 2), {})


def wrong(change: Callable[[Any], Any]) -> type[Bag]:
    class Wrong(Bag):
        def encode(self, histories: list[Int64Array]) -> Any:
            return change(super().encode(histories))

    return Wrong


def with_nan(found: torch.Tensor) -> torch.Tensor:
    found = found.clone()
    found[-1, 3] = torch.nan
    return found


@pytest.mark.parametrize(
    ("change", "came"),
    [
        (lambda found: found[:, :3], r"an array of shape \[8, 3\]; expected finite floats of sh"),
        (lambda found: found[0], r"an array of shape \[8\]; expected .* shape \[8, 8\]"),
        (lambda found: found[:-1], r"an array of shape \[7, 8\]"),
        (with_nan, r"nan at \[7, 3\]"),
        (lambda found: found.long(), r"int64; expected finite floats"),
        (lambda found: found.to(torch.complex64), r"complex64"),
        (lambda found: found.to("meta"), r"a tensor on the device 'meta'.*\.cpu\(\)"),
        (lambda found: found.tolist(), r"list; expected"),
        (lambda _: None, r"NoneType"),
    ],
)
def test_a_wrong_answer_names_the_method_what_was_expected_and_what_came(
    change: Callable[[Any], Any], came: str, shop: Dataset
) -> None:
    with pytest.raises(ModelError, match=r"Wrong\.encode\(histories\) gave .*" + came):
        WrappedConfig(wrong(change)(list(shop.items.ids))).fit(shop)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_floats_of_any_precision_are_taken(dtype: torch.dtype, shop: Dataset) -> None:
    model = WrappedConfig(wrong(lambda found: found.to(dtype))(list(shop.items.ids))).fit(shop)
    queries = model.query_vectors(shop.histories(np.array([3])))
    assert queries.dtype == np.float32
    assert queries.any()


def test_what_needs_gradient_is_taken_without(shop: Dataset) -> None:
    bag = Bag(list(shop.items.ids))
    bag.vectors = nn.Parameter(bag.vectors)
    assert WrappedConfig(bag).fit(shop).query_vectors(shop.histories(np.array([3]))).any()


def test_wrong_item_vectors_and_biases_are_named_too(shop: Dataset) -> None:
    bag = Bag(list(shop.items.ids))
    bag.vectors = bag.vectors[:-1]
    with pytest.raises(ModelError, match=r"Bag\.item_vectors\(\) gave an array of shape \[24, 8\]"):
        WrappedConfig(bag).fit(shop)
    biased = Biased(list(shop.items.ids))
    biased.item_biases = lambda: torch.zeros(25, 1)  # type: ignore[method-assign]
    with pytest.raises(ModelError, match=r"Biased\.item_biases\(\) gave .* \[25, 1\]; expected"):
        WrappedConfig(biased).fit(shop)


def test_a_model_that_raises_in_the_midst_of_a_batch_is_named_with_its_cause(
    shop: Dataset,
) -> None:
    class Raising(Bag):
        def encode(self, histories: list[Int64Array]) -> Any:
            if any(len(each) > 5 for each in histories):
                raise IndexError("index 7 is out of range in self")
            return super().encode(histories)

    with pytest.raises(
        ModelError, match=r"Raising\.encode\(histories\) raised IndexError on 8 histories of .*7"
    ) as caught:
        WrappedConfig(Raising(list(shop.items.ids))).fit(shop)
    assert isinstance(caught.value.__cause__, IndexError)


class Dropped(Bag):
    """An encoder with layers that a training leaves on."""

    def __init__(self, item_ids: list[Any], layer: nn.Module) -> None:
        super().__init__(item_ids)
        self.net = nn.Sequential(nn.Identity(), layer)

    def encode(self, histories: list[Int64Array]) -> Any:
        return self.net(super().encode(histories))


def test_dropout_that_is_left_on_is_named(shop: Dataset) -> None:
    model = Dropped(list(shop.items.ids), nn.Dropout(0.5))
    with pytest.raises(ModelError, match=r"a second call .*dropout is on in 'net\.1': call eval"):
        WrappedConfig(model).fit(shop)
    model.net.eval()
    WrappedConfig(model).fit(shop)


def test_a_batch_norm_in_training_is_named(shop: Dataset) -> None:
    model = Dropped(list(shop.items.ids), nn.BatchNorm1d(DIMENSION, track_running_stats=False))
    model.net[1].register_forward_pre_hook(
        lambda _, given: (given[0].repeat(2, 1),)  # so that one history is a batch
    )
    model.net.append(Halved())
    with pytest.raises(ModelError, match=r"in a batch of one .*'net' is in training mode"):
        WrappedConfig(model).fit(shop)


class Halved(nn.Module):
    def forward(self, given: torch.Tensor) -> torch.Tensor:
        return given[: len(given) // 2]


def test_a_model_that_counts_its_calls_is_refused(shop: Dataset) -> None:
    class Counting(Bag):
        def encode(self, histories: list[Int64Array]) -> Any:
            self.vectors = self.vectors + 0.1
            return super().encode(histories)

    with pytest.raises(ModelError, match=r"a second call .*look for what is random"):
        WrappedConfig(Counting(list(shop.items.ids))).fit(shop)


def test_a_wrapped_model_is_given_again_at_load(bag: Bag, shop: Dataset, tmp_path: Path) -> None:
    explainer = ShapleyConfig(max_evaluations=64)
    sdk = SDK.fit_dataset(shop, model=WrappedConfig(bag), explainer=explainer)
    sdk.save(tmp_path)
    again = SDK.load(tmp_path, model=bag)
    one, other = (each.recommend_with_reasons("u3", k=2) for each in (sdk, again))
    assert one == other
    with pytest.raises(ArgumentError, match=r"not the model, .*SDK\.load\(path, model=…\)"):
        SDK.load(tmp_path)
    with pytest.raises(StorageError, match=r"is not the one that was saved: its queries differ"):
        SDK.load(tmp_path, model=Bag(list(shop.items.ids)))
    with pytest.raises(ArgumentError, match=r"what was saved is WrappedConfig\(…\), not ScoredBy"):
        SDK.load(tmp_path, model=lambda _, items: np.zeros(len(items)))


def test_an_own_model_is_not_taken_where_one_is_stored(
    bag: Bag, shop: Dataset, tmp_path: Path
) -> None:
    from whyrec import PopularityConfig

    SDK.fit_dataset(shop, model=PopularityConfig()).save(tmp_path)
    with pytest.raises(ArgumentError, match=r"the model is stored there; load it without model"):
        SDK.load(tmp_path, model=bag)
