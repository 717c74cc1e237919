"""Writers that are killed at any moment, servers that crash: what was acknowledged is there."""

import sys
from pathlib import Path

import pytest
from bench.feedback.kills import campaign
from bench.postgres import Server

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="forks and kills")


@pytest.mark.parametrize("n_rounds", [20, pytest.param(1000, marks=pytest.mark.slow)])
def test_what_was_acknowledged_survives_a_kill_in_a_file(tmp_path: Path, n_rounds: int) -> None:
    campaign(str(tmp_path), n_rounds, None, seed=n_rounds)


@pytest.mark.parametrize("n_rounds", [20, pytest.param(1000, marks=pytest.mark.slow)])
def test_what_was_acknowledged_survives_a_kill_and_a_crash_of_the_server(
    server: Server, n_rounds: int
) -> None:
    seen = campaign(server.conninfo, n_rounds, server, seed=n_rounds)
    assert seen["crashes"] == len(range(10, n_rounds, 50))
