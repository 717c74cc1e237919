from dataclasses import replace

import numpy as np
import pytest
import torch
from bench.faithfulness.methods.contributions import events_of
from bench.faithfulness.methods.gradients import GradientTimesInputConfig
from bench.faithfulness.methods.leave_one_out import Output
from bench.faithfulness.methods.spinrec import Baseline, SPINRecConfig

from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.errors import ArgumentError
from whyrec.explain import PlayerKind
from whyrec.models import TwoTower
from whyrec.types import Float64Array

Asked = tuple[Histories, Pairs, Float64Array]


def of_events(tower: TwoTower, shop: Dataset, asked: Asked, config: SPINRecConfig) -> Float64Array:
    found = config.fit(tower, shop).explain(*asked)
    events: Float64Array = found.contributions[found.players.kinds == PlayerKind.EVENT]
    return events


def on_a_path(
    tower: TwoTower, asked: Asked, start: Histories, presence: Float64Array
) -> Float64Array:
    """Return the mean gradient by each own event, of one pair after the other.

    Own events are at each presence in turn, those of start at what is left of 1.
    """
    histories, pairs, _ = asked
    found = [np.zeros(0)]
    for pair, (row, item) in enumerate(zip(pairs.rows, pairs.items, strict=True)):
        own, other = histories.take(np.array([row])), start.take(np.array([pair]))
        both = Histories(
            np.array([0, len(own.items) + len(other.items)]),
            np.concatenate([own.items, other.items]),
            np.concatenate([own.kinds, other.kinds]),
            np.concatenate([own.values, other.values]),
            np.concatenate([own.ages, other.ages]),
            own.attributes,
        )
        n_features = int(np.diff(tower.item_features.offsets)[item])
        widths = (len(both.items), 2, n_features)
        embedded = tower.embed_pairs(both, np.array([0]), np.array([[item]]), widths)
        at = torch.ones(1, 1, len(presence), sum(widths))
        steps = torch.from_numpy(presence).float()[:, None]
        at[..., : len(own.items)] = steps
        at[..., len(own.items) : len(both.items)] = 1 - steps
        at.requires_grad_()
        (gradients,) = torch.autograd.grad(tower.pair_values(embedded, at).sum(), at)
        found.append(gradients[0, 0, :, : len(own.items)].mean(0).double().numpy())
    return np.concatenate(found)


def test_from_nothing_it_is_the_path_integral_of_ten_steps(
    tower: TwoTower, shop: Dataset, asked: Asked
) -> None:
    nothing = asked[0].take(asked[1].rows.astype(np.int64))
    nothing = nothing.only_events(np.zeros(len(nothing.items), bool))
    expected = on_a_path(tower, asked, nothing, np.arange(1, 11) / 10)
    found = of_events(tower, shop, asked, SPINRecConfig(baseline=Baseline.NOTHING))
    assert np.abs(expected).max() > 1
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_where_the_path_begins_matters(tower: TwoTower, shop: Dataset, asked: Asked) -> None:
    from_nothing = of_events(tower, shop, asked, SPINRecConfig(baseline=Baseline.NOTHING))
    from_users = of_events(tower, shop, asked, SPINRecConfig())
    assert np.abs(from_nothing - from_users).max() > 0.01


