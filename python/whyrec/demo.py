"""The demo: real ratings in, ten films with reasons for three people out, and how good they are."""

import time

import numpy as np
from rich.console import Console
from rich.table import Table

from whyrec.data.dataset import Dataset
from whyrec.data.split import Split, random_split
from whyrec.datasets import movielens
from whyrec.evaluate.faithfulness import Faithfulness
from whyrec.explain import ShapleyConfig
from whyrec.models import EASEConfig, PopularityConfig
from whyrec.sdk import SDK

_SEED = 0
_N_USERS = 3
_N_PAIRS = 100
_METRICS = ("NDCG@10", "Recall@10", "HR@10")
_EVENTS_OF_A_USER = (20, 60)
"""The three people have rated neither few films nor very many."""


def run_demo(console: Console) -> None:
    """Fit on nine tenths of MovieLens, recommend with reasons, and measure on the last tenth.

    Raises:
        MissingDependencyError: the data set is not installed.
    """
    tables = movielens()
    dataset = Dataset.from_tables(tables.events, tables.items)
    console.print(f"[bold]MovieLens[/bold]: {dataset.report}\n", highlight=False)
    split = random_split(dataset.interactions, (9, 0, 1), seed=_SEED)
    started = time.perf_counter()
    sdk = SDK.fit_dataset(dataset.with_interactions(split.train))
    fitted = time.perf_counter()
    for answer in sdk.recommend_with_reasons(_some_users(sdk.dataset), k=10):
        console.print(answer)
    baselines = {
        "popularity": SDK.fit_dataset(sdk.dataset, model=PopularityConfig()),
        "EASE": SDK.fit_dataset(sdk.dataset, model=EASEConfig()),
    }
    console.print(_accuracy_table({**baselines, "whyrec": sdk}, split))
    # So many permutations put the standard error of a mean contribution near a fifth of it.
    reference = ShapleyConfig(max_permutations=128)
    console.print(_faithfulness_table(sdk.faithfulness(_N_PAIRS, reference=reference)))
    done = time.perf_counter()
    console.print(
        f"Fitted recommender and explainer in {fitted - started:.0f} s, "
        f"all the rest took {done - fitted:.0f} s.",
        highlight=False,
    )


def _some_users(dataset: Dataset) -> list[object]:
    """Return the ids of a few users with histories of ordinary length."""
    counts = np.diff(dataset.interactions.offsets)
    least, most = _EVENTS_OF_A_USER
    chosen = np.flatnonzero((counts >= least) & (counts <= most))[:_N_USERS]
    return [dataset.users[index] for index in chosen.tolist()]


def _accuracy_table(fitted: dict[str, SDK], split: Split) -> Table:
    """Show how well each recommender foresees the held-out tenth."""
    table = Table(title="Accuracy on held-out ratings", title_justify="left")
    measured = {name: sdk.evaluate(split.test).means() for name, sdk in fitted.items()}
    for column in ("", *_METRICS):
        table.add_column(column, justify="right" if column else "left")
    for name, means in measured.items():
        table.add_row(name, *(f"{means[metric]:.4f}" for metric in _METRICS))
    return table


def _faithfulness_table(measured: Faithfulness) -> Table:
    """Show how far the reasons are from the recommender's Shapley values."""
    table = Table(
        title=f"Faithfulness of {len(measured.spearman)} explanations to sampled Shapley values",
        title_justify="left",
    )
    for name in measured.means():
        table.add_column(name, justify="right")
    table.add_row(
        *(f"{value:.2g}" if value < 1e-3 else f"{value:.4f}" for value in measured.means().values())
    )
    return table
