from pathlib import Path
from typing import Any

import numpy as np
import pytest

from whyrec import SDK, ArgumentError, ShapleyConfig
from whyrec.data.coalitions import Coalitions
from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.explain.attribution import Players
from whyrec.models import Factors, FactorsConfig
from whyrec.models.factors import factors_of
from whyrec.types import Float64Array

ALPHA, L2, DIMENSION = 2.5, 0.3, 6
SETTINGS = FactorsConfig(alpha=ALPHA, regularization=L2)


@pytest.fixture
def factors(shop: Dataset) -> Float64Array:
    # Two items more than the catalog has, which count in YᵀY all the same.
    return np.random.default_rng(0).normal(0, 0.4, (shop.n_items + 2, DIMENSION))


@pytest.fixture
def item_ids(shop: Dataset) -> list[Any]:
    return ["x", *reversed(shop.items.ids), "y"]


@pytest.fixture
def model(shop: Dataset, factors: Float64Array, item_ids: list[Any]) -> Factors:
    return factors_of(shop, SETTINGS, factors, item_ids)


def solved(
    factors: Float64Array, item_ids: list[Any], shop: Dataset, history: Histories
) -> tuple[Float64Array, Float64Array]:
    """Solve for a user by hand: A and x, with a dense matrix of confidences."""
    confidence = np.zeros(len(factors))
    for item, value in zip(history.items, history.values, strict=True):
        place = item_ids.index(shop.items[int(item)])
        confidence[place] += ALPHA * (1.0 if np.isnan(value) else value)
    weights = np.where(confidence > 0, confidence, 1)
    system = factors.T @ (weights[:, None] * factors) + L2 * np.eye(DIMENSION)
    found = np.linalg.solve(system, factors.T @ confidence).astype(np.float64)
    return system, found


@pytest.mark.parametrize("user", [0, 3, 4, 7])
def test_a_user_is_solved_for_from_the_events(
    model: Factors, factors: Float64Array, item_ids: list[Any], shop: Dataset, user: int
) -> None:
    history = shop.histories(np.array([user]))
    _, expected = solved(factors, item_ids, shop, history)
    np.testing.assert_allclose(model.query_vectors(history)[0], expected, rtol=1e-4, atol=1e-6)


def test_the_terms_of_the_events_add_up_to_the_score(model: Factors, shop: Dataset) -> None:
    histories = shop.histories(np.array([3, 0, 4, 3]))
    pairs = Pairs(np.array([2, 0, 1, 2, 3], np.int32), np.array([5, 1, 2, 7, 1], np.int32))
    terms = model.event_contributions(histories, pairs)
    counts = histories.counts()[pairs.rows]
    totals = np.bincount(np.repeat(np.arange(5), counts), terms, minlength=5)
    scores = (model.query_vectors(histories)[pairs.rows] * model.item_vectors()[pairs.items]).sum(1)
    np.testing.assert_allclose(totals, scores, rtol=1e-4, atol=1e-6)
    assert (np.abs(totals) > 0.01).sum() == 4  # all but that of the user without events


def test_without_an_event_the_user_is_solved_for_anew(
    model: Factors, factors: Float64Array, item_ids: list[Any], shop: Dataset
) -> None:
    history = shop.histories(np.array([3]))
    pair = Pairs(np.zeros(1, np.int32), np.array([5], np.int32))
    n_players = int(Players.of(history, model.item_features, pair).counts()[0])
    n_events = len(history.items)
    cells = np.random.default_rng(0).random((6, n_players)) < 0.6
    cells[0] = False
    values = model.coalition_values(history, pair, Coalitions.of_matrices([cells]))
    factor = factors[item_ids.index(shop.items[5])]
    assert values[0] == 0
    for value, present in zip(values[1:], cells[1:], strict=True):
        _, query = solved(factors, item_ids, shop, history.only_events(present[:n_events]))
        np.testing.assert_allclose(value, query @ factor, rtol=1e-5, atol=1e-7)
    # Which is not what the terms of the whole history say.
    terms = model.event_contributions(history, pair)
    assert np.abs(values[1:] - cells[1:, :n_events] @ terms).max() > 0.01


