"""The tables, on a world so small that nothing in them means anything."""

from dataclasses import replace

import numpy as np
import pytest
from bench.faithfulness.comparison import Comparison, Findings, Size
from bench.faithfulness.cost import Cost, cost
from bench.faithfulness.data import Parts, split_users
from bench.faithfulness.kept import Kept
from bench.faithfulness.lineup import MARGINS, N_PUBLISHED, NETWORK, RIVALS, lineup, subjects
from bench.faithfulness.match import first_pairs, matching_rows
from bench.faithfulness.summary import summary_rows

import whyrec
from whyrec.data.dataset import Dataset
from whyrec.data.features import Features
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.explain import Attributions
from whyrec.models import TwoTower
from whyrec.types import Float64Array

Asked = tuple[Histories, Pairs, Float64Array]

TRIAL = Size(n_users=6, n_matched=2, most_coalitions=64, quick=True)


@pytest.fixture(scope="module")
def found(world_data: Dataset) -> Findings:
    pytest.importorskip("captum", reason='captum comes with pip install "whyrec[bench]"')
    pytest.importorskip("shapiq", reason='shapiq comes with pip install "whyrec[bench]"')
    schema = world_data.user_features.schema
    data = replace(world_data, user_features=Features.none(world_data.n_users, schema))
    subject = replace(subjects(quick=True)["two-tower"], n_true=4, n_permutations=16)
    comparison = Comparison(
        ("a small world", "two-tower"),
        split_users(data, 6),
        subject,
        TRIAL,
        Kept(None),
        progress=False,
    )
    return comparison.run()


def test_there_is_a_table_for_each_question(found: Findings) -> None:
    titles = [line for line in found.lines if line.startswith("### ")]
    assert len(set(titles)) == len(titles) == 10
    for part in ("Shapley values, events as", "fields and features as", "KernelSHAP", "margins"):
        assert any(part in title for title in titles), part


def test_every_method_is_in_every_table_of_methods(found: Findings) -> None:
    printed = "\n".join(found.lines)
    for name, entry in lineup(subjects(quick=True)["two-tower"], quick=True).items():
        # Truth, by length too, and removal at all points and of single events; margins have a
        # truth of their own.
        expected = 3 if "margins" in name else 4 + 2 * entry.of_all_players
        assert printed.count(f"\n| {name} |") - 2 * (name in RIVALS) == expected, name
    assert printed.count("\n| greedy |") == 2


def test_every_cell_has_something_to_say(found: Findings) -> None:
    rows = [line for line in found.lines if line.startswith("|")]
    assert len(rows) > 100
    assert not any(
        cell.strip() in ("", "nan", "inf") for row in rows for cell in row[1:-1].split("|")
    )
    assert len({row.count("|") for row in rows}) > 3


def test_the_summary_says_what_is_asked_of_what_was_found(found: Findings) -> None:
    rows = {(row[0], row[1]): row[2:] for row in summary_rows([found], Cost(100.0, 2.0, 1.5))}
    on = "a small world, two-tower"
    for figure, least in {"Spearman": 0.98, "Pearson": 0.985, "top-5 overlap": 0.9}.items():
        asked, measured, reached = rows[f"network to Shapley values, {figure}", on]
        assert measured == f"{found.agreement['events'].means()[figure]:.4f}"
        assert (asked, reached) == (f"≥ {least:g}", "yes" if float(measured) >= least else "no")
    assert rows["the same over all players, Spearman", on][0] == "≥ 0.95"
    assert {f"margins beside {rival}" for rival in RIVALS[:N_PUBLISHED]} <= {
        what for what, _ in rows
    }
    cost = [row for (what, _), row in rows.items() if what.startswith(("an answer", "explaining"))]
    assert cost == [["≤ 3 ms", "1.50 ms", "yes"], ["≤ 2", "1.8 (2.00 ms without)", "yes"]]


def test_what_an_answer_costs_is_timed(tower: TwoTower, shop: Dataset) -> None:
    explainer = whyrec.GradientPathConfig().fit(tower, shop)
    timed = cost(tower, explainer, Parts(shop, shop, np.array([3, 4])))
    assert 0 < timed.n_players < 30
    assert min(timed.ranking_ms, timed.explaining_ms) > 0


def test_rivals_are_methods_of_the_lineup() -> None:
    for name, subject in subjects(quick=False).items():
        names = lineup(subject, quick=False)
        assert {NETWORK, MARGINS} <= set(names)
        assert set(RIVALS) - set(subject.left_out) <= set(names)
        assert not set(names) & set(subject.left_out), name


@pytest.fixture(scope="module")
def truth(tower: TwoTower, shop: Dataset, asked: Asked) -> Attributions:
    return whyrec.ShapleyConfig(exact_players=20).fit(tower, shop).explain(*asked)


def test_the_first_pairs_are_cut_off_with_their_players(truth: Attributions) -> None:
    first = first_pairs(truth, 2)
    assert len(first.pairs) == len(first.base_values) == 2
    assert first.players.counts().tolist() == truth.players.counts()[:2].tolist()
    for pair in range(2):
        np.testing.assert_array_equal(
            first.contributions[first.of(pair)], truth.contributions[truth.of(pair)]
        )
    np.testing.assert_allclose(first.efficiency_gaps(), truth.efficiency_gaps()[:2], atol=1e-9)


def test_the_budget_doubles_until_the_error_is_matched(
    tower: TwoTower, shop: Dataset, asked: Asked, truth: Attributions
) -> None:
    pytest.importorskip("shapiq", reason='shapiq comes with pip install "whyrec[bench]"')
    rough = replace(truth, contributions=truth.contributions * 1.2)
    rows, matched = matching_rows(tower, shop, asked, truth, rough, n_pairs=2, most=1 << 14)
    assert rows[-1][0] == f"{matched:,}"
    assert [row[0] for row in rows] == [f"{32 << step:,}" for step in range(len(rows))]
    assert [row[3] for row in rows] == ["no"] * (len(rows) - 1) + ["yes"]
    assert {row[2] for row in rows} == {"0.04"}
    assert float(rows[-1][1]) <= 0.04 < float(rows[-2][1])
    rows, matched = matching_rows(tower, shop, asked, truth, truth, n_pairs=2, most=100)
    assert (len(rows), matched) == (2, None)
