"""The tables of removal, from figures that are made by hand."""

from collections.abc import Callable

import numpy as np
import pytest
from bench.faithfulness.kept import Arrays
from bench.faithfulness.lineup import NETWORK, RANDOM, RIVALS
from bench.faithfulness.measured import Measured
from bench.faithfulness.methods.chance import ChanceConfig
from bench.faithfulness.removed import (
    GREEDY,
    LOWER_IS_BETTER,
    MAIN_HEADER,
    Removals,
    measure_removals,
)

from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.evaluate.faithfulness import Orders, RecommenderOutcomes, Removal
from whyrec.evaluate.faithfulness import removal as removal_by
from whyrec.explain import ShapleyConfig
from whyrec.models import TwoTower
from whyrec.types import Float64Array

N_PAIRS = 40


def removal(name: str, cdcg: Float64Array) -> Removal:
    """Make figures that are all the same number, pair by pair."""
    cutoffs = np.repeat(cdcg[:, None], 6, axis=1)
    return Removal(name, None, np.arange(len(cdcg)), cutoffs, cutoffs, cdcg, cdcg, cdcg)


@pytest.fixture
def found() -> Removals:
    noise = np.random.default_rng(0).normal(0, 0.01, N_PAIRS)
    means = {RANDOM: 0.8, GREEDY: 0.2, NETWORK: 0.35}
    means |= dict(zip(RIVALS, (0.5, 0.36, 0.35, 0.34, 0.3, 0.35), strict=True))
    figures = {name: 0.05 * np.arange(N_PAIRS) / N_PAIRS + mean for name, mean in means.items()}
    figures["leave-one-out"] += noise
    figures["LXR"] += 10 * noise
    whole = {name: removal(name, each) for name, each in figures.items()}
    return Removals(whole, {name: (each,) for name, each in whole.items()})


def test_the_network_is_better_where_its_figures_are_lower_for_sure(found: Removals) -> None:
    rows = {row[0]: row[1:] for row in found.against_rivals(NETWORK)}
    assert list(rows) == list(RIVALS)
    verdicts = {name: {cell.split(", ")[-1] for cell in cells} for name, cells in rows.items()}
    assert verdicts["leave-one-out"] == {"better"}
    assert verdicts["leave-one-out of the probability"] == {"worse"}
    assert verdicts["LXR"] == {"level"}
    assert len(rows["LXR"]) == len(LOWER_IS_BETTER)


def test_the_gap_closed_is_seen_beside_the_figures(found: Removals) -> None:
    rows = {row[0]: row for row in found.main_rows()}
    assert rows[RANDOM][-3:] == ["0%"] * 3
    assert rows[GREEDY][-3:] == ["100%"] * 3
    assert rows[NETWORK][-3:] == ["75%"] * 3
    assert rows[NETWORK][1].startswith("0.374 ± 0.0")
    assert {len(row) for row in rows.values()} == {len(MAIN_HEADER)}


def test_every_figure_and_the_refined_ones_have_a_column_each(found: Removals) -> None:
    header, rows = found.every_figure()
    assert {"POS@1", "NEG@100", "DEL", "INS", "CDCG"} <= set(header)
    assert {len(row) for row in rows} == {len(header)}
    header, rows = found.refined_rows()
    assert header[1:] == [f"{figure}, None removed" for figure in ("POS@10", "CDCG", "DEL")]
    assert {len(row) for row in rows} == {len(header)}


def test_the_order_that_is_followed_is_that_of_the_contributions(
    tower: TwoTower, shop: Dataset
) -> None:
    histories = shop.histories(np.array([3, 4, 12, 9]))
    pairs = unseen(tower, histories)
    asked = histories, pairs, np.zeros(len(pairs))
    exact = ShapleyConfig(exact_players=20).fit(tower, shop).explain(*asked)
    drawn = ChanceConfig().fit(tower, shop).explain(*asked)
    measured = {"exact": Measured(exact, 0, 0, 0, 0), RANDOM: Measured(drawn, 0, 0, 0, 0)}
    kept: dict[str, Arrays] = {}

    def keep(name: str, make: Callable[[], Arrays]) -> Arrays:
        return kept.setdefault(name, make())

    found = measure_removals(tower, asked, measured, keep)
    assert set(kept) == {"exact", RANDOM, GREEDY}
    assert set(found.whole) == set(found.refined) == {"exact", RANDOM, GREEDY}
    assert [each.n_removed for each in found.refined["exact"]] == [1, 2, 3, 4, 5]
    figures = {name: each.means() for name, each in found.whole.items()}
    assert figures[GREEDY]["DEL"] < figures["exact"]["DEL"] < figures[RANDOM]["DEL"]
    outcomes = RecommenderOutcomes(tower, histories, pairs)
    expected = removal_by(outcomes, Orders.of(exact), method="exact")
    np.testing.assert_array_equal(found.whole["exact"].cdcg, expected.cdcg)


def unseen(tower: TwoTower, histories: Histories) -> Pairs:
    items = []
    scores = tower.query_vectors(histories) @ tower.item_vectors().T + tower.item_biases()
    for row in range(len(histories)):
        scores[row, histories.take(np.array([row])).items] = -np.inf
        items.append(scores[row].argmax())
    return Pairs(np.arange(len(histories), dtype=np.int32), np.array(items, np.int32))
