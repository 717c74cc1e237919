"""Trains the deep ranker on events that its retrieval has not seen, over the lists it finds."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.models.features import split_by_field, sum_features
from whyrec.models.history_inputs import attribute_vectors
from whyrec.models.loop import Chance, Identity, Learner, Look, Pace, Run, train_to_best
from whyrec.models.ranker_lists import Catalog, Lists
from whyrec.models.ranker_network import Keep, RankerNetwork
from whyrec.models.recommender import Before, HeldOutFit
from whyrec.models.renewal import beginning, load
from whyrec.models.targets import weights_of_kinds
from whyrec.models.validation import Validation
from whyrec.models.wide import WideWeights
from whyrec.models.wide_model import WideModel
from whyrec.types import Float64Array, Int64Array

if TYPE_CHECKING:  # the config trains, so it imports this module
    from whyrec.models.ranker_config import DeepRankerConfig

_AT = 10
FEWEST_USERS, _MOST = 20, 1_000
"""Users to choose the number of steps by; with fewer the order of the retrieval is kept."""

_MOST_LISTS = 2_000
"""Users whose lists say how much the wide part counts."""

_STRENGTHS = (0.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 1_024.0)
"""What the wide part may be multiplied by; its weights foretell 0 and 1, so to say, not logits."""

_SURE = 1.0
"""Standard errors that a gain is above, or the order of the retrieval is kept."""

_SIZES = ("spreads", "mean_score")
"""What a network knows of the sizes of its inputs."""

_AGAINST = 10.0
"""So many times the ridge penalty of all weights does one pay for each time it was called wrong."""

_SCALED_TO = 64
"""Users whose lists say of what size the inputs of the network are."""

_MOST_CELLS = 20_000_000
"""Scores of users over the catalog that are held at once."""


def train(
    fitted: HeldOutFit,
    dataset: Dataset,
    config: "DeepRankerConfig",
    run: Run,
    before: Before | None = None,
) -> tuple[RankerNetwork, WideWeights]:
    """Choose how much the wide part counts, then train as long as held-out users are ranked better.

    A recommender that knows an event ranks it higher than one to come. So both parts learn from the
    events that the training of the retrieval held out, over the lists that it found without them.
    In the end the wide part is of all events.

    Args:
        fitted: the retrieval.
        dataset: all events.
        config: how to train.
        run: what is told and kept on the way.
        before: what to go on from, with the arrays of the network; None starts anew.

    Raises:
        TrainingError: the loss is no longer finite.
        StorageError: a checkpoint that cannot be made or read.
    """
    users = np.flatnonzero(np.diff(fitted.held_out.offsets) > 0)
    users = np.random.default_rng(config.seed).permutation(users)
    training = _Training(fitted, config, run, before)
    wide = training.choose_wide(users, dataset)
    if len(users):
        n_validating = min(int(config.validation_share * len(users)), _MOST)
        training.run(users[n_validating:], users[:n_validating])
    return training.network, wide


class _KeptFeatures(nn.Module):
    """Which features of items are not left out, as a part of what a checkpoint keeps."""

    kept: torch.Tensor
    """bool [n_feature_values]."""

    def __init__(self, n_values: int) -> None:
        super().__init__()
        self.register_buffer("kept", torch.ones(n_values, dtype=torch.bool))


class _Training:
    """The network while it learns."""

    def __init__(
        self,
        fitted: HeldOutFit,
        config: "DeepRankerConfig",
        run: Run,
        before: Before | None,
    ) -> None:
        self._fitted, self._config, self._run, self._before = fitted, config, run, before
        self._chance = Chance.of(config.seed)
        self.network = RankerNetwork(fitted.before.dimension, fitted.part, config.layers)
        self.network.start(self._chance.generator)
        self._kind_weights = weights_of_kinds(fitted.part, config.retrieval.kind_weights)
        self._whole = Catalog.of(fitted.before, fitted.before.item_features)
        self._kept = _KeptFeatures(len(self._whole.features.tokens))
        self._thinned: Catalog | None = None
        self._wide = WideWeights.nothing(fitted.part.item_features)

    def choose_wide(self, users: Int64Array, dataset: Dataset) -> WideWeights:
        """Choose a wide part for the lists of some users, and return it with all events taken in.

        Without held-out events to choose by there is none.
        """
        part, n_weights = self._fitted.part, self._config.n_weights
        lists = self._whole_lists(users[:_MOST_LISTS])
        if not n_weights or (lists.ideal > 0).sum() < FEWEST_USERS:
            return self._wide
        validation = Validation(part, self._fitted.held_out, self._config.seed)
        model = WideModel.chosen(part, validation)
        self._wide = WideWeights.of(part, model, n_weights)
        lists = self._whole_lists(users[:_MOST_LISTS])
        strength = max(
            _STRENGTHS, key=lambda each: self._ndcg(replace(lists, wide=each * lists.wide)).mean()
        )
        self._wide = self._wide.times(strength)
        whole = WideWeights.of(dataset, model, n_weights, self._penalties(model.l2))
        return whole.times(strength)

    def _penalties(self, l2: float) -> dict[tuple[int, int], float]:
        """Return what the weights of the wide part pay for reasons that were called wrong."""
        penalties: dict[tuple[int, int], float] = {}
        if self._before is not None and self._before.wrong_weight:
            for each in self._before.wrong_reasons:
                for source in each.history:
                    pair = source, each.item
                    penalty = _AGAINST * l2 * self._before.wrong_weight
                    penalties[pair] = penalties.get(pair, 0) + penalty
        return penalties

    def run(self, learning: Int64Array, validating: Int64Array) -> None:
        """Train on the lists of some users, up to where those of others are ranked best."""
        config, network = self._config, self.network
        network.scale_to(*self._whole_lists(learning[:_SCALED_TO]).inputs(self._whole))
        learner = Learner(
            phase="ranker",
            network=nn.ModuleList([network, self._kept]),
            optimizer=torch.optim.AdamW(
                network.parameters(), config.learning_rate, weight_decay=config.weight_decay
            ),
            loss=lambda step: self._draw_loss(step, learning),
            look=None,
            chance=(self._chance,),
            identity=Identity(
                self._fitted.part,
                (config,),
                {**self._fitted.before.arrays(), **beginning(self._before)},
            ),
        )
        pace = Pace(
            max_steps=config.max_steps,
            evaluate_every=config.evaluate_every,
            patience=config.patience,
        )
        pace = pace.shortened() if beginning(self._before) else pace
        if not config.validation_share:
            self._take_up()
            train_to_best(learner, pace, self._run)
            return
        held_out = self._whole_lists(validating)
        before = self._ndcg(held_out)
        if len(before) < FEWEST_USERS:
            return
        self._take_up()
        learner = replace(learner, look=lambda: Look(float(self._ndcg(held_out).mean())))
        train_to_best(learner, pace, self._run)
        gained = self._ndcg(held_out) - before
        if gained.mean() <= _SURE * gained.std() / len(gained) ** 0.5:
            nn.init.zeros_(network.output)

    def _take_up(self) -> None:
        """Go on from what was learned before, if anything was; the inputs are of sizes of now."""
        arrays = beginning(self._before)
        if arrays:
            own = self.network.state_dict()
            sizes = {name: own[name].clone() for name in _SIZES}
            load(self.network, arrays)
            self.network.load_state_dict(sizes, strict=False)

    def _draw_loss(self, step: int, learning: Int64Array) -> torch.Tensor:
        """Draw users, with parts of what is known of them, and return the loss of their lists."""
        thinned = self._thin_catalog(step)
        size = min(self._config.batch_size, len(learning))
        users = self._chance.random.choice(learning, size, replace=False)
        lists = self._lists(users, self._thin_histories(self._fitted.part.histories(users)))
        logits = self._logits(lists, thinned, self._keep)
        losses = logits.logsumexp(1, keepdim=True) - logits
        totals = lists.wanted.sum(1, keepdim=True)
        weights = lists.wanted / totals.clamp(min=1e-12) / (totals > 0).sum().clamp(min=1)
        return (losses * weights).sum()

    def _whole_lists(self, users: Int64Array) -> Lists:
        return self._lists(users, self._fitted.part.histories(users))

    def _lists(self, users: Int64Array, histories: Histories) -> Lists:
        """Find what is best for some users and not in their histories.

        Args:
            users: int64 [n_lists].
            histories: what is known of each, or a part of it.
        """
        part, held_out = self._fitted.part, self._fitted.held_out
        queries = torch.from_numpy(self._fitted.before.query_vectors(histories))
        at_once = max(1, _MOST_CELLS // part.n_items)
        found = []
        for rows in np.split(np.arange(len(users)), range(at_once, len(users), at_once)):
            seen = _cells(part.histories(users[rows]))
            targets = held_out.histories(users[rows], part.user_features)
            wanted = torch.zeros(len(rows), part.n_items)
            wanted[_cells(targets)] = self._kind_weights[torch.from_numpy(targets.kinds).long()]
            wanted[seen] = 0
            scores = queries[rows] @ self._whole.vectors.T + self._whole.biases
            scores[seen] = -torch.inf
            items, is_there = self._retrieve(scores, histories.take(rows))
            n_wanted = (wanted > 0).sum(1)
            found.append((items, is_there, wanted.gather(1, items), n_wanted))
        items, is_there, weights, n_wanted = map(torch.cat, zip(*found, strict=True))
        ideal = np.append(0, np.cumsum(_gains(_AT)))[n_wanted.clamp(max=_AT).numpy()]
        list_of = np.repeat(np.arange(len(items), dtype=np.int32), items.shape[1])
        pairs = Pairs(list_of, items.flatten().numpy().astype(np.int32))
        wide = torch.from_numpy(self._wide.pair_values(histories, pairs)).reshape(items.shape)
        return Lists(queries, histories.attributes, items, is_there, wide, weights, ideal)

    def _retrieve(
        self, scores: torch.Tensor, histories: Histories
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Find items as the first stage does, each with whether it is there.

        Args:
            scores: float32 [n_rows, n_items], by the vectors; −∞ for what may not be found.
            histories: one row each.
        """
        wide, n_ranked = self._wide, self._config.n_ranked
        n_further = min(n_ranked // 2, len(wide.items))
        best, items = scores.topk(min(n_ranked - n_further, scores.shape[1]))
        is_there = best > -torch.inf
        if not n_further:
            return items, is_there
        known = torch.from_numpy(wide.items).long()
        left = scores.scatter(1, items, -torch.inf)[:, known] > -torch.inf
        of_wide = torch.from_numpy(wide.scores(histories)) * left
        best, further = of_wide.topk(n_further)
        return torch.cat([items, known[further]], 1), torch.cat([is_there, best > 0], 1)

    def _thin_catalog(self, step: int) -> Catalog:
        """Leave features of items out by chance: the same ones until the next look."""
        features, kept = self._whole.features, self._kept.kept
        is_due = step % self._config.evaluate_every == 0
        if is_due:
            drawn = self._chance.random.random(len(kept)) >= self._config.absent_features
            kept.copy_(torch.from_numpy(drawn))
        if is_due or self._thinned is None:
            self._thinned = Catalog.of(self._fitted.before, features.only(kept.numpy()))
        return self._thinned

    def _logits(self, lists: Lists, catalog: Catalog, keep: Keep | None = None) -> torch.Tensor:
        """Return float32 [n_lists, n_ranked]: the lowest there is where there is no item."""
        network = self.network
        of_users = attribute_vectors(network.attributes, network.absent_fields, lists.attributes)
        features = catalog.features.take(lists.items.flatten().numpy())
        of_items = sum_features(network.features, features).unflatten(0, lists.items.shape)
        fields = of_users[:, None] + of_items
        logits: torch.Tensor = network(*lists.inputs(catalog), fields, keep)
        return logits.masked_fill(~lists.is_there, torch.finfo(logits.dtype).min)

    @torch.no_grad()
    def _ndcg(self, lists: Lists) -> Float64Array:
        """Return float64 [n_asked]: NDCG@10 of the lists of those who wanted anything."""
        rows = torch.arange(len(lists.items)).split(self._config.batch_size)
        logits = torch.cat([self._logits(lists.take(each), self._whole) for each in rows])
        best = logits.topk(min(_AT, logits.shape[1])).indices
        hits = (lists.wanted.gather(1, best) > 0).double().numpy()
        asked = lists.ideal > 0
        found: Float64Array = (hits @ _gains(hits.shape[1]))[asked] / lists.ideal[asked]
        return found

    def _thin_histories(self, histories: Histories) -> Histories:
        """Leave events and fields out by chance."""
        config, random = self._config, self._chance.random
        is_thinned = random.random(len(histories)) < config.absent_events
        rates = np.where(is_thinned, random.random(len(histories)), 1.0)
        kept = random.random(len(histories.items)) < np.repeat(rates, histories.counts())
        attributes = histories.attributes
        _, fields, value_offsets = split_by_field(attributes)
        kept_fields = random.random(len(fields)) >= config.absent_fields
        attributes = attributes.only(np.repeat(kept_fields, np.diff(value_offsets)))
        return replace(histories.only_events(kept), attributes=attributes)

    def _keep(self, units: torch.Tensor) -> torch.Tensor:
        """Leave units out by chance, and scale up the others."""
        kept = torch.rand(units.shape, generator=self._chance.generator) >= self._config.dropout
        return units * kept / (1 - self._config.dropout)


def _cells(histories: Histories) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the row and the item of each event."""
    rows = np.repeat(np.arange(len(histories)), histories.counts())
    return torch.from_numpy(rows), torch.from_numpy(histories.items).long()


def _gains(n: int) -> Float64Array:
    gains: Float64Array = 1 / np.log2(np.arange(2, n + 2))
    return gains
