"""A recommender trained elsewhere: any encoder of histories, wrapped."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray

from whyrec.data.coalitions import Coalitions
from whyrec.data.dataset import Dataset
from whyrec.data.features import Features
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.data.wording import count, some
from whyrec.errors import ArgumentError, StorageError
from whyrec.models.event_coalitions import present_events
from whyrec.models.game import check_coalitions
from whyrec.models.given import SAME, asked, check_the_same, distance, finite_floats
from whyrec.models.loop import Run
from whyrec.models.recommender import Before
from whyrec.settings import check_numbers
from whyrec.types import Float32Array, Float64Array, Int64Array

_PROBES = 8
"""Histories and items that tell one model from another."""

_TOLERANCE = 10 * SAME
"""How far a model that is given at load may be from the one that was saved: other machines round
otherwise."""


@runtime_checkable
class Encoder(Protocol):
    """What an application writes around its own model, to have it wrapped by `SDK.wrap`.

    A model whose items have biases gives them by a method `item_biases()`, floats [n_items].
    """

    @property
    def item_ids(self) -> Sequence[Hashable]:
        """The ids of the items that the model knows, in its own order; an attribute will do."""
        ...

    def encode(self, histories: list[Int64Array]) -> torch.Tensor | NDArray[Any]:
        """Return floats [n_histories, dimension]: a vector for each history.

        Args:
            histories: int64 [n_events] each, one at least, oldest first: places in `item_ids`.
        """
        ...

    def item_vectors(self) -> torch.Tensor | NDArray[Any]:
        """Return floats [n_items, dimension], in the order of `item_ids`."""
        ...


@dataclass(frozen=True)
class WrappedConfig:
    """A model of the application's own as settings, for `SDK.wrap` and `SDK.load`."""

    encoder: Encoder
    """The model."""

    batch_size: int = 256
    """The most histories of one call."""

    def __post_init__(self) -> None:
        missing = [
            name
            for name in ("item_ids", "encode", "item_vectors")
            if not hasattr(self.encoder, name)
        ]
        if missing:
            raise ArgumentError(
                f"{type(self.encoder).__name__} has no {' and no '.join(missing)}; a model that is "
                "wrapped has item_ids, encode(histories) and item_vectors(), see "
                "whyrec.models.Encoder"
            )
        check_numbers(self)

    def fit(self, dataset: Dataset, *, progress: bool = True) -> "Wrapped":  # noqa: ARG002
        """Wrap the model, and see that it keeps to its protocol; it is not trained.

        Raises:
            ArgumentError: the catalog has an item that the model does not know.
            ModelError: the model does not keep to its protocol.
        """
        return Wrapped(self, dataset)

    def update(self, dataset: Dataset, before: Before) -> "Wrapped":  # noqa: ARG002
        """Wrap the model over a larger data set, all of whose items it has to know.

        Raises:
            ArgumentError: as of `fit`.
            ModelError: as of `fit`.
        """
        return Wrapped(self, dataset)

    def refit(self, dataset: Dataset, before: Before, run: Run) -> "Wrapped":  # noqa: ARG002
        """Do what `update` does: the model is trained elsewhere.

        Raises:
            ArgumentError: as of `fit`.
            ModelError: as of `fit`.
        """
        return self.update(dataset, before)

    def restore(self, dataset: Dataset, arrays: Mapping[str, Float32Array]) -> "Wrapped":
        """Wrap the model, and see that it is the one that the arrays are of.

        Raises:
            ArgumentError: as of `fit`.
            ModelError: as of `fit`.
            StorageError: it is another model.
        """
        wrapped = Wrapped(self, dataset)
        for name, found in wrapped.arrays().items():
            if arrays[name].shape != found.shape or distance(arrays[name], found) > _TOLERANCE:
                raise StorageError(
                    f"the model that is given is not the one that was saved: its {name} differ; "
                    "wrap the other one anew, since reasons are learned for one model"
                )
        return wrapped


