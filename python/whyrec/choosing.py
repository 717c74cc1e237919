"""Chooses what an SDK is made of where the caller says nothing: by what its data can teach.

What is chosen follows from what a model needs to learn at all, from memory, or from a measure on
the data at hand. It is logged by the logger "whyrec", and read as `sdk.choices`.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil

import numpy as np
import scipy.sparse
import torch

from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.explain import (
    AdditiveRecommender,
    ClosedFormConfig,
    EncoderNetworkConfig,
    ExplainerConfig,
    GradientPathConfig,
    NetworkConfig,
    ShapleyConfig,
)
from whyrec.models import (
    DeepRankerConfig,
    DifferentiableRecommender,
    EASEConfig,
    EncodingRecommender,
    PopularityConfig,
    Recommender,
    RecommenderConfig,
    SequenceConfig,
    TwoTowerConfig,
)
from whyrec.models.linear import MOST_ITEMS, interaction_matrix
from whyrec.models.ranker_training import FEWEST_USERS
from whyrec.models.start import LinearModel
from whyrec.models.validation import hold_out, hold_out_last
from whyrec.types import Float32Array, Int64Array

_LOG = logging.getLogger("whyrec")

_EVALUATIONS = 256
"""Of a pair, where a model can only be asked."""

_MOST_BYTES = 4 << 30
"""Memory for the tables of vectors while they are trained: half of what a small laptop has."""

_TABLES = 10
"""Tables of vectors that learn at a time: of items as events and as candidates, each with its
gradient, two moments and the best so far. The factors that they start from are two more, and two
for each fold.
"""

_FEWEST_DIMENSIONS = 16
"""A catalog of millions gets as many, whatever memory it takes."""

_ORDER_DIMENSION = 64
"""Of the linear model that order is measured by: enough for a comparison with itself."""

_ORDER_L2 = 200.0

_ORDER_GAIN = 2.0
"""So many times better must the next item be foretold by recent events than by all alike, for a
sequence to be trained. Two towers rank what goes with a history, by order or not, and cost less;
where most of what can be foretold is in the order, they cannot learn it.
"""


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen by the data, and why.

    >>> print(Choice("model", "popularity", "no user has events of two items"))
    model: popularity, since no user has events of two items
    """

    what: str
    """Such as "model", "ranker", "dimension" or "explainer"."""

    chosen: str
    why: str
    """Goes on after "since"."""

    def __str__(self) -> str:
        return f"{self.what}: {self.chosen}, since {self.why}"


def tell(choices: Sequence[Choice]) -> tuple[Choice, ...]:
    """Log what was chosen, and return it to be kept."""
    for each in choices:
        _LOG.info("%s", each)
    return tuple(choices)


def choose_model(dataset: Dataset) -> tuple[RecommenderConfig, list[Choice]]:
    """Return settings of the recommender that a data set can teach, and the reasons for them.

    The house's own defaults are changed only where something speaks against them: nothing to learn
    from, nothing to check it by, a catalog that is very small or very large, or order that says
    more than everything else.

    >>> import pyarrow as pa
    >>> from whyrec.data.dataset import Dataset
    >>> once = Dataset.from_tables(pa.table({"user_id": ["a", "b"], "item_id": ["x", "y"]}))
    >>> config, choices = choose_model(once)
    >>> config
    PopularityConfig()
    """
    nothing = _nothing_to_relate(dataset)
    if nothing is not None:
        return PopularityConfig(), [Choice("model", "popularity", nothing)]
    towers = TwoTowerConfig()
    _, validation = hold_out(dataset, towers.validation_share, towers.seed)
    n_checked = 0 if validation is None else int((np.diff(validation.held_out.offsets) > 0).sum())
    if not n_checked and dataset.n_items <= MOST_ITEMS and _n_relating(dataset):
        why = "events are too few to hold some out, and a network needs them to know when to stop"
        return EASEConfig(), [Choice("model", "EASE", why)]
    retrieval, choices = _choose_retrieval(dataset)
    if n_checked < FEWEST_USERS:
        why = f"it is used only where {FEWEST_USERS} users and more show that it ranks better"
        return retrieval, [*choices, Choice("ranker", "none", f"{why}, and {n_checked} could")]
    why = f"{n_checked} users have events to hold out, which tell whether it ranks better"
    return DeepRankerConfig(retrieval=retrieval), [*choices, Choice("ranker", "deep ranker", why)]


def choose_explainer(
    recommender: Recommender, dataset: Dataset
) -> tuple[ExplainerConfig, list[Choice]]:
    """Return settings of the explainer that fits a recommender best, by what it can be asked."""
    if isinstance(recommender, AdditiveRecommender):
        chosen: ExplainerConfig = ClosedFormConfig()
        name, why = "closed form", "the score is a sum over events"
    elif isinstance(recommender, EncodingRecommender):
        chosen = EncoderNetworkConfig()
        name, why = "encoder network", "an encoder can be asked for many histories at once"
    elif not isinstance(recommender, DifferentiableRecommender):
        chosen = ShapleyConfig(max_evaluations=_EVALUATIONS)
        name, why = "Shapley values", "the model can only be asked for scores"
    elif int((np.diff(dataset.interactions.offsets) > 0).sum()) < FEWEST_USERS:
        chosen = GradientPathConfig()
        name, why = "gradient path", "a network would see the same few histories again and again"
    else:
        chosen = NetworkConfig()
        name, why = "network", "the score has gradients, and one pass gives all contributions"
    return chosen, [Choice("explainer", name, why)]


