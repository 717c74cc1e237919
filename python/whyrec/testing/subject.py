"""The system under test with what every invariant asks of it, and draws of whom and what to ask."""

from collections.abc import Hashable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
from hypothesis import strategies as st

from whyrec.data.coalitions import Coalitions
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.errors import ArgumentError
from whyrec.explain.attribution import Attributions, Players
from whyrec.models.recommender import Recommender, TwoStageRecommender
from whyrec.testing.invariant import Case, apply_only
from whyrec.testing.strategies import Person, histories_of, people
from whyrec.testing.system import Answer, System
from whyrec.types import BoolArray, Float64Array

Entry: TypeAlias = tuple[Hashable, float]
"""An item's id with its score."""

T = TypeVar("T")

_MOST_ITEMS = 200
"""Of a larger catalog, so many items are ranked where all of them are asked for."""

_MOST_EVENTS = 3
"""Of histories whose games are evaluated."""


class Subject:
    """A system under test."""

    def __init__(self, system: System, workspace: Path) -> None:
        self.system = system
        self._workspace = workspace
        known = self.dataset = system.dataset
        self.users = tuple(known.users)
        active = np.flatnonzero(np.diff(known.interactions.offsets) > 0)
        self.active = tuple(known.users[user] for user in active.tolist())
        """Those with a history."""
        n_items = min(known.n_items, _MOST_ITEMS)
        spread = np.linspace(0, known.n_items - 1, n_items).astype(int)
        self.items = tuple(known.items[item] for item in spread.tolist())
        """Those that are asked about; of a large catalog not all."""

    @property
    def recommender(self) -> Recommender:
        """What scores."""
        return self.system.recommender

    @property
    def n_ranked(self) -> int | None:
        """How many items are scored again where there are two stages; None where there is one."""
        model = self.recommender
        return model.n_ranked if isinstance(model, TwoStageRecommender) else None

    @cached_property
    def loaded(self) -> System:
        """The same system, saved and loaded."""
        path = self._workspace / "saved"
        try:
            self.system.save(path)
        except ArgumentError as error:
            apply_only(False, f"the system cannot be saved: {error}")
        return type(self.system).load(path)

    # Whom and what to ask.

    def one_of(self, case: Case, name: str, values: Sequence[T], what: str) -> T:
        """Draw one of some values; without any, the case does not apply."""
        apply_only(len(values) > 0, f"there is no {what}")
        return case.draw(name, st.sampled_from(values))

    def user(self, case: Case, name: str = "user") -> Hashable:
        """Draw the id of a user."""
        return self.one_of(case, name, self.users, "user")

    def active_user(self, case: Case) -> Hashable:
        """Draw the id of a user with a history."""
        return self.one_of(case, "user", self.active, "user with a history")

    def several(self, case: Case, most: int = 5) -> list[Hashable]:
        """Draw the ids of some users, perhaps one of them twice."""
        apply_only(len(self.users) > 0, "there is no user")
        users = st.lists(st.sampled_from(self.users), min_size=2, max_size=most)
        return case.draw("users", users)

    def k(self, case: Case, most: int = 30) -> int:
        """Draw how many items to ask for, perhaps more than there are."""
        return case.draw("k", st.integers(1, min(most, len(self.items) + 2)))

    def item(self, case: Case, name: str = "item") -> Hashable:
        """Draw the id of an item."""
        return self.one_of(case, name, self.items, "item")

    def some_items(self, case: Case, name: str, least: int = 0) -> list[Hashable]:
        """Draw ids of items, in any order and without duplicates."""
        apply_only(len(self.items) >= least, f"there are fewer than {least} items")
        lists = st.lists(st.sampled_from(self.items), min_size=least, max_size=12, unique=True)
        return case.draw(name, lists)

    # What the system answers.

    def top(self, user: Hashable, k: int, **rules: Any) -> list[Entry]:
        """Return the best items for a user with their scores."""
        return entries(self.system.recommend(user, k, **rules))

    def whole(self, user: Hashable, **rules: Any) -> list[Entry]:
        """Return all items that may be in an answer; of a large catalog, of those asked about."""
        if len(self.items) < self.dataset.n_items:
            rules = {"only": self.items, **rules}
        return self.top(user, max(len(self.items), self.n_ranked or 1), **rules)

    def every_item(self, user: Hashable, **rules: Any) -> list[Entry]:
        """Return all items, those of the user's own history too."""
        return self.whole(user, include_seen=True, **rules)

    def seen(self, user: Hashable) -> set[Hashable]:
        """Return the items of a user's history."""
        events = self.dataset.interactions
        index = self.dataset.users.index_of(user)
        own = events.items[events.offsets[index] : events.offsets[index + 1]]
        return {self.dataset.items[item] for item in own.tolist()}

    def told(self, user: Hashable, k: int, **told: Any) -> Answer:
        """Return an answer with all of its reasons, unless told otherwise."""
        return self.system.recommend_with_reasons(user, k, **{"max_reasons": None, **told})

    # The games that are played.

    def games(self, case: Case, most: int = 3) -> tuple[Histories, Pairs]:
        """Draw histories, and pairs of them with items."""
        apply_only(self.dataset.n_items > 0, "there is no item")
        drawn = people(self.dataset, most_events=_MOST_EVENTS)
        histories = self.histories(case.draw("people", st.lists(drawn, min_size=1, max_size=most)))
        pair = st.tuples(
            st.integers(0, len(histories) - 1), st.integers(0, self.dataset.n_items - 1)
        )
        pairs = case.draw("pairs", st.lists(pair, min_size=1, max_size=2 * most))
        rows, items = np.array(pairs, np.int32).T
        return histories, Pairs(rows.copy(), items.copy())

    def game(self, case: Case, least_events: int = 0) -> tuple[Histories, Pairs]:
        """Draw one history and one item."""
        apply_only(self.dataset.n_items > 0, "there is no item")
        drawn = people(self.dataset, least_events=least_events, most_events=_MOST_EVENTS)
        histories = self.histories([case.draw("person", drawn)])
        return histories, one_pair(
            case.draw("item_index", st.integers(0, self.dataset.n_items - 1))
        )

    def histories(self, persons: Sequence[Person]) -> Histories:
        """Return the histories of some people who are drawn."""
        return histories_of(self.dataset, persons)

    def players(self, histories: Histories, pairs: Pairs) -> Players:
        """Return the players of each pair."""
        return Players.of(histories, self.recommender.item_features, pairs)

    def scores(self, histories: Histories, pairs: Pairs) -> Float64Array:
        """Return the scores that rank pairs, float64 [n_pairs]."""
        return scores_of(self.recommender, histories, pairs)

    def values(
        self, histories: Histories, pairs: Pairs, matrices: Sequence[BoolArray]
    ) -> Float64Array:
        """Return v(S), float64 [n_coalitions of all pairs]."""
        coalitions = Coalitions.of_matrices(matrices)
        return self.recommender.coalition_values(histories, pairs, coalitions)

    def every_value(self, histories: Histories, pair: Pairs) -> tuple[BoolArray, Float64Array]:
        """Return every coalition of the players of one pair, and the value of each."""
        (n_players,) = self.players(histories, pair).counts().tolist()
        apply_only(n_players <= 10, "every pair drawn has more than 10 players")
        numbers = np.arange(1 << n_players)[:, None]
        coalitions: BoolArray = (numbers >> np.arange(n_players) & 1).astype(bool)
        return coalitions, self.values(histories, pair, [coalitions])

    def attributed(self, histories: Histories, pairs: Pairs) -> Attributions:
        """Have the explainer attribute the scores of pairs."""
        return self.system.explainer.explain(histories, pairs, self.scores(histories, pairs))


def scores_of(model: Recommender, histories: Histories, pairs: Pairs) -> Float64Array:
    """Return the scores by which a recommender ranks pairs, float64 [n_pairs], in logits."""
    if isinstance(model, TwoStageRecommender):
        return model.pair_scores(histories, pairs).astype(np.float64)
    queries = model.query_vectors(histories)[pairs.rows].astype(np.float64)
    products: Float64Array = (queries * model.item_vectors()[pairs.items]).sum(axis=1)
    return products + model.item_biases()[pairs.items]


def one_pair(item: int, row: int = 0) -> Pairs:
    """Return the pair of one row with one item."""
    return Pairs(np.array([row], np.int32), np.array([item], np.int32))


def entries(answer: Answer) -> list[Entry]:
    """Return the items of an answer with their scores."""
    return [(each.item_id, each.score) for each in answer]


def ids(of: Sequence[Entry]) -> list[Hashable]:
    """Return the items alone."""
    return [item for item, _ in of]


def scale_of(*values: float | None) -> float:
    """Return what rounding is measured against."""
    return 1.0 + max((abs(each or 0.0) for each in values), default=0.0)
