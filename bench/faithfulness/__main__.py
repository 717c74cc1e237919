"""Hold what every method gives as reasons against the truth: `python -m bench.faithfulness`."""

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from bench.data import RETAIL, movielens_100k_data, movielens_data, retail_data
from bench.faithfulness.comparison import Comparison, Findings, Size
from bench.faithfulness.cost import Cost
from bench.faithfulness.data import split_users
from bench.faithfulness.kept import Kept
from bench.faithfulness.lineup import subjects
from bench.faithfulness.summary import HEADER, summary_rows
from bench.timing import cells, heading, write_lines

from whyrec.data.dataset import Dataset

NOTES = [
    "Every time is of the processor, by one thread. What an earlier run of the same sources has "
    "measured is not measured again. The margins and the refined are of the network that was "
    "trained for the row above, so that their fit is only what comes on top.",
    "Users with at most as many events as is said are asked, so that the truth can be had: the "
    "longer a history, the smaller each part of a score.",
]


def main() -> int:
    """Compare on each data set; the tables of a whole run at full size are kept."""
    asked = arguments()
    torch.set_num_threads(1)
    size = Size(n_users=asked.users, quick=asked.quick)
    if asked.quick:
        size = replace(size, n_matched=3, most_coalitions=256)
    # A trial leaves nothing behind that a whole run could take for its own.
    kept = Kept(None) if asked.quick else Kept()
    sources: dict[str, tuple[str, Callable[[], Dataset], bool]] = {
        "movielens": ("MovieLens", movielens_data, True),
        "retail": ("Online Retail", lambda: retail_data(asked.retail), True),
        "movielens-100k": ("MovieLens-100k", movielens_100k_data, False),
    }
    found: list[Findings] = []
    cost: Cost | None = None
    whole = not (asked.quick or asked.only or asked.recommender) and asked.users >= Size.n_users
    for name, (title, read, every_subject) in sources.items():
        if asked.only not in (None, name):
            continue
        if name == "retail" and not asked.retail.exists():
            print(f"Online Retail is left out: there is no file {asked.retail}", file=sys.stderr)
            whole = False
            continue
        parts = split_users(read(), Size.n_users)
        for model, subject in subjects(quick=asked.quick).items():
            if not every_subject and model != "two-tower":
                continue
            if asked.recommender not in (None, model):
                continue
            comparison = Comparison(
                (title, model), parts, subject, size, kept, progress=asked.progress
            )
            found.append(comparison.run())
            cost = cost or comparison.cost()
    lines = lines_of(found, cost)
    if whole:
        write_lines("faithfulness", lines)
    else:
        print("\n".join(lines))
    return 0


def lines_of(found: list[Findings], cost: Cost | None) -> list[str]:
    """Return all tables, what was asked first."""
    lines = heading("Faithfulness of reasons")
    lines += [*cells(HEADER, summary_rows(found, cost)), ""]
    lines += [line for note in NOTES for line in (note, "")]
    for each in found:
        lines += [f"## {each.data}, {each.recommender}", "", *each.lines]
    return lines


def arguments() -> argparse.Namespace:
    """Read what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench.faithfulness", description=__doc__)
    parser.add_argument(
        "--only", choices=("movielens", "retail", "movielens-100k"), help="one of the data sets"
    )
    parser.add_argument(
        "--recommender", choices=list(subjects(quick=True)), help="one of the recommenders"
    )
    parser.add_argument(
        "--users", type=int, default=Size.n_users, help="most test users (default %(default)s)"
    )
    parser.add_argument(
        "--retail", type=Path, default=RETAIL, help="where Online Retail is, as Parquet"
    )
    parser.add_argument("--progress", action="store_true", help="show training as it goes")
    parser.add_argument(
        "--quick", action="store_true", help="train for a few steps: a trial, of no use else"
    )
    asked = parser.parse_args()
    if asked.users < 2:
        parser.error("--users must be 2 or more")
    return asked


if __name__ == "__main__":
    sys.exit(main())
