"""Any function that scores, as a recommender: a gradient-boosted ranker, or a remote service."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whyrec.data.coalitions import Coalitions
from whyrec.data.dataset import Dataset
from whyrec.data.features import Features
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.errors import ArgumentError, ModelError
from whyrec.models.event_coalitions import present_events
from whyrec.models.game import check_coalitions
from whyrec.models.given import check_the_same, finite_floats
from whyrec.models.linear import EASEConfig
from whyrec.models.loop import Run
from whyrec.models.recommender import Before, Recommender, RecommenderConfig, renewable
from whyrec.settings import check_numbers
from whyrec.types import Float32Array, Float64Array, Int32Array

ScoringFunction = Callable[[list[NDArray[Any]], NDArray[Any]], object]
"""From histories, the ids of the items of each, oldest first, and as many ids of items to floats
[n]: the score of each item for the history beside it, in logits. A history may be empty.
"""

_PROBES = 4
"""So many pairs are scored twice, to see whether the function says the same."""


@dataclass(frozen=True)
class ScoredBy:
    """A function that scores as settings of a recommender, for `SDK.wrap` and `SDK.load`.

    >>> import numpy as np
    >>> import whyrec
    >>> world = whyrec.datasets.synthetic(seed=0, n_users=40, n_items=30)
    >>> def score(histories, items):  # a service would be called here
    ...     return np.array([len(each) for each in histories]) / [len(item) for item in items]
    >>> sdk = whyrec.SDK.wrap(whyrec.ScoredBy(score), world.events)
    >>> answer = sdk.recommend_with_reasons("u7", k=3)
    >>> len(answer), len(answer[0].reasons)
    (3, 3)
    """

    function: ScoringFunction
    """What scores. It is asked from one thread at a time unless the SDK itself is."""

    retrieval: RecommenderConfig = field(default_factory=EASEConfig)
    """What finds the items that are scored: the function is not asked for the whole catalog."""

    n_ranked: int = 200
    """How many items it finds for a user."""

    batch_size: int = 1_024
    """The most scores of one call."""

    timeout: float | None = None
    """So many seconds of a call are waited for; None waits as long as it takes.

    A call cannot be ended from outside: one that is no longer waited for goes on in a thread.
    """

    retries: int = 3
    """How often a batch is asked again that failed or took too long."""

    backoff: float = 0.5
    """Seconds before it is asked again; twice as many each time after that."""

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise ArgumentError(f"function must be a function that scores, not {self.function!r}")
        check_numbers(self, may_be_zero=("retries",))
        if self.timeout is not None and not 0 < self.timeout < np.inf:
            raise ArgumentError(f"timeout must be a number above 0, or None, not {self.timeout}")

    def fit(self, dataset: Dataset, *, progress: bool = True) -> "Scored":
        """Fit what finds the items, and see that the function keeps to its protocol.

        Raises:
            ModelError: it does not, or it failed to the last retry.
        """
        scored = Scored(self, self.retrieval.fit(dataset, progress=progress), dataset)
        scored.probe(dataset)
        return scored

    def update(self, dataset: Dataset, before: Before) -> "Scored":
        """Update what finds the items; the function is asked as before.

        Raises:
            ArgumentError: what finds the items cannot be updated.
        """
        return Scored(self, renewable(self.retrieval).update(dataset, before), dataset)

    def refit(self, dataset: Dataset, before: Before, run: Run) -> "Scored":
        """Refit what finds the items; the function is asked as before.

        Raises:
            ArgumentError: what finds the items cannot be fitted again.
            TrainingError: training that cannot go on.
            StorageError: a checkpoint that cannot be made or read.
        """
        return Scored(self, renewable(self.retrieval).refit(dataset, before, run), dataset)

    def restore(self, dataset: Dataset, arrays: Mapping[str, NDArray[Any]]) -> "Scored":
        """Build the recommender from its stored arrays; the function is not asked."""
        return Scored(self, self.retrieval.restore(dataset, arrays), dataset)


class Scored:
    """score(u, i) is what a function says of a history and an item.

    The players are the events; the function sees nothing else, so attributes and features
    contribute nothing. What was answered before a batch failed for good is kept until the next call
    succeeds, so that nobody is asked twice.
    """

    def __init__(self, config: ScoredBy, retrieval: Recommender, dataset: Dataset) -> None:
        self._config, self._retrieval = config, retrieval
        self.item_features: Features = dataset.item_features
        self._ids = _as_array(dataset.items.ids)
        self._name = getattr(config.function, "__name__", type(config.function).__name__)
        self._kept: dict[tuple[bytes, int], float] = {}

    @property
    def n_ranked(self) -> int:
        """How many items are scored for a user."""
        return self._config.n_ranked

    def query_vectors(self, histories: Histories) -> Float32Array:
        """Return float32 [n_rows, dimension], of what finds the items."""
        return self._retrieval.query_vectors(histories)

    def item_vectors(self) -> Float32Array:
        """Return float32 [n_items, dimension], of what finds the items."""
        return self._retrieval.item_vectors()

    def item_biases(self) -> Float32Array:
        """Return float32 [n_items], of what finds the items."""
        return self._retrieval.item_biases()

    def pair_scores(
        self,
        histories: Histories,
        pairs: Pairs,
        queries: Float32Array | None = None,  # noqa: ARG002
    ) -> Float32Array:
        """Return float32 [n_pairs]: what the function says of each pair.

        Raises:
            ModelError: the function does not keep to its protocol, or failed to the last retry.
        """
        parts = np.split(histories.items, histories.offsets[1:-1])
        scores = self._scores([parts[row] for row in pairs.rows.tolist()], pairs.items)
        return scores.astype(np.float32)

    def coalition_values(
        self, histories: Histories, pairs: Pairs, coalitions: Coalitions
    ) -> Float64Array:
        """Return v(S), in logits, of pairs under many coalitions; see the protocol.

        What differs in attributes or features alone is asked once.

        Raises:
            ModelError: the function does not keep to its protocol, or failed to the last retry.
        """
        check_coalitions(coalitions, histories, self.item_features, pairs)
        asked, which = present_events(histories, pairs, coalitions)
        parts: list[Int32Array] = []
        for row in range(len(histories)):
            items = histories.items[histories.offsets[row] : histories.offsets[row + 1]]
            parts += [items[present] for present in asked.of(row)]
        items = np.repeat(pairs.items, coalitions.counts)
        keys = which * len(self._ids) + items
        _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
        scores = self._scores([parts[place] for place in which[first].tolist()], items[first])
        return scores[inverse]

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return those of what finds the items; the function is given again at load."""
        return self._retrieval.arrays()

    def probe(self, dataset: Dataset) -> None:
        """See that the function says the same when it is asked again."""
        active = np.flatnonzero(np.diff(dataset.interactions.offsets) > 0)
        histories = dataset.histories(active[:_PROBES])
        items = np.arange(len(histories), dtype=np.int32) % len(self._ids)
        parts = np.split(histories.items, histories.offsets[1:-1]) if len(histories) else []
        first, second = self._scores(parts, items), self._scores(parts, items)
        check_the_same(first, second, self._name, "a second call", self._config.function)

    def _scores(self, histories: list[Int32Array], items: Int32Array) -> Float64Array:
        """Ask batch by batch; what is answered is kept if a later batch fails for good."""
        scores, open_rows = np.zeros(len(items)), np.arange(len(items))
        if self._kept:
            known = [
                self._kept.get((each.tobytes(), item))
                for each, item in zip(histories, items.tolist(), strict=True)
            ]
            is_open = np.array([each is None for each in known], bool)
            scores[~is_open] = [each for each in known if each is not None]
            open_rows = np.flatnonzero(is_open)
        size = self._config.batch_size
        batches = [open_rows[start : start + size] for start in range(0, len(open_rows), size)]
        for place, rows in enumerate(batches):
            which = f"batch {place + 1} of {len(batches)} ({len(rows)} scores)"
            try:
                scores[rows] = self._answered([histories[row] for row in rows], items[rows], which)
            except ModelError:
                for row in np.concatenate([rows[:0], *batches[:place]]).tolist():
                    self._kept[histories[row].tobytes(), int(items[row])] = float(scores[row])
                raise
        self._kept = {}
        return scores

    def _answered(self, histories: list[Int32Array], items: Int32Array, which: str) -> Float64Array:
        """Ask one batch, and again if it fails."""
        config = self._config
        given = [self._ids[each] for each in histories], self._ids[items]
        for attempt in range(config.retries + 1):
            if attempt:
                time.sleep(config.backoff * 2 ** (attempt - 1))
            try:
                found = _within(config.timeout, lambda: config.function(*given))
            except Exception as error:
                failure = error
            else:
                floats = finite_floats(_as_floats(found), f"{self._name}, {which},", (len(items),))
                return floats.astype(np.float64)
        ends = given[1][[0, -1]].tolist()
        raise ModelError(
            f"{self._name} failed {config.retries + 1} times on {which}, of the items "
            f"{ends[0]!r} to {ends[1]!r}; at last {type(failure).__name__}: {failure}; "
            "what was answered before is kept for the next call"
        ) from failure


def _within(seconds: float | None, call: Callable[[], object]) -> object:
    """Return what a call returns, or raise what it raises.

    Raises:
        TimeoutError: it takes longer than that.
    """
    if seconds is None:
        return call()
    found: list[object] = []
    raised: list[Exception] = []

    def work() -> None:
        try:
            found.append(call())
        except Exception as error:
            raised.append(error)

    # A daemon, so that a call that never ends does not keep the interpreter from ending.
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    if raised:
        raise raised[0]
    if not found:
        raise TimeoutError(f"no answer within {seconds} seconds")
    return found[0]


def _as_floats(found: object) -> object:
    """Return a list of numbers as an array; anything else as it is."""
    is_numbers = isinstance(found, list | tuple) and all(
        isinstance(each, float | int) and not isinstance(each, bool) for each in found
    )
    return np.array(found, np.float64) if is_numbers else found


def _as_array(ids: tuple[Any, ...]) -> NDArray[Any]:
    """Return ids as an array: of their own type where they share one, or else of objects."""
    kinds = {type(each) for each in ids}
    if kinds in ({int}, {str}):
        return np.array(ids)
    array = np.empty(len(ids), object)
    array[:] = ids
    return array
