"""Medians of calls timed in turn, and where the tables of figures go."""

import platform
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch

RESULTS = Path(__file__).parent / "results"

LONG = 0.2
"""Seconds of a call beside which those of waking up are nothing."""


def interleaved(
    calls: Mapping[str, Callable[[], object]], n_rounds: int, *, pause: float = 0.0
) -> dict[str, float]:
    """Time every call once a round, all on the same machine, and return medians in seconds.

    pause: seconds before each call. Threads of one library may spin for a while after its call,
    and would take the cores from the next. What then wakes up from the pause, cores among it, is
    paid for by one call more that is not timed, unless calls are so long that it is nothing.
    """
    # The first time is that of caches and of lazy imports.
    first = {name: timed(call) for name, call in calls.items()}
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(n_rounds):
        for name, call in calls.items():
            time.sleep(pause)
            if pause and first[name] < LONG:
                call()
            seconds[name].append(timed(call))
    return {name: float(np.median(each)) for name, each in seconds.items()}


def timed(call: Callable[[], object]) -> float:
    """Return the seconds of one call."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def write_table(
    name: str, title: str, header: list[str], rows: list[list[str]], notes: Sequence[str] = ()
) -> None:
    """Print a table, and keep it in bench/results with the commit and the machine it is of."""
    write_lines(name, table_lines(title, header, rows, notes))


def write_lines(name: str, lines: list[str]) -> None:
    """Print lines, and keep them in bench/results."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text("\n".join(lines))
    print("\n".join(lines))


def table_lines(
    title: str, header: list[str], rows: list[list[str]], notes: Sequence[str] = ()
) -> list[str]:
    """Return a table in Markdown, with the commit and the machine above it and notes below."""
    told = (line for note in notes for line in ("", note))
    return [*heading(title), *cells(header, rows), *told, ""]


def heading(title: str) -> list[str]:
    """Return a title, and the commit and the machine that what follows is of."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    return [
        f"# {title}",
        "",
        f"Commit {commit or 'unknown'}, {datetime.now(UTC):%Y-%m-%d}; {platform.machine()}, "
        f"{torch.get_num_threads()} threads, Python {platform.python_version()}, "
        f"torch {torch.__version__.split('+')[0]}.",
        "",
    ]


def cells(header: list[str], rows: list[list[str]]) -> list[str]:
    """Return a table in Markdown by itself."""
    return [
        "| " + " | ".join(header) + " |",
        "|" + "---|" * len(header),
        *("| " + " | ".join(row) + " |" for row in rows),
    ]
