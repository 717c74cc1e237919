from dataclasses import replace

import numpy as np
import torch

from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.data.split import random_split
from whyrec.evaluate.accuracy import accuracy
from whyrec.models import TwoTower, TwoTowerConfig
from whyrec.models.training import deal, draw_inputs
from whyrec.models.validation import Validation, hold_out
from whyrec.types import BoolArray, Int64Array


def may_be_input(histories: Histories) -> BoolArray:
    """Say that every third event is a target."""
    places = np.arange(len(histories.items)) - np.repeat(histories.offsets[:-1], histories.counts())
    may_be: BoolArray = places % 3 != 1
    return may_be


def test_inputs_are_any_number_of_events_that_are_no_targets(shop: Dataset) -> None:
    histories = shop.histories(np.arange(shop.n_users))
    may_be, random = may_be_input(histories), np.random.default_rng(0)
    rows = np.repeat(np.arange(len(histories)), histories.counts())
    counts = np.bincount(rows[may_be], minlength=len(histories))
    drawn = np.array([draw_inputs(histories, may_be, random) for _ in range(400)])
    assert not drawn[:, ~may_be].any()
    sizes = np.array([np.bincount(rows[each], minlength=len(histories)) for each in drawn])
    for of_row, count in zip(sizes.T, counts, strict=True):
        found, times = np.unique(of_row, return_counts=True)
        assert found.tolist() == list(range(count + 1))  # every size is met, and none beyond
        assert times.min() > 200 / (count + 1) - 15  # and about as often


def test_every_event_is_as_likely_an_input(shop: Dataset) -> None:
    histories, random = shop.histories(np.array([3, 12])), np.random.default_rng(0)
    may_be = np.ones(len(histories.items), bool)
    shares = np.mean([draw_inputs(histories, may_be, random) for _ in range(2000)], axis=0)
    np.testing.assert_allclose(shares, 0.5, atol=0.05)