def events_of(shop: Dataset) -> dict[str, list[Any]]:
    users = shop.interactions.users().tolist()
    values = shop.interactions.values
    assert values is not None
    return {
        "user_id": [shop.users[user] for user in users],
        "item_id": [shop.items[item] for item in shop.interactions.items.tolist()],
        "value": np.where(np.isnan(values), 1.0, values).tolist(),
    }


def test_factors_give_an_sdk_that_is_saved_and_loaded_whole(
    shop: Dataset, factors: Float64Array, item_ids: list[Any], tmp_path: Path
) -> None:
    import pyarrow as pa

    events = pa.table(events_of(shop))
    known = Dataset.from_tables(events)
    model = factors_of(known, SETTINGS, factors, item_ids)
    given = model.query_vectors(known.histories(np.arange(known.n_users)))
    arguments: dict[str, Any] = {
        "item_ids": item_ids,
        "user_ids": known.users.ids,
        "alpha": ALPHA,
        "regularization": L2,
    }
    sdk = SDK.from_factors(given, factors, events, **arguments)
    answer = sdk.recommend_with_reasons("u3", k=3)
    assert "closed form" in answer.to_json()
    sdk.save(tmp_path)
    assert SDK.load(tmp_path).recommend_with_reasons("u3", k=3) == answer
    shapley = SDK.from_factors(None, factors, events, explainer=ShapleyConfig(), **arguments)
    assert list(shapley.recommend("u3", k=3)) == list(sdk.recommend("u3", k=3))
    with pytest.raises(ArgumentError, match=r"user_factors are not what the events give with al"):
        SDK.from_factors(np.roll(given, 1, axis=0), factors, events, **arguments)
    with pytest.raises(ArgumentError, match=r"user_factors must be floats \[\d+, dimension\]"):
        SDK.from_factors(given[:-1], factors, events, **arguments)
    with pytest.raises(ArgumentError, match=r"explainer must be settings"):
        SDK.from_factors(given, factors, events, **arguments | {"explainer": 7})


def test_the_score_against_others_is_a_sum_of_terms_too(
    shop: Dataset, factors: Float64Array, item_ids: list[Any]
) -> None:
    import pyarrow as pa

    sdk = SDK.from_factors(None, factors, pa.table(events_of(shop)), item_ids=item_ids)
    explanation = sdk.explain("u3", "i5", against=["i6", "i7"])
    total = explanation.base_value + sum(each.contribution for each in explanation.reasons)
    one, *others = (sdk.explain("u3", item).score for item in ("i5", "i6", "i7"))
    assert total == pytest.approx(one - np.mean(others), abs=1e-5)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda given: given[1:], r"item_factors must be floats \[27, dimension\].*\[26, 6\]"),
        (lambda given: given.astype(int), r"item_factors must be floats .* not int64"),
        (lambda given: np.where(given == given[4, 0], np.nan, given), r"row of 'i21' is not fin"),
    ],
)
def test_factors_that_cannot_be_used_are_refused(
    change: Any, told: str, shop: Dataset, factors: Float64Array, item_ids: list[Any]
) -> None:
    with pytest.raises(ArgumentError, match=told):
        factors_of(shop, SETTINGS, change(factors), item_ids)


def test_an_item_without_factors_is_named(shop: Dataset, factors: Float64Array) -> None:
    with pytest.raises(ArgumentError, match=r"item_ids has not 1 item of the catalog: 'i0'"):
        factors_of(shop, SETTINGS, factors[:24], shop.items.ids[1:])


def test_values_that_are_no_confidences_are_refused(model: Factors, shop: Dataset) -> None:
    histories = shop.histories(np.array([3]))
    histories.values[0] = 0
    with pytest.raises(ArgumentError, match=r"of values above 0, not 0"):
        model.query_vectors(histories)


@pytest.mark.parametrize("name", ["alpha", "regularization"])
def test_settings_are_above_zero(name: str) -> None:
    with pytest.raises(ArgumentError, match=f"{name} must be a number above 0"):
        FactorsConfig(**{name: 0.0})
