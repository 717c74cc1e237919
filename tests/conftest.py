"""Small data sets and fitted models that the tests of several rooms share."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import settings

from whyrec.data.dataset import Dataset
from whyrec.data.fields import Categorical, Numeric, Tags
from whyrec.datasets.synthetic import World, synthetic
from whyrec.models import (
    DeepRanker,
    DeepRankerConfig,
    Sequence,
    SequenceConfig,
    TwoTower,
    TwoTowerConfig,
)
from whyrec.models.wide import WideWeights
from whyrec.models.wide_model import WideModel

# The same examples in every run, however slow the machine; `make test-slow` looks for new ones.
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("explore", max_examples=1_000, deadline=None)
settings.load_profile("same")

N_USERS, N_ITEMS = 30, 25


@pytest.fixture(scope="session")
def world() -> World:
    return synthetic(seed=0, n_users=200, n_items=80, n_events_per_user=15)


@pytest.fixture(scope="session")
def world_data(world: World) -> Dataset:
    return Dataset.from_tables(world.events, world.items, world.users)


@pytest.fixture(scope="session")
def shop() -> Dataset:
    """A data set with all that can be missing.

    User 0 has no events, user 1 no attributes, user 2 neither. The last two events of user 3 are
    the same. Item 0 has no features, item 1 no events.
    """
    random = np.random.default_rng(5)
    events: list[tuple[str, str, str, float | None, int]] = []
    for user in range(N_USERS):
        if user in (0, 2):
            continue
        for item in random.integers(2, N_ITEMS, size=random.integers(1, 14)):
            kind = "purchase" if random.random() < 0.3 else "view"
            value = float(random.integers(1, 6)) if random.random() < 0.7 else None
            day = int(random.integers(100))
            events.append((f"u{user}", f"i{item}", kind, value, 1_700_000_000 + 86_400 * day))
        if user == 3:
            events += [("u3", "i0", "view", 4.0, 1_800_000_000)] * 2
    user_ids, item_ids, kinds, values, times = zip(*events, strict=True)
    known_items, known_users = np.arange(N_ITEMS) > 0, ~np.isin(np.arange(N_USERS), (1, 2))
    return Dataset.from_tables(
        pa.table(
            {
                "user_id": user_ids,
                "item_id": item_ids,
                "kind": kinds,
                "value": values,
                "timestamp": times,
            }
        ),
        pa.table(
            {
                "item_id": [f"i{item}" for item in range(N_ITEMS)],
                "style": [f"s{item % 4}" if item else None for item in range(N_ITEMS)],
                "topics": [[f"t{item % 3}", f"t{item % 5}"] if item else [] for item in range(25)],
                "price": pa.array(random.normal(10, 3, N_ITEMS), mask=~known_items),
            }
        ),
        pa.table(
            {
                "user_id": [f"u{user}" for user in range(N_USERS)],
                "city": pa.array([f"c{user % 3}" for user in range(N_USERS)], mask=~known_users),
                "age": pa.array(random.normal(40, 9, N_USERS), mask=~known_users),
            }
        ),
        item_fields={"style": Categorical(), "topics": Tags(), "price": Numeric()},
        user_fields={"city": Categorical(), "age": Numeric()},
    )


@pytest.fixture(scope="session")
def tower_config() -> TwoTowerConfig:
    """Settings under which every parameter has left its start after a few steps."""
    return TwoTowerConfig(
        windows=False,
        dimension=16,
        heads=2,
        hidden=16,
        l2=2.0,
        folds=2,
        validation_share=0.0,
        evaluate_every=6,
        patience=1,
        learning_rate=0.03,
        residual_learning_rate=0.03,
        vector_learning_rate=0.02,
    )


@pytest.fixture(scope="session")
def tower(shop: Dataset, tower_config: TwoTowerConfig) -> TwoTower:
    return tower_config.fit(shop, progress=False)


@pytest.fixture(scope="session")
def sequence_config() -> SequenceConfig:
    """Settings under which every parameter has left its start after a few steps."""
    return SequenceConfig(
        windows=False,
        dimension=16,
        heads=2,
        hidden=16,
        l2=2.0,
        max_events=8,
        max_steps=6,
        validation_share=0.0,
        learning_rate=0.05,
        vector_learning_rate=0.02,
    )


@pytest.fixture(scope="session")
def ranker_config(tower_config: TwoTowerConfig) -> DeepRankerConfig:
    """Settings under which every parameter has left its start after a few steps."""
    return DeepRankerConfig(
        retrieval=replace(tower_config, validation_share=0.3, max_steps=6),
        n_ranked=8,
        layers=(16, 12),
        validation_share=0.0,
        max_steps=8,
        learning_rate=0.05,
    )


@pytest.fixture(scope="session")
def ranker(shop: Dataset, ranker_config: DeepRankerConfig) -> DeepRanker:
    return ranker_config.fit(shop, progress=False)


@pytest.fixture(scope="session")
def wide_ranker(shop: Dataset, ranker_config: DeepRankerConfig, ranker: DeepRanker) -> DeepRanker:
    """The same with a wide part, which decides much of its order."""
    model = WideModel(l2=1.0, windows=False)
    wide = WideWeights.of(shop, model, 400).times(8.0)
    arrays = {f"wide.{name}": each for name, each in wide.arrays().items()}
    found = ranker_config.restore(shop, {**ranker.arrays(), **arrays})
    assert len(found.wide_items) > len(ranker.wide_items)
    return found


@pytest.fixture(scope="session")
def sequence(shop: Dataset, sequence_config: SequenceConfig) -> Sequence:
    return sequence_config.fit(shop, progress=False)
