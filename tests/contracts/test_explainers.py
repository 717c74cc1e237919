"""What holds of every explainer."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from whyrec.data.coalitions import Coalitions
from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.explain import (
    Attributions,
    ClosedFormConfig,
    Explainer,
    ExplainerConfig,
    GradientPathConfig,
    NetworkConfig,
    PlayerKind,
    Players,
    RefinedConfig,
    ShapleyConfig,
)
from whyrec.models import (
    DeepRankerConfig,
    EASEConfig,
    PopularityConfig,
    Recommender,
    RecommenderConfig,
    SequenceConfig,
    TwoTowerConfig,
)
from whyrec.types import Float64Array

Scores = Callable[[Recommender, Histories, Pairs], Float64Array]

TINY = NetworkConfig(
    max_steps=5, evaluate_every=1, batch_size=4, n_coalitions=4, confidence_pairs=8
)
REFINED = RefinedConfig(explainer=TINY, n_top=3, n_draws=4)
SAMPLED = ShapleyConfig(exact_players=0, max_permutations=64)

CASES: dict[str, tuple[str, ExplainerConfig]] = {
    "network of two towers": ("two towers", TINY),
    "path of two towers": ("two towers", GradientPathConfig()),
    "Shapley of two towers": ("two towers", ShapleyConfig(exact_players=8, max_permutations=64)),
    "sampled Shapley of two towers": ("two towers", SAMPLED),
    "network of a sequence": ("sequence", TINY),
    "path of a sequence": ("sequence", GradientPathConfig()),
    "Shapley of a sequence": ("sequence", ShapleyConfig(exact_players=8, max_permutations=64)),
    "network of a ranker": ("ranker", TINY),
    "path of a ranker": ("ranker", GradientPathConfig()),
    "Shapley of a ranker": ("ranker", ShapleyConfig(exact_players=8, max_permutations=64)),
    "refined network of a ranker": ("ranker", REFINED),
    "Shapley of EASE": ("EASE", ShapleyConfig(exact_players=8, max_permutations=8)),
    "Shapley of popularity": ("popularity", SAMPLED),
    "refined network of two towers": ("two towers", REFINED),
    "refined path of two towers": ("two towers", RefinedConfig(explainer=GradientPathConfig())),
    "refined samples of two towers": ("two towers", RefinedConfig(explainer=SAMPLED, n_draws=2)),
    "refined Shapley of popularity": ("popularity", RefinedConfig(explainer=SAMPLED)),
    "refined closed form of EASE": ("EASE", RefinedConfig(explainer=ClosedFormConfig())),
    "closed form of EASE": ("EASE", ClosedFormConfig()),
    "closed form of popularity": ("popularity", ClosedFormConfig()),
}


@dataclass(frozen=True)
class Fitted:
    config: ExplainerConfig
    explainer: Explainer
    recommender: Recommender
    of: str
    scores_of: Scores

    def explain(self, histories: Histories, pairs: Pairs) -> Attributions:
        return self.explainer.explain(histories, pairs, self.scores(histories, pairs))

    def scores(self, histories: Histories, pairs: Pairs) -> Float64Array:
        return self.scores_of(self.recommender, histories, pairs)


@pytest.fixture(scope="module", params=CASES)
def fitted(
    request: pytest.FixtureRequest,
    shop: Dataset,
    tower_config: TwoTowerConfig,
    sequence_config: SequenceConfig,
    ranker_config: DeepRankerConfig,
    scores_of: Scores,
) -> Fitted:
    of, config = CASES[request.param]
    recommenders: dict[str, RecommenderConfig] = {
        "two towers": tower_config,
        "sequence": sequence_config,
        "ranker": ranker_config,
        "EASE": EASEConfig(l2=2.0),
        "popularity": PopularityConfig(),
    }
    recommender = recommenders[of].fit(shop, progress=False)
    explainer = config.fit(recommender, shop, progress=False)
    return Fitted(config, explainer, recommender, of, scores_of)


@pytest.fixture(scope="module")
def everybody(shop: Dataset) -> Histories:
    return shop.histories(np.arange(shop.n_users))


@pytest.fixture(scope="module")
def pairs() -> Pairs:
    """Six users with all that can be missing, four items each and one user with more."""
    rows = [*np.repeat(np.arange(6), 4), *[12] * 14]
    items = [*np.tile([0, 1, 5, 21], 6), *range(3, 17)]
    return Pairs(np.array(rows, np.int32), np.array(items, np.int32))


@pytest.fixture(scope="module")
def found(fitted: Fitted, everybody: Histories, pairs: Pairs) -> Attributions:
    return fitted.explain(everybody, pairs)


def scale(attributions: Attributions) -> float:
    return float(np.abs(attributions.full_values).max() + np.abs(attributions.contributions).max())


def test_attributions_have_the_shapes_and_dtypes_that_are_promised(
    fitted: Fitted, everybody: Histories, pairs: Pairs, found: Attributions
) -> None:
    n_players = int(found.players.offsets[-1])
    assert found.contributions.shape == found.players.kinds.shape == (n_players,)
    assert found.base_values.shape == found.full_values.shape == (len(pairs),)
    for each in (found.contributions, found.base_values, found.full_values):
        assert each.dtype == np.float64
        assert np.isfinite(each).all()
    assert found.tier in {"network", "path", "shapley", "closed form", "refined"}
    assert found.pairs is pairs
    if found.standard_errors is not None:
        assert found.standard_errors.dtype == np.float64
        assert found.standard_errors.shape == (n_players,)
        assert (found.standard_errors >= 0).all()
    assert (found.confidences is not None) == (found.tier == "network")
    if found.confidences is not None:
        assert found.confidences.dtype == np.float64
        assert found.confidences.shape == (n_players,)
        assert ((found.confidences >= 0) & (found.confidences <= 1)).all()
        assert len(np.unique(found.confidences)) > 10
    np.testing.assert_array_equal(found.full_values, fitted.scores(everybody, pairs))


def test_the_players_are_those_of_every_explainer_in_their_fixed_order(
    fitted: Fitted, everybody: Histories, pairs: Pairs, found: Attributions
) -> None:
    expected = Players.of(everybody, fitted.recommender.item_features, pairs)
    for name in ("offsets", "kinds", "sources"):
        np.testing.assert_array_equal(getattr(found.players, name), getattr(expected, name))


def test_base_value_and_contributions_add_up_to_the_score(found: Attributions) -> None:
    assert np.abs(found.efficiency_gaps()).max() <= 1e-9 * scale(found)


def test_the_base_value_is_that_of_nobody_present(
    fitted: Fitted, everybody: Histories, pairs: Pairs, found: Attributions
) -> None:
    nobody = Coalitions.of_matrices([np.zeros((1, n), bool) for n in found.players.counts()])
    values = fitted.recommender.coalition_values(everybody, pairs, nobody)
    np.testing.assert_allclose(found.base_values, values, rtol=1e-4, atol=1e-5)


def test_a_batch_gives_the_same_bits_as_one_by_one(
    fitted: Fitted, everybody: Histories, pairs: Pairs, found: Attributions
) -> None:
    for pair, (row, item) in enumerate(zip(pairs.rows, pairs.items, strict=True)):
        alone = fitted.explain(
            everybody.take(np.array([row])), Pairs(np.zeros(1, np.int32), np.array([item]))
        )
        np.testing.assert_array_equal(alone.contributions, found.contributions[found.of(pair)])
        assert alone.base_values[0] == found.base_values[pair]
        if alone.confidences is not None and found.confidences is not None:
            np.testing.assert_array_equal(alone.confidences, found.confidences[found.of(pair)])


def test_the_order_of_pairs_and_of_users_does_not_matter(
    fitted: Fitted, everybody: Histories, pairs: Pairs, found: Attributions
) -> None:
    random = np.random.default_rng(0)
    order, users = random.permutation(len(pairs)), random.permutation(len(everybody))
    moved = Pairs(np.argsort(users)[pairs.rows].astype(np.int32), pairs.items).take(order)
    other = fitted.explain(everybody.take(users), moved)
    for place, pair in enumerate(order.tolist()):
        np.testing.assert_array_equal(
            other.contributions[other.of(place)], found.contributions[found.of(pair)]
        )
    np.testing.assert_array_equal(other.base_values, found.base_values[order])


def test_a_pair_that_is_asked_twice_gets_the_same_answer(
    fitted: Fitted, everybody: Histories
) -> None:
    twice = Pairs(np.array([5, 3, 5], np.int32), np.array([4, 4, 4], np.int32))
    found = fitted.explain(everybody, twice)
    np.testing.assert_array_equal(
        found.contributions[found.of(0)], found.contributions[found.of(2)]
    )


def test_the_number_of_threads_changes_no_bit(
    fitted: Fitted, everybody: Histories, pairs: Pairs, on_threads: Callable[[int], None]
) -> None:
    on_threads(1)
    one = fitted.explain(everybody, pairs)
    on_threads(2)
    two = fitted.explain(everybody, pairs)
    np.testing.assert_array_equal(one.contributions, two.contributions)


def test_a_pair_without_players_is_all_base_value(fitted: Fitted, everybody: Histories) -> None:
    found = fitted.explain(everybody, Pairs(np.array([2], np.int32), np.array([0], np.int32)))
    assert found.contributions.shape == (0,)
    assert found.base_values == found.full_values


def test_no_pairs_have_no_attributions(fitted: Fitted, everybody: Histories) -> None:
    nothing = np.zeros(0, np.int32)
    found = fitted.explain(everybody, Pairs(nothing, nothing))
    assert found.contributions.shape == found.base_values.shape == (0,)
    assert found.players.offsets.tolist() == [0]


def test_two_events_alike_get_the_same(fitted: Fitted, everybody: Histories) -> None:
    items = np.arange(0, 20, dtype=np.int32)
    found = fitted.explain(everybody, Pairs(np.full(20, 3, np.int32), items))
    n_events = everybody.counts()[3]
    alike = found.players.offsets[:-1, None] + [n_events - 2, n_events - 1]
    one, other = found.contributions[alike].T
    apart = np.abs(one - other)
    # Samples see one before the other; their error says how far that may lead.
    errors = found.standard_errors
    allowed = 1e-5 * scale(found) if errors is None else 1e-5 + 6 * errors[alike].max(axis=1)
    assert (apart <= allowed).all()


def test_a_player_that_the_model_cannot_see_gets_nothing(
    fitted: Fitted,
    shop: Dataset,
    everybody: Histories,
    pairs: Pairs,
    found: Attributions,
    tower_config: TwoTowerConfig,
    sequence_config: SequenceConfig,
    ranker_config: DeepRankerConfig,
) -> None:
    blind_to = found.players.kinds >= (
        PlayerKind.EVENT if fitted.of == "popularity" else PlayerKind.ATTRIBUTE
    )
    learned: dict[str, RecommenderConfig] = {
        "two towers": tower_config,
        "sequence": sequence_config,
        "ranker": ranker_config,
    }
    if fitted.of in learned:
        arrays = dict(fitted.recommender.arrays())
        unseen = (
            "attributes",
            "absent_fields",
            "features",
            "items.of_features",
            "biases.of_features",
        )
        arrays |= {
            name: np.zeros_like(each)
            for name, each in arrays.items()
            if name.removeprefix("retrieval.") in unseen
        }
        recommender = learned[fitted.of].restore(shop, arrays)
        explainer = fitted.config.restore(recommender, fitted.explainer.arrays())
        blind = replace(fitted, explainer=explainer, recommender=recommender)
        found = blind.explain(everybody, pairs)
        assert np.abs(found.contributions[~blind_to]).max() > 0.01
    assert blind_to.any()
    # Where nothing at all is there to be seen, rounding is shared out among all.
    rounding = 1e-6 * scale(found)
    assert np.abs(found.contributions[blind_to]).max() <= rounding


def test_the_stored_arrays_restore_the_same_bits(
    fitted: Fitted, everybody: Histories, pairs: Pairs, found: Attributions
) -> None:
    arrays = {name: each.copy() for name, each in fitted.explainer.arrays().items()}
    assert all(each.dtype == np.float32 for each in arrays.values())
    restored = fitted.config.restore(fitted.recommender, arrays)
    again = restored.explain(everybody, pairs, fitted.scores(everybody, pairs))
    np.testing.assert_array_equal(again.contributions, found.contributions)
    np.testing.assert_array_equal(again.base_values, found.base_values)
    assert again.tier == found.tier
    np.testing.assert_array_equal(again.confidences, found.confidences)


def test_preparing_twice_gives_the_same_bits_whatever_the_threads(
    fitted: Fitted, shop: Dataset, on_threads: Callable[[int], None]
) -> None:
    for n_threads in (1, 2):
        on_threads(n_threads)
        again = fitted.config.fit(fitted.recommender, shop, progress=False)
        for name, each in fitted.explainer.arrays().items():
            np.testing.assert_array_equal(again.arrays()[name], each)


def test_explaining_changes_neither_data_nor_model_nor_random_state(
    fitted: Fitted,
    shop: Dataset,
    everybody: Histories,
    pairs: Pairs,
    digest: Callable[[Dataset], str],
    capfd: pytest.CaptureFixture[str],
) -> None:
    data, state = digest(shop), torch.get_rng_state()
    model = {name: each.copy() for name, each in fitted.recommender.arrays().items()}
    explainer = fitted.config.fit(fitted.recommender, shop, progress=False)
    explainer.explain(everybody, pairs, fitted.scores(everybody, pairs))
    assert digest(shop) == data
    assert torch.equal(torch.get_rng_state(), state)
    for name, each in fitted.recommender.arrays().items():
        np.testing.assert_array_equal(each, model[name])
    assert capfd.readouterr() == ("", "")
