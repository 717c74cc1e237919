"""A data set with all that a store has recorded, for a model to learn from."""

from dataclasses import replace

import numpy as np

from whyrec.data.dataset import Dataset
from whyrec.data.grown import grown_users
from whyrec.data.rows import offsets_of
from whyrec.feedback.memory import Memory
from whyrec.feedback.records import Event
from whyrec.feedback.store import Store


def with_recorded(dataset: Dataset, store: Store) -> Dataset:
    """Return a data set with the events of a store that count in histories; see `Memory`.

    They are marked (`Dataset.recorded`): answers go on reading them from the store, so that an
    event that is undone there no longer counts in them. What else a store keeps, such as
    dismissals, objections and what is hidden, stays there and is no event.

    Args:
        dataset: without the events of the store.
        store: whose users come after those of the data set, if they have an event that counts.

    Raises:
        StoreError: the store cannot be read.
    """
    met = dict.fromkeys(store.table(Event)["user_id"].objects())
    everybody = grown_users(dataset, [each for each in met if each not in dataset.users])
    memory = Memory(everybody)
    merged, places = memory.events(everybody.users.ids, np.arange(everybody.n_users), store)
    interactions, counts = memory.counted(merged)
    is_known = np.arange(everybody.n_users) < dataset.n_users
    stays = np.flatnonzero(is_known | (np.diff(interactions.offsets) > 0))
    users = everybody.users.ids
    kept = grown_users(dataset, [users[row] for row in stays[dataset.n_users :].tolist()])
    interactions = replace(interactions, offsets=offsets_of(np.diff(interactions.offsets)[stays]))
    recorded = (places >= len(dataset.interactions))[counts]
    return replace(
        kept,
        interactions=interactions,
        recorded=recorded if recorded.any() else None,
        report=replace(kept.report, n_events=len(interactions)),
    )