def test_it_begins_at_the_history_of_somebody_and_ends_at_ones_own(
    tower: TwoTower, shop: Dataset, asked: Asked
) -> None:
    histories, pairs, _ = asked
    offsets, events = events_of(histories, pairs)
    of_asked = np.unique(events)
    # The only user to draw has an event of an item that nobody who is asked about has.
    somebody = ~np.isin(shop.interactions.items, of_asked) & (shop.interactions.users() == 17)
    alone = shop.with_interactions(shop.interactions.only(somebody))
    drawn = alone.histories(np.full(len(pairs), 17))
    assert drawn.counts()[0] == 1
    expected = on_a_path(tower, asked, drawn, np.arange(1, 5) / 4)
    found = of_events(tower, alone, asked, SPINRecConfig(n_steps=4))
    assert len(found) == offsets[-1] > 20
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_from_ones_own_history_it_is_the_gradient_at_its_end(
    tower: TwoTower, shop: Dataset, asked: Asked
) -> None:
    """Of events in both, the path moves none."""
    row = 3
    histories, _, _ = asked
    alone = shop.with_interactions(shop.interactions.only(shop.interactions.users() == row))
    own = histories, Pairs(np.array([row], np.int32), np.array([5], np.int32)), np.zeros(1)
    ends = GradientTimesInputConfig().fit(tower, shop).explain(*own)
    expected = ends.contributions[ends.players.kinds == PlayerKind.EVENT]
    found = of_events(tower, alone, own, SPINRecConfig(n_draws=2))
    assert len(found) > 5
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_of_the_probability_it_follows_the_share_among_the_strongest(
    tower: TwoTower, shop: Dataset, asked: Asked
) -> None:
    """From nothing, in one step: the slope of the softmax over all that is unseen, at the end."""
    config = SPINRecConfig(
        baseline=Baseline.NOTHING, of=Output.PROBABILITY, n_steps=1, n_strongest=shop.n_items
    )
    found = config.fit(tower, shop).explain(*asked)
    histories, pairs, _ = asked
    n_items, step, n_compared = shop.n_items, 1e-2, 0
    for pair, (row, item) in enumerate(zip(pairs.rows, pairs.items.tolist(), strict=True)):
        one = histories.take(np.array([row]))
        n_events = len(one.items)
        widths = (n_events, 2, int(np.diff(tower.item_features.offsets).max()))
        embedded = tower.embed_pairs(one, np.array([0]), np.arange(n_items)[None], widths)
        hidden = [each for each in one.items.tolist() if each != item]

        def probabilities(change: torch.Tensor, n_events: int = n_events) -> torch.Tensor:
            presence = torch.ones(1, n_items, n_events, sum(widths))  # noqa: B023
            presence[..., :n_events] += change
            scores = tower.pair_values(embedded, presence)[0].double()  # noqa: B023
            scores[hidden] = -torch.inf  # noqa: B023
            return scores.softmax(0)[item]  # noqa: B023

        if n_events:
            change = step * torch.eye(n_events)
            slopes = (probabilities(change) - probabilities(-change)) / (2 * step)
            mine = found.contributions[found.of(pair)][:n_events]
            np.testing.assert_allclose(mine, slopes.numpy(), rtol=5e-2, atol=1e-4)
            n_compared += n_events
    assert n_compared > 20
    assert np.abs(found.contributions).max() > 0.01


def test_the_mean_of_draws_is_that_of_single_ones(
    tower: TwoTower, shop: Dataset, asked: Asked
) -> None:
    one, two, three = (
        of_events(tower, shop, asked, SPINRecConfig(n_draws=n_draws)) for n_draws in (1, 2, 3)
    )
    second, third = 2 * two - one, 3 * three - 2 * two
    assert not np.allclose(one, second)
    np.testing.assert_allclose((one + second + third) / 3, three, atol=1e-9)
    other = of_events(tower, shop, asked, SPINRecConfig(seed=1))
    assert not np.allclose(one, other)


def test_the_order_of_time_is_kept_where_both_histories_are_laid_together(
    tower: TwoTower, shop: Dataset, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Histories] = []
    embed = TwoTower.embed_pairs

    def watched(model: TwoTower, histories: Histories, *rest: tuple[int, int, int]) -> object:
        seen.append(histories)
        return embed(model, histories, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(TwoTower, "embed_pairs", watched)
    of_events(tower, shop, asked, SPINRecConfig())
    assert seen
    for histories in seen:
        rows = np.repeat(np.arange(len(histories)), histories.counts())
        together = rows[1:] == rows[:-1]
        assert (np.diff(histories.ages)[together] <= 0).all()


def test_settings_and_data_without_a_baseline_are_refused(tower: TwoTower, shop: Dataset) -> None:
    for name in ("n_draws", "n_steps"):
        with pytest.raises(ArgumentError, match=f"{name} must be at least 1, not 0"):
            SPINRecConfig(**{name: 0})  # type: ignore[arg-type]
    empty = shop.with_interactions(shop.interactions.only(np.zeros(len(shop.interactions), bool)))
    with pytest.raises(ArgumentError, match="no user has an event"):
        SPINRecConfig().fit(tower, empty)
    assert replace(SPINRecConfig(), baseline=Baseline.NOTHING).fit(tower, empty)
