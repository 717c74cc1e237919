from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from whyrec import (
    SDK,
    ArgumentError,
    EASEConfig,
    GradientPathConfig,
    NetworkConfig,
    RefinedConfig,
    ShapleyConfig,
    StorageError,
    TwoTowerConfig,
)
from whyrec.data.dataset import Dataset
from whyrec.saved import Fitted
from whyrec.storage import JsonValue, load_directory, save_directory

TINY = NetworkConfig(max_steps=2, evaluate_every=1, batch_size=4, n_coalitions=4, seed=3)
WEIGHTS = {"purchase": 2.0, "view": 0.5}


@pytest.mark.parametrize(
    "explainer",
    [
        RefinedConfig(explainer=TINY, n_top=3, n_draws=2, seed=9),
        RefinedConfig(explainer=RefinedConfig(explainer=GradientPathConfig(n_points=2))),
    ],
)
def test_a_refined_explainer_comes_back_with_the_one_within(
    shop: Dataset, tower_config: TwoTowerConfig, explainer: RefinedConfig, tmp_path: Path
) -> None:
    model = replace(tower_config, kind_weights=WEIGHTS)
    sdk = SDK.fit_dataset(shop, model=model, explainer=explainer, progress=False)
    sdk.save(tmp_path)
    fitted = Fitted.of(load_directory(tmp_path))
    assert fitted.explainer_config == explainer
    assert fitted.model_config == model
    one, other = (
        each.recommend_with_reasons(["u3", "u5", "u0"]) for each in (sdk, SDK.load(tmp_path))
    )
    assert one == other
    assert one[0][0].tier == "refined"


def test_an_explainer_within_that_cannot_be_saved_is_refused(shop: Dataset, tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class OwnConfig(ShapleyConfig):
        pass

    explainer = RefinedConfig(explainer=OwnConfig(max_permutations=8))
    sdk = SDK.fit_dataset(shop, model=EASEConfig(), explainer=explainer, progress=False)
    with pytest.raises(ArgumentError, match=r"OwnConfig is no kind that can be saved.*refined"):
        sdk.save(tmp_path)


@pytest.mark.parametrize(
    ("within", "message"),
    [
        ({"kind": "unheard of", "settings": {}}, "unheard of"),
        ({"kind": "shapley", "settings": {"tolerance": -1}}, "tolerance must be a number from 0"),
        ({"kind": "shapley", "settings": 3}, "explainer must be settings"),
        ("shapley", "explainer must be settings"),
    ],
)
def test_settings_within_that_cannot_be_read_are_refused(
    shop: Dataset, tmp_path: Path, within: JsonValue, message: str
) -> None:
    explainer = RefinedConfig(explainer=ShapleyConfig(max_permutations=8))
    sdk = SDK.fit_dataset(shop, model=EASEConfig(), explainer=explainer, progress=False)
    parts, description = sdk._fitted.parts()
    description["explainer"] = {"kind": "refined", "settings": {"explainer": within, "n_top": 2}}
    save_directory(tmp_path, parts, description)
    with pytest.raises(StorageError, match=f"settings of the explainer cannot be read.*{message}"):
        SDK.load(tmp_path)


def test_the_answers_of_a_refined_explainer_add_up(shop: Dataset) -> None:
    explainer = RefinedConfig(explainer=ShapleyConfig(max_permutations=8), n_draws=3)
    sdk = SDK.fit_dataset(shop, model=EASEConfig(), explainer=explainer, progress=False)
    for each in sdk.recommend_with_reasons("u5", k=4, max_reasons=None):
        assert each.tier == "refined"
        total = each.base_value + sum(reason.contribution for reason in each.reasons)  # type: ignore[operator]
        np.testing.assert_allclose(total, each.score, rtol=1e-5, atol=1e-6)
