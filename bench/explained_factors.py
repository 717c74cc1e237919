"""The reasons of ALS: ours beside implicit's own `explain`, on the same factors and pairs."""

import argparse

import numpy as np
import pyarrow as pa
from bench.timing import timed, write_table
from implicit.als import AlternatingLeastSquares
from threadpoolctl import threadpool_limits

from whyrec.data.dataset import Dataset
from whyrec.data.pairs import Pairs
from whyrec.datasets.synthetic import synthetic
from whyrec.explain import ClosedForm
from whyrec.models import FactorsConfig
from whyrec.models.factors import factors_of
from whyrec.models.linear import interaction_matrix

FACTORS, N_ITEMS, ALPHA, L2 = 64, 10, 10.0, 0.05


def main() -> None:
    """Hold both against each other, time both in turn, and write bench/results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    world = synthetic(seed=0, n_users=asked.users, n_items=2_000, n_events_per_user=100)
    dataset = Dataset.from_tables(pa.table(world.events))
    matrix = interaction_matrix(dataset.interactions, dataset.n_items)
    model = AlternatingLeastSquares(
        factors=FACTORS, alpha=ALPHA, regularization=L2, iterations=5, random_state=0
    )
    with threadpool_limits(1, "blas"):
        model.fit(matrix, show_progress=False)
    settings = FactorsConfig(alpha=ALPHA, regularization=L2)
    items = np.asarray(model.item_factors)
    explainer = ClosedForm(factors_of(dataset, settings, items, dataset.items.ids))
    users = np.arange(dataset.n_users)
    histories = dataset.histories(users)
    best, scores = model.recommend(users, matrix, N_ITEMS, recalculate_user=True)
    pairs = Pairs(np.repeat(users, N_ITEMS).astype(np.int32), best.ravel().astype(np.int32))
    full = scores.ravel().astype(np.float64)

    def ours() -> object:
        return explainer.explain(histories, pairs, full)

    def theirs() -> object:
        return [
            model.explain(row, matrix, item, N=1_000)
            for row, item in zip(pairs.rows, pairs.items, strict=True)
        ]

    def theirs_once_a_user() -> object:
        found = []
        for user in users:
            weights = None
            for item in best[user]:
                *each, weights = model.explain(user, matrix, item, weights, N=1_000)
                found.append(each)
        return found

    apart = largest_difference(explainer, histories, pairs, full, theirs_once_a_user())
    calls = {
        "implicit, a pair at a time": theirs,
        "implicit, its weights given again": (theirs_once_a_user),
        "whyrec": ours,
    }
    with threadpool_limits(1, "blas"):
        seconds = {
            name: float(np.median(each))
            for name, each in zip(
                calls,
                np.array([[timed(call) for call in calls.values()] for _ in range(asked.rounds)]).T,
                strict=True,
            )
        }
    write_table(
        "explained-factors",
        f"Reasons of ALS: {len(users):,} users × {N_ITEMS} items, {FACTORS} factors",
        ["", "seconds", "over whyrec"],
        [
            [name, f"{each:.3f}", f"{each / seconds['whyrec']:.0f} ×"]
            for name, each in seconds.items()
        ],
        [f"The largest difference of a contribution, over all pairs, is {apart:.1e}."],
    )


def largest_difference(explainer, histories, pairs, full, theirs) -> float:  # type: ignore[no-untyped-def]
    """Return how far any contribution is from that of implicit."""
    found, largest = explainer.explain(histories, pairs, full), 0.0
    events = histories.counts()[pairs.rows]
    for pair, (_, terms) in enumerate(theirs):
        row = pairs.rows[pair]
        items = histories.items[histories.offsets[row] : histories.offsets[row + 1]]
        ours = dict(
            zip(items.tolist(), found.contributions[found.of(pair)][: events[pair]], strict=True)
        )
        largest = max(largest, *(abs(ours[int(item)] - term) for item, term in terms))
    return largest


if __name__ == "__main__":
    main()
