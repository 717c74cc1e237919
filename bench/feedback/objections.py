"""What an objection does: 200 users of MovieLens object to the strongest reason they are given."""

import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from bench.feedback.fitted import movielens_sdk
from bench.timing import write_table
from scipy.stats import spearmanr

from whyrec import SDK, Reason, Recommendations
from whyrec.feedback import SQLite, SQLStore

N_USERS, K, SHOWN = 200, 10, 3
"""A recommendation rests on a reason that is among so many that are shown."""

BEFORE = "recommendations that rest on it, before"
SPEARMAN = "Spearman of the other reasons, mean"
UNDONE = "answers that are the same to the bit once it is undone"


def main(*, quick: bool = False) -> list[list[str]]:
    """Replay, write bench/results/feedback-objections.md and return what it shows.

    quick: the SDK trains for a few steps.
    """
    sdk = movielens_sdk(quick=quick)
    with (
        tempfile.TemporaryDirectory() as directory,
        SQLStore(SQLite(Path(directory) / "feedback.db")) as store,
    ):
        rows = replayed(SDK(sdk._fitted, store=store))
    write_table(
        "feedback-objections",
        f"{N_USERS} users of MovieLens object to the strongest reason among {K} recommendations",
        ["what", "figure"],
        rows,
        [
            f"A recommendation rests on a reason that is among the {SHOWN} strongest. Others are "
            "compared for each film of the first answer, by the Spearman correlation of their "
            "contributions before and after."
        ],
    )
    found = dict(rows)
    before, after = found[BEFORE], found["the same, after"]
    return [
        ["rested on what was objected to", "falls ≥ 95 %", f"{before}, then {after}"],
        ["ranks of the other reasons, Spearman", "≥ 0.9", found[SPEARMAN]],
        ["the same to the bit once undone", "all", found[UNDONE]],
    ]


def replayed(sdk: SDK) -> list[list[str]]:
    """Object, ask again, undo, ask again; return the rows of the table."""
    users = np.random.default_rng(0).permutation(np.array(sdk.dataset.users.ids))[:N_USERS].tolist()
    before = after = kept = same = stronger = 0
    correlations: list[float] = []
    seconds: list[float] = []
    kinds: Counter[str] = Counter()
    for user in users:
        first = sdk.recommend_with_reasons(user, K, max_reasons=None)
        reason = max(
            (one for each in first for one in each.reasons), key=lambda one: abs(one.contribution)
        )
        control = sdk.object_to(user, reason)
        started = time.perf_counter()
        second = sdk.recommend_with_reasons(user, K, max_reasons=None)
        seconds.append(time.perf_counter() - started)
        kinds[reason.kind.value] += 1
        before += resting(first, reason)
        after += resting(second, reason)
        stronger += any(about(one) == about(reason) for each in second for one in each.reasons)
        kept += len({each.item_id for each in first} & {each.item_id for each in second})
        for each in first:
            others = {about(one): one.contribution for one in each.reasons}
            now = {about(one): one.contribution for one in sdk.explain(user, each.item_id).reasons}
            common = sorted(others.keys() & now.keys(), key=str)
            if len(common) > 2:
                pair = [others[key] for key in common], [now[key] for key in common]
                correlations.append(float(spearmanr(*pair).statistic))
        sdk.undo(control)
        same += sdk.recommend_with_reasons(user, K, max_reasons=None) == first
    n_all = K * len(users)
    return [
        ["objected to", ", ".join(f"{number} {kind}" for kind, number in kinds.items())],
        [BEFORE, f"{before / n_all:.1%}"],
        ["the same, after", f"{after / n_all:.1%}"],
        ["users for whom it contributes anything, after", f"{stronger}"],
        ["recommendations that stay", f"{kept / n_all:.1%}"],
        [SPEARMAN, f"{np.mean(correlations):.3f}"],
        ["the same, 5 % quantile", f"{np.quantile(correlations, 0.05):.3f}"],
        [UNDONE, f"{same} of {len(users)}"],
        ["first answer after an objection, median", f"{np.median(seconds) * 1e3:.0f} ms"],
    ]


def about(reason: Reason) -> tuple[str, object, object]:
    """Return what a reason is about, apart from its numbers."""
    return reason.kind.value, reason.source, reason.value


def resting(answer: Recommendations, reason: Reason) -> int:
    """Return how many recommendations rest on a reason."""
    return sum(about(reason) in map(about, each.reasons[:SHOWN]) for each in answer)
