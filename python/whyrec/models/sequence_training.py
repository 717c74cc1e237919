"""Trains the sequence model to foretell events of a history from those before each of them."""

from collections.abc import Iterator
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.models.loop import Chance, Identity, Learner, Look, Pace, Run, train_to_best
from whyrec.models.popularity import log_popularity
from whyrec.models.recommender import Before
from whyrec.models.renewal import beginning
from whyrec.models.sequence_encoder import SequenceEncoder
from whyrec.models.sequence_lessons import Lesson, cut
from whyrec.models.start import Factors, Learned, LinearModel, take_up
from whyrec.models.targets import sampled_losses, weights_of_kinds, whole_losses
from whyrec.models.validation import Calibration, Validation, hold_out_last
from whyrec.types import Int64Array

if TYPE_CHECKING:  # the config trains, so it imports this module
    from whyrec.models.sequence import SequenceConfig

_FEWEST_STEPS = 500
_PASSES = 2

_READ_TOGETHER = 64
"""Histories of a look at held-out events that are read at a time, if they are not very long."""

_MOST_PLACES = 1 << 17
"""Places of the histories that are read at a time, if there is more than one."""


def train(
    dataset: Dataset, config: "SequenceConfig", run: Run, before: Before | None = None
) -> Learned[SequenceEncoder]:
    """Train as long as held-out last events are ranked better.

    As with the two-tower network, vectors of items start as the factors of a linear model of the
    events that are not held out, and what is learned is added to those of all events in the end.

    Args:
        dataset: all events.
        config: how to train.
        run: where, and what is told and kept on the way.
        before: what to go on from; None starts anew.

    Raises:
        ArgumentError: kind_weights names a kind of event that there is not.
        TrainingError: the loss is no longer finite.
    """
    before = before if before and before.arrays else None
    part, validation = hold_out_last(dataset, config.validation_share, config.seed, run.device)
    model = LinearModel.chosen(part, validation, config)
    training = _Training(part, model, config, run, before)
    share = training.run(validation)
    prior_scale = share * training.calibration.prior
    return Learned(training.encoder.cpu(), part, validation, model, training.factors, prior_scale)


