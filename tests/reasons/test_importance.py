import json
from collections import defaultdict
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pytest

from whyrec.data.dataset import Dataset
from whyrec.data.fields import Categorical, Numeric, Tags
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.explain.attribution import Attributions, PlayerKind, Players
from whyrec.reasons.importance import GlobalImportance, global_importance
from whyrec.reasons.reason import ReasonKind

Batch: TypeAlias = tuple[Histories, Attributions]


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return Dataset.from_tables(
        pa.table(
            {
                "user_id": ["ann", "ann", "ann", "bob", "bob"],
                "item_id": [7, 8, 7, 8, 9],
                "timestamp": [1, 2, 3, 4, 5],
            }
        ),
        pa.table(
            {
                "item_id": [7, 8, 9],
                "genres": [["War"], ["War", "Noir"], []],
                "year": [1979, None, 1985],
            }
        ),
        pa.table(
            {
                "user_id": ["ann", "bob", "cid"],
                "city": ["Rome", "Oslo", "Rome"],
                "likes": [["a", "b"], ["b"], []],
                "age": [30, 40, None],
            }
        ),
        item_fields={"genres": Tags(), "year": Numeric()},
        user_fields={"city": Categorical(), "likes": Tags(), "age": Numeric()},
    )


def batch(dataset: Dataset, pairs: list[tuple[int, int]], seed: int) -> Batch:
    histories = dataset.histories(np.arange(dataset.n_users))
    rows, items = np.array(pairs, np.int32).T
    both = Pairs(rows, items)
    players = Players.of(histories, dataset.item_features, both)
    values = np.random.default_rng(seed).integers(-8, 9, len(players.kinds)) / 4
    zeros = np.zeros(len(pairs))
    return histories, Attributions(both, players, values, zeros, zeros, "shapley")


def plain(dataset: Dataset, batches: list[Batch]) -> dict[Any, list[float]]:
    """Collect the contributions of each source one by one."""
    met: dict[Any, list[float]] = defaultdict(list)
    items, users = dataset.item_features, dataset.user_features
    for histories, attributions in batches:
        for pair, (row, item) in enumerate(
            zip(attributions.pairs.rows, attributions.pairs.items, strict=True)
        ):
            span = attributions.of(pair)
            for kind, source, value in zip(
                attributions.players.kinds[span],
                attributions.players.sources[span],
                attributions.contributions[span],
                strict=True,
            ):
                key: tuple[object, ...]
                if kind == PlayerKind.EVENT:
                    event = histories.offsets[row] + source
                    key = ("history", dataset.items[int(histories.items[event])], None)
                elif kind == PlayerKind.FEATURE:
                    token = int(items.tokens[items.offsets[item] + source])
                    name, found = items.schema.describe(token, 1.0)
                    key = ("item_feature", name, None if name == "year" else found)
                else:
                    name = users.schema.field_names[source]
                    city = ["Rome", "Oslo", "Rome"][row]
                    key = ("user_attribute", name, city if name == "city" else None)
                met[key].append(float(value))
    return met


@pytest.fixture(scope="module")
def batches(dataset: Dataset) -> list[Batch]:
    return [
        batch(dataset, [(0, 0), (0, 1), (1, 1)], 1),
        batch(dataset, [(2, 2), (1, 0)], 2),
        batch(dataset, [(0, 2)], 3),
    ]


def test_sources_are_counted_as_one_by_one(dataset: Dataset, batches: list[Batch]) -> None:
    found = global_importance(dataset, batches)
    expected = plain(dataset, batches)
    whole = sum(abs(value) for values in expected.values() for value in values)
    assert {(each.kind.value, each.source, each.value) for each in found} == set(expected)
    assert len(found) == len(expected)
    for each in found:
        values = expected[each.kind.value, each.source, each.value]
        assert each.count == len(values)
        assert each.mean_contribution == sum(values) / len(values)
        assert each.mean_absolute == sum(map(abs, values)) / len(values)
        assert each.share == sum(map(abs, values)) / whole
    assert found.n_explanations == 6


def test_the_largest_share_comes_first_and_shares_add_up(
    dataset: Dataset, batches: list[Batch]
) -> None:
    found = global_importance(dataset, batches)
    shares = [each.share for each in found]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1, abs=1e-12)


def test_one_batch_or_many_are_the_same(dataset: Dataset) -> None:
    one = batch(dataset, [(0, 0), (1, 1)], 1)
    again = global_importance(dataset, iter([one, one]))
    once = global_importance(dataset, [one])
    assert [each.mean_contribution for each in again] == [each.mean_contribution for each in once]
    assert [each.count for each in again] == [2 * each.count for each in once]


def test_nothing_explained_is_an_empty_answer(dataset: Dataset) -> None:
    found = global_importance(dataset, [])
    assert list(found) == []
    assert found.n_explanations == 0
    assert found.to_arrow().num_rows == 0


def test_contributions_of_zero_have_no_share(dataset: Dataset) -> None:
    histories, attributions = batch(dataset, [(0, 0)], 1)
    zero = Attributions(
        attributions.pairs,
        attributions.players,
        np.zeros(len(attributions.contributions)),
        attributions.base_values,
        attributions.full_values,
        "path",
    )
    assert {each.share for each in global_importance(dataset, [(histories, zero)])} == {0.0}


@pytest.fixture(scope="module")
def found(dataset: Dataset, batches: list[Batch]) -> GlobalImportance:
    return global_importance(dataset, batches)


def test_it_is_a_sequence(found: GlobalImportance) -> None:
    assert found[0] is found.sources[0]
    assert found[:2] == found.sources[:2]
    assert len(list(found)) == len(found)


def test_exports_hold_every_source(found: GlobalImportance) -> None:
    table = found.to_arrow()
    assert table.num_rows == len(found)
    assert table.column("share").to_pylist() == [each.share for each in found]
    assert set(table.column("kind").to_pylist()) == {"history", "item_feature", "user_attribute"}
    assert list(found.to_pandas()["count"]) == [each.count for each in found]
    assert json.loads(found.to_json()) == found.to_dict()


def test_it_shows_the_strongest_and_counts_the_rest(found: GlobalImportance) -> None:
    text = str(found)
    assert "What matters over 6 explanations" in text
    assert "item feature" in text
    many = GlobalImportance(found.sources * 5, 6)
    assert f"{5 * len(found) - 20} more" in str(many)
    assert "<table>" in found._repr_html_()
    assert repr(found) == f"GlobalImportance({len(found)} sources, 6 explanations)"
    assert found[0].kind in ReasonKind
