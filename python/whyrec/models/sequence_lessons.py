"""What the sequence model learns from: events to foretell, and what is seen before each."""

from dataclasses import dataclass

import numpy as np
import torch

from whyrec.data.interactions import Histories
from whyrec.models.sequence_encoder import SequenceEncoder
from whyrec.models.sequence_inputs import LaidHistories, Recency


@dataclass(frozen=True, slots=True)
class Lesson:
    """Some histories, with as many targets of each and what is seen before every target."""

    laid: LaidHistories

    kinds: torch.Tensor
    """int64 [n_rows, n_targets]: the kinds of the targets."""

    items: torch.Tensor
    """int64 [n_rows, n_targets]: the targets themselves."""

    is_target: torch.Tensor
    """bool [n_rows, n_targets]: False where a row has no more events to foretell."""

    seen: torch.Tensor
    """bool [n_rows, n_targets, n_places]: the present events before each target."""

    recency: Recency
    """Of each event to each target."""

    @classmethod
    def draw(
        cls,
        encoder: SequenceEncoder,
        histories: Histories,
        n_targets: int,
        absent_events: float,
        random: np.random.Generator,
    ) -> "Lesson":
        """Draw an order of the events of one time, which events are absent, and the targets.

        An event that is absent can be a target all the same: the whole history is what was there.

        Args:
            encoder: says what of an event is read.
            histories: of at least one event in all.
            n_targets: how many events of a row are foretold, if it has as many.
            absent_events: the chance of a row to be thinned.
            random: the source of chance.
        """
        histories = shuffled_within_times(histories, random)
        laid = LaidHistories.of(
            histories, encoder.context(histories), int(histories.counts().max())
        )
        device, is_event = laid.is_event.device, laid.is_event.cpu().numpy()
        rates = random.random((len(histories), 1))
        rates *= random.random((len(histories), 1)) < absent_events
        drawn = is_event & (random.random(is_event.shape) >= rates)
        present = torch.from_numpy(drawn).to(device)[:, None]
        order = np.argsort(np.where(is_event, random.random(is_event.shape), 2.0), axis=1)
        targets = torch.from_numpy(order[:, :n_targets]).to(device)
        seen = present & (torch.arange(is_event.shape[1], device=device) < targets[..., None])
        # Time counts to the newest event before the target, be it present or not.
        newest = laid.ages.gather(1, (targets - 1).clamp(min=0))
        days = (laid.ages[:, None] - newest[..., None]).clamp(min=0)
        lateness = laid.lateness(present.float(), seen.sum(-1, keepdim=True))
        kinds = torch.zeros(is_event.shape, dtype=torch.int64, device=device)
        kinds[laid.is_event] = torch.from_numpy(histories.kinds).long().to(device)
        return cls(
            laid,
            kinds.gather(1, targets),
            laid.items.gather(1, targets),
            laid.is_event.gather(1, targets),
            seen,
            Recency.of(lateness, days),
        )

    def had(self, n_items: int) -> torch.Tensor:
        """Return bool [n_rows · n_targets, n_items]: what was seen, unless it is the target."""
        n_asking = self.items.numel()
        device = self.items.device
        had = torch.zeros((n_asking, n_items), dtype=torch.bool, device=device)
        asking, at = self.seen.flatten(0, 1).nonzero(as_tuple=True)
        had[asking, self.laid.items[asking // self.items.shape[1], at]] = True
        had[torch.arange(n_asking, device=device), self.items.flatten()] = False
        return had


def cut(histories: Histories, max_events: int, random: np.random.Generator) -> Histories:
    """Cut longer histories to so many events in a row; where they begin is drawn."""
    counts = histories.counts()
    first = random.integers(np.maximum(counts - max_events, 0) + 1)
    place = np.arange(len(histories.items)) - np.repeat(histories.offsets[:-1], counts)
    first = np.repeat(first, counts)
    return histories.only_events((place >= first) & (place < first + max_events))


def shuffled_within_times(histories: Histories, random: np.random.Generator) -> Histories:
    """Draw a new order of the events of a row that are of the same time."""
    rows = np.repeat(np.arange(len(histories)), histories.counts())
    order = np.lexsort((random.random(len(rows)), -histories.ages, rows))
    return Histories(
        histories.offsets,
        histories.items[order],
        histories.kinds[order],
        histories.values[order],
        histories.ages[order],
        histories.attributes,
    )
