"""What is asked of every model: which events it learns from, which it is given, which it foresees.

Each protocol puts its question twice: on validation, by which settings are chosen, and on test. For
the test, models learn from what was held out for validation too.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from whyrec.data.interactions import Interactions
from whyrec.data.split import hold_out_items, hold_out_users, leave_last_out, random_split
from whyrec.types import BoolArray

CUTOFFS = (10, 20, 50, 100)


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """Three sets of events of the same users and items."""

    known: Interactions
    """What models are fitted on."""

    given: Interactions
    """The histories that they are asked with; what is in them is not recommended."""

    asked: Interactions
    """What users turned out to want."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """A way to split events, and what is measured by it."""

    title: str

    metrics: tuple[str, ...]
    """Those of the table; settings are chosen by the first."""

    bar: str
    """The row that the first metric of the others is held against."""

    questions: Callable[[Interactions, int], tuple[Question, Question]]
    """From all events and a seed to the questions of validation and of test."""


def first_events(interactions: Interactions) -> Interactions:
    """Keep the first event of each user with each item: later ones are never recommended."""
    keys = interactions.users().astype(np.int64) * (1 + interactions.items.max(initial=0))
    _, first = np.unique(keys + interactions.items, return_index=True)
    chosen = np.zeros(len(interactions), bool)
    chosen[first] = True
    return interactions.only(chosen)


def at_random(interactions: Interactions, seed: int) -> tuple[Question, Question]:
    """Ask for a tenth of the events of each user."""
    split = random_split(interactions, seed=seed)
    known = without(interactions, split.test)
    return (
        Question(split.train, split.train, split.validation),
        Question(known, known, split.test),
    )


def next_item(interactions: Interactions, seed: int) -> tuple[Question, Question]:  # noqa: ARG001
    """Ask for the last event of each user; nothing is drawn."""
    split = leave_last_out(interactions)
    known = without(interactions, split.test)
    return (
        Question(split.train, split.train, split.validation),
        Question(known, known, split.test),
    )


def new_users(interactions: Interactions, seed: int) -> tuple[Question, Question]:
    """Ask for a fifth of the events of users that nothing was learned from."""
    split = hold_out_users(interactions, seed=seed)
    known = interactions.only(~_has_events(split.test)[interactions.users()])
    return (
        Question(split.train, split.given, split.validation),
        Question(known, split.given, split.test),
    )


def known_users(interactions: Interactions, seed: int) -> tuple[Question, Question]:
    """Ask for the same as `new_users`, after learning from what is given."""
    split = hold_out_users(interactions, seed=seed)
    known = without(interactions, split.test)
    return (
        Question(without(known, split.validation), split.given, split.validation),
        Question(known, split.given, split.test),
    )


def new_items(interactions: Interactions, seed: int) -> tuple[Question, Question]:
    """Ask for all events of a twentieth of the items, which nothing was learned from."""
    split = hold_out_items(interactions, seed=seed)
    known = without(interactions, split.test)
    return (
        Question(split.train, split.train, split.validation),
        Question(known, known, split.test),
    )


PROTOCOLS = {
    "random": Protocol(
        "per user 8:1:1 at random",
        ("NDCG@10", "Recall@10", "HR@10", "NDCG@20", "Recall@20", "HR@20"),
        "ease",
        at_random,
    ),
    "next-item": Protocol(
        "next item, the last event of each user", ("NDCG@10", "HR@10"), "ease", next_item
    ),
    "new-users": Protocol(
        "new users, 80 % of their events given",
        ("NDCG@100", "Recall@20", "Recall@50"),
        "ease",
        new_users,
    ),
    "known-users": Protocol(
        "the same users, learned from what is given",
        ("NDCG@100", "Recall@20", "Recall@50"),
        "ease",
        known_users,
    ),
    "new-items": Protocol(
        "new items, 5 % of them, among all items", ("Recall@50",), "content", new_items
    ),
}


def without(interactions: Interactions, part: Interactions) -> Interactions:
    """Leave out the events of a part, where no user has an item twice."""
    n_items = 1 + interactions.items.max(initial=0)
    keys = [each.users().astype(np.int64) * n_items + each.items for each in (interactions, part)]
    return interactions.only(~np.isin(*keys))


def _has_events(interactions: Interactions) -> BoolArray:
    has: BoolArray = np.diff(interactions.offsets) > 0
    return has
