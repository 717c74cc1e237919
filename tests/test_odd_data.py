"""Tables with hardly anything in them, or far too much, from the fit to the reasons."""

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest

from whyrec import (
    SDK,
    Categorical,
    DataError,
    NetworkConfig,
    Numeric,
    SequenceConfig,
    Tags,
    Text,
    TwoTowerConfig,
)
from whyrec.data.fields import Field
from whyrec.models import RecommenderConfig

MODELS: dict[str, RecommenderConfig] = {
    "two-tower": TwoTowerConfig(dimension=8, heads=2, hidden=4, max_steps=8, evaluate_every=4),
    "sequence": SequenceConfig(dimension=8, heads=2, hidden=8, max_steps=8, n_looks=2),
}
NETWORK = NetworkConfig(max_steps=4, evaluate_every=2, batch_size=8, confidence_pairs=4)

Answer = Callable[..., SDK]


@pytest.fixture(params=MODELS)
def fitted(request: pytest.FixtureRequest) -> Answer:
    """Fit, and see that everybody gets an answer whose parts add up to finite scores."""

    def fit(events: object, items: object = None, users: object = None, **settings: Any) -> SDK:
        sdk = SDK.fit(
            events,
            items,
            users,
            model=MODELS[request.param],
            explainer=NETWORK,
            progress=False,
            **settings,
        )
        asked = list(sdk.dataset.users)[:5]
        for answer in sdk.recommend_with_reasons(asked, k=3, include_seen=True):
            assert len(answer) == min(3, sdk.dataset.n_items)
            for each in answer:
                reasons = sum(reason.contribution for reason in each.reasons)
                rest = (each.base_value or 0) + (each.other_contribution or 0)
                assert np.isfinite(each.score)
                assert reasons + rest + (each.efficiency_gap or 0) == pytest.approx(each.score)
        return sdk

    return fit


def events(n_users: int, n_items: int, n_events: int, **columns: Any) -> pl.DataFrame:
    random = np.random.default_rng(0)
    return pl.DataFrame(
        {
            "user_id": [f"u{each}" for each in random.integers(n_users, size=n_events)],
            "item_id": [f"i{each}" for each in random.integers(n_items, size=n_events)],
            "timestamp": 1_700_000_000 + random.integers(10**7, size=n_events),
        }
        | columns
    )


@pytest.mark.parametrize("n_events", [1, 2, 120])
def test_one_user(fitted: Answer, n_events: int) -> None:
    assert fitted(events(1, 50, n_events)).dataset.n_users == 1


@pytest.mark.parametrize("n_events", [1, 120])
def test_one_item(fitted: Answer, n_events: int) -> None:
    assert fitted(events(60, 1, n_events)).dataset.n_items == 1


def test_one_user_of_one_item(fitted: Answer) -> None:
    sdk = fitted(events(1, 1, 30))
    assert (sdk.dataset.n_users, sdk.dataset.n_items) == (1, 1)
    assert len(sdk.recommend("u0")) == 0  # it has been seen


def test_users_with_one_event_each(fitted: Answer) -> None:
    users = [f"u{each}" for each in range(90)]
    sdk = fitted(events(90, 20, 90, user_id=users))
    assert (np.diff(sdk.dataset.interactions.offsets) == 1).all()


def test_all_events_at_one_time(fitted: Answer) -> None:
    sdk = fitted(events(40, 20, 200, timestamp=[1_700_000_000] * 200))
    times = sdk.dataset.interactions.timestamps
    assert times is not None
    assert (times == times[0]).all()


def test_events_without_times(fitted: Answer) -> None:
    assert fitted(events(40, 20, 200).drop("timestamp")).dataset.interactions.timestamps is None


ONE_FIELD: dict[str, Callable[[int], Any]] = {
    "the same in each row": lambda _: "red",
    "missing": lambda _: None,
    "another in each row": lambda row: f"c{row}",
    "the same number": lambda _: 7.5,
    "another number": lambda row: row + 0.5,
    "the same text": lambda _: "red or blue or green",
    "another text": lambda row: f"c{row} d{row} e{row}",
    "the same list": lambda _: ["red", "blue"],
    "an empty list": lambda _: list[str](),
    "another list": lambda row: [f"c{row}", f"d{row}"],
}


def with_odd_field(ids: str, n_rows: int, cells: str) -> pl.DataFrame:
    kind = pl.String if cells == "missing" else None
    odd = pl.Series("odd", [ONE_FIELD[cells](row) for row in range(n_rows)], kind)
    return pl.DataFrame({f"{ids}_id": [f"{ids[0]}{row}" for row in range(n_rows)], "odd": odd})


@pytest.mark.parametrize("cells", ONE_FIELD)
def test_a_field_that_says_nothing_or_all(fitted: Answer, cells: str) -> None:
    tables = with_odd_field("item", 20, cells), with_odd_field("user", 40, cells)
    guessed = fitted(events(40, 20, 200), *tables)
    assert len(guessed.report.item_fields) + len(guessed.report.ignored_item_columns) == 1
    kinds: dict[str, Field] = {"number": Numeric(), "text": Text(min_count=1), "list": Tags()}
    kind = kinds.get(cells.split()[-1], Categorical())
    fields: dict[str, Any] = {"item_fields": {"odd": kind}, "user_fields": {"odd": kind}}
    if cells in ("missing", "an empty list"):
        with pytest.raises(DataError, match='items: column "odd" has no value'):
            fitted(events(40, 20, 200), *tables, **fields)
    else:
        asked = fitted(events(40, 20, 200), *tables, **fields)
        assert asked.dataset.item_features.schema.field_names == ("odd",)


@pytest.mark.parametrize("max_values", [50_000, 100_000])
def test_a_hundred_thousand_distinct_tags(fitted: Answer, max_values: int) -> None:
    tags = [[f"t{10 * item + tag}" for tag in range(10)] for item in range(10_000)]
    items = pl.DataFrame({"item_id": [f"i{each}" for each in range(10_000)], "tags": tags})
    fields = {"tags": Tags(max_values=max_values)}
    sdk = fitted(events(40, 10_000, 400), items, item_fields=fields)
    assert sdk.dataset.item_features.schema.n_tokens == max_values
