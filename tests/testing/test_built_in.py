"""What the house has breaks none of its own invariants."""

import pytest
from tests.testing.conftest import BUILT_IN, Fit

from whyrec.testing import INVARIANTS, Report, Verdict, check_recommender

N_EXAMPLES = {
    "closed form of EASE": 6,
    "closed form of popularity": 2,
    "Shapley of two towers": 2,
    "network of two towers": 6,
    "path of a sequence": 2,
    "refined network of a ranker": 2,
}


def nothing_breaks(report: Report) -> None:
    assert report.holds, str(report)
    assert len(report.outcomes) == len(INVARIANTS)
    assert len(report.of(Verdict.HOLDS)) > 100


@pytest.mark.parametrize("name", N_EXAMPLES)
def test_a_built_in_system_breaks_no_invariant(fit: Fit, name: str) -> None:
    nothing_breaks(check_recommender(fit(name), examples=N_EXAMPLES[name]))


@pytest.mark.slow
@pytest.mark.parametrize("name", BUILT_IN)
def test_it_breaks_none_on_more_examples(fit: Fit, name: str) -> None:
    nothing_breaks(check_recommender(fit(name), examples=25))