class Wrapped:
    """score(u, i) = q(history) · v(item) + bias(item), where q and v are those of any encoder.

    The players are the events; the model sees nothing else, so attributes and features contribute
    nothing. Of nobody nothing is known: the query of an empty history is 0, and the encoder is
    never asked for it. Bits are those of the encoder: where its own depend on the batch, so do
    these, as far as `SDK.wrap` lets pass.
    """

    def __init__(self, config: WrappedConfig, dataset: Dataset) -> None:
        self._encoder, self._batch_size = config.encoder, config.batch_size
        self._name = type(config.encoder).__name__
        self.item_features: Features = dataset.item_features
        self._rows = _rows_of(config.encoder, dataset)
        self._vectors, self._biases = self._of_items("item_vectors"), self._of_items("item_biases")
        self._probes = self._probe(dataset)

    @property
    def dimension(self) -> int:
        """How many values a vector has."""
        return int(self._vectors.shape[1])

    def query_vectors(self, histories: Histories) -> Float32Array:
        """Return float32 [n_rows, dimension]: one vector per history; 0 for one without events.

        Raises:
            ModelError: the encoder does not keep to its protocol.
        """
        return self._encode(np.split(self._rows[histories.items], histories.offsets[1:-1]))

    def item_vectors(self) -> Float32Array:
        """Return float32 [n_items, dimension]: one vector per item of the catalog."""
        return self._vectors

    def item_biases(self) -> Float32Array:
        """Return float32 [n_items], in logits; 0 where the encoder has none."""
        return self._biases

    def coalition_queries(self, histories: Histories, coalitions: Coalitions) -> Float32Array:
        """Return q(S) of histories under coalitions of their events; see `EncodingRecommender`."""
        offsets, cell_offsets = histories.offsets, coalitions.cell_offsets()
        parts: list[Int64Array] = []
        for row in range(len(histories)):
            events = self._rows[histories.items[offsets[row] : offsets[row + 1]]]
            cells = coalitions.cells[cell_offsets[row] : cell_offsets[row + 1]]
            parts += [events[each] for each in cells.reshape(coalitions.counts[row], len(events))]
        return self._encode(parts)

    def coalition_values(
        self, histories: Histories, pairs: Pairs, coalitions: Coalitions
    ) -> Float64Array:
        """Return v(S), in logits, of pairs under many coalitions; see the protocol.

        What several pairs of a row ask, and what differs in attributes or features alone, is
        encoded once.
        """
        check_coalitions(coalitions, histories, self.item_features, pairs)
        asked_for, which = present_events(histories, pairs, coalitions)
        queries = self.coalition_queries(histories, asked_for)[which].astype(np.float64)
        items = np.repeat(pairs.items, coalitions.counts)
        products: Float64Array = (queries * self._vectors[items]).sum(axis=1)
        return products + self._biases[items]

    def arrays(self) -> dict[str, Float32Array]:
        """Return what tells this model from another: vectors of a few histories and items.

        The weights are the application's own; they are given again at load.
        """
        some_items = np.linspace(0, len(self._rows) - 1, _PROBES).astype(np.int64)
        return {"queries": self._probes, "vectors": self._vectors[some_items]}

    def _of_items(self, method: str) -> Float32Array:
        """Ask for vectors or biases of the items, and put them in the order of the catalog."""
        own = getattr(self._encoder, method, None)
        if own is None:
            return np.zeros(len(self._rows), np.float32)
        name, n_items = f"{self._name}.{method}()", len(self._encoder.item_ids)
        with torch.no_grad():
            found = asked(name, count(n_items, "item"), own)
        shape = (n_items, None) if method == "item_vectors" else (n_items,)
        return np.ascontiguousarray(finite_floats(found, name, shape)[self._rows], np.float32)

    def _encode(self, histories: list[Int64Array]) -> Float32Array:
        """Encode histories, those of about the same length together; 0 for one without events."""
        queries = np.zeros((len(histories), self.dimension), np.float32)
        lengths = np.array([len(each) for each in histories], np.int64)
        order = np.argsort(lengths, kind="stable")[(lengths == 0).sum() :]
        for start in range(0, len(order), self._batch_size):
            rows = order[start : start + self._batch_size]
            queries[rows] = self._encoded([histories[row] for row in rows.tolist()])
        return queries

    def _encoded(self, histories: list[Int64Array]) -> NDArray[Any]:
        name, n = f"{self._name}.encode(histories)", len(histories)
        about = f"{n} histories of {len(histories[0])} to {len(histories[-1])} events"
        with torch.no_grad():
            found = asked(name, about, lambda: self._encoder.encode(histories))
        return finite_floats(found, name, (n, self.dimension))

    def _probe(self, dataset: Dataset) -> Float32Array:
        """Encode a few histories, and see that nothing but the history changes its vector."""
        active = np.flatnonzero(np.diff(dataset.interactions.offsets) > 0)
        chosen = active[np.linspace(0, len(active) - 1, _PROBES).astype(np.int64)]
        histories, name = dataset.histories(chosen), f"{self._name}.encode(histories)"
        first = self.query_vectors(histories)
        again = self.query_vectors(histories)
        check_the_same(first, again, name, "a second call", self._encoder)
        alone = self.query_vectors(histories.take(np.zeros(1, np.int64)))
        check_the_same(first[:1], alone, name, "a batch of one", self._encoder)
        return first


def _rows_of(encoder: Encoder, dataset: Dataset) -> Int64Array:
    """Return int64 [n_items]: where each item of the catalog is among those of the model.

    Raises:
        ArgumentError: an item is unknown to the model.
    """
    places = {each: place for place, each in enumerate(encoder.item_ids)}
    unknown = [each for each in dataset.items if each not in places]
    if unknown:
        raise ArgumentError(
            f"{type(encoder).__name__}.item_ids has not {count(len(unknown), 'item')} of the "
            f"catalog: {some(unknown)}; leave them out of items, and their events by "
            'unknown_items="drop"'
        )
    return np.array([places[each] for each in dataset.items], np.int64)
