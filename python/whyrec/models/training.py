"""Trains the towers by a softmax over held-out events, with random events and fields left out."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from tqdm.auto import tqdm

from whyrec.data.dataset import Dataset
from whyrec.data.features import Features
from whyrec.data.interactions import Histories, Interactions
from whyrec.data.rows import gather_rows, offsets_of
from whyrec.models.loop import Chance, Identity, Learner, Look, Pace, Run, train_to_best
from whyrec.models.penalty import Penalty
from whyrec.models.popularity import log_popularity
from whyrec.models.recommender import Before, Companion, DifferentiableRecommender
from whyrec.models.renewal import beginning
from whyrec.models.start import Factors, Learned, LinearModel, take_up
from whyrec.models.targets import sampled_losses, weights_of_kinds, whole_losses
from whyrec.models.towers import ItemVectors, SummedVectors, Towers
from whyrec.models.validation import Calibration, Validation, hold_out
from whyrec.types import BoolArray, Int64Array

if TYPE_CHECKING:  # the config trains, so it imports this module
    from whyrec.models.two_tower import TwoTowerConfig


@dataclass(frozen=True, slots=True)
class Beside:
    """What learns in the same steps, and what makes of the towers the recommender that it sees."""

    companion: Companion

    recommender: Callable[
        [Towers, Features, ItemVectors, ItemVectors], DifferentiableRecommender[Any]
    ]
    """From towers, item features, and vectors of items as events and as candidates."""


def train(
    dataset: Dataset,
    config: "TwoTowerConfig",
    run: Run,
    beside: Beside | None = None,
    before: Before | None = None,
) -> Learned[Towers]:
    """Train as long as held-out events are ranked better.

    The vectors of items start as factors of the events, and factors rank higher what they were made
    of. So the events of each user are dealt to parts (`config.folds`), and a part is foretold from
    factors that the others made. What is learned is added to the factors of all events in the end.

    Args:
        dataset: all events.
        config: how to train.
        run: where, and what is told and kept on the way.
        beside: what learns in the same steps.
        before: what to go on from; None starts anew.

    Raises:
        ArgumentError: kind_weights names a kind of event that there is not.
        TrainingError: the loss is no longer finite.
    """
    before = before if before and before.arrays else None
    part, validation = hold_out(dataset, config.validation_share, config.seed, run.device)
    model = LinearModel.chosen(part, validation, config)
    training = _Training(part, model, config, run, beside, before)
    share = training.run(validation)
    prior_scale = share * training.calibration.prior
    return Learned(training.towers.cpu(), part, validation, model, training.whole, prior_scale)


class _Training:
    """The towers while they learn: their tables hold what is added to the factors."""

    def __init__(
        self,
        dataset: Dataset,
        model: LinearModel,
        config: "TwoTowerConfig",
        run: Run,
        beside: Beside | None,
        before: Before | None,
    ) -> None:
        self._dataset, self._config, self._run, self._beside = dataset, config, run, beside
        self._before = before
        self._kind_weights = weights_of_kinds(dataset, config.kind_weights).to(run.device)
        self._chance = Chance.of(config.seed)
        self.towers = Towers(dataset, config.dimension, config.heads, config.hidden)
        with torch.no_grad():
            spread = config.dimension**-0.5
            self.towers.hidden_weight.normal_(0, spread, generator=self._chance.generator)
        axes = take_up(self.towers, dataset, before, config.seed) if before else None
        self.towers.biases.requires_grad_(False)  # popularity is given in training
        self.towers.to(run.device)
        self.calibration = Calibration()
        self._popularity = log_popularity(dataset.interactions, dataset.n_items)
        self.whole = Factors.of(dataset, dataset.interactions, model, axes).to(run.device)
        self._fold_of_event = deal(dataset.interactions, config.folds, self._chance.random)
        users = dataset.interactions.users()
        folds = range(self._fold_of_event.max(initial=0) + 1)
        self._users = [np.unique(users[self._fold_of_event == fold]) for fold in folds]
        self._folds = [
            Factors.of(
                dataset,
                dataset.interactions.only(self._fold_of_event != fold),
                model,
                self.whole.inward,
            ).to(run.device)
            for fold in tqdm(folds, "recommender, factors", disable=not run.progress)
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
            loss=self._draw_loss,
            look=None if validation is None else lambda: self._look(validation),
            chance=(self._chance,),
            identity=Identity(self._dataset, (config,), beginning(self._before)),
            mixed_precision=self._run.mixed_precision,
        )
        if self._beside is not None:
            learner = self._with_companion(learner, self._beside)
        pace = Pace(
            max_steps=n_steps, evaluate_every=config.evaluate_every, patience=config.patience
        )
        return train_to_best(learner, pace if self._before is None else pace.shortened(), self._run)

    def _look(self, validation: Validation) -> Look:
        """Return the NDCG@10 of the held-out events, and the share of the prior that gives it.

        With a penalty it counts for less where much is left of what was called wrong.
        """
        ndcg, share = validation.best_ndcg(validation.scores(self._scores), self._prior)
        if self._beside is not None and isinstance(self._beside.companion, Penalty):
            ndcg *= self._beside.companion.worth(self._recommender(self._beside, self.whole))
        return Look(ndcg, share)

    def _with_companion(self, learner: Learner, beside: Beside) -> Learner:
        """Let what is beside the towers learn in their steps, and be kept with them."""
        companion = beside.companion
        network = companion.start(self._recommender(beside, self.whole))
        learner.optimizer.add_param_group(
            {"params": list(network.parameters()), "lr": companion.learning_rate}
        )
        return replace(
            learner,
            network=nn.ModuleList([self.towers, network]),
            clipped=self.towers,
            chance=(*learner.chance, companion.chance),
            identity=replace(
                learner.identity, settings=(*learner.identity.settings, companion.settings)
            ),
        )

    def _draw_loss(self, step: int) -> torch.Tensor | None:
        """Return the loss of a batch of users of a fold; None if nobody is in it."""
        fold = (step + 1) % len(self._folds)
        users = self._users[fold]
        if not len(users):
            return None
        users = self._chance.random.choice(
            users, min(self._config.batch_size, len(users)), replace=False
        )
        histories, factors = self._dataset.histories(users), self._folds[fold]
        _, events = gather_rows(self._dataset.interactions.offsets, users)
        is_target = self._fold_of_event[events] == fold
        is_input = draw_inputs(histories, ~is_target, self._chance.random)
        loss = self._loss(histories, is_input, is_target, factors)
        if self._beside is None:
            return loss
        recommender = self._recommender(self._beside, factors)
        return loss + self._beside.companion.loss(recommender, histories)

    def _recommender(self, beside: Beside, factors: Factors) -> DifferentiableRecommender[Any]:
        """Return the recommender as it is now, by some factors."""
        events = SummedVectors((factors.events, self.towers.events))
        items = SummedVectors((factors.items, self.towers.items))
        return beside.recommender(self.towers, self._dataset.item_features, events, items)

    @torch.no_grad()
    def _scores(self, histories: Histories, _: Int64Array) -> torch.Tensor:
        """Return float32 [n_rows, n_items]: products of queries and items, without biases."""
        queries, vectors = self._vectors(histories, histories, self.whole)
        return queries @ vectors.T

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

    def _loss(
        self, histories: Histories, is_input: BoolArray, is_target: BoolArray, factors: Factors
    ) -> torch.Tensor:
        """Return the mean over users of the weighted mean over targets of −log softmax."""
        inputs, device = histories.only_events(is_input), self._run.device
        queries, vectors = self._vectors(inputs, histories, factors, drop=True)
        rows = torch.from_numpy(np.repeat(np.arange(len(histories)), histories.counts())).to(device)
        items = torch.from_numpy(histories.items).long().to(device)
        wanted = torch.from_numpy(is_target).to(device)
        kinds = torch.from_numpy(histories.kinds).long().to(device)
        weights = self._kind_weights[kinds] * wanted
        totals = weights.new_zeros(len(histories)).index_add(0, rows, weights)
        weights = weights / totals.clamp(min=1e-12)[rows] / (totals > 0).sum().clamp(min=1)
        if self._dataset.n_items > self._config.full_softmax_items:
            n_items, n_drawn = self._dataset.n_items, self._config.n_negatives
            drawn = torch.from_numpy(self._chance.random.integers(n_items, size=n_drawn)).to(device)
            losses = sampled_losses(queries, vectors, self._prior, drawn, (rows, items))
            return (losses * weights).sum()
        logits = queries @ vectors.T + self._prior
        # What the user has had is no competitor, unless it is wanted again.
        had = torch.zeros_like(logits, dtype=torch.bool)
        had[rows[~wanted], items[~wanted]] = True
        had[rows[wanted], items[wanted]] = False
        return (whole_losses(logits, had, rows, items) * weights).sum()

    def _draw(self, left_out: float, *shape: int) -> torch.Tensor:
        """Draw what is kept, bool [shape], each entry being left out with the same chance."""
        kept = torch.rand(shape, generator=self._chance.generator) >= left_out
        return kept.to(self._run.device)


def deal(interactions: Interactions, n_folds: int, random: np.random.Generator) -> Int64Array:
    """Deal the events of each user out to folds, int64 [n_events], as evenly as may be."""
    counts = np.diff(interactions.offsets)
    order = np.lexsort((random.random(len(interactions)), interactions.users()))
    place = np.arange(len(interactions)) - np.repeat(interactions.offsets[:-1], counts)
    folds = np.empty(len(interactions), np.int64)
    folds[order] = (place + np.repeat(random.integers(n_folds, size=len(counts)), counts)) % n_folds
    return folds


def draw_inputs(histories: Histories, may_be: BoolArray, random: np.random.Generator) -> BoolArray:
    """Draw which events are input, bool [n_events]: from none of those that may be to all of them.

    So every size of coalition is met in training.
    """
    offsets = offsets_of(may_be)[histories.offsets]
    counts = np.diff(offsets)
    rows = np.repeat(np.arange(len(histories)), counts)
    order = np.lexsort((random.random(len(rows)), rows))
    rank = np.empty(len(rows), np.int64)
    rank[order] = np.arange(len(rows)) - np.repeat(offsets[:-1], counts)
    is_input = may_be.copy()
    is_input[may_be] = rank < random.integers(counts + 1)[rows]
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
