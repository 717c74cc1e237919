"""How long an answer with reasons takes on MovieLens: for one user, and for many in one call."""

import subprocess
import sys

import numpy as np
from bench.timing import interleaved, write_table

import whyrec
from whyrec.data.dataset import Dataset

N_USERS = 600
N_ROUNDS = 15
N_SINGLE = 40

IMPORT = "from time import perf_counter as now; at = now(); import whyrec; print(now() - at)"
"""Prints the seconds that a fresh process takes to import whyrec, without a model."""


def main() -> None:
    """Measure and write bench/results/latency.md."""
    tables = whyrec.datasets.movielens()
    sdk = whyrec.SDK.fit_dataset(Dataset.from_tables(tables.events, tables.items), progress=False)
    users = list(sdk.dataset.users)[:N_USERS]
    singles = np.random.default_rng(0).permutation(np.array(users))[:N_SINGLE].tolist()
    visitor = [sdk.dataset.items[index] for index in range(20)]
    one = {
        f"with reasons, user {user}": lambda user=user: sdk.recommend_with_reasons(user, k=10)
        for user in singles
    }
    without = {
        f"without, user {user}": lambda user=user: sdk.recommend(user, k=10) for user in singles
    }
    many = {
        "many": lambda: sdk.recommend_with_reasons(users, k=10),
        "many without": lambda: sdk.recommend(users, k=10),
        "visitor": lambda: sdk.recommend_for(visitor, k=10),
    }
    imports = [
        float(
            subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, check=True).stdout
        )
        for _ in range(N_ROUNDS)
    ]
    per_user = interleaved({**one, **without}, N_ROUNDS)
    medians = interleaved(many, N_ROUNDS)
    explained = np.array([per_user[name] for name in one]) * 1e3
    plain = np.array([per_user[name] for name in without]) * 1e3
    write_table(
        "latency",
        "Latency on MovieLens (671 users, 9,066 films), k = 10, three reasons",
        ["call", "median", "of the slowest user", "users a second"],
        [
            [
                f"recommend_with_reasons, one user ({N_SINGLE} users)",
                f"{np.median(explained):.1f} ms",
                f"{explained.max():.1f} ms",
                f"{1e3 / np.median(explained):.0f}",
            ],
            [
                "recommend, one user",
                f"{np.median(plain):.2f} ms",
                f"{plain.max():.2f} ms",
                f"{1e3 / np.median(plain):.0f}",
            ],
            [
                f"recommend_with_reasons, {N_USERS} users in one call",
                f"{medians['many']:.2f} s",
                "",
                f"{N_USERS / medians['many']:.0f}",
            ],
            [
                f"recommend, {N_USERS} users in one call",
                f"{medians['many without']:.3f} s",
                "",
                f"{N_USERS / medians['many without']:.0f}",
            ],
            [
                "recommend_for a visitor with 20 films",
                f"{medians['visitor'] * 1e3:.1f} ms",
                "",
                f"{1 / medians['visitor']:.0f}",
            ],
            ["import whyrec", f"{np.median(imports) * 1e3:.0f} ms", "", ""],
        ],
    )


if __name__ == "__main__":
    main()
