"""Trains the towers by a softmax over held-out events, with random events and fields left out."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from tqdm.auto import tqdm

from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.models.loop import Identity, Learner, Look, Pace, Run, train_to_best
from whyrec.models.popularity import log_popularity
from whyrec.models.start import Factors, take_all_in
from whyrec.models.targets import sampled_losses, weights_of_kinds, whole_losses
from whyrec.models.towers import Towers
from whyrec.models.validation import Calibration, Validation, hold_out
from whyrec.types import BoolArray, Int64Array

if TYPE_CHECKING:  # the config trains, so it imports this module
    from whyrec.models.two_tower import TwoTowerConfig


def train(dataset: Dataset, config: "TwoTowerConfig", run: Run) -> Towers:
    """Train as long as held-out events are ranked better, then take all events in.

    The vectors of items start as factors of the events, which know the events of every user that
    made them. So users learn in parts (`config.folds`), each from factors that the other parts
    made: what is learned holds for histories that the factors have not seen. In the end the
    factors of all events take their place, and what was learned is added.

    Raises:
        ArgumentError: kind_weights names a kind of event that there is not.
        TrainingError: the loss is no longer finite.
    """
    part, validation = hold_out(dataset, config.validation_share, config.seed, run.device)
    training = _Training(part, config, run)
    share = training.run(validation)
    towers = training.towers.cpu()
    tables = towers.events, towers.items, towers.biases
    take_all_in(dataset, config, training.whole, share * training.calibration.prior, tables)
    return towers


class _Training:
    """The towers while they learn: their tables hold what is added to the factors."""

    def __init__(self, dataset: Dataset, config: "TwoTowerConfig", run: Run) -> None:
        self._dataset, self._config, self._run = dataset, config, run
        self._kind_weights = weights_of_kinds(dataset, config.kind_weights).to(run.device)
        self._random = np.random.default_rng(config.seed)
        self._generator = torch.Generator().manual_seed(config.seed)
        self.towers = Towers(dataset, config.dimension, config.heads, config.hidden)
        with torch.no_grad():
            spread = config.dimension**-0.5
            self.towers.hidden_weight.normal_(0, spread, generator=self._generator)
        self.towers.biases.requires_grad_(False)  # popularity is given in training
        self.towers.to(run.device)
        self.calibration = Calibration()
        self._popularity = log_popularity(dataset.interactions, dataset.n_items)
        self.whole = Factors.of(dataset, dataset.interactions, config)
        active = np.flatnonzero(np.diff(dataset.interactions.offsets) > 0)
        n_folds = max(1, min(config.folds, len(active)))
        self._fold_of_user = self._random.permutation(dataset.n_users) % n_folds
        of_events = self._fold_of_user[dataset.interactions.users()]
        self._users = [active[self._fold_of_user[active] == fold] for fold in range(n_folds)]
        self._folds = [
            Factors.of(
                dataset, dataset.interactions.only(of_events != fold), config, self.whole
            ).to(run.device)
            for fold in tqdm(range(n_folds), "recommender, factors", disable=not run.progress)
        ]

    @property
    def _prior(self) -> torch.Tensor:
        return torch.from_numpy(self._popularity).to(self._run.device) * self.calibration.prior

    def run(self, validation: Validation | None) -> float:
        """Train to the best point, and return the share of the prior that ranks best there."""
        config = self._config
        if validation is not None:
            self.calibration = validation.calibrate(self._scores, self._popularity)
        with torch.no_grad():
            self.towers.log_scale.fill_(np.log(self.calibration.scale))
        n_steps = config.max_steps if validation else config.evaluate_every * config.patience
        learner = Learner(
            phase="recommender",
            network=self.towers,
            optimizer=_optimizer(self.towers, config),
            loss=self._lesson_loss,
            look=None if validation is None else lambda: self._look(validation),
            random=self._random,
            generator=self._generator,
            identity=Identity(self._dataset, config),
            mixed_precision=self._run.mixed_precision,
        )
        pace = Pace(
            max_steps=n_steps, evaluate_every=config.evaluate_every, patience=config.patience
        )
        return train_to_best(learner, pace, self._run)

    def _look(self, validation: Validation) -> Look:
        """Return the NDCG@10 of the held-out events, and the share of the prior that gives it."""
        return Look(*validation.ndcg(validation.scores(self._scores), self._prior))

    def _lesson_loss(self, step: int) -> torch.Tensor | None:
        """Return the loss of a batch of users of a fold; None if nobody is in it."""
        fold = step % len(self._folds)
        users = self._users[fold]
        if not len(users):
            return None
        size = min(self._config.batch_size, len(users))
        histories = self._dataset.histories(self._random.choice(users, size, replace=False))
        return self._loss(histories, draw_inputs(histories, self._random), self._folds[fold])

    @torch.no_grad()
    def _scores(self, histories: Histories, users: Int64Array) -> torch.Tensor:
        """Return float32 [n_rows, n_items]: products of queries and items, without biases."""
        scores = torch.empty(len(users), self._dataset.n_items, device=self._run.device)
        for fold, factors in enumerate(self._folds):
            rows = np.flatnonzero(self._fold_of_user[users] == fold)
            part = histories.take(rows)
            queries, vectors = self._vectors(part, part, factors)
            scores[torch.from_numpy(rows).to(scores.device)] = queries @ vectors.T
        return scores

    def _vectors(
        self, inputs: Histories, histories: Histories, factors: Factors, *, drop: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return query vectors [n_rows, dimension] and item vectors [n_items, dimension]."""
        towers, config, features = self.towers, self._config, self._dataset.item_features
        kept = self._draw(config.absent_features, len(features.tokens)) if drop else None
        events = factors.events(features, kept) + towers.events(features, kept)
        items = factors.items(features, kept) + towers.items(features, kept)
        summed = towers.sum_events(events, events @ towers.gate_of_vector, inputs)
        if not drop:
            return towers.queries(summed, towers.attribute_vectors(histories.attributes)), items
        attributes = towers.attribute_vectors(
            histories.attributes, lambda n: self._draw(config.absent_fields, n)
        )
        units = self._draw(config.dropout, len(inputs), config.hidden) / (1 - config.dropout)
        return towers.queries(summed, attributes, units), items

    def _loss(self, histories: Histories, is_input: BoolArray, factors: Factors) -> torch.Tensor:
        """Return the mean over users of the weighted mean over targets of −log softmax."""
        inputs, device = histories.only_events(is_input), self._run.device
        queries, vectors = self._vectors(inputs, histories, factors, drop=True)
        rows = torch.from_numpy(np.repeat(np.arange(len(histories)), histories.counts())).to(device)
        items = torch.from_numpy(histories.items).long().to(device)
        is_target = torch.from_numpy(~is_input).to(device)
        kinds = torch.from_numpy(histories.kinds).long().to(device)
        weights = self._kind_weights[kinds] * is_target
        totals = weights.new_zeros(len(histories)).index_add(0, rows, weights)
        weights = weights / totals.clamp(min=1e-12)[rows] / (totals > 0).sum().clamp(min=1)
        if self._dataset.n_items > self._config.full_softmax_items:
            n_items, n_drawn = self._dataset.n_items, self._config.n_negatives
            drawn = torch.from_numpy(self._random.integers(n_items, size=n_drawn)).to(device)
            losses = sampled_losses(queries, vectors, self._prior, drawn, (rows, items))
            return (losses * weights).sum()
        logits = queries @ vectors.T + self._prior
        # What the user has had is no competitor, unless it is wanted again.
        had = torch.zeros_like(logits, dtype=torch.bool)
        had[rows[~is_target], items[~is_target]] = True
        had[rows[is_target], items[is_target]] = False
        return (whole_losses(logits, had, rows, items) * weights).sum()

    def _draw(self, left_out: float, *shape: int) -> torch.Tensor:
        """Draw what is kept, bool [shape], each entry being left out with the same chance."""
        kept = torch.rand(shape, generator=self._generator) >= left_out
        return kept.to(self._run.device)


