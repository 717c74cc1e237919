"""A made-up world in which every contribution to a score is known in closed form."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from whyrec.errors import ArgumentError, UnknownItemError, UnknownUserError
from whyrec.types import Float64Array, Int64Array

_SECONDS_PER_DAY = 86_400
_FIRST_DAY = 1_700_000_000


@dataclass(frozen=True, slots=True)
class TrueContributions:
    """What truly made the score of one item for one user, in logits."""

    base_value: float
    """The appeal of the item by itself, of no player's making."""

    events: Float64Array
    """float64 [n_events]: of each event in the history, oldest first."""

    attributes: Mapping[str, float]
    """Of each field of the user."""

    features: Mapping[tuple[str, str], float]
    """Of each feature value of the item, named by field and value."""

    @property
    def score(self) -> float:
        """The base value and all contributions together."""
        return float(
            self.base_value
            + self.events.sum()
            + sum(self.attributes.values())
            + sum(self.features.values())
        )


@dataclass(frozen=True, slots=True)
class World:
    """A made-up world: its tables, and the parameters that its events were drawn from.

    The score of item i for a user with history H and attributes A is, in logits,

        s(i) = appeal[i] + Σ_{e∈H} pull[c(e), c(i)] + Σ_{a∈A} taste[a, c(i)] + Σ_{x∈i} worth[x]

    where c is the cluster of an item, which no table tells, and x runs over the item's feature
    values. The score is a sum, so the Shapley value of every player is its own term; no other
    attribution is right.
    """

    events: pa.Table
    """user_id, item_id, timestamp; each user's items all differ."""

    items: pa.Table
    """item_id, style (a category), topics (a list of tags)."""

    users: pa.Table
    """user_id, age_group, region."""

    histories: Int64Array
    """int64 [n_users, n_events_per_user]: item index, oldest event first."""

    clusters: Int64Array
    """int64 [n_items]: the cluster of each item."""

    appeal: Float64Array
    """float64 [n_items]."""

    pull: Float64Array
    """float64 [n_clusters, n_clusters]: what an event of one cluster adds to items of another."""

    taste: Mapping[str, Mapping[str, Float64Array]]
    """By field and value of the user: float64 [n_clusters]."""

    worth: Mapping[str, Mapping[str, float]]
    """By field and value of the item: logits."""

    def true_contributions(self, user_id: Hashable, item_id: Hashable) -> TrueContributions:
        """Return what each player adds to the score of an item for a user with the whole history.

        Raises:
            UnknownUserError: there is no such user.
            UnknownItemError: there is no such item.
        """
        user = self._user_index(user_id)
        item = self._item_index(item_id)
        cluster = self.clusters[item]
        person, thing = self.users.slice(user, 1), self.items.slice(item, 1)
        features = [("style", thing["style"][0].as_py())]
        features += [("topics", topic) for topic in thing["topics"][0].as_py()]
        return TrueContributions(
            base_value=float(self.appeal[item]),
            events=self.pull[self.clusters[self.histories[user]], cluster],
            attributes={
                field: float(by_value[person[field][0].as_py()][cluster])
                for field, by_value in self.taste.items()
            },
            features={(field, value): self.worth[field][value] for field, value in features},
        )

    def true_score(self, user_id: Hashable, item_id: Hashable) -> float:
        """Return the score of an item for a user with the whole history, in logits."""
        return self.true_contributions(user_id, item_id).score

    def true_scores(self, user_id: Hashable) -> Float64Array:
        """Return float64 [n_items]: the scores of all items for a user with the whole history."""
        user = self._user_index(user_id)
        by_cluster = self.pull[self.clusters[self.histories[user]]].sum(axis=0)
        person = self.users.slice(user, 1)
        for field, by_value in self.taste.items():
            by_cluster = by_cluster + by_value[person[field][0].as_py()]
        return np.asarray(
            by_cluster[self.clusters] + _item_terms(self.items, self.worth) + self.appeal
        )

    def _user_index(self, user_id: Hashable) -> int:
        names: list[Hashable] = self.users["user_id"].to_pylist()
        if user_id not in names:
            raise UnknownUserError(f"unknown user: {user_id!r}")
        return names.index(user_id)

    def _item_index(self, item_id: Hashable) -> int:
        names: list[Hashable] = self.items["item_id"].to_pylist()
        if item_id not in names:
            raise UnknownItemError(f"unknown item: {item_id!r}")
        return names.index(item_id)


