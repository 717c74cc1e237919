"""How much longer an answer with reasons takes where a store is read for it."""

import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
from bench.feedback.fitted import movielens_sdk
from bench.timing import interleaved, write_table

from whyrec import SDK
from whyrec.feedback import Event, SQLite, SQLStore

N_OTHERS = 100_000
"""Events of other users in the store."""

N_AGAIN = 10
"""Events of each user who asks: those that the SDK was fitted on, so that answers are the same."""

N_ROUNDS, N_SINGLE, N_MANY = 15, 20, 100


def main(*, quick: bool = False) -> list[list[str]]:
    """Measure, write bench/results/feedback-answers.md and return what it shows.

    quick: the SDK trains for a few steps.
    """
    sdk = movielens_sdk(quick=quick)
    with (
        tempfile.TemporaryDirectory() as directory,
        SQLStore(SQLite(Path(directory) / "feedback.db")) as store,
    ):
        rows = compared(sdk, SDK(sdk._fitted, store=store))
    write_table(
        "feedback-answers",
        "recommend_with_reasons on MovieLens, k = 10, three reasons, with a store in SQLite",
        ["call", "without", "with the store", "ratio"],
        rows,
        [
            f"The store has {N_OTHERS:,} events of others, and {N_AGAIN} of each who asks, which "
            "are in the data set too. Answers are the same to the bit. Medians, taken in turn."
        ],
    )
    return [[f"store attached, {call}", "≤ 1.2 times", ratio] for call, _, _, ratio in rows]


def compared(alone: SDK, reading: SDK) -> list[list[str]]:
    """Return a row for one user and one for many in a call."""
    random = np.random.default_rng(0)
    users = random.permutation(np.array(alone.dataset.users.ids))[:N_MANY].tolist()
    items = np.array(alone.dataset.items.ids)
    others = random.integers(10_000_000, 10_020_000, N_OTHERS)
    columns = alone.dataset.columns
    names_of_columns = [columns.user_id or "", columns.item_id or ""]
    arrays = [pa.array(others), pa.array(random.choice(items, N_OTHERS))]
    reading.record(pa.table(arrays, names=names_of_columns))
    for user in users:
        past = alone.history(user)[-N_AGAIN:]
        reading.record(
            Event(user, one.item_id, one.kind, one.value, timestamp=one.timestamp or 0.0)
            for one in past
        )
    assert alone.recommend_with_reasons(users) == reading.recommend_with_reasons(users)
    singles, sdks = users[:N_SINGLE], {"without": alone, "with": reading}
    medians = interleaved(
        {
            f"{name} {user}": partial(sdk.recommend_with_reasons, user)
            for user in singles
            for name, sdk in sdks.items()
        },
        N_ROUNDS,
    )
    one = [float(np.median([medians[f"{name} {user}"] for user in singles])) for name in sdks]
    many = interleaved(
        {name: partial(sdk.recommend_with_reasons, users) for name, sdk in sdks.items()}, N_ROUNDS
    )
    return [
        told(f"one user ({N_SINGLE} users)", *one),
        told(f"{N_MANY} users in one call", many["without"], many["with"]),
    ]


def told(call: str, without: float, reading: float) -> list[str]:
    """Return a row of the table, of two times in seconds."""
    return [call, f"{without * 1e3:.1f} ms", f"{reading * 1e3:.1f} ms", f"{reading / without:.2f}"]
