"""The data sets and the models of the table; a model more is a line more."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.accuracy.models.content import Content, RandomOrder
from bench.accuracy.models.factors import ALS, BPR
from bench.accuracy.models.model import Model
from bench.accuracy.models.ours import Ours
from bench.accuracy.models.sasrec import SASRec
from bench.accuracy.protocols import PROTOCOLS
from bench.data import movielens_100k_data, movielens_data, retail_data

import whyrec
from whyrec.data.dataset import Dataset


@dataclass(frozen=True, slots=True)
class Source:
    """A data set by its title."""

    title: str
    read: Callable[[Path], Dataset]
    """From where Online Retail is."""


SOURCES = {
    "movielens": Source("MovieLens", lambda _: movielens_data()),
    "retail": Source("Online Retail", lambda path: retail_data(path, described=True)),
    "movielens-100k": Source("MovieLens-100k", lambda _: movielens_100k_data()),
}

NEW_ITEMS = frozenset({"new-items"})
"""Of items that nothing was learned from, only some models know anything."""

EVERYWHERE = frozenset(PROTOCOLS)
EVENTS_ALONE = EVERYWHERE - NEW_ITEMS

PEERS = EVENTS_ALONE - {"known-users"}
"""What ours lose by not knowing users is a question to ours; EASE is the bar there too."""


@dataclass(frozen=True, slots=True)
class Row:
    """A model of the table."""

    title: str

    settings: tuple[Model, ...]
    """One, or several of which the best is chosen on validation."""

    protocols: frozenset[str] = EVERYWHERE
    """What it can be asked."""

    needs_rectools: bool = False
    """Whether it is run where RecTools is installed."""


ROWS = {
    "random-order": Row("random order", (RandomOrder(),), NEW_ITEMS),
    "content": Row("content similarity, TF-IDF", (Content(),), NEW_ITEMS),
    "popularity": Row("popularity", (Ours(model=whyrec.PopularityConfig()),), EVENTS_ALONE),
    "ease": Row(
        "EASE",
        tuple(
            Ours(model=whyrec.EASEConfig(l2=l2))
            for l2 in (25, 50, 100, 200, 400, 800, 1_600, 3_200)
        ),
        EVENTS_ALONE,
    ),
    "als": Row(
        "ALS, implicit",
        tuple(
            ALS(factors=factors, alpha=alpha) for factors in (32, 64, 128) for alpha in (1, 5, 20)
        ),
        PEERS,
    ),
    "bpr": Row(
        "BPR, implicit",
        tuple(
            BPR(factors=factors, learning_rate=rate)
            for factors in (64, 128)
            for rate in (0.01, 0.03, 0.1)
        ),
        PEERS - {"new-users"},
    ),
    "sasrec": Row(
        "SASRec, RecTools",
        tuple(SASRec(epochs=epochs) for epochs in (5, 10, 20, 40, 80)),
        PEERS,
        needs_rectools=True,
    ),
    "two-tower": Row("whyrec: two-tower", (Ours(model=whyrec.TwoTowerConfig()),)),
    "ranker": Row("whyrec: two-tower and ranker", (Ours(ranker=whyrec.DeepRankerConfig()),)),
    "sequence": Row("whyrec: sequence", (Ours(model=whyrec.SequenceConfig()),)),
}
