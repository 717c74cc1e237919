"""A made-up world in which every contribution to a score is known in closed form."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from whyrec.data.vocabulary import Vocabulary
from whyrec.errors import ArgumentError
from whyrec.types import Float64Array, Int64Array

FieldValue = tuple[str, str]
"""The name of a field and one of its values."""

_AGE_GROUPS = ("young", "grown", "old")
_REGIONS = ("north", "east", "south", "west")
_FIRST_EVENT = 1_700_000_000
_MEAN_WAIT = 3 * 86_400
"""Seconds between two events of a user, on average."""


@dataclass(frozen=True, slots=True, eq=False)
class TrueContributions:
    """What truly made the score of one item for one user, in logits."""

    base_value: float
    """The appeal of the item by itself, of no player's making."""

    events: Float64Array
    """float64 [n_events]: of each event in the history, oldest first."""

    attributes: Mapping[str, float]
    """Of each field of the user."""

    features: Mapping[FieldValue, float]
    """Of each feature value of the item."""

    @property
    def score(self) -> float:
        """The base value and all contributions together."""
        of_user = float(self.events.sum()) + sum(self.attributes.values())
        return self.base_value + of_user + sum(self.features.values())


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """A made-up world: its tables, and the parameters that its events were drawn by.

    The score of item i for a user with the history H and the attribute values A is, in logits,

        s(i) = appeal[i] + Σ_{e∈H} pull[c(e), c(i)] + Σ_{a∈A} taste[a][c(i)] + Σ_{x∈i} worth[x]

    where c is the cluster of an item, which no table tells, and x runs over the feature values of
    the item. The score is a sum over players, so the Shapley value of each is its own term.
    """

    events: pa.Table
    """user_id, item_id, timestamp; the items of one user all differ."""

    items: pa.Table
    """item_id, style (a category), topics (one to three tags)."""

    users: pa.Table
    """user_id, age_group, region (categories)."""

    user_ids: Vocabulary
    item_ids: Vocabulary

    user_values: tuple[tuple[FieldValue, ...], ...]
    """The attribute values of each user."""

    item_values: tuple[tuple[FieldValue, ...], ...]
    """The feature values of each item."""

    histories: Int64Array
    """int64 [n_users, n_events_per_user]: item index, oldest event first."""

    clusters: Int64Array
    """int64 [n_items]: the hidden cluster of each item."""

    appeal: Float64Array
    """float64 [n_items]: what an item has of its own."""

    pull: Float64Array
    """float64 [n_clusters, n_clusters]: what an event of one cluster adds to items of another."""

    taste: Mapping[FieldValue, Float64Array]
    """What an attribute value of a user adds to items of each cluster: float64 [n_clusters]."""

    worth: Mapping[FieldValue, float]
    """What a feature value adds to the item."""

    def true_contributions(self, user_id: Hashable, item_id: Hashable) -> TrueContributions:
        """Return what each player adds to the score of an item for a user with all its history.

        Raises:
            UnknownUserError: there is no such user.
            UnknownItemError: there is no such item.
        """
        user, item = self.user_ids.index_of(user_id), self.item_ids.index_of(item_id)
        cluster = self.clusters[item]
        return TrueContributions(
            base_value=float(self.appeal[item]),
            events=self.pull[self.clusters[self.histories[user]], cluster],
            attributes={
                field: float(self.taste[field, value][cluster])
                for field, value in self.user_values[user]
            },
            features={value: self.worth[value] for value in self.item_values[item]},
        )

    def true_score(self, user_id: Hashable, item_id: Hashable) -> float:
        """Return the score of an item for a user with all its history, in logits.

        Raises:
            UnknownUserError: there is no such user.
            UnknownItemError: there is no such item.
        """
        return self.true_contributions(user_id, item_id).score

    def true_scores(self) -> Float64Array:
        """Return float64 [n_users, n_items]: all scores, with all the history of each user."""
        pulled = self.pull[self.clusters[self.histories]].sum(axis=1)
        scores = _scores_without_history(
            self.user_values, self.item_values, self.clusters, self.taste, self.worth
        )
        scores += self.appeal + pulled[:, self.clusters]
        return scores


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
    far, out of the items not drawn before; see `World` for the score. So the events hold what the
    score says, and nothing else.

    Args:
        seed: the same seed gives the same world.
        n_users: how many users there are.
        n_items: how many items there are.
        n_events_per_user: how many items each user draws; fewer than there are items.
        n_clusters: how many hidden clusters the items fall into.
        n_styles: how many categories the field style has.
        n_topics: how many tags the field topics has.
        appeal_spread: standard deviation of what items have of their own, in logits. It is no
            player's making; 0 leaves all differences between items to players.

    Raises:
        ArgumentError: a number is too small, or there are too few items to draw from.

    >>> world = synthetic(seed=1)
    >>> world.true_contributions("u7", "i3").score == world.true_score("u7", "i3")
    True
    """
    _check_sizes(
        n_users=n_users,
        n_events_per_user=n_events_per_user,
        n_clusters=n_clusters,
        n_styles=n_styles,
        n_topics=n_topics,
    )
    if n_items <= n_events_per_user:
        raise ArgumentError(
            f"n_items must be more than n_events_per_user, not {n_items} for {n_events_per_user}"
        )
    random = np.random.default_rng(seed)
    styles = [f"style {n}" for n in range(n_styles)]
    topics = [f"topic {n}" for n in range(n_topics)]
    user_values = _draw_user_values(random, n_users)
    item_values = _draw_item_values(random, n_items, styles, topics)
    clusters = random.permutation(np.arange(n_items) % n_clusters)
    appeal = random.normal(0, appeal_spread, n_items)
    # An event speaks for its own cluster, and less loudly for or against the others.
    pull = random.normal(0, 0.08, (n_clusters, n_clusters)) + 0.2 * np.eye(n_clusters)
    people = [("age_group", age) for age in _AGE_GROUPS] + [("region", one) for one in _REGIONS]
    taste = {value: random.normal(0, 0.7, n_clusters) for value in people}
    worth = {("style", style): float(random.normal(0, 0.7)) for style in styles}
    worth |= {("topics", topic): float(random.normal(0, 0.5)) for topic in topics}
    scores = _scores_without_history(user_values, item_values, clusters, taste, worth) + appeal
    histories = _draw_histories(random, scores, pull, clusters, n_events_per_user)
    user_ids = Vocabulary.from_ids((f"u{user}" for user in range(n_users)), "user")
    item_ids = Vocabulary.from_ids((f"i{item}" for item in range(n_items)), "item")
    return World(
        events=_event_table(random, histories, user_ids, item_ids),
        items=pa.table(
            {
                "item_id": list(item_ids),
                "style": [style for (_, style), *_ in item_values],
                "topics": [[topic for _, topic in row] for _, *row in item_values],
            }
        ),
        users=pa.table(
            {
                "user_id": list(user_ids),
                "age_group": [age for (_, age), _ in user_values],
                "region": [region for _, (_, region) in user_values],
            }
        ),
        user_ids=user_ids,
        item_ids=item_ids,
        user_values=user_values,
        item_values=item_values,
        histories=histories,
        clusters=clusters,
        appeal=appeal,
        pull=pull,
        taste=taste,
        worth=worth,
    )


def _check_sizes(**sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise ArgumentError(f"{name} must be at least 1, not {size}")


def _draw_user_values(
    random: np.random.Generator, n_users: int
) -> tuple[tuple[FieldValue, ...], ...]:
    ages = random.integers(len(_AGE_GROUPS), size=n_users)
    regions = random.integers(len(_REGIONS), size=n_users)
    return tuple(
        (("age_group", _AGE_GROUPS[age]), ("region", _REGIONS[region]))
        for age, region in zip(ages, regions, strict=True)
    )


def _draw_item_values(
    random: np.random.Generator, n_items: int, styles: list[str], topics: list[str]
) -> tuple[tuple[FieldValue, ...], ...]:
    values: list[tuple[FieldValue, ...]] = []
    for style in random.integers(len(styles), size=n_items):
        n_drawn = min(int(random.integers(1, 4)), len(topics))
        drawn = np.sort(random.choice(len(topics), size=n_drawn, replace=False))
        tags = (("topics", topics[topic]) for topic in drawn)
        values.append((("style", styles[style]), *tags))
    return tuple(values)


def _scores_without_history(
    user_values: tuple[tuple[FieldValue, ...], ...],
    item_values: tuple[tuple[FieldValue, ...], ...],
    clusters: Int64Array,
    taste: Mapping[FieldValue, Float64Array],
    worth: Mapping[FieldValue, float],
) -> Float64Array:
    """Return float64 [n_users, n_items]: what attributes and features add up to."""
    by_cluster = np.array([np.sum([taste[a] for a in values], axis=0) for values in user_values])
    by_item = np.array([sum(worth[x] for x in values) for values in item_values])
    scores: Float64Array = by_cluster[:, clusters] + by_item
    return scores


def _draw_histories(
    random: np.random.Generator,
    scores: Float64Array,
    pull: Float64Array,
    clusters: Int64Array,
    n_events: int,
) -> Int64Array:
    """Draw the histories of all users at once, event by event."""
    scores = scores.copy()
    everybody = np.arange(len(scores))
    histories = np.empty((len(scores), n_events), np.int64)
    for step in range(n_events):
        # The largest of scores with Gumbel noise is a draw by their softmax.
        drawn = np.argmax(scores + random.gumbel(size=scores.shape), axis=1)
        histories[:, step] = drawn
        scores += pull[clusters[drawn]][:, clusters]
        scores[everybody, drawn] = -np.inf
    return histories


def _event_table(
    random: np.random.Generator, histories: Int64Array, user_ids: Vocabulary, item_ids: Vocabulary
) -> pa.Table:
    waits = 1 + np.floor(random.exponential(_MEAN_WAIT, size=histories.shape))
    seconds = _FIRST_EVENT + np.cumsum(waits, axis=1).astype(np.int64)
    return pa.table(
        {
            "user_id": [user for user in user_ids for _ in range(histories.shape[1])],
            "item_id": [item_ids[item] for item in histories.ravel().tolist()],
            "timestamp": pa.array(seconds.ravel()).cast(pa.timestamp("s", "UTC")),
        }
    )
