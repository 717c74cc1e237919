"""The penalty for reasons that were called wrong: what it sees, and what it does."""

import numpy as np
import torch

import whyrec
from whyrec.data.dataset import Dataset
from whyrec.data.wrong_reasons import WrongReason
from whyrec.models.penalty import Penalty, PenaltyConfig
from whyrec.models.wide import WideWeights
from whyrec.models.wide_model import WideModel

WORLD = whyrec.datasets.synthetic(seed=0, n_users=40, n_items=30)
DATA = Dataset.from_tables(WORLD.events, WORLD.items, WORLD.users)
TOWERS = whyrec.TwoTowerConfig(dimension=16, hidden=8, max_steps=10).fit(DATA, progress=False)


def of(*reasons: WrongReason) -> Penalty:
    return Penalty(DATA, PenaltyConfig(2.0, reasons, seed=0))


def size(*reasons: WrongReason) -> float:
    penalty = of(*reasons)
    return float(penalty._size(TOWERS, penalty._all).detach())


def slope(user: int, item: int, source: int) -> float:
    """Return how much the score falls, for each share of an event that is taken from it."""
    history, items = DATA.histories(np.array([user])), np.array([[item]])
    n_tokens = len(DATA.item_features.take(np.array([item])).tokens)
    n_fields = len(history.attributes.fields_of(0))
    widths = (len(history.items), n_fields, n_tokens)
    embedded = TOWERS.embed_pairs(history, np.zeros(1, np.int64), items, widths)
    presence = torch.ones(1, 1, 2, sum(widths))
    presence[..., 1, history.items.tolist().index(source)] -= 0.02
    whole, less = TOWERS.pair_values(embedded, presence)[0, 0].double()
    return float((whole - less) / 0.02)


def test_it_is_the_squared_gradient_by_presence_of_those_players_alone() -> None:
    user = 3
    history = DATA.histories(np.array([user]))
    first, second = (int(item) for item in history.items[:2])
    item = next(each for each in range(DATA.n_items) if each not in history.items)
    one, other = WrongReason(user, item, (first,)), WrongReason(user, item, (second,))
    assert np.isclose(size(one), slope(user, item, first) ** 2, rtol=0.1)
    assert np.isclose(size(one, other), size(one) + size(other), rtol=1e-5)
    assert size(WrongReason(user, item, (item,))) == 0
    tokens = DATA.item_features.take(np.array([item])).tokens
    assert size(WrongReason(user, item, tokens=tuple(tokens.tolist()))) > 0


def test_it_begins_at_its_weight_and_an_ndcg_counts_for_more_without_what_is_wrong() -> None:
    penalty = of(WrongReason(3, 5, (int(DATA.histories(np.array([3])).items[0]),)))
    assert list(penalty.start(TOWERS).parameters()) == []
    histories = DATA.histories(np.array([0]))
    assert torch.isclose(penalty.loss(TOWERS, histories), torch.tensor(2.0))
    assert np.isclose(penalty.worth(TOWERS), 0.9)
    nothing = of(WrongReason(3, 5))
    nothing.start(TOWERS)
    assert nothing.worth(TOWERS) == 1


def test_a_penalty_of_one_weight_is_ridge_regression_with_it() -> None:
    model = WideModel(l2=5.0, windows=False)
    plain, held = (
        WideWeights.of(DATA, model, 10_000, penalties)
        for penalties in ({}, {(2, 7): 40.0, (4, 7): 1e9})
    )
    matrix = np.zeros((DATA.n_users, DATA.n_items))
    matrix[DATA.interactions.users(), DATA.interactions.items] = 1
    others = [item for item in plain.items.tolist() if item != 7]
    ridge = np.diag([5.0 + {2: 40.0, 4: 1e9}.get(item, 0.0) for item in others])
    x = matrix[:, others]
    wanted = np.linalg.solve(x.T @ x + ridge, x.T @ matrix[:, 7])
    at = plain.items.tolist()
    rows, column = [at.index(item) for item in others], at.index(7)
    found = held._weights.toarray()
    assert np.allclose(found[rows, column], wanted, atol=1e-4)
    assert abs(found[at.index(4), column]) < 1e-6
    again = WideWeights.restore(held.times(3.0).arrays(), DATA.item_features)
    again = again.solved_again(DATA, 10_000)
    assert np.array_equal(again._weights.toarray(), 3 * found)
    rest = np.delete(np.arange(len(at)), column)
    assert np.array_equal(found[:, rest], plain._weights.toarray()[:, rest])
