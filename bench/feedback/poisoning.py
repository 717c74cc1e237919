"""How far fake users push one film of MovieLens into the answers of others, with and without cap.

Attacks: each fake user has the 50 most popular films, or 300 of the 600 most popular, and the
pushed one (the bandwagon attack); or goes to the pushed one again and again, each time after one
of the 300 most popular. B. Mobasher et al., Toward Trustworthy Recommender Systems, 2007.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from bench.feedback.fitted import popular_films
from bench.timing import write_table

from whyrec import SDK, EASEConfig, PopularityConfig, ShapleyConfig, TrainingConfig, TwoTowerConfig
from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Interactions
from whyrec.data.split import random_split
from whyrec.data.vocabulary import Vocabulary
from whyrec.models import RecommenderConfig
from whyrec.types import Int32Array

CAP, K = 400, 10
N_PUSHED, FEW, SOME = 2, (1, 15), (30, 40)
"""Films that are pushed, each in a fit of its own, with so many events: from few, and from some."""

ATTACKS: dict[str, Callable[[np.random.Generator, Int32Array, int], Int32Array]] = {
    "50 popular": lambda draw, popular, pushed: np.append(draw.permutation(popular[:50]), pushed),
    "300 popular": lambda draw, popular, pushed: np.append(
        draw.permutation(popular[:600])[:300], pushed
    ),
    "3,000 times": lambda draw, popular, pushed: np.stack(
        [np.tile(draw.permutation(popular[:300]), 10), np.full(3_000, pushed)], axis=1
    ).ravel(),
}

TOWERS = TwoTowerConfig(l2=100.0, windows=True, max_steps=100)
LINES: list[tuple[str, RecommenderConfig, str, float]] = [
    ("popularity", PopularityConfig(), "50 popular", 0.01),
    ("popularity", PopularityConfig(), "3,000 times", 0.01),
    ("EASE", EASEConfig(), "50 popular", 0.01),
    ("EASE", EASEConfig(), "300 popular", 0.01),
    ("EASE", EASEConfig(), "50 popular", 0.05),
    ("EASE, λ = 20", EASEConfig(l2=20.0), "300 popular", 0.01),
    ("two towers, 100 steps", TOWERS, "3,000 times", 0.01),
]


def main(*, quick: bool = False) -> list[list[str]]:
    """Measure, write bench/results/feedback-poisoning.md and return what it shows.

    quick: leaves out the towers.
    """
    rows = measured([line for line in LINES if not quick or line[1] is not TOWERS])
    write_table(
        "feedback-poisoning",
        f"One film pushed by fake users, 2,000 films of MovieLens, cap of {CAP} events a user",
        [
            "model",
            "fake users",
            "each has",
            "shown to, no cap",
            "shown to, cap",
            "NDCG@10, no attack",
            "attack",
            "attack, cap",
            "cap alone",
        ],
        rows,
        [
            "Shown to: the share of real users with the pushed film among their ten, the mean over "
            f"{N_PUSHED} films that {FEW[0]} to {FEW[1]} users have met and as many of "
            f"{SOME[0]} to {SOME[1]}; of the towers, over the first film alone."
        ],
    )
    return [
        [f"{model}: {fakes} fake users, {attack}", "exposure, no cap and cap", f"{without}, {cap}"]
        for model, fakes, attack, without, cap, *_ in rows
    ]


def measured(lines: list[tuple[str, RecommenderConfig, str, float]]) -> list[list[str]]:
    """Return a row of the table for each line."""
    data = popular_films()
    split = random_split(data.interactions, (9, 0, 1), seed=0)
    train, counts = split.train, np.bincount(split.train.items, minlength=data.n_items)
    popular = np.argsort(-counts, kind="stable").astype(np.int32)
    draw = np.random.default_rng(0)
    pushed = [
        int(item)
        for low, high in (FEW, SOME)
        for item in draw.permutation(np.flatnonzero((counts >= low) & (counts <= high)))[:N_PUSHED]
    ]
    known: dict[tuple[str, int | None], float] = {}
    rows = []
    for name, model, attack, share in lines:
        n_fakes = round(share * data.n_users)
        targets = pushed[:1] if model is TOWERS else pushed
        found: dict[int | None, list[tuple[float, float]]] = {None: [], CAP: []}
        for cap, results in found.items():
            if (name, cap) not in known:
                known[name, cap] = reached(data, train, split.test, model, cap, pushed[0])[1]
            for item in targets:
                fakes = [ATTACKS[attack](draw, popular, item) for _ in range(n_fakes)]
                held_out = with_users(data, split.test, [np.zeros(0, np.int32)] * n_fakes)
                poisoned = with_users(data, train, fakes)
                results.append(
                    reached(
                        poisoned, poisoned.interactions, held_out.interactions, model, cap, item
                    )
                )
        means = {cap: np.mean(results, axis=0) for cap, results in found.items()}
        rows.append(
            [
                name,
                f"{n_fakes} ({share:.0%})",
                attack,
                f"{means[None][0]:.1%}",
                f"{means[CAP][0]:.1%}",
                f"{known[name, None]:.4f}",
                f"{means[None][1]:.4f}",
                f"{means[CAP][1]:.4f}",
                f"{known[name, CAP]:.4f}",
            ]
        )
        print(*rows[-1], sep=" | ", flush=True)
    return rows


def reached(
    data: Dataset,
    train: Interactions,
    test: Interactions,
    model: RecommenderConfig,
    cap: int | None,
    pushed: int,
) -> tuple[float, float]:
    """Fit, and return the share of real users who are shown the pushed film, and the NDCG@10."""
    sdk = SDK.fit_dataset(
        data.with_interactions(train),
        model=model,
        explainer=ShapleyConfig(max_evaluations=2),  # nothing to train
        training=TrainingConfig(max_events_per_user=cap),
        progress=False,
    )
    real = [user for user in data.users.ids if not str(user).startswith("fake")]
    item = data.items[pushed]
    shown = sum(item in {each.item_id for each in answer} for answer in sdk.recommend(real, K))
    return shown / len(real), sdk.evaluate(test, K).means()[f"NDCG@{K}"]


def with_users(data: Dataset, events: Interactions, histories: list[Int32Array]) -> Dataset:
    """Return a data set with more users, each with the items of a history, highly rated."""
    items = np.concatenate([np.zeros(0, np.int32), *histories])
    offsets = events.offsets[-1] + np.cumsum([len(each) for each in histories])
    newest = 0.0 if events.timestamps is None else float(events.timestamps.max())
    times = newest + np.concatenate([np.arange(len(each)) for each in histories])
    rated = np.full(len(items), 5.0, np.float32)
    features = data.user_features
    for _ in histories:
        features = features.with_stranger()
    return replace(
        data,
        users=Vocabulary.from_ids(
            [*data.users.ids, *(f"fake {n}" for n in range(len(histories)))], "user"
        ),
        user_features=features,
        interactions=Interactions(
            np.append(events.offsets, offsets),
            np.append(events.items, items).astype(np.int32),
            np.append(events.kinds, np.zeros(len(items), np.int16)),
            events.kind_names,
            None if events.values is None else np.append(events.values, rated),
            None if events.timestamps is None else np.append(events.timestamps, times),
        ),
    )
