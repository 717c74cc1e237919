"""How much one user can add to what is learned: of each, so many events and one with each item."""

import numpy as np

from whyrec.data.interactions import Interactions


def capped(interactions: Interactions, most: int, *, seed: int = 0) -> Interactions:
    """Keep at most so many events of each user, drawn at random among the last with each item.

    So a user adds at most one event to the count of any item, most · (most − 1) / 2 pairs of items
    that go together, and most events in all, however many there were. How the users' weights turn
    out is up to the model: nothing here bounds how many users somebody makes up.

    Args:
        interactions: of all users.
        most: from 1.
        seed: the same events and seed give the same part.

    >>> events = Interactions(
    ...     np.array([0, 4, 5]), np.array([3, 3, 3, 1, 3], np.int32), np.zeros(5, np.int16), ("",)
    ... )
    >>> capped(events, 2).items, capped(events, 2).offsets
    (array([3, 1, 3], dtype=int32), array([0, 2, 3]))
    """
    users, drawn = interactions.users(), np.random.default_rng(seed).random(len(interactions))
    by_item = np.lexsort((np.arange(len(interactions)), interactions.items, users))
    same = (np.diff(users[by_item]) == 0) & (np.diff(interactions.items[by_item]) == 0)
    # The last of each run comes first in the order in which the events of a user are kept.
    is_last = np.ones(len(interactions), bool)
    is_last[by_item[:-1]] = ~same
    order = np.lexsort((drawn, ~is_last, users))
    place = np.arange(len(interactions)) - np.repeat(
        interactions.offsets[:-1], np.diff(interactions.offsets)
    )
    kept = np.zeros(len(interactions), bool)
    kept[order[place < most]] = True
    return interactions.only(kept & is_last)