class _Training:
    """The encoder while it learns: its tables hold what is added to the factors."""

    def __init__(
        self,
        dataset: Dataset,
        model: LinearModel,
        config: "SequenceConfig",
        run: Run,
        before: Before | None,
    ) -> None:
        self._dataset, self._config, self._run, self._before = dataset, config, run, before
        self._kind_weights = weights_of_kinds(dataset, config.kind_weights).to(run.device)
        self._chance = Chance.of(config.seed)
        self.encoder = SequenceEncoder(
            dataset, config.dimension, config.heads, config.hidden, config.n_blocks
        )
        self.encoder.start(self._chance.generator)
        axes = None if before is None else take_up(self.encoder, dataset, before, config.seed)
        self.encoder.biases.requires_grad_(False)  # popularity is given in training
        self.encoder.to(run.device)
        self.factors = Factors.of(dataset, dataset.interactions, model, axes).to(run.device)
        self.calibration = Calibration()
        self._popularity = log_popularity(dataset.interactions, dataset.n_items)
        self._users = np.flatnonzero(np.diff(dataset.interactions.offsets) > 0)

    @property
    def _prior(self) -> torch.Tensor:
        return torch.from_numpy(self._popularity).to(self._run.device) * self.calibration.prior

    def run(self, validation: Validation | None) -> float:
        """Train to the best point, and return the share of the prior that ranks best there."""
        config, n_events = self._config, len(self._dataset.interactions)
        if validation is not None:
            self.calibration = validation.calibrate(self._scores, self._popularity)
        with torch.no_grad():
            self.encoder.log_scale.fill_(np.log(self.calibration.scale))
        in_a_step = config.batch_size * config.n_targets
        n_steps = max(_FEWEST_STEPS, ceil(_PASSES * n_events / in_a_step))
        n_steps = n_steps if config.max_steps is None else config.max_steps
        learner = Learner(
            phase="recommender",
            network=self.encoder,
            optimizer=_optimizer(self.encoder, config),
            loss=lambda _: self._draw_loss(),
            look=None if validation is None else lambda: self._look(validation),
            chance=(self._chance,),
            identity=Identity(self._dataset, (config,), beginning(self._before)),
            mixed_precision=self._run.mixed_precision,
        )
        pace = Pace(
            max_steps=n_steps if len(self._users) else 0,
            evaluate_every=max(1, ceil(n_steps / config.n_looks)),
            patience=config.patience,
            cosine=True,
        )
        return train_to_best(learner, pace if self._before is None else pace.shortened(), self._run)

    def _look(self, validation: Validation) -> Look:
        """Return the NDCG@10 of the held-out events, and the share of the prior that gives it."""
        return Look(*validation.best_ndcg(validation.scores(self._scores), self._prior))

    def _draw_loss(self) -> torch.Tensor:
        """Draw users and events of theirs to foretell, and return the loss."""
        size = min(self._config.batch_size, len(self._users))
        users = self._chance.random.choice(self._users, size, replace=False)
        histories = cut(
            self._dataset.histories(users), self._config.max_events, self._chance.random
        )
        lesson = Lesson.draw(
            self.encoder,
            histories,
            self._config.n_targets,
            self._config.absent_events,
            self._chance.random,
        )
        return self._loss(histories, lesson)

    def _loss(self, histories: Histories, lesson: Lesson) -> torch.Tensor:
        """Return the weighted mean over targets of −log softmax."""
        encoder, config, catalog = self.encoder, self._config, self._dataset.item_features
        kept = self._draw(config.absent_features, (len(catalog.tokens),))
        vectors = self.factors.items(catalog, kept) + encoder.items(catalog, kept)
        attributes = encoder.attribute_vectors(
            histories.attributes, lambda n: self._draw(config.absent_fields, (n,))
        )
        memory = encoder.remember(self._events(kept), lesson.laid, self._keep)
        queries = encoder.queries(
            memory,
            attributes[:, None].expand(-1, lesson.items.shape[1], -1),
            lesson.recency,
            lesson.seen.float(),
            self._keep,
        ).flatten(0, 1)
        device = self._run.device
        items, asking = lesson.items.flatten(), torch.arange(len(queries), device=device)
        weights = self._kind_weights[lesson.kinds] * lesson.is_target
        weights = (weights / weights.sum().clamp(min=1e-12)).flatten()
        n_items = self._dataset.n_items
        if n_items > config.full_softmax_items:
            drawn = torch.from_numpy(self._chance.random.integers(n_items, size=config.n_negatives))
            drawn = drawn.to(device)
            losses = sampled_losses(queries, vectors, self._prior, drawn, (asking, items))
        else:
            logits = queries @ vectors.T + self._prior
            losses = whole_losses(logits, lesson.had(n_items), asking, items)
        return (losses * weights).sum()

    def _events(self, kept: torch.Tensor | None = None) -> torch.Tensor:
        """Return the event vectors of all items, float32 [n_items, dimension]."""
        catalog = self._dataset.item_features
        events: torch.Tensor = self.factors.events(catalog, kept) + self.encoder.events(
            catalog, kept
        )
        return events

    def _draw(self, left_out: float, shape: tuple[int, ...]) -> torch.Tensor:
        """Draw what is kept, bool [shape], each entry being left out with the same chance."""
        kept = torch.rand(shape, generator=self._chance.generator) >= left_out
        return kept.to(self._run.device)

    def _keep(self, units: torch.Tensor) -> torch.Tensor:
        """Leave units out by chance, and scale up the others."""
        kept = self._draw(self._config.dropout, tuple(units.shape))
        return units * kept / (1 - self._config.dropout)

    @torch.no_grad()
    def _scores(self, histories: Histories, _: Int64Array) -> torch.Tensor:
        """Return float32 [n_rows, n_items]: products of queries and items, without biases."""
        catalog = self._dataset.item_features
        events = self._events()
        vectors = self.factors.items(catalog) + self.encoder.items(catalog)
        scores = torch.empty(len(histories), self._dataset.n_items, device=self._run.device)
        for rows in _of_one_width(histories.counts()):
            queries = self.encoder.read(events, histories.take(rows))
            scores[torch.from_numpy(rows).to(scores.device)] = queries @ vectors.T
        return scores


def _of_one_width(counts: Int64Array) -> Iterator[Int64Array]:
    """Give rows of about as many events together, few where they are long: memory is of events."""
    order = np.argsort(counts, kind="stable")
    for rows in np.split(order, range(_READ_TOGETHER, len(order), _READ_TOGETHER)):
        at_once = max(1, _MOST_PLACES // max(1, counts[rows].max(initial=0)))
        yield from np.split(rows, range(at_once, len(rows), at_once))


def _optimizer(encoder: SequenceEncoder, config: "SequenceConfig") -> torch.optim.Optimizer:
    vectors = [*encoder.events.parameters(), *encoder.items.parameters()]
    matrices = [each for each in encoder.blocks.parameters() if each.dim() == 2]
    chosen = {id(each) for each in vectors + matrices}
    others = [
        each for each in encoder.parameters() if each.requires_grad and id(each) not in chosen
    ]
    groups: list[dict[str, Any]] = [
        {"params": others},
        {"params": matrices, "weight_decay": config.weight_decay},
        {"params": vectors, "lr": config.vector_learning_rate},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, weight_decay=0.0)
