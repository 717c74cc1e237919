from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import torch

from whyrec import SDK, DeepRankerConfig, GradientPathConfig, SequenceConfig, TwoTowerConfig
from whyrec.data.dataset import Dataset
from whyrec.data.fields import Categorical
from whyrec.data.split import Split, random_split
from whyrec.errors import TrainingError
from whyrec.models import DeepRanker
from whyrec.models import ranker_training as training
from whyrec.models.loop import Run

N_USERS, N_ITEMS = 150, 60
BLIND = TwoTowerConfig(dimension=1, heads=1, hidden=1, max_steps=0, validation_share=0.3)
"""A retrieval of one dimension, which has learned nothing of fields."""

SMALL = DeepRankerConfig(
    retrieval=BLIND,
    n_ranked=2 * N_ITEMS,
    layers=(32, 16),
    dropout=0.1,
    max_steps=150,
    evaluate_every=15,
    learning_rate=5e-3,
)


@pytest.fixture(scope="module")
def tribes() -> Dataset:
    """Three tribes, each of which takes items of its own style, most of the time."""
    random = np.random.default_rng(3)
    users = np.repeat(np.arange(N_USERS), 9)
    own = random.random(len(users)) < 0.85
    style = np.where(own, users % 3, random.integers(3, size=len(users)))
    items = 3 * random.integers(N_ITEMS // 3, size=len(users)) + style
    return Dataset.from_tables(
        pa.table({"user_id": users.tolist(), "item_id": items.tolist()}),
        pa.table({"item_id": list(range(N_ITEMS)), "style": [f"s{n % 3}" for n in range(N_ITEMS)]}),
        pa.table({"user_id": list(range(N_USERS)), "tribe": [f"t{n % 3}" for n in range(N_USERS)]}),
        item_fields={"style": Categorical()},
        user_fields={"tribe": Categorical()},
    )


@pytest.fixture(scope="module")
def noise(tribes: Dataset) -> Dataset:
    """The same users and items, and events that have to do with neither."""
    items = np.random.default_rng(4).integers(N_ITEMS, size=len(tribes.interactions))
    return tribes.with_interactions(replace(tribes.interactions, items=items.astype(np.int32)))


def fitted(dataset: Dataset, config: DeepRankerConfig) -> DeepRanker:
    return config.fit(dataset, progress=False)


def accuracy_of(split: Split, dataset: Dataset, ranker: DeepRankerConfig | None) -> float:
    part = dataset.with_interactions(split.train)
    path = GradientPathConfig()
    sdk = SDK.fit_dataset(part, model=BLIND, ranker=ranker, explainer=path, progress=False)
    return sdk.evaluate(split.test).means()["NDCG@10"]


def same(one: DeepRanker, other: DeepRanker) -> bool:
    arrays = other.arrays()
    return all(np.array_equal(each, arrays[name]) for name, each in one.arrays().items())


def is_at_its_start(model: DeepRanker) -> bool:
    return not model.arrays()["output"].any()


def test_it_learns_from_fields_what_the_retrieval_cannot_see(tribes: Dataset) -> None:
    split = random_split(tribes.interactions, (6, 0, 2), seed=0)
    alone, both = (accuracy_of(split, tribes, ranker) for ranker in (None, SMALL))
    assert both > 1.5 * alone


def test_what_is_not_re_ordered_stays_behind(tribes: Dataset) -> None:
    split = random_split(tribes.interactions, (6, 0, 2), seed=0)
    few = accuracy_of(split, tribes, replace(SMALL, n_ranked=12))
    assert few < accuracy_of(split, tribes, SMALL)


def test_a_gain_that_chance_would_have_is_not_kept(
    noise: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(SMALL, evaluate_every=1, patience=60, max_steps=60)
    assert is_at_its_start(fitted(noise, config))
    monkeypatch.setattr(training, "_SURE", 0.0)
    assert not is_at_its_start(fitted(noise, config))


def test_so_high_a_rate_that_all_is_worse_leaves_the_order_of_the_retrieval(
    tribes: Dataset,
) -> None:
    good = replace(BLIND, dimension=16)
    assert is_at_its_start(fitted(tribes, replace(SMALL, retrieval=good, learning_rate=30.0)))


def test_too_few_users_to_choose_by_leave_the_order_of_the_retrieval(tribes: Dataset) -> None:
    few = tribes.with_interactions(tribes.interactions.only(tribes.interactions.users() < 60))
    alone = replace(SMALL, n_weights=0)  # a wide part would leave it little to gain
    assert is_at_its_start(fitted(few, alone))  # 18 of 60
    assert not is_at_its_start(fitted(few, replace(alone, validation_share=0.4)))


def test_nothing_held_out_by_the_retrieval_is_nothing_to_learn_from(tribes: Dataset) -> None:
    retrieval = replace(BLIND, validation_share=0.0)
    model = fitted(tribes, replace(SMALL, retrieval=retrieval, validation_share=0.0))
    assert is_at_its_start(model)


@pytest.mark.parametrize("ordered", [False, True])
def test_it_learns_from_events_that_its_retrieval_does_not_know(
    world_data: Dataset, ordered: bool
) -> None:
    config = SequenceConfig(dimension=8, heads=2, hidden=8, max_steps=4)
    retrieval = config if ordered else replace(BLIND, dimension=8)
    found = retrieval.train_held_out(world_data, Run(progress=False))
    known, held_out = found.part.interactions, found.held_out
    assert len(known) + len(held_out) == len(world_data.interactions)
    assert len(held_out) >= world_data.n_users
    whole = world_data.interactions
    for user in range(world_data.n_users):
        parts = [each.items[slice(*each.offsets[user : user + 2])] for each in (known, held_out)]
        of_user = whole.items[slice(*whole.offsets[user : user + 2])]
        assert sorted(np.concatenate(parts).tolist()) == sorted(of_user.tolist())
        if ordered:
            np.testing.assert_array_equal(np.concatenate(parts), of_user)
    assert np.abs(found.before.item_vectors() - found.recommender.item_vectors()).max() > 1e-3


def test_both_retrievals_stand_on_the_same_axes(world_data: Dataset) -> None:
    found = replace(BLIND, dimension=8).train_held_out(world_data, Run(progress=False))
    before, after = (each.item_vectors() for each in (found.before, found.recommender))
    lengths = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
    assert np.median((before * after).sum(1) / lengths) > 0.8


def test_the_same_seed_gives_the_same_ranker_whatever_the_threads(tribes: Dataset) -> None:
    config = replace(SMALL, layers=(128, 64, 32), validation_share=0.0, max_steps=4)
    before, found = torch.get_num_threads(), []
    for n_threads in (1, 2):
        torch.set_num_threads(n_threads)
        found.append(fitted(tribes, config))
    torch.set_num_threads(before)
    assert same(*found)


def test_events_that_nobody_can_want_choose_nothing(tribes: Dataset) -> None:
    """All that was held out is in the histories too."""
    known = BLIND.train_held_out(tribes, Run(progress=False))
    again = replace(known, held_out=known.part.interactions)
    assert not training.train(again, tribes, SMALL, Run(progress=False))[0].output.any()


def test_kinds_of_events_weigh_as_targets(shop: Dataset, ranker_config: DeepRankerConfig) -> None:
    towers = ranker_config.retrieval
    assert isinstance(towers, TwoTowerConfig)
    nothing = replace(towers, kind_weights={"view": 0.0, "purchase": 0.0})
    assert is_at_its_start(fitted(shop, replace(ranker_config, retrieval=nothing)))


@pytest.mark.parametrize(
    "change",
    [
        {"absent_events": 0.0},
        {"absent_fields": 0.0},
        {"absent_features": 0.5},
        {"dropout": 0.0},
        {"batch_size": 5},
        {"n_ranked": 5},
        {"seed": 1},
    ],
    ids=str,
)
def test_every_setting_of_training_makes_a_difference(
    shop: Dataset,
    ranker_config: DeepRankerConfig,
    ranker: DeepRanker,
    change: dict[str, float],
) -> None:
    assert not same(ranker, fitted(shop, replace(ranker_config, **change)))  # type: ignore[arg-type]


def test_a_user_who_has_had_everything_does_no_harm(tribes: Dataset) -> None:
    """The first user has a list of nothing."""
    found = BLIND.train_held_out(tribes, Run(progress=False))
    known = found.part.interactions
    items = np.append(np.arange(N_ITEMS), known.items[known.offsets[1] :]).astype(np.int32)
    offsets = np.append(0, known.offsets[1:] + N_ITEMS - known.offsets[1])
    kinds = np.zeros(len(items), np.int16)
    sated = tribes.with_interactions(replace(known, offsets=offsets, items=items, kinds=kinds))
    config = replace(SMALL, validation_share=0.0, batch_size=N_USERS, max_steps=3)
    network, _ = training.train(replace(found, part=sated), tribes, config, Run(progress=False))
    for name, each in network.state_dict().items():
        assert each.isfinite().all(), name
    assert network.output.any()


def test_a_loss_that_is_not_finite_stops_the_training(tribes: Dataset) -> None:
    config = replace(SMALL, learning_rate=1e30, validation_share=0.0)
    with pytest.raises(
        TrainingError, match=r"the ranker is .* lower the learning rates \(now 1e\+30"
    ):
        fitted(tribes, config)
