from pathlib import Path

import numpy as np
import pytest
from bench.faithfulness.kept import Arrays, Kept
from bench.faithfulness.measured import Measured, measure

import whyrec
from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.models import TwoTower
from whyrec.types import Float64Array

Asked = tuple[Histories, Pairs, Float64Array]


def test_what_was_made_once_is_not_made_again(tmp_path: Path) -> None:
    made = []

    def make() -> Arrays:
        made.append(1)
        return {"numbers": np.arange(3), "note": np.array("x")}

    for of_models in (False, True):
        for _ in range(2):
            found = Kept(tmp_path / "new").arrays(("a", 1), make, of_models=of_models)
            np.testing.assert_array_equal(found["numbers"], np.arange(3))
            assert str(found["note"]) == "x"
    assert len(made) == 2
    Kept(tmp_path / "new").arrays(("a", 2), make)
    Kept(None).arrays(("a", 1), make)
    assert len(made) == 4


def test_what_failed_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        Kept(tmp_path).arrays(("a",), lambda: {"x": np.array(1 // 0)})
    assert not list(tmp_path.iterdir())


def test_a_measured_method_comes_back_as_it_was(
    tower: TwoTower, shop: Dataset, asked: Asked
) -> None:
    for config in (whyrec.GradientPathConfig(), whyrec.ShapleyConfig(max_permutations=8)):
        found = measure(config, tower, shop, asked, progress=False)
        again = Measured.restored(found.arrays(), tower, asked)
        one, other = found.attributions, again.attributions
        np.testing.assert_array_equal(one.contributions, other.contributions)
        np.testing.assert_array_equal(one.efficiency_gaps(), other.efficiency_gaps())
        assert (one.standard_errors is None) == (other.standard_errors is None)
        assert (one.tier, found.costs()) == (other.tier, again.costs())
