"""Trains the towers by a softmax over held-out events, with random events and fields left out."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from tqdm.auto import tqdm

from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.errors import ArgumentError, TrainingError
from whyrec.models.start import Calibration, log_popularity, start_from_factors
from whyrec.models.towers import Towers
from whyrec.models.validation import Validation, hold_out
from whyrec.types import BoolArray

if TYPE_CHECKING:  # the config trains, so it imports this module
    from whyrec.models.two_tower import TwoTowerConfig

_LARGEST_GRADIENT = 1.0


def train(
    dataset: Dataset, config: "TwoTowerConfig", make: Callable[[], Towers], *, progress: bool
) -> Towers:
    """Find the number of steps on held-out events, then train that far on all events.

    First the few parameters that weigh events and know attributes are trained, then all of them.
    Either stage goes only as far as held-out events are ranked better, which may be nowhere.

    Raises:
        ArgumentError: kind_weights names a kind of event that there is not.
        TrainingError: the loss is no longer finite.
    """
    calibration, n_steps, share = Calibration(), (config.max_steps, 0), 1.0
    validation = hold_out(dataset, config.validation_share, config.seed)
    if validation is not None:
        start = _Run(validation.part, config, make(), calibration)
        calibration = validation.calibrate(start.towers, log_popularity(validation.part))
        run = _Run(validation.part, config, make(), calibration)
        n_steps, share = run.best_stop(validation, progress=progress)
    run = _Run(dataset, config, make(), calibration)
    with tqdm(total=sum(n_steps), desc="recommender, all events", disable=not progress) as shown:
        for stage, n_of_stage in enumerate(n_steps):
            run.enter(stage)
            for _ in range(n_of_stage):
                run.step()
                shown.update()
    with torch.no_grad():
        run.towers.item_bias.mul_(share)
        run.towers.feature_bias.mul_(share)
    return run.towers


class _Run:
    """One training from its start, on the events of one data set."""

    def __init__(
        self, dataset: Dataset, config: "TwoTowerConfig", towers: Towers, calibration: Calibration
    ) -> None:
        start_from_factors(towers, dataset, calibration, config.l2, config.seed)
        self.towers = towers
        self._dataset, self._config = dataset, config
        # In training, popularity is given: what is left to learn is what tells users apart.
        self._prior = torch.from_numpy(log_popularity(dataset)) * calibration.prior
        fixed = (towers.item_bias, towers.feature_bias)
        for parameter in fixed:
            parameter.requires_grad_(False)
        self._users = np.flatnonzero(np.diff(dataset.interactions.offsets) > 0)
        self._kind_weights = _kind_weights(dataset, config)
        self._random = np.random.default_rng(config.seed)
        self.enter(0)

    def enter(self, stage: int) -> None:
        """Begin a stage of the training, with a new optimizer."""
        self._optimizer = _optimizer(self.towers, self._config, stage)

    def best_stop(
        self, validation: Validation, *, progress: bool
    ) -> tuple[tuple[int, int], float]:
        """Train each stage until held-out events are ranked no better, and go back to its best.

        Returns:
            The number of steps of each stage, and the share of the prior that ranks best.
        """
        config = self._config
        best, share = validation.best_share(self.towers)
        n_steps = [0, 0]
        for stage in range(2):
            self.enter(stage)
            state = self._state()
            with tqdm(
                range(1, config.max_steps + 1),
                f"recommender, held-out events, stage {stage + 1} of 2",
                disable=not progress,
            ) as shown:
                for step in shown:
                    self.step()
                    if step % config.evaluate_every:
                        continue
                    value, share_now = validation.best_share(self.towers)
                    if value > best:
                        best, share, n_steps[stage] = value, share_now, step
                        state = self._state()
                    shown.set_postfix(NDCG=f"{value:.4f}", best=f"{best:.4f}")
                    if step >= n_steps[stage] + config.patience * config.evaluate_every:
                        break
            self.towers.load_state_dict(state)
        return (n_steps[0], n_steps[1]), share

    def _state(self) -> dict[str, torch.Tensor]:
        return {name: each.clone() for name, each in self.towers.state_dict().items()}

    def step(self) -> None:
        """Take one step on a batch of users."""
        size = min(self._config.batch_size, len(self._users))
        users = self._random.choice(self._users, size, replace=False)
        histories = self._dataset.histories(users)
        self.towers.train()
        loss = self._loss(histories, draw_inputs(histories, self._random))
        if not torch.isfinite(loss):
            raise TrainingError(
                f"the loss of the recommender is {loss.item()}; lower learning_rate "
                f"(now {self._config.learning_rate}) or identity_learning_rate "
                f"(now {self._config.identity_learning_rate})"
            )
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.towers.parameters(), _LARGEST_GRADIENT)
        self._optimizer.step()

    def _loss(self, histories: Histories, is_input: BoolArray) -> torch.Tensor:
        """Return the mean over users of the weighted mean over targets of −log softmax."""
        towers, config, features = self.towers, self._config, self._dataset.item_features
        kept = torch.rand(len(features.tokens)) >= config.absent_features
        events = towers.event_vectors(features, kept)
        inputs = histories.only_events(is_input)
        queries = towers.queries(
            towers.sum_events(events, events @ towers.gate_of_vector, inputs),
            towers.attribute_vectors(histories.attributes, config.absent_fields),
        )
        vectors = towers.item_vectors(features, kept)
        rows = torch.from_numpy(np.repeat(np.arange(len(histories)), histories.counts()))
        items = torch.from_numpy(histories.items).long()
        is_target = torch.from_numpy(~is_input)
        weights = self._kind_weights[torch.from_numpy(histories.kinds).long()] * is_target
        totals = weights.new_zeros(len(histories)).index_add(0, rows, weights)
        weights = weights / totals.clamp(min=1e-12)[rows] / (totals > 0).sum().clamp(min=1)
        if self._dataset.n_items > config.full_softmax_items:
            return (self._sampled_losses(queries, vectors, rows, items) * weights).sum()
        logits = queries @ vectors.T + self._prior
        # What the user has had is no competitor, unless it is wanted again.
        had = torch.zeros_like(logits, dtype=torch.bool)
        had[rows[~is_target], items[~is_target]] = True
        had[rows[is_target], items[is_target]] = False
        normalisers = logits.masked_fill(had, -torch.inf).logsumexp(1)
        return ((normalisers[rows] - logits[rows, items]) * weights).sum()

    def _sampled_losses(
        self, queries: torch.Tensor, vectors: torch.Tensor, rows: torch.Tensor, items: torch.Tensor
    ) -> torch.Tensor:
        """Return −log softmax of each target against items drawn uniformly, all counted as many."""
        n_items, n_drawn = self._dataset.n_items, self._config.n_negatives
        drawn = torch.from_numpy(self._random.integers(n_items, size=n_drawn))
        of_drawn = (queries @ vectors[drawn].T + self._prior[drawn]).logsumexp(1)
        of_drawn = of_drawn + np.log(n_items / n_drawn)
        of_targets = (queries[rows] * vectors[items]).sum(1) + self._prior[items]
        return torch.logaddexp(of_targets, of_drawn[rows]) - of_targets


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


def _optimizer(towers: Towers, config: "TwoTowerConfig", stage: int) -> torch.optim.Optimizer:
    """First gates, scale and attributes; then all, the vectors moving slowly from their start."""
    light = [towers.gate_of_vector, towers.gate_of_context, towers.log_scale]
    light += [towers.attributes, towers.absent_fields]
    groups: list[dict[str, Any]] = [{"params": light, "lr": config.learning_rate}]
    if stage == 1:
        vectors = [towers.event_identity, towers.item_identity]
        vectors += [towers.event_features, towers.item_features]
        groups += [
            {"params": vectors, "lr": config.vector_learning_rate},
            {
                "params": list(towers.residual.parameters()),
                "lr": config.residual_learning_rate,
                "weight_decay": config.weight_decay,
            },
        ]
    return torch.optim.AdamW(groups, weight_decay=0.0)


def _kind_weights(dataset: Dataset, config: "TwoTowerConfig") -> torch.Tensor:
    """Return float32 [n_kinds]: the weight of each kind of event as a target."""
    names, chosen = dataset.interactions.kind_names, config.kind_weights or {}
    unknown = [kind for kind in chosen if kind not in names]
    if unknown:
        raise ArgumentError(
            f"kind_weights names {unknown[0]!r}; the kinds of event are {', '.join(map(repr, names))}"
        )
    return torch.tensor([float(chosen.get(kind, 1.0)) for kind in names])