def test_the_same_source_of_chance_draws_the_same_inputs(shop: Dataset) -> None:
    histories = shop.histories(np.arange(9))
    may_be = may_be_input(histories)
    one, other = (draw_inputs(histories, may_be, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_the_events_of_a_user_are_dealt_out_evenly(world_data: Dataset) -> None:
    interactions = world_data.interactions
    folds = deal(interactions, 4, np.random.default_rng(0))
    for user in range(world_data.n_users):
        own = folds[interactions.offsets[user] : interactions.offsets[user + 1]]
        counts = np.bincount(own, minlength=4)
        assert counts.max() - counts.min() <= 1
    assert np.bincount(folds).min() > len(folds) / 5  # no fold is left with little
    again = deal(interactions, 4, np.random.default_rng(0))
    np.testing.assert_array_equal(folds, again)


def test_held_out_events_are_taken_out_of_the_part_to_learn_from(world_data: Dataset) -> None:
    part, validation = hold_out(world_data, 0.2, seed=3)
    assert validation is not None
    split = random_split(world_data.interactions, (0.8, 0.2, 0), seed=3)
    np.testing.assert_array_equal(part.interactions.items, split.train.items)
    assert len(part.interactions) == len(world_data.interactions) * 0.8
    assert part.n_users == world_data.n_users


def test_of_short_histories_a_third_is_held_out(world_data: Dataset) -> None:
    first = np.arange(len(world_data.interactions)) % 15 < 3
    short = world_data.with_interactions(world_data.interactions.only(first))
    part, validation = hold_out(short, 0.1, seed=0)
    assert validation is not None
    assert (np.diff(part.interactions.offsets) == 2).all()


def test_nothing_is_held_out_of_too_little(shop: Dataset) -> None:
    few = shop.with_interactions(shop.interactions.only(np.arange(len(shop.interactions)) < 40))
    part, validation = hold_out(few, 0.1, seed=0)
    assert validation is None
    assert part is few
    assert hold_out(shop, 0.0, seed=0)[1] is None


def test_the_ndcg_of_held_out_events_is_that_of_evaluate(
    world_data: Dataset, shop: Dataset
) -> None:
    for dataset in (world_data, shop):
        split = random_split(dataset.interactions, (2, 1, 0), seed=0)
        part = dataset.with_interactions(split.train)
        validation = Validation(part, split.validation, seed=0)
        random = np.random.default_rng(1)
        everything = random.normal(size=(dataset.n_users, dataset.n_items)).astype(np.float32)

        def score(histories: Histories, users: Int64Array, all_scores=everything) -> torch.Tensor:  # type: ignore[no-untyped-def]
            assert len(histories) == len(users)
            return torch.from_numpy(all_scores[users])

        found = validation.ndcg(validation.scores(score))
        seen = np.zeros(everything.shape, bool)
        seen[part.interactions.users(), part.interactions.items] = True
        ranked = np.argsort(np.where(seen, np.inf, -everything), axis=1)[:, :10].astype(np.int32)
        # An item that the user has had already cannot be recommended, so it is not wanted.
        users, items = split.validation.users(), split.validation.items
        new = ~seen[users, items]
        offsets = np.concatenate([[0], np.cumsum(np.bincount(users[new], minlength=len(seen)))])
        result = accuracy(np.arange(len(seen) + 1) * 10, ranked.ravel(), offsets, items[new], k=10)
        np.testing.assert_allclose(found, result.ndcg.mean(), rtol=1e-6)


def test_the_share_of_the_prior_that_ranks_best_is_found(world_data: Dataset) -> None:
    split = random_split(world_data.interactions, (2, 1, 0), seed=0)
    part = world_data.with_interactions(split.train)
    validation = Validation(part, split.validation, seed=0)
    wanted = np.bincount(split.validation.items, minlength=part.n_items).astype(np.float32)
    nothing = torch.zeros(part.n_users, part.n_items)
    good, share = validation.best_ndcg(nothing, torch.from_numpy(wanted))
    bad, none = validation.best_ndcg(
        torch.from_numpy(wanted).expand(part.n_users, -1), -2 * torch.from_numpy(wanted)
    )
    assert share > 0
    assert none < 0.5  # beyond, the order would turn round
    assert good == bad


def test_calibration_finds_the_scale_that_events_were_drawn_with(world_data: Dataset) -> None:
    random = np.random.default_rng(0)
    logits = random.normal(size=(world_data.n_users, world_data.n_items)).astype(np.float32)
    drawn = np.argsort(-(3 * logits + random.gumbel(size=logits.shape)), axis=1)[:, :1]
    interactions = replace(
        world_data.interactions,
        offsets=np.arange(world_data.n_users + 1),
        items=drawn.ravel().astype(np.int32),
        kinds=np.zeros(world_data.n_users, np.int16),
        timestamps=None,
    )
    nobody = world_data.with_interactions(interactions.only(np.zeros(len(interactions), bool)))
    validation = Validation(nobody, interactions, seed=0)
    popularity = np.linspace(-1, 1, world_data.n_items).astype(np.float32)
    found = validation.calibrate(lambda _, users: torch.from_numpy(logits[users]), popularity)
    assert 2.4 < found.scale < 3.6
    assert found.prior < 0.3


def test_no_step_is_taken_when_none_is_allowed(world_data: Dataset) -> None:
    config = TwoTowerConfig(dimension=8, heads=2, hidden=4, max_steps=0)
    model = config.fit(world_data, progress=False)
    assert isinstance(model, TwoTower)
    start = model.arrays()
    assert not start["gate_of_vector"].any()
    assert not start["output_weight"].any()
    assert start["items.identity"].any()


def test_training_ends_at_the_step_that_ranked_best(world_data: Dataset) -> None:
    # So high a rate that the model is worse at every look: the start is kept.
    config = TwoTowerConfig(
        dimension=8, heads=2, hidden=4, max_steps=12, evaluate_every=2, vector_learning_rate=3.0
    )
    kept = config.fit(world_data, progress=False).arrays()
    start = replace(config, max_steps=0).fit(world_data, progress=False).arrays()
    assert all((kept[name] == start[name]).all() for name in start)