def draw_inputs(histories: Histories, random: np.random.Generator) -> BoolArray:
    """Draw which events are input, bool [n_events]: from none of a row to all but one.

    The others are the targets; so every size of coalition is met in training.
    """
    counts = histories.counts()
    rows = np.repeat(np.arange(len(histories)), counts)
    order = np.lexsort((random.random(len(rows)), rows))
    rank = np.empty(len(rows), np.int64)
    rank[order] = np.arange(len(rows)) - np.repeat(histories.offsets[:-1], counts)
    n_inputs = random.integers(np.maximum(counts, 1))
    is_input: BoolArray = rank < n_inputs[rows]
    return is_input


def _optimizer(towers: Towers, config: "TwoTowerConfig") -> torch.optim.Optimizer:
    vectors = [*towers.events.parameters(), *towers.items.parameters()]
    residual = [towers.hidden_weight, towers.hidden_bias]
    residual += [towers.output_weight, towers.output_bias]
    chosen = {id(each) for each in vectors + residual}
    others = [each for each in towers.parameters() if each.requires_grad and id(each) not in chosen]
    groups: list[dict[str, Any]] = [
        {"params": others, "lr": config.learning_rate},
        {"params": vectors, "lr": config.vector_learning_rate},
        {"params": residual, "lr": config.residual_learning_rate},
    ]
    groups[2]["weight_decay"] = config.weight_decay
    return torch.optim.AdamW(groups, weight_decay=0.0)
