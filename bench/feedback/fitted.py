"""What is measured on: an SDK of two towers on MovieLens, and a smaller MovieLens."""

import numpy as np
import pyarrow as pa
from bench.data import movielens_data

from whyrec import SDK, NetworkConfig, TwoTowerConfig
from whyrec.data.dataset import Dataset
from whyrec.datasets import movielens

N_POPULAR = 2_000
"""Films of a smaller MovieLens, for what needs many fits: each has eleven ratings or more."""


def popular_films() -> Dataset:
    """Return the ratings of the most popular films of MovieLens."""
    events = movielens().events
    films, counts = np.unique(events["item_id"].to_numpy(), return_counts=True)
    kept = films[np.argsort(-counts, kind="stable")[:N_POPULAR]]
    chosen = np.isin(events["item_id"].to_numpy(), kept)
    return Dataset.from_tables(events.filter(pa.array(chosen)))


def movielens_sdk(*, quick: bool) -> SDK:
    """Fit on MovieLens; quick trains for a few steps, which changes no time of an answer."""
    model, explainer = TwoTowerConfig(), NetworkConfig()
    if quick:
        model = TwoTowerConfig(l2=100.0, windows=True, max_steps=100)
        explainer = NetworkConfig(max_steps=100, confidence_pairs=0)
    return SDK.fit_dataset(movielens_data(), model=model, explainer=explainer, progress=False)
