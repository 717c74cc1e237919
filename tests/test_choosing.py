"""What is chosen by the data where the caller says nothing."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from whyrec import (
    SDK,
    Choice,
    DeepRankerConfig,
    EASEConfig,
    GradientPathConfig,
    NetworkConfig,
    PopularityConfig,
    SequenceConfig,
    StorageError,
    TwoTowerConfig,
    choosing,
    datasets,
)
from whyrec.choosing import choose_explainer, choose_model, order_gain
from whyrec.data.dataset import Dataset
from whyrec.models import RecommenderConfig
from whyrec.models.popularity import Popularity
from whyrec.models.ranker_training import FEWEST_USERS
from whyrec.saved import Fitted
from whyrec.storage import load_directory


def read(who: Any, items: Any, times: Any = None, **tables: Any) -> Dataset:
    columns = {"user_id": who, "item_id": items}
    if times is not None:
        columns["timestamp"] = times
    return Dataset.from_tables(pl.DataFrame(columns), **tables)


def drawn(n_users: int, n_items: int, n_events: int, **tables: Any) -> Dataset:
    """Give each user as many events of items drawn by chance."""
    random = np.random.default_rng(0)
    users = np.repeat(np.arange(n_users), n_events)
    items = random.integers(n_items, size=len(users))
    return read(users, items, random.integers(10**6, size=len(users)), **tables)


ONCE = pl.DataFrame({"user_id": ["a", "b"], "item_id": ["x", "y"]})


def walks(*, in_order: bool) -> Dataset:
    """Let users go on from an item to the one that comes next to it, or else jump to any."""
    random = np.random.default_rng(0)
    items = random.integers(200, size=(400, 24))
    for step in range(1, 24):
        goes_on = random.random(400) < 0.5
        items[goes_on, step] = (items[goes_on, step - 1] + 1) % 200
    times = np.tile(np.arange(24), 400) if in_order else random.integers(10**6, size=400 * 24)
    return read(np.repeat(np.arange(400), 24), items.ravel(), times)


def chosen(dataset: Dataset) -> tuple[RecommenderConfig, dict[str, str]]:
    config, choices = choose_model(dataset)
    return config, {each.what: each.chosen for each in choices}


NOTHING_TO_LEARN = {
    "one item": drawn(60, 1, 3),
    "one user": drawn(1, 50, 40),
    "users with one event": read(range(90), [each % 7 for each in range(90)]),
    "users with one item, again and again": read([1, 1, 2, 2], [1, 1, 2, 2]),
}


@pytest.mark.parametrize("data", NOTHING_TO_LEARN)
def test_where_there_is_nothing_to_relate_popularity_is_chosen(data: str) -> None:
    assert chosen(NOTHING_TO_LEARN[data]) == (PopularityConfig(), {"model": "popularity"})


def test_what_is_known_of_users_is_something_to_learn_from() -> None:
    users = pl.DataFrame({"user_id": range(90), "city": [f"c{each % 3}" for each in range(90)]})
    items = [each % 7 for each in range(90)]
    config, _ = chosen(read(range(90), items, users=users))
    assert isinstance(config, TwoTowerConfig)


def test_of_few_events_a_closed_form_is_chosen() -> None:
    assert chosen(drawn(6, 12, 4)) == (EASEConfig(), {"model": "EASE"})


def test_with_few_users_to_check_it_by_no_ranker_is_trained() -> None:
    config, said = chosen(drawn(FEWEST_USERS - 1, 80, 60))
    assert isinstance(config, TwoTowerConfig)
    assert said["ranker"] == "none"
    config, said = chosen(drawn(FEWEST_USERS, 80, 60))
    assert isinstance(config, DeepRankerConfig)
    assert said["ranker"] == "deep ranker"


def test_of_ordinary_data_the_defaults_are_chosen() -> None:
    world = datasets.synthetic(seed=0, n_users=300, n_items=400, n_events_per_user=15)
    config, _ = chosen(Dataset.from_tables(world.events, world.items, world.users))
    assert config == DeepRankerConfig()


def test_a_small_catalog_gets_no_more_dimensions_than_items() -> None:
    config, said = chosen(drawn(60, 30, 20))
    assert isinstance(config, DeepRankerConfig)
    assert config.retrieval == TwoTowerConfig(dimension=32)  # a multiple of heads
    assert said["dimension"] == "32"


def test_a_catalog_that_memory_cannot_hold_gets_shorter_vectors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = datasets.synthetic(seed=0, n_users=100, n_items=300, n_events_per_user=15)
    dataset = Dataset.from_tables(world.events)
    monkeypatch.setattr(choosing, "_MOST_BYTES", 4 * dataset.n_items * 20 * 64)
    assert chosen(dataset)[1]["dimension"] == "64"
    monkeypatch.setattr(choosing, "_MOST_BYTES", 1)
    assert chosen(dataset)[1]["dimension"] == str(choosing._FEWEST_DIMENSIONS)


def test_of_many_users_each_may_be_drawn_once() -> None:
    users = np.repeat(np.arange(128 * 601), 3)
    items = np.random.default_rng(0).integers(20, size=len(users))
    config, said = chosen(read(users, items))
    assert isinstance(config, DeepRankerConfig)
    assert isinstance(config.retrieval, TwoTowerConfig)
    assert config.retrieval.max_steps == 601
    assert said["steps"] == "601 at most"


def test_where_order_says_most_a_sequence_is_chosen() -> None:
    config, said = chosen(walks(in_order=True))
    assert config == DeepRankerConfig(retrieval=SequenceConfig())
    assert said["model"] == "sequence"


def test_the_same_events_in_another_order_choose_towers() -> None:
    config, said = chosen(walks(in_order=False))
    assert isinstance(config, DeepRankerConfig)
    assert isinstance(config.retrieval, TwoTowerConfig)
    assert said["model"] == "two towers"


def test_order_gains_where_it_says_something_and_there_alone() -> None:
    assert order_gain(walks(in_order=True)) > choosing._ORDER_GAIN
    assert order_gain(walks(in_order=False)) < 1


def test_without_order_there_is_no_gain() -> None:
    dataset = walks(in_order=True)
    users, items = dataset.interactions.users(), dataset.interactions.items
    assert order_gain(read(users, items)) == 1
    assert order_gain(read(users, items, [7] * len(items))) == 1
    assert order_gain(read([1, 1, 1], [1, 2, 3], [1, 2, 3])) == 1


def test_events_of_one_time_are_as_late_as_each_other() -> None:
    dataset = read([1] * 5 + [2] * 2, range(7), [1, 1, 2, 3, 3, 9, 9])
    histories = dataset.histories(np.arange(2))
    assert choosing._lateness(histories).tolist() == [3, 3, 2, 0, 0, 0, 0]


def test_few_histories_are_explained_without_a_network() -> None:
    towers = TwoTowerConfig(dimension=8, heads=2, hidden=4, max_steps=1)
    for n_users, expected in ((19, GradientPathConfig()), (20, NetworkConfig())):
        dataset = drawn(n_users, 30, 10)
        assert choose_explainer(towers.fit(dataset, progress=False), dataset)[0] == expected


def test_choices_are_logged_kept_and_saved(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "whyrec"):
        sdk = SDK.fit(ONCE, progress=False)
    assert [each.what for each in sdk.choices] == ["model", "explainer"]
    assert [each.getMessage() for each in caplog.records] == [str(each) for each in sdk.choices]
    assert isinstance(sdk.recommender, Popularity)
    sdk.save(tmp_path)
    assert SDK.load(tmp_path).choices == sdk.choices


def test_what_the_caller_says_is_not_chosen(world_data: Dataset) -> None:
    towers = TwoTowerConfig(dimension=8, heads=2, hidden=4, max_steps=1)
    path = GradientPathConfig()
    sdk = SDK.fit_dataset(world_data, model=towers, explainer=path, progress=False)
    assert sdk.choices == ()
    sdk = SDK.fit_dataset(world_data, model=EASEConfig(), progress=False)
    why = "the score is a sum over events"
    assert sdk.choices == (Choice("explainer", "closed form", why),)


def test_a_save_from_before_choices_were_told_is_loaded(tmp_path: Path) -> None:
    SDK.fit(ONCE, progress=False).save(tmp_path)
    loaded = load_directory(tmp_path)
    older: dict[str, Any] = {
        name: each for name, each in loaded.description.items() if name != "choices"
    }
    assert Fitted.of(replace(loaded, description=older)).choices == ()
    odd = {**older, "choices": ["model"]}
    with pytest.raises(StorageError, match="the choices cannot be read"):
        Fitted.of(replace(loaded, description=odd))
