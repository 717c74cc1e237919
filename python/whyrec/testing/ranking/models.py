"""What holds of the recommender below: the vectors and the values that scores are made of."""

from collections.abc import Hashable

import numpy as np
from hypothesis import strategies as st

from whyrec.data.coalitions import Coalitions
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.testing.invariant import Case, demand, demand_same, ranking
from whyrec.testing.subject import Subject, one_pair, scale_of


@ranking
def the_score_is_that_of_the_recommender(on: Subject, case: Case) -> None:
    """What is shown and explained must be what the model says, not a number beside it."""
    user, k = on.user(case), on.k(case)
    history = on.dataset.histories(np.array([on.dataset.users.index_of(user)]))
    for item, score in on.top(user, k):
        (own,) = on.scores(history, _pair(on, item)).tolist()
        close = abs(score - own) <= 1e-4 * scale_of(own)
        demand(close, f"{item!r} is shown with {score}; the recommender says {own}")


@ranking
def query_vectors_of_a_batch_are_those_of_each_alone(on: Subject, case: Case) -> None:
    """Padding and batch statistics leak from one user into another."""
    histories, _ = on.games(case)
    together = on.recommender.query_vectors(histories)
    for row in range(len(histories)):
        (alone,) = on.recommender.query_vectors(histories.take(np.array([row])))
        same = alone.tobytes() == together[row].tobytes()
        demand(same, f"alone, the vector of row {row} is {alone}, not {together[row]}")


@ranking
def query_vectors_are_the_same_when_asked_again(on: Subject, case: Case) -> None:
    """Dropout that is left on answers each time with another model."""
    histories, _ = on.games(case)
    first, again = (on.recommender.query_vectors(histories) for _ in range(2))
    demand(first.tobytes() == again.tobytes(), f"asked again, they are {again}, not {first}")


@ranking
def item_vectors_are_the_same_when_asked_again(on: Subject, case: Case) -> None:
    """The index is built once, and must be that of the model that explains."""
    histories, pairs = on.games(case)
    model = on.recommender
    first = model.item_vectors(), model.item_biases()
    model.query_vectors(histories)
    model.coalition_values(histories, pairs, _everybody(on, histories, pairs))
    again = model.item_vectors(), model.item_biases()
    for one, other in zip(first, again, strict=True):
        demand(one.tobytes() == other.tobytes(), "asked again, item vectors or biases are others")


@ranking
def vectors_have_the_shapes_and_types_that_are_promised(on: Subject, case: Case) -> None:
    """The index reads them as they are; another type would be other numbers."""
    histories, _ = on.games(case)
    model = on.recommender
    found = (model.query_vectors(histories), model.item_vectors(), model.item_biases())
    queries, items, biases = found
    demand_same(queries.shape, (len(histories), items.shape[1]), "query vectors have the shape")
    demand_same(items.shape, (on.dataset.n_items, queries.shape[1]), "item vectors have the shape")
    demand_same(biases.shape, (on.dataset.n_items,), "biases have the shape")
    demand_same({str(each.dtype) for each in found}, {"float32"}, "their types are")
    demand(all(np.isfinite(each).all() for each in found), "they are not all finite")


@ranking
def nobody_at_all_is_a_batch(on: Subject, case: Case) -> None:
    """The last part of a batch that is cut up may be empty."""
    nobody = on.dataset.histories(np.zeros(0, np.int64))
    case.draw("users", st.just([]))
    queries = on.recommender.query_vectors(nobody)
    expected = (0, on.recommender.item_vectors().shape[1])
    demand_same(queries.shape, expected, "the vectors of nobody have the shape")


def _pair(on: Subject, item: Hashable) -> Pairs:
    return one_pair(on.dataset.items.index_of(item))


def _everybody(on: Subject, histories: Histories, pairs: Pairs) -> Coalitions:
    """Return the coalition of all players of each pair."""
    counts = on.players(histories, pairs).counts().tolist()
    return Coalitions.of_matrices([np.ones((1, n), bool) for n in counts])
