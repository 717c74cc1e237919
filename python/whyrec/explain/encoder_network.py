"""The explainer network of an encoder that is asked and never differentiated."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch

from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.data.rows import offsets_of
from whyrec.errors import ArgumentError, StorageError
from whyrec.explain.attribution import Attributions, PlayerKind, Players, close_gaps
from whyrec.explain.confidence import Confidence, fit_confidence
from whyrec.explain.encoder_training import queries_alone, train
from whyrec.explain.event_network import EventNetwork, Said
from whyrec.explain.shapley import ShapleyConfig
from whyrec.models.loop import Run
from whyrec.models.recommender import EncodingRecommender, Recommender
from whyrec.models.renewal import load
from whyrec.settings import check_numbers
from whyrec.types import Float32Array, Float64Array

_CONFIDENCE, _ALONE = "confidence", "alone"
"""The names of the arrays that are not the network's."""

_ITEMS = 16
"""Items of a history that are multiplied with its events together."""

_REFERENCE = 1_024
"""Evaluations of a pair that confidence is learned from: the encoder may take its time."""


@dataclass(frozen=True, kw_only=True)
class EncoderNetworkConfig:
    """Settings of `EncoderNetwork` and of its training."""

    width: int = 64
    """Of what the network keeps of each event; a multiple of heads."""

    heads: int = 4
    """Parts of a vector, each with its own weights of the events."""

    n_blocks: int = 2
    """How often events attend to one another."""

    n_heard: int = 64
    """So many of the latest events of a history every event attends to; the time of an answer
    grows with them and with the events.
    """

    n_histories: int = 2_048
    """Histories, and parts of them, whose coalitions are asked of the encoder."""

    n_coalitions: int = 32
    """Coalitions of each, half of them the complements of the others: with those of everybody,
    n_histories × (n_coalitions + 1) encodings are what the fit costs.
    """

    n_items: int = 8
    """Items of each history in a step, half of them among the best 100."""

    batch_size: int = 32
    """Histories in a step."""

    max_steps: int = 2_000
    """The most steps."""

    evaluate_every: int = 100
    """Steps between two looks at the histories that are held out."""

    patience: int = 4
    """Looks without improvement after which training stops."""

    learning_rate: float = 2e-3
    """Of AdamW."""

    max_events: int = 128
    """Longer histories are cut to about so many random events in training, never in explaining."""

    confidence_pairs: int = 32
    """(User, item) pairs whose Shapley values tell how sure a reason is; 0 leaves that out."""

    seed: int = 0
    """The same recommender, data, settings and seed give the same network."""

    def __post_init__(self) -> None:
        check_numbers(self, may_be_zero=("seed", "max_steps", "confidence_pairs"))
        if self.width % self.heads:
            raise ArgumentError(
                f"width must be a multiple of heads; {self.width} is none of {self.heads}"
            )

    def fit(
        self, recommender: Recommender, dataset: Dataset, *, progress: bool = True
    ) -> "EncoderNetwork":
        """Train on what the encoder makes of parts of histories.

        Raises:
            ArgumentError: the score is no product with an encoding of events, or nobody has two.
            ModelError: the encoder does not keep to its protocol.
            TrainingError: the loss is no longer finite.
        """
        return self.train(recommender, dataset, Run(progress=progress))

    def train(self, recommender: Recommender, dataset: Dataset, run: Run) -> "EncoderNetwork":
        """Do what `fit` does, with what a run tells and keeps on the way.

        Raises:
            ArgumentError: as of `fit`.
            ModelError: as of `fit`.
            TrainingError: as of `fit`.
            StorageError: a checkpoint that cannot be made or read.
        """
        return self._train(recommender, dataset, run)

    def _train(
        self,
        recommender: Recommender,
        dataset: Dataset,
        run: Run,
        network: EventNetwork | None = None,
    ) -> "EncoderNetwork":
        """Train from the network on, if there is one."""
        source = encoding(recommender)
        network, alone = train(source, dataset, self, run, network)
        confidence = fit_confidence(
            EncoderNetwork(source, network, alone),
            source,
            dataset,
            n_pairs=self.confidence_pairs,
            reference=ShapleyConfig(max_evaluations=_REFERENCE, seed=self.seed),
            seed=self.seed,
            progress=run.progress,
        )
        return EncoderNetwork(source, network, alone, confidence)

    def update(
        self, recommender: Recommender, dataset: Dataset, arrays: Mapping[str, Float32Array]
    ) -> "EncoderNetwork":
        """Ask the encoder what it makes of each item that is new, and train nothing.

        Raises:
            ModelError: the encoder does not keep to its protocol.
        """
        if len(arrays[_ALONE]) < dataset.n_items:
            alone = queries_alone(encoding(recommender), dataset).numpy()
            alone[: len(arrays[_ALONE])] = arrays[_ALONE]
            arrays = {**arrays, _ALONE: alone}
        return self.restore(recommender, arrays)

    def refit(
        self,
        recommender: Recommender,
        dataset: Dataset,
        arrays: Mapping[str, Float32Array],
        run: Run,
    ) -> "EncoderNetwork":
        """Do what `train` does, from what was learned before on, in half as many steps at most.

        Raises:
            ArgumentError: as of `fit`.
            ModelError: as of `fit`.
            TrainingError: as of `fit`.
            StorageError: a checkpoint that cannot be made or read.
        """
        shorter = replace(
            self, max_steps=(self.max_steps + 1) // 2, patience=(self.patience + 1) // 2
        )
        return shorter._train(recommender, dataset, run, self._network(recommender, arrays))

    def restore(
        self, recommender: Recommender, arrays: Mapping[str, Float32Array]
    ) -> "EncoderNetwork":
        """Build the explainer from its stored arrays.

        Raises:
            StorageError: the arrays are not those of these settings and this recommender.
        """
        known = arrays.get(_CONFIDENCE)
        return EncoderNetwork(
            encoding(recommender),
            self._network(recommender, arrays),
            torch.from_numpy(arrays[_ALONE]),
            known if known is None else Confidence.restore(known),
        )

    def _network(
        self, recommender: Recommender, arrays: Mapping[str, Float32Array]
    ) -> EventNetwork:
        """Build the network from the arrays of the explainer."""
        dimension = encoding(recommender).item_vectors().shape[1]
        network = EventNetwork(dimension, self.width, self.heads, self.n_blocks, self.n_heard)
        others = (_CONFIDENCE, _ALONE)
        weights = {name: each for name, each in arrays.items() if name not in others}
        try:
            load(network, weights)
        except RuntimeError as error:
            raise StorageError(f"the arrays of the explainer do not fit: {error}") from error
        return network