def synthetic(
    seed: int = 0,
    *,
    n_users: int = 300,
    n_items: int = 120,
    n_events_per_user: int = 20,
    n_clusters: int = 6,
    n_styles: int = 4,
    n_topics: int = 8,
    appeal_spread: float = 0.3,
) -> World:
    """Make a world and draw its events.

    Each user draws one item after the other by softmax of the true scores under the history so
    far, of the items not drawn before (see `World` for the score). So the events hold just what
    the score says, and nothing else.

    Args:
        seed: the same seed gives the same world.
        n_users: how many users there are.
        n_items: how many items there are.
        n_events_per_user: how many items each user draws; fewer than there are items.
        n_clusters: how many hidden clusters the items fall into.
        n_styles: how many categories the field style has.
        n_topics: how many tags the field topics has; an item has one to three of them.
        appeal_spread: standard deviation of what items have of their own, in logits. It is no
            player's making; 0 leaves all differences between items to their features.

    Raises:
        ArgumentError: a number is too small, or there are too few items to draw from.

    >>> world = synthetic(seed=1)
    >>> true = world.true_contributions("u7", "i3")
    >>> true.score == world.true_score("u7", "i3")
    True
    """
    sizes = {
        "n_users": n_users,
        "n_events_per_user": n_events_per_user,
        "n_clusters": n_clusters,
        "n_styles": n_styles,
        "n_topics": n_topics,
    }
    for name, size in sizes.items():
        if size < 1:
            raise ArgumentError(f"{name} must be at least 1, not {size}")
    if n_items <= n_events_per_user:
        raise ArgumentError(
            f"n_items must be more than n_events_per_user, not {n_items} for {n_events_per_user}"
        )
    random = np.random.default_rng(seed)
    items = _draw_items(random, n_items, n_styles, n_topics)
    users = _draw_users(random, n_users)
    clusters = random.permutation(np.arange(n_items) % n_clusters)
    appeal = random.normal(0, appeal_spread, n_items)
    # An event speaks for its own cluster and, less loudly and either way, of the others.
    pull = random.normal(0, 0.08, (n_clusters, n_clusters)) + 0.3 * np.eye(n_clusters)
    taste = {
        field: {
            value: random.normal(0, 0.7, n_clusters)
            for value in sorted(set(users[field].to_pylist()))
        }
        for field in ("age_group", "region")
    }
    worth = {
        "style": {f"style {n}": float(random.normal(0, 0.7)) for n in range(n_styles)},
        "topics": {f"topic {n}": float(random.normal(0, 0.5)) for n in range(n_topics)},
    }
    scores = np.tile(appeal + _item_terms(items, worth), (n_users, 1))
    for field, by_value in taste.items():
        scores += np.array([by_value[value] for value in users[field].to_pylist()])[:, clusters]
    histories = _draw_histories(random, scores, pull, clusters, n_events_per_user)
    return World(
        events=_event_table(random, histories),
        items=items,
        users=users,
        histories=histories,
        clusters=clusters,
        appeal=appeal,
        pull=pull,
        taste=taste,
        worth=worth,
    )


def _draw_histories(
    random: np.random.Generator,
    scores: Float64Array,
    pull: Float64Array,
    clusters: Int64Array,
    n_events: int,
) -> Int64Array:
    """Draw the histories of all users at once, event by event."""
    scores = scores.copy()
    people = np.arange(len(scores))
    histories = np.empty((len(scores), n_events), np.int64)
    for step in range(n_events):
        # The largest of scores with Gumbel noise is a draw by their softmax.
        drawn = np.argmax(scores + random.gumbel(size=scores.shape), axis=1)
        histories[:, step] = drawn
        scores += pull[clusters[drawn]][:, clusters]
        scores[people, drawn] = -np.inf
    return histories


def _draw_items(
    random: np.random.Generator, n_items: int, n_styles: int, n_topics: int
) -> pa.Table:
    styles = random.integers(n_styles, size=n_items)
    counts = np.minimum(random.integers(1, 4, size=n_items), n_topics)
    topics = [np.sort(random.choice(n_topics, size=int(n), replace=False)) for n in counts]
    return pa.table(
        {
            "item_id": [f"i{item}" for item in range(n_items)],
            "style": [f"style {style}" for style in styles],
            "topics": [[f"topic {topic}" for topic in row] for row in topics],
        }
    )


def _draw_users(random: np.random.Generator, n_users: int) -> pa.Table:
    ages, regions = ("young", "grown", "old"), ("north", "east", "south", "west")
    return pa.table(
        {
            "user_id": [f"u{user}" for user in range(n_users)],
            "age_group": [ages[n] for n in random.integers(len(ages), size=n_users)],
            "region": [regions[n] for n in random.integers(len(regions), size=n_users)],
        }
    )


def _item_terms(items: pa.Table, worth: Mapping[str, Mapping[str, float]]) -> Float64Array:
    """Return float64 [n_items]: what the feature values of each item add up to."""
    styles, topics = items["style"].to_pylist(), items["topics"].to_pylist()
    return np.array(
        [
            worth["style"][style] + sum(worth["topics"][topic] for topic in row)
            for style, row in zip(styles, topics, strict=True)
        ]
    )


def _event_table(random: np.random.Generator, histories: Int64Array) -> pa.Table:
    n_users, n_events = histories.shape
    waits = random.exponential(3 * _SECONDS_PER_DAY, size=histories.shape)
    seconds = _FIRST_DAY + np.cumsum(1 + np.floor(waits), axis=1).astype(np.int64)
    return pa.table(
        {
            "user_id": [f"u{user}" for user in range(n_users) for _ in range(n_events)],
            "item_id": [f"i{item}" for item in histories.ravel()],
            "timestamp": pa.array(seconds.ravel()).cast(pa.timestamp("s", "UTC")),
        }
    )
