"""Trains the explainer network from the recommender's outputs on coalitions and its gradients."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.errors import ArgumentError
from whyrec.explain.attribution import Players
from whyrec.explain.path import path_gradients, quadrature
from whyrec.explain.player_network import PlayerNetwork
from whyrec.models.loop import Chance, Identity, Learner, Look, Pace, Run, train_to_best
from whyrec.models.recommender import DifferentiableRecommender
from whyrec.types import Int32Array

if TYPE_CHECKING:  # the config trains, so it imports this module
    from whyrec.explain.network import NetworkConfig

_HELD_OUT_COALITIONS = 128
_DISTILLED_POINTS = 8
_TOP = 50
"""Half of the pairs are of an item among so many that score best for the user."""


def train(
    recommender: DifferentiableRecommender[Any],
    dataset: Dataset,
    config: "NetworkConfig",
    run: Run,
    network: PlayerNetwork | None = None,
) -> PlayerNetwork:
    """Train until held-out coalitions are foretold no better, and keep the best network.

    Args:
        recommender: which is explained.
        dataset: whose users are drawn.
        config: how to train.
        run: what is told and kept on the way.
        network: what to go on from; None starts anew.

    Raises:
        ArgumentError: nobody has a history.
        TrainingError: the loss is no longer finite.
        StorageError: a checkpoint that cannot be made or read.
    """
    chance = Chance.of(config.seed)
    source = Source(recommender, dataset, config, chance)
    network = network or new_network(recommender, config)
    held_out = [source.draw(config.batch_size, _HELD_OUT_COALITIONS) for _ in range(2)]
    learner = Learner(
        phase="explainer",
        network=network,
        optimizer=torch.optim.AdamW(network.parameters(), config.learning_rate),
        loss=lambda _: explanation_loss(
            network, source.draw(config.batch_size, config.n_coalitions), config
        ),
        look=lambda: Look(_error(network, held_out, config)),
        chance=(chance,),
        identity=Identity(dataset, (config,), recommender.arrays()),
        metric="error",
        less_is_better=True,
    )
    pace = Pace(
        max_steps=config.max_steps,
        evaluate_every=config.evaluate_every,
        patience=config.patience,
    )
    train_to_best(learner, pace, run)
    return network


def new_network(
    recommender: DifferentiableRecommender[Any], config: "NetworkConfig"
) -> PlayerNetwork:
    """Return a network for the players of a recommender, which has learned nothing yet."""
    shape = recommender.dimension, config.n_points, config.width, config.n_summaries
    return PlayerNetwork(*shape).start(config.seed)


@dataclass(frozen=True, slots=True)
class Lesson:
    """Pairs with what the recommender says of them."""

    vectors: tuple[torch.Tensor, torch.Tensor]
    gradients: torch.Tensor
    present: torch.Tensor
    """bool [n_pairs, 1, n_places]: one item a row."""
    widths: tuple[int, int, int]
    coalitions: torch.Tensor
    """float32 [n_pairs, n_coalitions, n_places], 1 for the players of each."""
    gained: torch.Tensor
    """float32 [n_pairs, n_coalitions]: v(S) − v(none)."""
    full: torch.Tensor
    """float32 [n_pairs]: v(all) − v(none)."""
    path: torch.Tensor
    """float32 [n_pairs, n_places]: contributions by the gradient path of many points."""


def explanation_loss(
    network: PlayerNetwork, lesson: Lesson, config: "NetworkConfig"
) -> torch.Tensor:
    """Return the error over coalitions and over the path, each in proportion to its own size."""
    found = network(lesson.vectors, lesson.gradients, lesson.present, lesson.widths)
    found = closed(found[:, 0], lesson.full)
    distilled = ((found - lesson.path) ** 2).sum(1) / _size((lesson.path**2).sum(1))
    error = coalition_error(
        found, lesson.coalitions, lesson.present[:, 0], lesson.gained, lesson.full
    )
    return error + config.distillation * distilled.mean()


def coalition_error(
    found: torch.Tensor,
    coalitions: torch.Tensor,
    present: torch.Tensor,
    gained: torch.Tensor,
    full: torch.Tensor,
) -> torch.Tensor:
    """Return the mean squared error of Σφ against v(S) − v(none), over what chance would leave.

    Args:
        found: float32 [n_pairs, n_places], contributions.
        coalitions: float32 [n_pairs, n_coalitions, n_places], 1 for the players of each.
        present: bool [n_pairs, n_places], where there are players.
        gained: float32 [n_pairs, n_coalitions]: v(S) − v(none).
        full: float32 [n_pairs]: v(all) − v(none).
    """
    foretold = torch.einsum("pcn,pn->pc", coalitions, found)
    # What is left of v(S) when each player counts the same.
    share = coalitions.sum(-1) / present.sum(1, keepdim=True).clamp(min=1)
    spread = ((gained - share * full[:, None]) ** 2).mean(1)
    # Detached, so that nothing is gained by larger scores where the recommender learns, too.
    return (((foretold - gained) ** 2).mean(1) / _size(spread).detach()).mean()


def closed(found: torch.Tensor, full: torch.Tensor) -> torch.Tensor:
    """Share the gap to v(all) − v(none), float32 [n_pairs], out as `close_gaps` does."""
    weights = found.abs().detach()
    gaps = full - found.sum(1)
    return found + weights * (gaps / _size(weights.sum(1)))[:, None]


def _size(values: torch.Tensor) -> torch.Tensor:
    return values.clamp(min=1e-9)


@torch.no_grad()
def _error(network: PlayerNetwork, held_out: list[Lesson], config: "NetworkConfig") -> float:
    losses = [explanation_loss(network, lesson, config).item() for lesson in held_out]
    return float(np.mean(losses))


class Source:
    """Draws users with parts of their histories, items for them, and coalitions of both."""

    def __init__(
        self,
        recommender: DifferentiableRecommender[Any],
        dataset: Dataset,
        config: "NetworkConfig",
        chance: Chance,
    ) -> None:
        self._recommender, self._dataset, self._config = recommender, dataset, config
        self._items = torch.from_numpy(recommender.item_vectors())
        self._biases = torch.from_numpy(recommender.item_biases())
        self._random, self._generator = chance.random, chance.generator
        self._users = np.flatnonzero(np.diff(dataset.interactions.offsets) > 0)
        if not len(self._users):
            raise ArgumentError("no user has an event; there is nothing to explain")
        self._points, _ = quadrature(config.n_points)
        self._fine_points, self._fine_weights = quadrature(_DISTILLED_POINTS)

    def draw(self, n_pairs: int, n_coalitions: int) -> Lesson:
        """Draw users, and let the recommender say what it makes of them."""
        users = self._random.choice(self._users, n_pairs)
        with torch.no_grad():
            return self.lesson(self._dataset.histories(users), n_coalitions)

    def lesson(self, histories: Histories, n_coalitions: int) -> Lesson:
        """Draw parts of histories and an item for each, and let the recommender speak of them.

        Where gradients are followed, they reach its weights from v(S), and from nothing else.
        """
        histories = self._thinned(histories)
        rows, items = np.arange(len(histories)), self._choose_items(histories)
        pairs = Pairs(rows.astype(np.int32), items)
        counts = Players.of(histories, self._dataset.item_features, pairs).counts_by_kind()
        most = counts.max(axis=0)
        widths = (int(most[0]), int(most[1]), int(most[2]))
        present = torch.from_numpy(
            np.concatenate([np.arange(w) < counts[:, [k]] for k, w in enumerate(widths)], axis=1)
        )
        embedded = self._recommender.embed_pairs(
            histories, rows, items[:, None].astype(np.int64), widths
        )
        points = torch.cat([self._points, self._fine_points])
        gradients, _ = path_gradients(self._recommender, embedded, present[:, None], points)
        gradients, fine = gradients.split([len(self._points), len(self._fine_points)], 2)
        coalitions = draw_coalitions(present, n_coalitions, self._generator)
        everybody = present[:, None].float()
        asked = torch.cat([torch.zeros_like(everybody), everybody, coalitions], 1)
        values = self._recommender.pair_values(embedded, asked[:, None])[:, 0]
        gained = values[:, 1:] - values[:, :1]
        of_user, of_item = self._recommender.player_vectors(embedded)
        return Lesson(
            (of_user.detach(), of_item.detach()),
            gradients,
            present[:, None],
            widths,
            coalitions,
            gained[:, 1:],
            gained[:, 0],
            (fine[:, 0] * self._fine_weights[:, None]).sum(1),
        )

    def _thinned(self, histories: Histories) -> Histories:
        """Leave half of the histories a random part of their events, down to one in ten."""
        counts, n_rows = histories.counts(), len(histories)
        rate = np.where(np.arange(n_rows) % 2, 1.0, self._random.uniform(0.1, 1.0, n_rows))
        rate = np.minimum(rate, self._config.max_events / np.maximum(counts, 1))
        kept = self._random.random(counts.sum()) < np.repeat(rate, counts)
        return histories.only_events(kept)

    def _choose_items(self, histories: Histories) -> Int32Array:
        """Draw one item a row: now one of the best for the user, now any of the catalog."""
        scores = torch.from_numpy(self._recommender.query_vectors(histories)) @ self._items.T
        scores += self._biases
        rows = np.repeat(np.arange(len(histories)), histories.counts())
        scores[torch.from_numpy(rows), torch.from_numpy(histories.items).long()] = -torch.inf
        best = scores.topk(min(_TOP, scores.shape[1])).indices.numpy()
        ranks = self._random.integers(best.shape[1], size=len(histories))
        anything = self._random.integers(scores.shape[1], size=len(histories))
        of_best = self._random.random(len(histories)) < 0.5
        chosen = np.where(of_best, best[np.arange(len(best)), ranks], anything)
        return chosen.astype(np.int32)


def draw_coalitions(
    present: torch.Tensor, n_coalitions: int, generator: torch.Generator
) -> torch.Tensor:
    """Draw coalitions of the present players, half of them the complements of the other half.

    A coalition of k of n players is drawn with a chance in proportion to 1 / (k (n − k)), as the
    kernel of the Shapley values asks (S. Lundberg and S.-I. Lee, A Unified Approach to
    Interpreting Model Predictions, 2017; I. Covert and S.-I. Lee, Improving KernelSHAP, 2021).

    Args:
        present: bool [n_pairs, n_places].
        n_coalitions: how many coalitions a pair gets, rounded up to an even number.
        generator: the source of chance.

    Returns:
        float32 [n_pairs, n_coalitions, n_places], 1 for the players of each.
    """
    n_pairs, n_places = present.shape
    counts = present.sum(1, keepdim=True)
    sizes = torch.arange(1, max(2, n_places))
    weights = torch.where(sizes < counts, 1 / (sizes * (counts - sizes).clamp(min=1)), 0.0)
    weights[:, 0] += counts[:, 0] < 2  # one player or none: all of them, and nobody
    half = (n_coalitions + 1) // 2
    drawn = sizes[torch.multinomial(weights, half, replacement=True, generator=generator)]
    keys = torch.rand((n_pairs, half, n_places), generator=generator)
    keys = keys.masked_fill(~present[:, None], 2.0)
    ranks = keys.argsort(-1).argsort(-1)
    chosen = (ranks < drawn[..., None]) & present[:, None]
    return torch.cat([chosen, ~chosen & present[:, None]], 1).float()
