"""Accuracy on MovieLens beside popularity and EASE, and faithfulness of each tier of reasons."""

import time

import numpy as np
from bench.timing import write_table

import whyrec
from whyrec.data.dataset import Dataset
from whyrec.data.split import random_split
from whyrec.evaluate.faithfulness import faithfulness
from whyrec.explain import ExplainerConfig
from whyrec.models import RecommenderConfig
from whyrec.ranking import Candidates, ItemIndex

SEEDS = (0, 1, 2)
N_PAIRS = 100
MODELS: dict[str, RecommenderConfig] = {
    "popularity": whyrec.PopularityConfig(),
    "EASE, λ = 200": whyrec.EASEConfig(),
    "two-tower": whyrec.TwoTowerConfig(),
}
TIERS: dict[str, ExplainerConfig] = {
    "network, gradients at 2 points": whyrec.NetworkConfig(),
    "network before training": whyrec.NetworkConfig(max_steps=0),
    "gradient path, 2 points": whyrec.GradientPathConfig(n_points=2),
    "gradient path, 8 points": whyrec.GradientPathConfig(n_points=8),
    "sampled Shapley, 32 permutations": whyrec.ShapleyConfig(max_permutations=32, seed=1),
}
REFERENCE = whyrec.ShapleyConfig(max_permutations=1_024)


def main() -> None:
    """Measure, and write bench/results/accuracy.md and bench/results/faithfulness.md."""
    tables = whyrec.datasets.movielens()
    dataset = Dataset.from_tables(tables.events, tables.items)
    measure_accuracy(dataset)
    measure_faithfulness(dataset)


def measure_accuracy(dataset: Dataset) -> None:
    """Rank the whole catalog for every user, per user 9:1 at random, over three seeds."""
    figures: dict[str, list[dict[str, float]]] = {name: [] for name in MODELS}
    seconds: dict[str, list[float]] = {name: [] for name in MODELS}
    for seed in SEEDS:
        split = random_split(dataset.interactions, (9, 0, 1), seed=seed)
        for name, config in MODELS.items():
            started = time.perf_counter()
            sdk = whyrec.SDK.fit_dataset(
                dataset.with_interactions(split.train),
                model=config,
                explainer=whyrec.ShapleyConfig(),  # fits nothing: the model alone is timed
                progress=False,
            )
            seconds[name].append(time.perf_counter() - started)
            figures[name].append(sdk.evaluate(split.test).means())
    metrics = list(figures["two-tower"][0])
    means = {
        name: {metric: np.array([each[metric] for each in of]) for metric in metrics}
        for name, of in figures.items()
    }
    ease, popular = (means[name]["NDCG@10"] for name in ("EASE, λ = 200", "popularity"))
    write_table(
        "accuracy",
        "Accuracy on MovieLens, per user 9:1 at random, three seeds",
        ["model", *metrics, "NDCG over EASE's", "over popularity's", "fit"],
        [
            [
                name,
                *(f"{of[metric].mean():.4f} ± {of[metric].std(ddof=1):.4f}" for metric in metrics),
                f"{(of['NDCG@10'] / ease).mean():.3f} (least {(of['NDCG@10'] / ease).min():.3f})",
                f"{(of['NDCG@10'] / popular).mean():.2f}",
                f"{np.median(seconds[name]):.1f} s",
            ]
            for name, of in means.items()
        ],
    )


def measure_faithfulness(dataset: Dataset) -> None:
    """Compare each tier with Shapley values by many permutations: the best film of 100 users."""
    split = random_split(dataset.interactions, (9, 0, 1), seed=SEEDS[0])
    part = dataset.with_interactions(split.train)
    model = whyrec.TwoTowerConfig().fit(part, progress=False)
    users = np.random.default_rng(0).permutation(dataset.n_users)[:N_PAIRS]
    histories = part.histories(users)
    index = ItemIndex(model.item_vectors(), model.item_biases())
    seen = Candidates(histories.items, histories.offsets)
    ranking = index.top_k(model.query_vectors(histories), 1, excluded=seen)
    asked = (histories, ranking.pairs(), ranking.scores.astype(np.float64))
    truth = REFERENCE.fit(model, part).explain(*asked)
    rows = []
    for name, config in TIERS.items():
        started = time.perf_counter()
        explainer = config.fit(model, part, progress=False)
        fitted = time.perf_counter() - started
        explainer.explain(*asked)
        started = time.perf_counter()
        found = explainer.explain(*asked)
        milliseconds = (time.perf_counter() - started) * 1e3 / N_PAIRS
        measured = faithfulness(found, truth)
        values = [
            f"{value:.2g}" if value < 1e-3 else f"{value:.4f}"
            for value in measured.means().values()
        ]
        rows.append([name, *values, f"{milliseconds:.2f} ms", f"{fitted:.1f} s"])
    write_table(
        "faithfulness",
        f"Faithfulness to Shapley values on MovieLens, {N_PAIRS} pairs; "
        "the largest standard error of the reference is "
        f"{measured.reference_error:.2f} of its mean |φ|",
        ["explainer", *measured.means(), "an explanation", "fit"],
        rows,
    )


if __name__ == "__main__":
    main()
