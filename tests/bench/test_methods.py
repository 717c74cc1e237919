"""What holds of every method that stands beside ours."""

import numpy as np
import pytest
import torch
from bench.faithfulness.methods.chance import ChanceConfig
from bench.faithfulness.methods.cosine import CosineConfig
from bench.faithfulness.methods.gradients import GradientTimesInputConfig, IntegratedGradientsConfig
from bench.faithfulness.methods.kernel_shap import KernelSHAPConfig
from bench.faithfulness.methods.leave_one_out import LeaveOneOutConfig, Output
from bench.faithfulness.methods.lxr import LXRConfig
from bench.faithfulness.methods.method import Explains, Method
from bench.faithfulness.methods.spinrec import Baseline, SPINRecConfig
from bench.faithfulness.methods.tuned_lxr import TunedLXRConfig

from whyrec.data.coalitions import Coalitions
from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.errors import ArgumentError
from whyrec.explain import PlayerKind, Players
from whyrec.models import EASEConfig, TwoTower
from whyrec.types import Float64Array

Asked = tuple[Histories, Pairs, Float64Array]

TINY = LXRConfig(hidden=8, max_steps=6, batch_size=8, n_strongest=5, n_drawn=5)
METHODS: dict[str, Method] = {
    "chance": ChanceConfig(),
    "cosine": CosineConfig(),
    "leave-one-out": LeaveOneOutConfig(),
    "leave-one-out of the probability": LeaveOneOutConfig(of=Output.PROBABILITY),
    "gradient × input": GradientTimesInputConfig(),
    "integrated gradients": IntegratedGradientsConfig(n_steps=5),
    "KernelSHAP": KernelSHAPConfig(budget=50),
    "LXR": TINY,
    "tuned LXR": TunedLXRConfig(grid=(TINY, LXRConfig(hidden=8, max_steps=3))),
    "path integral": SPINRecConfig(baseline=Baseline.NOTHING),
    "SPINRec": SPINRecConfig(n_draws=3),
    "SPINRec of the probability": SPINRecConfig(of=Output.PROBABILITY, n_draws=2, n_strongest=5),
}
NEEDS = {"integrated gradients": "captum", "KernelSHAP": "shapiq"}
IN_LOGITS = ["leave-one-out", "gradient × input", "integrated gradients", "KernelSHAP"]
IN_LOGITS += ["path integral", "SPINRec"]
OF_EVENTS = ["chance", "cosine", "leave-one-out of the probability", "LXR", "tuned LXR"]
OF_EVENTS += ["path integral", "SPINRec", "SPINRec of the probability"]


def need(name: str) -> None:
    """Skip where a library is not there that only the extra "bench" brings."""
    if name in NEEDS:
        reason = f'{name} needs {NEEDS[name]}: pip install "whyrec[bench]"'
        pytest.importorskip(NEEDS[name], reason=reason)


@pytest.fixture(scope="module", params=METHODS)
def name(request: pytest.FixtureRequest) -> str:
    need(str(request.param))
    return str(request.param)


@pytest.fixture(scope="module")
def explainer(name: str, tower: TwoTower, shop: Dataset) -> Explains:
    return METHODS[name].fit(tower, shop, progress=False)


def test_the_players_are_those_of_every_explainer(
    explainer: Explains, tower: TwoTower, asked_unseen: Asked
) -> None:
    found = explainer.explain(*asked_unseen)
    expected = Players.of(*asked_unseen[:1], tower.item_features, asked_unseen[1])
    np.testing.assert_array_equal(found.players.offsets, expected.offsets)
    np.testing.assert_array_equal(found.players.kinds, expected.kinds)
    assert found.contributions.shape == found.players.kinds.shape
    assert found.contributions.dtype == np.float64
    assert np.isfinite(found.contributions).all()
    assert found.contributions.any()
    assert found.full_values is asked_unseen[2]
    assert found.pairs is asked_unseen[1]


def test_the_base_value_is_that_of_nobody_or_says_that_there_is_none(
    name: str, explainer: Explains, tower: TwoTower, asked_unseen: Asked
) -> None:
    found = explainer.explain(*asked_unseen)
    if name not in IN_LOGITS:
        assert np.isnan(found.base_values).all()
        return
    histories, pairs, _ = asked_unseen
    for pair in range(len(pairs)):
        nobody = Coalitions.of_matrices([np.zeros((1, found.players.counts()[pair]), bool)])
        (value,) = tower.coalition_values(histories, pairs.take(np.array([pair])), nobody)
        np.testing.assert_allclose(found.base_values[pair], value, rtol=1e-4, atol=1e-5)


def test_what_knows_only_events_gives_nothing_to_the_rest(
    name: str, explainer: Explains, asked_unseen: Asked
) -> None:
    found = explainer.explain(*asked_unseen)
    of_rest = found.contributions[found.players.kinds != PlayerKind.EVENT]
    assert len(of_rest) > 10
    assert of_rest.any() == (name not in OF_EVENTS)


def test_preparing_and_explaining_again_gives_the_same_bits(
    name: str, explainer: Explains, tower: TwoTower, shop: Dataset, asked_unseen: Asked
) -> None:
    state = torch.get_rng_state()
    again = METHODS[name].fit(tower, shop, progress=False).explain(*asked_unseen)
    found = explainer.explain(*asked_unseen)
    np.testing.assert_array_equal(again.contributions, found.contributions)
    np.testing.assert_array_equal(again.base_values, found.base_values)
    assert torch.equal(torch.get_rng_state(), state)


def test_neither_the_batch_nor_its_order_changes_a_bit(
    explainer: Explains, asked_unseen: Asked
) -> None:
    histories, pairs, full_values = asked_unseen
    found = explainer.explain(*asked_unseen)
    order = np.arange(len(pairs))[::-1]
    turned = explainer.explain(histories, pairs.take(order), full_values[order])
    for pair in range(len(pairs)):
        mine = found.contributions[found.of(pair)]
        place = len(pairs) - 1 - pair
        np.testing.assert_array_equal(turned.contributions[turned.of(place)], mine)
        one = histories.take(np.array([pairs.rows[pair]]))
        alone = Pairs(np.zeros(1, np.int32), pairs.items[[pair]])
        by_itself = explainer.explain(one, alone, full_values[[pair]])
        np.testing.assert_array_equal(by_itself.contributions, mine)


def test_no_pairs_have_no_attributions(explainer: Explains, asked_unseen: Asked) -> None:
    nothing = np.zeros(0, np.int32)
    found = explainer.explain(asked_unseen[0], Pairs(nothing, nothing), np.zeros(0))
    assert found.contributions.shape == found.base_values.shape == (0,)


@pytest.mark.parametrize("name", ["gradient × input", "integrated gradients", "LXR", "SPINRec"])
def test_a_recommender_without_gradients_is_refused(name: str, shop: Dataset) -> None:
    ease = EASEConfig().fit(shop)
    with pytest.raises(ArgumentError, match="EASE cannot be differentiated"):
        METHODS[name].fit(ease, shop, progress=False)


@pytest.mark.parametrize("name", ["chance", "cosine", "leave-one-out", "KernelSHAP"])
def test_what_needs_no_gradients_explains_any_recommender(
    name: str, shop: Dataset, asked_unseen: Asked
) -> None:
    need(name)
    ease = EASEConfig(l2=2.0).fit(shop)
    found = METHODS[name].fit(ease, shop, progress=False).explain(*asked_unseen)
    assert np.isfinite(found.contributions).all()
