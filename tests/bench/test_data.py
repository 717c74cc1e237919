from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bench.data import RETAIL, movielens_100k_data, retail_data
from bench.faithfulness.asked import best_unseen
from bench.faithfulness.data import split_users

from whyrec.data.dataset import Dataset
from whyrec.models import TwoTower


def write_retail(rows: list[tuple[Any, ...]], path: Path) -> None:
    names = ["InvoiceNo", "StockCode", "Quantity", "InvoiceDate", "CustomerID", "Description"]
    columns = [list(column) for column in zip(*rows, strict=True)]
    pq.write_table(pa.table(dict(zip(names, columns, strict=False))), path)


def test_online_retail_is_what_known_customers_bought(tmp_path: Path) -> None:
    rows = [
        # invoice, product, quantity, seconds, customer
        ("536365", "71053", 6.0, 30.0, 17850.0),
        ("536365", "71053", 2.0, 30.0, 17850.0),  # the same product twice on one invoice
        ("536365", "22752", 1.0, 30.0, 17850.0),
        ("536366", "71053", 1.0, 10.0, 17850.0),  # again, on another and older one
        ("C536379", "71053", -1.0, 40.0, 17850.0),  # a cancellation
        ("C536380", "22752", 1.0, 40.0, 17850.0),
        ("536381", "71053", -3.0, 50.0, 13047.0),  # nothing bought
        ("536381", "22752", 0.0, 50.0, 13047.0),
        ("536381", "22632", 1.0, 50.0, 13047.0),
        ("536382", "71053", 1.0, 60.0, float("nan")),  # nobody knows who
        ("536382", "71053", 1.0, 60.0, None),
    ]
    write_retail(rows, tmp_path / "retail.parquet")
    found = retail_data(tmp_path / "retail.parquet")
    assert set(found.users.ids) == {17850, 13047}
    histories = found.histories(found.users.indices_of([17850, 13047]))
    bought = [str(found.items[item]) for item in histories.items.tolist()]
    assert histories.counts().tolist() == [3, 1]
    assert bought[0] == "71053"  # the older invoice
    assert sorted(bought[1:3]) == ["22752", "71053"]
    assert bought[3] == "22632"
    assert not len(found.item_features.tokens)


def test_products_are_described_as_they_were_sold_most_often(tmp_path: Path) -> None:
    rows = [
        ("1", "71053", 1.0, 30.0, 1.0, "METAL LANTERN"),
        ("2", "71053", 1.0, 31.0, 2.0, "WHITE METAL LANTERN"),
        ("3", "71053", 9.0, 32.0, 3.0, "WHITE METAL LANTERN"),
        ("1", "22752", 1.0, 30.0, 1.0, "NESTING BOXES"),
        ("2", "22752", 1.0, 31.0, 2.0, "BOXES OF METAL"),
        ("C4", "22752", 1.0, 31.0, 2.0, "damaged"),
    ]
    write_retail(rows, tmp_path / "retail.parquet")
    found = retail_data(tmp_path / "retail.parquet", described=True)
    assert dict(zip(found.items.ids, found.item_labels, strict=True)) == {
        "71053": "WHITE METAL LANTERN",
        "22752": "BOXES OF METAL",
    }
    assert len(found.item_features.tokens) == 2  # "metal" of both; other words are in one alone


def test_movielens_100k_is_read_as_recbole_has_it(tmp_path: Path) -> None:
    folder = tmp_path / "ml-100k"
    folder.mkdir()
    for kind, text in {
        "inter": "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
        "9\t242\t3\t881250949\n8\t302\t4\t891717742\n9\t302\t5\t881250940\n",
        "item": "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
        "242\tKolya\t1996\tComedy\n302\tL.A. Confidential\tV\tCrime Film-Noir\n"
        "7\tTwelve Monkeys\t1995\tDrama Crime\n",
        "user": "user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token\n"
        "8\t36\tM\tartist\t05201\n9\t29\tF\tstudent\t01002\n7\t31\tF\tartist\t01002\n",
    }.items():
        (folder / f"ml-100k.{kind}").write_text(text)
    found = movielens_100k_data(tmp_path)
    assert (found.n_users, found.n_items, len(found.interactions)) == (3, 3, 3)
    history = found.histories(found.users.indices_of([9]))
    assert [found.items[item] for item in history.items.tolist()] == [302, 242]
    assert history.values.tolist() == [5, 3]
    assert found.item_labels == ("Kolya", "L.A. Confidential", "Twelve Monkeys")
    kinds = {field.name: field.kind for field in found.item_features.schema.fields}
    assert kinds == {"year": "numeric", "genres": "tags"}
    people = {field.name for field in found.user_features.schema.fields}
    assert people == {"age", "gender", "occupation"}


def test_online_retail_is_read_whole() -> None:
    if not RETAIL.exists():
        pytest.skip("Online Retail is not part of the project, and is not beside it here")
    found = retail_data(RETAIL)
    assert (found.n_users, found.n_items, len(found.interactions)) == (4_339, 3_665, 387_875)


def test_test_users_are_others_than_those_learned_from(world_data: Dataset) -> None:
    parts = split_users(world_data, 20)
    assert len(parts.test_users) == len(set(parts.test_users.tolist())) == 20
    counts = np.diff(parts.training.interactions.offsets)
    assert not counts[parts.test_users].any()
    others = np.setdiff1d(np.arange(world_data.n_users), parts.test_users)
    np.testing.assert_array_equal(counts[others], np.diff(world_data.interactions.offsets)[others])
    assert (parts.whole.histories(parts.test_users).counts() >= 10).all()
    again = split_users(world_data, 20, seed=0)
    np.testing.assert_array_equal(again.test_users, parts.test_users)
    assert not np.array_equal(split_users(world_data, 20, seed=1).test_users, parts.test_users)
    assert len(split_users(world_data, 10_000).test_users) <= world_data.n_users / 3


def test_what_is_explained_is_the_best_item_that_is_not_in_the_history(
    tower: TwoTower, shop: Dataset
) -> None:
    histories, pairs, full_values = best_unseen(tower, shop.histories(np.arange(6)))
    scores = tower.query_vectors(histories) @ tower.item_vectors().T + tower.item_biases()
    assert pairs.rows.tolist() == list(range(6))
    for row in range(6):
        scores[row, histories.take(np.array([row])).items] = -np.inf
        assert pairs.items[row] == scores[row].argmax()
        np.testing.assert_allclose(full_values[row], scores[row].max(), rtol=1e-5, atol=1e-5)