def order_gain(dataset: Dataset) -> float:
    """Return how many times better recent events foretell the last than all events alike do.

    Both are sums of the weights of one linear item-to-item model, which knows no order; in one an
    event counts by 1 / (1 + the number of later events). So what is compared is order alone. The
    last events of users are held out, and what counts is their NDCG@10.

    Returns:
        1 where there are no timestamps, or too few events to tell; at least 0.
    """
    times = dataset.interactions.timestamps
    if times is None or not len(times) or times.min() == times.max():
        return 1.0
    part, validation = hold_out_last(dataset, 1.0, 0)
    if validation is None:
        return 1.0
    model = LinearModel(dimension=_ORDER_DIMENSION, l2=_ORDER_L2, windows=False, seed=0)
    directions = model.leading_directions(part.interactions, part.n_items)
    factors = directions.ease_factors(model.dimension, model.l2)
    alike, recent = (
        validation.ndcg(validation.scores(partial(_scores, *factors, by_order)))
        for by_order in (False, True)
    )
    return recent / alike if alike > 0 else 1.0


def _nothing_to_relate(dataset: Dataset) -> str | None:
    """Say why nothing can be learned of users; None where something can."""
    if dataset.n_items == 1:
        return "there is one item"
    if dataset.n_users == 1 and not len(dataset.item_features.tokens):
        return "what one user did says nothing of what others would"
    if not _n_relating(dataset) and not len(dataset.user_features.tokens):
        return "no user has events of two items, and nothing else is known of users"
    return None


def _n_relating(dataset: Dataset) -> int:
    """Return how many users have events of more than one item."""
    matrix = interaction_matrix(dataset.interactions, dataset.n_items)
    return int((np.diff(matrix.indptr) > 1).sum())


def _choose_retrieval(
    dataset: Dataset,
) -> tuple[TwoTowerConfig | SequenceConfig, list[Choice]]:
    """Choose what reads histories, and its size."""
    gain = order_gain(dataset)
    found = f"recent events foretell the last {gain:.2f} times as well as all events alike"
    if gain >= _ORDER_GAIN:
        sequence = SequenceConfig()
        dimension, choice = _dimension(dataset, sequence.dimension, sequence.heads, n_folds=0)
        why = f"order says most: {found}"
        chosen = SequenceConfig(dimension=dimension)
        return chosen, [Choice("model", "sequence", why), choice]
    towers = TwoTowerConfig()
    dimension, of_dimension = _dimension(dataset, towers.dimension, towers.heads, towers.folds)
    n_steps, of_steps = _max_steps(dataset, towers)
    if dataset.interactions.timestamps is None:
        found = "events have no times, so histories are sets"
    return (
        TwoTowerConfig(dimension=dimension, max_steps=n_steps),
        [Choice("model", "two towers", found), of_dimension, of_steps],
    )


def _dimension(dataset: Dataset, usual: int, heads: int, n_folds: int) -> tuple[int, Choice]:
    """Choose the size of the vectors: as usual, if the catalog fills it and memory holds it."""
    useful = max(heads, heads * ceil(dataset.n_items / heads))
    if useful < usual:
        why = f"{dataset.n_items} items span no more directions"
        return useful, Choice("dimension", str(useful), why)
    n_vectors = dataset.n_items + dataset.item_features.schema.n_tokens
    n_bytes = 4 * n_vectors * (_TABLES + 2 * (1 + n_folds))
    fitting = usual
    while fitting * n_bytes > _MOST_BYTES and fitting > _FEWEST_DIMENSIONS:
        fitting //= 2
    if fitting < usual:
        why = f"training keeps {n_bytes:,} bytes for each, and 4 GiB are to do"
        return fitting, Choice("dimension", str(fitting), why)
    why = f"{dataset.n_items} items fill it, and {usual * n_bytes / (1 << 20):,.0f} MiB hold it"
    return usual, Choice("dimension", str(usual), why)


def _max_steps(dataset: Dataset, towers: TwoTowerConfig) -> tuple[int, Choice]:
    """Choose the most steps: as usual, or as many as draw each user once."""
    n_users = int((np.diff(dataset.interactions.offsets) > 0).sum())
    n_steps = max(towers.max_steps, ceil(n_users / towers.batch_size))
    why = f"they draw each of {n_users} users once or more; held-out events may end them earlier"
    return n_steps, Choice("steps", f"{n_steps} at most", why)


def _scores(
    inward: Float32Array,
    outward: Float32Array,
    by_order: bool,
    histories: Histories,
    _: Int64Array,
) -> torch.Tensor:
    """Return float32 [n_rows, n_items]: by events all alike, or each less the earlier it was."""
    weights = 1 / (1 + _lateness(histories) * np.float32(by_order))
    matrix = scipy.sparse.csr_matrix(
        (weights.astype(np.float32), histories.items, histories.offsets),
        (len(histories), len(inward)),
    )
    return torch.from_numpy((matrix @ inward) @ outward.T)


def _lateness(histories: Histories) -> Int64Array:
    """Return int64 [n_events]: how many events of the row are later, those of one time alike."""
    counts = histories.counts()
    rows = np.repeat(np.arange(len(histories)), counts)
    is_last = np.ones(len(rows), bool)
    is_last[:-1] = (np.diff(rows) != 0) | (np.diff(histories.ages) != 0)
    ends = np.flatnonzero(is_last)
    end_of_time = ends[np.searchsorted(ends, np.arange(len(rows)))]
    lateness: Int64Array = np.repeat(histories.offsets[1:], counts) - 1 - end_of_time
    return lateness
