import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from whyrec import SDK, ArgumentError, EASEConfig, ModelError, ScoredBy
from whyrec.data.coalitions import Coalitions
from whyrec.data.dataset import Dataset
from whyrec.data.pairs import Pairs
from whyrec.explain.attribution import Players
from whyrec.models import Scored
from whyrec.types import Float64Array


def distance(histories: list[NDArray[Any]], items: NDArray[Any]) -> Float64Array:
    """Score by how near the numbers of the items are."""
    return np.array(
        [
            sum(1 / (1 + abs(int(item[1:]) - int(each[1:]))) for each in history)
            for history, item in zip(histories, items, strict=True)
        ]
    )


SETTINGS = ScoredBy(distance, EASEConfig(l2=2.0), n_ranked=10, batch_size=7, backoff=0.0)


class Service:
    """A remote scorer that fails when it is told to."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.answered: list[tuple[Any, ...]] = []
        self.fails: Callable[[int], bool] = lambda _: False

    def __call__(self, histories: list[NDArray[Any]], items: NDArray[Any]) -> Float64Array:
        self.asked.append(items.tolist())
        if self.fails(len(self.asked)):
            raise ConnectionError("reset by peer")
        self.answered += zip(map(tuple, histories), items.tolist(), strict=True)
        return distance(histories, items)


def wide(shop: Dataset, n_pairs: int) -> tuple[Any, Pairs]:
    items = np.arange(n_pairs, dtype=np.int32) % shop.n_items
    return shop.histories(np.array([3])), Pairs(np.zeros(n_pairs, np.int32), items)


def expected(shop: Dataset, histories: Any, pairs: Pairs) -> Float64Array:
    history = np.array([shop.items[item] for item in histories.items.tolist()])
    items = np.array([shop.items[item] for item in pairs.items.tolist()])
    return distance([history] * len(items), items)


def test_the_function_scores_what_is_found_and_orders_it(shop: Dataset) -> None:
    sdk = SDK.fit_dataset(shop, model=SETTINGS)
    answer = sdk.recommend_with_reasons("u3", k=4)
    ids = [rec.item_id for rec in answer]
    events = shop.histories(shop.users.indices_of(["u3"])).items
    history = np.array([shop.items[item] for item in events.tolist()])
    scores = distance([history] * 4, np.array(ids))
    np.testing.assert_allclose([rec.score for rec in answer], scores, rtol=1e-6)
    assert (np.diff(scores) <= 0).all()
    assert '"shapley"' in answer.to_json()


def test_an_absent_event_is_left_out(shop: Dataset) -> None:
    model = SETTINGS.fit(shop)
    histories, pairs = wide(shop, 3)
    counts = Players.of(histories, model.item_features, pairs).counts()
    random, n_events = np.random.default_rng(0), len(histories.items)
    cells = [random.random((5, count)) < 0.5 for count in counts.tolist()]
    cells[0][0] = False
    values = model.coalition_values(histories, pairs, Coalitions.of_matrices(cells)).reshape(3, 5)
    history = np.array([shop.items[item] for item in histories.items.tolist()])
    for pair, item in enumerate(pairs.items.tolist()):
        for place, present in enumerate(cells[pair]):
            left = history[present[:n_events]]
            assert values[pair, place] == pytest.approx(
                distance([left], np.array([shop.items[item]]))[0]
            )


def test_what_differs_in_no_event_is_asked_once(shop: Dataset) -> None:
    service = Service()
    model = replace(SETTINGS, function=service).fit(shop)
    histories, pairs = wide(shop, 2)
    counts = Players.of(histories, model.item_features, pairs).counts()
    service.answered.clear()
    everyone = Coalitions.of_matrices([np.ones((4, count), bool) for count in counts.tolist()])
    model.coalition_values(histories, pairs, everyone)
    assert len(service.answered) == 2


def test_no_call_is_larger_than_a_batch(shop: Dataset) -> None:
    service = Service()
    model = replace(SETTINGS, function=service).fit(shop)
    histories, pairs = wide(shop, 16)
    service.asked.clear()
    scores = model.pair_scores(histories, pairs)
    assert [len(each) for each in service.asked] == [7, 7, 2]
    np.testing.assert_allclose(scores, expected(shop, histories, pairs), rtol=1e-6)


def test_a_batch_that_fails_is_asked_again_and_no_other(shop: Dataset) -> None:
    service = Service()
    model = replace(SETTINGS, function=service).fit(shop)
    histories, pairs = wide(shop, 16)
    service.asked.clear()
    service.fails = lambda call: call in (2, 3)
    scores = model.pair_scores(histories, pairs)
    assert [len(each) for each in service.asked] == [7, 7, 7, 7, 2]
    np.testing.assert_allclose(scores, expected(shop, histories, pairs), rtol=1e-6)


def test_after_the_last_retry_the_batch_is_named_and_what_was_answered_is_kept(
    shop: Dataset,
) -> None:
    service = Service()
    model = replace(SETTINGS, function=service, retries=2).fit(shop)
    histories, pairs = wide(shop, 16)
    service.asked.clear()
    service.fails = lambda call: call > 1
    with pytest.raises(
        ModelError, match=r"Service failed 3 times on batch 2 of 3 \(7 scores\), of the items 'i7'"
    ) as caught:
        model.pair_scores(histories, pairs)
    assert isinstance(caught.value.__cause__, ConnectionError)
    assert len(service.asked) == 4
    service.asked.clear()
    service.fails = lambda _: False
    scores = model.pair_scores(histories, pairs)
    assert [len(each) for each in service.asked] == [7, 2]  # without the seven of before
    np.testing.assert_allclose(scores, expected(shop, histories, pairs), rtol=1e-6)
    service.asked.clear()
    model.pair_scores(histories, pairs)
    assert len(service.asked) == 3  # once all is answered, nothing is kept


def test_a_call_that_takes_too_long_is_asked_again(shop: Dataset) -> None:
    blocked, calls = threading.Event(), []

    def slow(histories: list[NDArray[Any]], items: NDArray[Any]) -> Float64Array:
        calls.append(len(items))
        if len(calls) == 3:
            blocked.wait(60)
        return distance(histories, items)

    model = replace(SETTINGS, function=slow, timeout=1.0).fit(shop)
    histories, pairs = wide(shop, 5)
    scores = model.pair_scores(histories, pairs)
    blocked.set()
    assert len(calls) == 4
    np.testing.assert_allclose(scores, expected(shop, histories, pairs), rtol=1e-6)


def test_one_that_never_answers_in_time_is_an_error_that_says_so(shop: Dataset) -> None:
    blocked = threading.Event()

    def stuck(_: list[NDArray[Any]], items: NDArray[Any]) -> Float64Array:
        blocked.wait(60)
        return np.zeros(len(items))

    with pytest.raises(
        ModelError, match=r"stuck failed 2 times on batch 1 of 1 .*no answer within"
    ):
        replace(SETTINGS, function=stuck, timeout=0.05, retries=1).fit(shop)
    blocked.set()


@pytest.mark.parametrize(
    ("found", "came"),
    [
        (
            lambda n: np.zeros(n + 1),
            r"gave an array of shape \[5\]; expected finite floats .*\[4\]",
        ),
        (lambda n: np.full(n, np.inf), r"gave inf at \[0\]"),
        (lambda n: np.zeros(n, int), r"gave int64"),
        (lambda n: ["good"] * n, r"gave list"),
        (lambda _: None, r"gave NoneType"),
    ],
)
def test_a_wrong_answer_is_named_and_not_asked_again(found: Any, came: str, shop: Dataset) -> None:
    calls = []

    def odd(_: list[NDArray[Any]], items: NDArray[Any]) -> Any:
        calls.append(1)
        return found(len(items))

    with pytest.raises(ModelError, match=r"odd, batch 1 of 1 \(4 scores\), " + came):
        replace(SETTINGS, function=odd).fit(shop)
    assert len(calls) == 1


def test_a_list_of_numbers_is_an_answer(shop: Dataset) -> None:
    model = replace(SETTINGS, function=lambda _, items: [0.5] * len(items)).fit(shop)
    assert model.pair_scores(*wide(shop, 2)).tolist() == [0.5, 0.5]


def test_a_function_that_changes_its_mind_is_refused(shop: Dataset) -> None:
    random = np.random.default_rng(0)
    with pytest.raises(ModelError, match=r"gave other values in a second call"):
        replace(SETTINGS, function=lambda _, items: random.random(len(items))).fit(shop)


def test_the_function_is_given_again_at_load(shop: Dataset, tmp_path: Path) -> None:
    sdk = SDK.fit_dataset(shop, model=SETTINGS)
    sdk.save(tmp_path)
    one, other = (
        each.recommend_with_reasons("u3", k=2) for each in (sdk, SDK.load(tmp_path, model=SETTINGS))
    )
    assert one == other


def test_a_function_alone_is_wrapped_with_the_defaults() -> None:
    import pyarrow as pa

    events = pa.table({"user_id": ["ann", "ann", "bob"], "item_id": ["i1", "i2", "i3"]})
    sdk = SDK.wrap(distance, events)
    assert isinstance(sdk._fitted.model, Scored)
    assert sdk.recommend("ann")[0].item_id == "i3"


@pytest.mark.parametrize(
    "wrong",
    [{"function": 3}, {"timeout": 0.0}, {"retries": -1}, {"batch_size": 0}, {"backoff": -1.0}],
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match=next(iter(wrong))):
        replace(SETTINGS, **wrong)