class EncoderNetwork:
    """Says of each event what it adds to the query, from the encoder's item vectors alone.

    The score of an item is a product with the query, and Shapley values are linear in the score, so
    those of all items come from one vector per event: φ_j(i) = Φ_j · v_i. The network gives all Φ
    of a history in one pass, without asking the encoder: it knows the vector of each item, and what
    the encoder makes of it as the only event, which was asked once. It is trained by the queries
    that the encoder makes of coalitions, whose weighted least squares are the Shapley values. What
    is left of the score is shared out by `close_gaps`.

    Source: N. Jethani et al., FastSHAP: Real-Time Shapley Value Estimation, 2022, for a network
    that is trained by coalitions alone.
    """

    def __init__(
        self,
        recommender: EncodingRecommender,
        network: EventNetwork,
        alone: torch.Tensor,
        confidence: Confidence | None = None,
    ) -> None:
        self._recommender, self._alone = recommender, alone
        self._network = network.eval().requires_grad_(False)
        self._vectors = torch.from_numpy(recommender.item_vectors())
        self._said = Said(self._network, self._vectors, alone)
        self._biases = recommender.item_biases()
        self._confidence = confidence

    @torch.no_grad()
    def explain(
        self, histories: Histories, pairs: Pairs, full_values: Float64Array
    ) -> Attributions:
        """Attribute the scores of a batch of pairs, in one pass over the events of all of them."""
        players = Players.of(histories, self._recommender.item_features, pairs)
        is_event = players.kinds == PlayerKind.EVENT
        contributions = np.zeros(len(players.kinds))
        contributions[is_event] = self._of_events(histories, pairs)
        bases = self._biases[pairs.items].astype(np.float64)
        closed = close_gaps(
            Attributions(pairs, players, contributions, bases, full_values, "network"),
            shares=np.where(is_event, np.abs(contributions) + np.finfo(np.float32).tiny, 0),
        )
        known = self._confidence
        return closed if known is None else replace(closed, confidences=known.of(closed))

    def _of_events(self, histories: Histories, pairs: Pairs) -> Float64Array:
        """Return float64 [n_events of all pairs]: φ of each event of each pair, gaps left open."""
        order = np.argsort(pairs.rows, kind="stable")
        rows, counts = np.unique(pairs.rows, return_counts=True)
        asked = histories.take(rows.astype(np.int64))
        said = self._said.of(torch.from_numpy(asked.items).long(), asked.offsets)
        found: list[Float64Array] = [np.zeros(0)] * len(pairs)
        ends = zip(pairwise(asked.offsets.tolist()), pairwise(offsets_of(counts)), strict=True)
        for (start, end), (first, last) in ends:
            for at in range(first, last, _ITEMS):
                of_row = order[at : min(at + _ITEMS, last)]
                # As many items each time, since products of other shapes are rounded otherwise.
                items = np.resize(pairs.items[of_row], _ITEMS)
                of_items = (said[start:end].clone() @ self._vectors[items].T).T.double().numpy()
                for pair, of_pair in zip(of_row.tolist(), of_items, strict=False):
                    found[pair] = of_pair
        return np.concatenate([np.zeros(0), *found])

    def arrays(self) -> dict[str, Float32Array]:
        """Return everything that is learned."""
        arrays = {name: each.cpu().numpy() for name, each in self._network.state_dict().items()}
        arrays[_ALONE] = self._alone.numpy()
        known = self._confidence
        return arrays if known is None else arrays | {_CONFIDENCE: known.array()}


def encoding(recommender: Recommender) -> EncodingRecommender:
    """Return the recommender as one that encodes events, or say that it does not."""
    if not isinstance(recommender, EncodingRecommender):
        raise ArgumentError(
            f"{type(recommender).__name__} has no coalition_queries(histories, coalitions): its "
            "score is no product with an encoding of events; explain it by NetworkConfig() or "
            "ShapleyConfig()"
        )
    return recommender
