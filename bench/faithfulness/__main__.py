"""Hold what every method gives as reasons against the truth: `python -m bench.faithfulness`."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from bench.data import RETAIL, movielens_data, retail_data
from bench.faithfulness.comparison import Comparison, Size
from bench.faithfulness.data import split_users
from bench.faithfulness.lineup import recommenders

from whyrec.data.dataset import Dataset


def main() -> int:
    """Compare on each data set; the tables of a whole run at full size are kept."""
    asked = arguments()
    size = Size(
        n_users=asked.users,
        n_permutations=asked.permutations,
        n_matched=3 if asked.quick else Size.n_matched,
        most_coalitions=256 if asked.quick else Size.most_coalitions,
        quick=asked.quick,
    )
    data: dict[str, tuple[str, Callable[[], Dataset]]] = {
        "movielens": ("MovieLens", movielens_data),
        "retail": ("Online Retail", lambda: retail_data(asked.retail)),
    }
    for name, (title, read) in data.items():
        if asked.only not in (None, name):
            continue
        if name == "retail" and not asked.retail.exists():
            print(f"Online Retail is left out: there is no file {asked.retail}", file=sys.stderr)
            continue
        parts = split_users(read(), size.n_users)
        for model, config in recommenders(quick=size.quick).items():
            about = f"{name}-{model}", f"{title}, {model}"
            Comparison(*about, parts, config, size, progress=asked.progress).run()
    return 0


def arguments() -> argparse.Namespace:
    """Read what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench.faithfulness", description=__doc__)
    parser.add_argument("--only", choices=("movielens", "retail"), help="one of the data sets")
    parser.add_argument(
        "--users", type=int, default=Size.n_users, help="test users (default %(default)s)"
    )
    parser.add_argument(
        "--permutations",
        type=int,
        default=Size.n_permutations,
        help="the most of the reference (default %(default)s)",
    )
    parser.add_argument(
        "--retail", type=Path, default=RETAIL, help="where Online Retail is, as Parquet"
    )
    parser.add_argument("--progress", action="store_true", help="show training as it goes")
    parser.add_argument(
        "--quick", action="store_true", help="train for a few steps: a trial, of no use else"
    )
    asked = parser.parse_args()
    if asked.users < 2 or asked.permutations < 8:
        parser.error("--users must be 2 or more and --permutations 8 or more")
    return asked


if __name__ == "__main__":
    sys.exit(main())
