"""What holds of attributions for any data, and for any batch of it."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whyrec.data.coalitions import Coalitions
from whyrec.data.dataset import Dataset
from whyrec.data.fields import Categorical, Numeric, Tags
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.explain import (
    Attributions,
    Explainer,
    ExplainerConfig,
    GradientPathConfig,
    NetworkConfig,
)
from whyrec.models import TwoTower, TwoTowerConfig
from whyrec.testing import strategies
from whyrec.types import Float64Array

N_ITEMS = 12
EXPLAINERS: dict[str, ExplainerConfig] = {
    "network": NetworkConfig(max_steps=5, evaluate_every=1, batch_size=4, n_coalitions=4),
    "path": GradientPathConfig(n_points=3),
}


@dataclass(frozen=True)
class Fitted:
    dataset: Dataset
    config: TwoTowerConfig
    model: TwoTower
    explainers: dict[str, Explainer]


@cache
def fitted() -> Fitted:
    random = np.random.default_rng(0)
    n_events = 150
    dataset = Dataset.from_tables(
        pa.table(
            {
                "user_id": random.integers(20, size=n_events).tolist(),
                "item_id": random.integers(N_ITEMS, size=n_events).tolist(),
                "kind": random.choice(["view", "purchase"], n_events).tolist(),
                "value": random.normal(size=n_events).tolist(),
                "timestamp": random.integers(10**9, size=n_events).tolist(),
            }
        ),
        pa.table(
            {
                "item_id": range(N_ITEMS),
                "style": [f"s{item % 3}" if item else None for item in range(N_ITEMS)],
                "topics": [[f"t{n}" for n in range(item % 5)] for item in range(N_ITEMS)],
            }
        ),
        pa.table(
            {
                "user_id": range(20),
                "city": [f"c{user % 4}" for user in range(20)],
                "age": random.normal(size=20).tolist(),
            }
        ),
        item_fields={"style": Categorical(), "topics": Tags()},
        user_fields={"city": Categorical(), "age": Numeric()},
    )
    config = TwoTowerConfig(
        dimension=16,
        heads=2,
        hidden=16,
        l2=2.0,
        folds=2,
        validation_share=0.0,
        evaluate_every=5,
        patience=1,
        learning_rate=0.1,
        residual_learning_rate=0.1,
        vector_learning_rate=0.02,
    )
    model = config.fit(dataset, progress=False)
    explainers = {
        name: each.fit(model, dataset, progress=False) for name, each in EXPLAINERS.items()
    }
    return Fitted(dataset, config, model, explainers)


@dataclass(frozen=True)
class Asked:
    histories: Histories
    pairs: Pairs

    def full_values(self, model: TwoTower) -> Float64Array:
        queries = model.query_vectors(self.histories)[self.pairs.rows].astype(np.float64)
        biases = model.item_biases()[self.pairs.items]
        full: Float64Array = (queries * model.item_vectors()[self.pairs.items]).sum(1) + biases
        return full

    def explain(self, explainer: Explainer) -> Attributions:
        return explainer.explain(self.histories, self.pairs, self.full_values(fitted().model))


@st.composite
def questions(draw: st.DrawFn) -> Asked:
    values = (float("nan"), -1.0, 0.0, 1.5, 1e6)
    people = strategies.histories(fitted().dataset, most_events=20, values=values)
    histories = draw(people)
    rows = st.tuples(st.integers(0, len(histories) - 1), st.integers(0, N_ITEMS - 1))
    pairs = np.array(draw(st.lists(rows, max_size=25)), np.int32).reshape(-1, 2)
    return Asked(histories, Pairs(pairs[:, 0].copy(), pairs[:, 1].copy()))


@pytest.mark.parametrize("name", EXPLAINERS)
@settings(max_examples=20, deadline=None)
@given(asked=questions())
def test_base_value_and_contributions_add_up_to_the_score(name: str, asked: Asked) -> None:
    found = asked.explain(fitted().explainers[name])
    assert np.isfinite(found.contributions).all()
    rows = np.repeat(np.arange(len(asked.pairs)), found.players.counts())
    sizes = np.bincount(rows, np.abs(found.contributions), minlength=len(asked.pairs))
    scale = 1 + sizes + np.abs(found.full_values)
    assert (np.abs(found.efficiency_gaps()) <= 1e-9 * scale).all()


@pytest.mark.parametrize("name", EXPLAINERS)
@settings(max_examples=10, deadline=None)
@given(asked=questions())
def test_a_batch_gives_the_same_bits_as_one_by_one(name: str, asked: Asked) -> None:
    explainer = fitted().explainers[name]
    found = asked.explain(explainer)
    for pair, row in enumerate(asked.pairs.rows.tolist()):
        one = Pairs(np.zeros(1, np.int32), asked.pairs.items[pair : pair + 1])
        alone = Asked(asked.histories.take(np.array([row])), one).explain(explainer)
        np.testing.assert_array_equal(alone.contributions, found.contributions[found.of(pair)])
        assert alone.base_values[0] == found.base_values[pair]


@pytest.mark.parametrize("name", EXPLAINERS)
@settings(max_examples=8, deadline=None)
@given(asked=questions())
def test_what_was_stored_explains_to_the_same_bits(name: str, asked: Asked) -> None:
    known = fitted()
    model = known.config.restore(known.dataset, known.model.arrays())
    explainer = EXPLAINERS[name].restore(model, known.explainers[name].arrays())
    found, again = asked.explain(known.explainers[name]), asked.explain(explainer)
    np.testing.assert_array_equal(again.contributions, found.contributions)
    np.testing.assert_array_equal(again.base_values, found.base_values)


@settings(max_examples=20, deadline=None)
@given(asked=questions())
def test_the_score_is_the_value_of_all_players_together(asked: Asked) -> None:
    model = fitted().model
    found = asked.explain(fitted().explainers["path"])
    everyone = [np.ones((1, n), bool) for n in found.players.counts()]
    values = model.coalition_values(asked.histories, asked.pairs, Coalitions.of_matrices(everyone))
    assert values == pytest.approx(found.full_values, rel=1e-4, abs=1e-4)
