"""What holds of the answers to visitors without an id."""

from collections.abc import Hashable, Mapping

import numpy as np
from hypothesis import strategies as st

from whyrec.testing.invariant import Case, apply_only, demand, demand_same, ranking
from whyrec.testing.subject import Entry, Subject, entries

_MOST = 5


@ranking
def a_visitor_asked_again_gets_the_same(on: Subject, case: Case) -> None:
    """A visitor who reloads the page must not meet another one."""
    history, k = _history(on, case), on.k(case, _MOST)
    demand_same(_ask(on, history, k), _ask(on, history, k), "asked again, the list is")


@ranking
def the_history_of_a_visitor_does_not_come(on: Subject, case: Case) -> None:
    """What is in the basket need not be recommended."""
    history, k = _history(on, case), on.k(case, _MOST)
    found = {*history} & {item for item, _ in _ask(on, history, k)}
    demand(not found, f"of the visitor's own history: {sorted(map(repr, found))}")


@ranking
def a_visitor_with_the_history_of_a_user_is_answered_as_the_user(on: Subject, case: Case) -> None:
    """An answer may depend on what is known of somebody, never on whether there is an id."""
    user, k = on.user(case), on.k(case, _MOST)
    index = np.array([on.dataset.users.index_of(user)])
    own = on.dataset.histories(index)
    history = [on.dataset.items[item] for item in own.items.tolist()]
    visitor = on.dataset.visitor(history, attributes := _attributes(on, user))
    model = on.recommender
    apply_only(
        model.query_vectors(own).tobytes() == model.query_vectors(visitor).tobytes()
        and on.n_ranked is None,
        "the recommender makes something of times, values or kinds, which visitors have not",
    )
    found = entries(on.system.recommend_for(history, attributes, k, max_reasons=1))
    demand_same(found, on.top(user, k), f"with the history of {user!r}, the list is")


@ranking
def the_order_of_the_history_of_a_visitor_says_nothing(on: Subject, case: Case) -> None:
    """Nothing is known of the times of a basket, so its order is an accident."""
    history = _history(on, case)
    turned = case.draw("turned", st.permutations(history))
    everything = on.dataset.n_items
    apply_only(everything == len(on.items), "the catalog is too large to be ranked as a whole")
    one, other = (
        on.recommender.query_vectors(on.dataset.visitor(each, {})) for each in (history, turned)
    )
    apply_only(
        np.allclose(one, other, rtol=1e-4, atol=1e-5),
        "the recommender makes something of the order of events that have no time",
    )
    expected = dict(_ask(on, history, everything))
    for item, score in _ask(on, turned, everything):
        close = abs(score - expected.get(item, np.inf)) <= 1e-4 * (1 + abs(score))
        demand(close, f"in another order, {item!r} scores {score}, not {expected.get(item)}")


@ranking
def a_visitor_is_personalised_where_there_is_a_history(on: Subject, case: Case) -> None:
    """The application words its page by it, for visitors too."""
    history = _history(on, case)
    answer = on.system.recommend_for(history, k=1)
    demand_same(answer.personalised, bool(history), "personalised is")
    demand_same(answer.user_id, None, "the user of the answer is")


def _history(on: Subject, case: Case) -> list[Hashable]:
    """Draw ids of items, few enough that something is left to recommend."""
    return on.some_items(case, "history")[: max(0, on.dataset.n_items - 1)]


def _ask(on: Subject, history: list[Hashable], k: int) -> list[Entry]:
    return entries(on.system.recommend_for(history, k=k, max_reasons=1))


def _attributes(on: Subject, user: Hashable) -> Mapping[str, object]:
    """Return what is known of a user as `recommend_for` takes it."""
    features = on.dataset.user_features.take(np.array([on.dataset.users.index_of(user)]))
    told = [
        features.schema.describe(token, weight)
        for token, weight in zip(features.tokens.tolist(), features.weights.tolist(), strict=True)
    ]
    apply_only(len({name for name, _ in told}) == len(told), "a field of the user has many values")
    return dict(told)
