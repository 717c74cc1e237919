"""Agreement of attributions with a reference, on attributions that are made by hand."""

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr

from whyrec.data.pairs import Pairs
from whyrec.errors import ArgumentError
from whyrec.evaluate.faithfulness import faithfulness
from whyrec.explain.attribution import Attributions, Players
from whyrec.types import Float64Array


def attributions(*rows: list[float], errors: list[float] | None = None) -> Attributions:
    """Make attributions of one row of contributions per pair; base values are 0."""
    counts = np.array([len(row) for row in rows])
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    n_players = int(offsets[-1])
    contributions = np.array([value for row in rows for value in row])
    standard_errors: Float64Array | None = None if errors is None else np.array(errors)
    return Attributions(
        Pairs(np.arange(len(rows), dtype=np.int32), np.zeros(len(rows), np.int32)),
        Players(offsets, np.zeros(n_players, np.int8), np.arange(n_players, dtype=np.int32)),
        contributions,
        np.zeros(len(rows)),
        np.array([sum(row) for row in rows]),
        "by hand",
        standard_errors,
    )


def test_correlations_are_those_of_scipy() -> None:
    random = np.random.default_rng(0)
    found, truth = random.normal(size=(2, 5, 9)).round(1)  # rounded, so that there are ties
    measured = faithfulness(attributions(*found.tolist()), attributions(*truth.tolist()))
    for pair in range(5):
        assert measured.spearman[pair] == pytest.approx(
            spearmanr(found[pair], truth[pair]).statistic
        )
        assert measured.pearson[pair] == pytest.approx(pearsonr(found[pair], truth[pair]).statistic)
        error = ((found[pair] - truth[pair]) ** 2).sum() / (truth[pair] ** 2).sum()
        assert measured.relative_error[pair] == pytest.approx(error)


def test_the_reference_agrees_with_itself() -> None:
    reference = attributions([1.0, -2.0, 3.0], [0.5, 0.25])
    measured = faithfulness(reference, reference)
    assert measured.means() == pytest.approx(
        {
            "Spearman": 1,
            "Pearson": 1,
            "relative squared error": 0,
            "top-5 overlap": 1,
            "largest efficiency gap": 0,
        }
    )


def test_the_strongest_players_are_those_of_largest_absolute_contribution() -> None:
    truth = attributions([9.0, -8.0, 7.0, -6.0, 5.0, 0.1, 0.2])
    found = attributions([9.0, -8.0, 7.0, 0.0, 0.0, -6.0, 5.0])
    assert faithfulness(found, truth).top_overlap[0] == 0.6


def test_a_gap_is_seen_over_the_range_of_the_scores() -> None:
    reference = attributions([1.0, 1.0], [3.0, 3.0])
    found = attributions([1.0, 1.0], [3.0, 2.0])
    found.full_values[1] = 6.0
    assert faithfulness(found, reference).relative_gap == pytest.approx(1 / 4)


def test_the_error_of_the_reference_is_told() -> None:
    reference = attributions([1.0, -3.0], errors=[0.1, 0.5])
    assert faithfulness(reference, reference).reference_error == pytest.approx(0.25)


def test_pairs_of_one_player_are_left_out() -> None:
    reference = attributions([1.0], [1.0, 2.0])
    assert len(faithfulness(reference, reference).spearman) == 1
    with pytest.raises(ArgumentError, match="no pair has two players"):
        faithfulness(attributions([1.0]), attributions([1.0]))


def test_attributions_of_other_pairs_are_refused() -> None:
    with pytest.raises(ArgumentError, match="of different pairs"):
        faithfulness(attributions([1.0, 2.0]), attributions([1.0, 2.0, 3.0]))
