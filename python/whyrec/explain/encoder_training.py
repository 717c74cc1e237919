"""Trains the explainer network of an encoder from what it makes of coalitions of events."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from whyrec.data.coalitions import Coalitions
from whyrec.data.dataset import Dataset
from whyrec.data.features import Features
from whyrec.data.interactions import Histories
from whyrec.errors import ArgumentError
from whyrec.explain.event_network import EventNetwork
from whyrec.explain.network_training import closed, coalition_error, draw_coalitions
from whyrec.models.loop import Chance, Identity, Learner, Look, Pace, Run, train_to_best
from whyrec.models.padding import padded, places
from whyrec.models.recommender import EncodingRecommender
from whyrec.types import Int64Array

if TYPE_CHECKING:  # the config trains, so it imports this module
    from whyrec.explain.encoder_network import EncoderNetworkConfig

_BEST = 100
"""Half of the items are among so many that score best."""

_HELD_OUT = 0.1
"""Share of the histories that are not learned from."""

_MIXED = 0.3
"""Histories of a step are of about the same length: the longest is so much longer than it seems."""


def train(
    recommender: EncodingRecommender,
    dataset: Dataset,
    config: "EncoderNetworkConfig",
    run: Run,
    network: EventNetwork | None = None,
) -> tuple[EventNetwork, torch.Tensor]:
    """Train until held-out coalitions are foretold no better, and keep the best network.

    Args:
        recommender: which is explained.
        dataset: whose users are drawn.
        config: how to train.
        run: what is told and kept on the way.
        network: what to go on from; None starts anew.

    Returns:
        The network, and float32 [n_items, dimension]: the query of each item as the only event.

    Raises:
        ArgumentError: nobody has two events.
        TrainingError: the loss is no longer finite.
        StorageError: a checkpoint that cannot be made or read.
    """
    chance = Chance.of(config.seed)
    answers = Answers.drawn(recommender, dataset, config, chance)
    network = network or EventNetwork.start(
        answers.vectors,
        answers.alone,
        (config.width, config.heads, config.n_blocks, config.n_heard),
        config.seed,
    )
    n_held_out = max(1, round(_HELD_OUT * len(answers)))
    learned = np.arange(len(answers) - n_held_out) if len(answers) > 1 else np.zeros(1, np.int64)
    held_out = np.arange(len(answers) - n_held_out, len(answers))
    held_out = held_out[np.argsort(answers.counts[held_out], kind="stable")]
    parts = np.split(held_out, np.arange(config.batch_size, len(held_out), config.batch_size))
    # The same items at each look.
    items = [answers.some_items(part, config.n_items, chance) for part in parts]

    def look() -> Look:
        with torch.no_grad():
            losses = [
                answers.loss(network, part, of_part).item()
                for part, of_part in zip(parts, items, strict=True)
            ]
        return Look(float(np.average(losses, weights=[len(part) for part in parts])))

    def loss(_: int) -> torch.Tensor:
        rows = answers.of_one_length(learned, config.batch_size, chance)
        return answers.loss(network, rows, answers.some_items(rows, config.n_items, chance))

    learner = Learner(
        phase="explainer",
        network=network,
        optimizer=torch.optim.AdamW(network.parameters(), config.learning_rate),
        loss=loss,
        look=look,
        chance=(chance,),
        identity=Identity(dataset, (config,), recommender.arrays()),
        metric="error",
        less_is_better=True,
    )
    pace = Pace(
        max_steps=config.max_steps,
        evaluate_every=config.evaluate_every,
        patience=config.patience,
        cosine=True,
    )
    train_to_best(learner, pace, run)
    return network, answers.alone


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What an encoder made of coalitions of some histories."""

    histories: Histories
    counts: Int64Array
    """int64 [n_histories]: how many events each has."""
    present: list[torch.Tensor]
    """bool [n_coalitions, n_events] each."""
    queries: torch.Tensor
    """float32 [n_histories, n_coalitions + 1, dimension]; the last is that of all events."""
    vectors: torch.Tensor
    """float32 [n_items, dimension]."""
    alone: torch.Tensor
    """float32 [n_items, dimension]: the query of each item as the only event."""
    best: torch.Tensor
    """int64 [n_histories, n_best]: the items that score best."""

    def __len__(self) -> int:
        return len(self.counts)

    @classmethod
    def drawn(
        cls,
        recommender: EncodingRecommender,
        dataset: Dataset,
        config: "EncoderNetworkConfig",
        chance: Chance,
    ) -> "Answers":
        """Draw users, every other with a random part of the events, and have coalitions encoded."""
        random, counts = chance.random, np.diff(dataset.interactions.offsets)
        users = np.flatnonzero(counts > 1)
        if not len(users):
            raise ArgumentError("no user has two events; there is nothing to explain")
        # Everybody once before anybody twice.
        rounds = -(-config.n_histories // len(users))
        drawn = np.concatenate([random.permutation(users) for _ in range(rounds)])
        histories = dataset.histories(drawn[: config.n_histories])
        counts, n_rows = histories.counts(), len(histories)
        rate = np.where(np.arange(n_rows) % 2, 1.0, random.uniform(0.1, 1.0, n_rows))
        rate = np.minimum(rate, config.max_events / counts)
        histories = histories.only_events(random.random(counts.sum()) < np.repeat(rate, counts))
        histories = histories.take(np.flatnonzero(histories.counts() > 0))
        present = [
            draw_coalitions(
                torch.ones((1, count), dtype=torch.bool), config.n_coalitions, chance.generator
            )[0].bool()
            for count in histories.counts().tolist()
        ]
        asked = [torch.cat([each, each.new_ones((1, each.shape[1]))]).numpy() for each in present]
        found = recommender.coalition_queries(histories, Coalitions.of_matrices(asked))
        queries = torch.from_numpy(found).unflatten(0, (len(histories), -1))
        vectors = torch.from_numpy(recommender.item_vectors())
        scores = queries[:, -1] @ vectors.T
        best = scores.topk(min(_BEST, len(vectors))).indices
        alone = queries_alone(recommender, dataset)
        return cls(histories, histories.counts(), present, queries, vectors, alone, best)

    def of_one_length(self, learned: Int64Array, size: int, chance: Chance) -> Int64Array:
        """Draw histories of about as many events, int64 [size at most]."""
        seeming = self.counts[learned] * chance.random.uniform(1, 1 + _MIXED, len(learned))
        start = chance.random.integers(max(1, len(learned) - size + 1))
        return learned[np.argsort(seeming, kind="stable")[start : start + size]]

    def some_items(self, rows: Int64Array, n_items: int, chance: Chance) -> torch.Tensor:
        """Draw items, int64 [n_rows, n_items]: half of the best, half of all."""
        n_best, random = n_items // 2, chance.random
        ranks = torch.from_numpy(random.integers(self.best.shape[1], size=(len(rows), n_best)))
        of_best = self.best[torch.from_numpy(rows)].gather(1, ranks)
        shape = len(rows), n_items - n_best
        return torch.cat(
            [of_best, torch.from_numpy(random.integers(len(self.vectors), size=shape))], 1
        )

    def loss(self, network: EventNetwork, rows: Int64Array, items: torch.Tensor) -> torch.Tensor:
        """Return the error of Σφ against what coalitions of the rows score the items, [n, k]."""
        counts = torch.from_numpy(self.counts[rows])
        at = places(self.histories.offsets, rows, int(counts.max()))
        events = padded(torch.from_numpy(self.histories.items).long(), at)
        there = torch.from_numpy(at >= 0)
        coalitions = torch.zeros((len(rows), self.queries.shape[1] - 1, at.shape[1]))
        for place, row in enumerate(rows.tolist()):
            coalitions[place, :, : self.counts[row]] = self.present[row].float()
        told = (each[events] * there[..., None] for each in (self.vectors, self.alone))
        said = network(*told, counts)
        of_items = self.vectors[items]
        found = torch.einsum("rnd,rkd->rkn", said, of_items).flatten(0, 1)
        gained = torch.einsum("rcd,rkd->rkc", self.queries[torch.from_numpy(rows)], of_items)
        gained, full = gained[..., :-1].flatten(0, 1), gained[..., -1].flatten()
        n_items = items.shape[1]
        return coalition_error(
            closed(found, full),
            coalitions.repeat_interleave(n_items, 0),
            there.repeat_interleave(n_items, 0),
            gained,
            full,
        )


def queries_alone(recommender: EncodingRecommender, dataset: Dataset) -> torch.Tensor:
    """Return float32 [n_items, dimension]: the query of each item as the only event."""
    n_items = dataset.n_items
    schema = dataset.user_features.schema
    single = Histories(
        np.arange(n_items + 1, dtype=np.int64),
        np.arange(n_items, dtype=np.int32),
        np.zeros(n_items, np.int16),
        np.full(n_items, np.nan, np.float32),
        np.zeros(n_items, np.float32),
        Features.none(n_items, schema),
    )
    return torch.from_numpy(recommender.query_vectors(single))
