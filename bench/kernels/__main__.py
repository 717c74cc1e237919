"""Time the kernels beside their peers on one machine: `python -m bench.kernels`."""

import argparse
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version

from bench.kernels import aggregate, build, chart, machine, top_k
from bench.kernels.race import SLOW, SLOW_SECONDS, use_all_threads
from bench.kernels.report import HEADER, Case
from bench.timing import RESULTS, table_lines, write_table

N_ITEMS = 1_000_000
N_ROUNDS = 11
MOST_K = max(search.k for searches in top_k.SEARCHES.values() for search in searches)
PEERS = ("faiss-cpu", "implicit", "usearch", "torch", "numpy", "scipy", "polars")
PARTS: dict[str, Callable[[int, int], Iterator[Case]]] = {
    "topk": top_k.measure,
    "build": build.measure_build,
    "mapped": build.measure_mapped,
    "aggregate": aggregate.measure,
}


def main() -> int:
    """Measure what is asked for; the table of a whole run at full size is kept, with its chart."""
    asked = arguments()
    use_all_threads()
    print(machine.measured().text(), flush=True)
    cases: list[Case] = []
    whole = asked.only is None and asked.items == N_ITEMS and asked.rounds >= N_ROUNDS
    status = 0
    try:
        for part in [asked.only] if asked.only else PARTS:
            for case in PARTS[part](asked.items, asked.rounds):
                cases.append(case)
                print(case.line(), flush=True)
    except KeyboardInterrupt:
        print("interrupted: this is what was measured so far, and is not kept", file=sys.stderr)
        whole, status = False, 130
    title = f"Kernels beside their peers, N = {asked.items:,}"
    rows = [case.cells() for case in cases]
    if whole:
        picture = "![Times of the peers over ours](kernels.svg)"
        write_table("kernels", title, HEADER, rows, [picture, *notes(cases)])
        chart.draw(cases, RESULTS / "kernels.svg", title)
    else:
        print("\n".join(table_lines(title, HEADER, rows, notes(cases))))
    return status


def notes(cases: list[Case]) -> list[str]:
    """Say how it was measured, and what a case adds."""
    peers = ", ".join(f"{name} {version(name)}" for name in PEERS)
    return [
        "Medians of calls timed in turn, each on all threads of the machine, after a pause and a "
        "call that is not timed. A ratio above 1 says "
        "that ours is faster; the figure is that of the fastest peer. Every peer was first held to "
        f"our answer. A call of more than {SLOW_SECONDS:g} s, and {SLOW:g} times as long as the "
        "fastest, was timed once.",
        "Vectors have log-normal norms unless said: Gaussian, each times exp(0.5 · Gaussian). "
        f"{machine.measured().text()}",
        *dict.fromkeys(case.note for case in cases if case.note),
        f"Peers: {peers}.",
    ]


def arguments() -> argparse.Namespace:
    """Read what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench.kernels", description=__doc__)
    parser.add_argument("--items", type=int, default=N_ITEMS, help="items (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=N_ROUNDS, help="(default %(default)s)")
    parser.add_argument("--only", choices=PARTS, help="one part of the table")
    asked = parser.parse_args()
    if asked.items < MOST_K or asked.rounds < 1:
        parser.error(f"--items must be {MOST_K} or more and --rounds 1 or more")
    return asked


if __name__ == "__main__":
    sys.exit(main())
