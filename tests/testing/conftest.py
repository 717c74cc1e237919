"""Systems under test: the data of the shop, ranked and explained by all that the house has."""

from collections.abc import Callable

import pytest

from whyrec import (
    SDK,
    ClosedFormConfig,
    DeepRankerConfig,
    EASEConfig,
    GradientPathConfig,
    NetworkConfig,
    PopularityConfig,
    RefinedConfig,
    SequenceConfig,
    ShapleyConfig,
    TwoTowerConfig,
)
from whyrec.data.dataset import Dataset
from whyrec.explain import ExplainerConfig
from whyrec.models import RecommenderConfig
from whyrec.saved import Fitted

TINY = NetworkConfig(
    max_steps=5, evaluate_every=1, batch_size=4, n_coalitions=4, confidence_pairs=8
)
SAMPLED = ShapleyConfig(exact_players=5, max_permutations=16)
REFINED = RefinedConfig(explainer=TINY, n_top=3, n_draws=4)
BUILT_IN: dict[str, tuple[str, ExplainerConfig]] = {
    "closed form of EASE": ("EASE", ClosedFormConfig()),
    "closed form of popularity": ("popularity", ClosedFormConfig()),
    "Shapley of EASE": ("EASE", ShapleyConfig(exact_players=8, max_permutations=8)),
    "refined closed form of EASE": ("EASE", RefinedConfig(explainer=ClosedFormConfig())),
    "network of two towers": ("two towers", TINY),
    "path of two towers": ("two towers", GradientPathConfig()),
    "Shapley of two towers": ("two towers", SAMPLED),
    "refined network of two towers": ("two towers", REFINED),
    "network of a sequence": ("sequence", TINY),
    "path of a sequence": ("sequence", GradientPathConfig()),
    "network of a ranker": ("ranker", TINY),
    "path of a ranker": ("ranker", GradientPathConfig()),
    "refined network of a ranker": ("ranker", REFINED),
}

Fit = Callable[[str], SDK]


@pytest.fixture(scope="session")
def fit(
    shop: Dataset,
    tower_config: TwoTowerConfig,
    sequence_config: SequenceConfig,
    ranker_config: DeepRankerConfig,
) -> Fit:
    """Return what makes a built-in system, by its name."""
    recommenders: dict[str, RecommenderConfig] = {
        "two towers": tower_config,
        "sequence": sequence_config,
        "ranker": ranker_config,
        "EASE": EASEConfig(l2=2.0),
        "popularity": PopularityConfig(),
    }

    def of(name: str) -> SDK:
        kind, config = BUILT_IN[name]
        model = recommenders[kind].fit(shop, progress=False)
        explainer = config.fit(model, shop, progress=False)
        return SDK(Fitted(shop, recommenders[kind], model, config, explainer))

    return of
