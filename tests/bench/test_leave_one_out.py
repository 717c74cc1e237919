import numpy as np
import pytest
from bench.faithfulness.methods.leave_one_out import LeaveOneOutConfig, Output

from whyrec.data.coalitions import Coalitions
from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.explain import PlayerKind
from whyrec.models import TwoTower
from whyrec.types import Float64Array

Asked = tuple[Histories, Pairs, Float64Array]


def test_of_the_logit_it_is_the_score_less_that_without_the_event(
    tower: TwoTower, shop: Dataset, asked: Asked
) -> None:
    histories, pairs, full_values = asked
    found = LeaveOneOutConfig().fit(tower, shop).explain(*asked)
    n_compared = 0
    for pair, (row, item) in enumerate(zip(pairs.rows, pairs.items, strict=True)):
        one = histories.take(np.array([row]))
        for event in range(len(one.items)):
            left = one.only_events(np.arange(len(one.items)) != event)
            query = tower.query_vectors(left)[0]
            score = query @ tower.item_vectors()[item] + tower.item_biases()[item]
            mine = found.contributions[found.of(pair)][event]
            np.testing.assert_allclose(mine, full_values[pair] - score, rtol=1e-3, atol=1e-4)
            n_compared += 1
    assert n_compared > 20


def test_of_the_logit_it_is_the_same_for_every_kind_of_player(
    tower: TwoTower, shop: Dataset, asked: Asked
) -> None:
    histories, pairs, _ = asked
    found = LeaveOneOutConfig().fit(tower, shop).explain(*asked)
    assert set(found.players.kinds) == set(PlayerKind)
    for pair in range(len(pairs)):
        n_players = int(found.players.counts()[pair])
        one = pairs.take(np.array([pair]))
        everyone = np.ones((1, n_players), bool)
        for player in range(n_players):
            others = everyone.copy()
            others[0, player] = False
            lost = [
                tower.coalition_values(histories, one, Coalitions.of_matrices([each]))[0]
                for each in (everyone, others)
            ]
            mine = found.contributions[found.of(pair)][player]
            np.testing.assert_allclose(mine, lost[0] - lost[1], rtol=1e-4, atol=1e-5)


def test_of_the_logit_all_pairs_are_asked_for_in_one_call(
    tower: TwoTower, shop: Dataset, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[list[int]] = []
    ask = TwoTower.coalition_values

    def counted(
        model: TwoTower, histories: Histories, pairs: Pairs, coalitions: Coalitions
    ) -> Float64Array:
        counts.append(coalitions.counts.tolist())
        return ask(model, histories, pairs, coalitions)

    monkeypatch.setattr(TwoTower, "coalition_values", counted)
    found = LeaveOneOutConfig().fit(tower, shop).explain(*asked)
    assert counts == [(found.players.counts() + 2).tolist()]


def test_of_the_probability_it_is_what_its_logarithm_loses(
    tower: TwoTower, shop: Dataset, asked_unseen: Asked
) -> None:
    histories, pairs, _ = asked_unseen
    config = LeaveOneOutConfig(of=Output.PROBABILITY)
    found = config.fit(tower, shop).explain(*asked_unseen)

    def log_probability(of: Histories, seen: list[int], item: int) -> float:
        scores = (tower.query_vectors(of) @ tower.item_vectors().T + tower.item_biases())[0]
        unseen = [each for each in range(shop.n_items) if each not in seen]
        return float(scores[item] - np.log(np.exp(scores[unseen].astype(np.float64)).sum()))

    n_compared = 0
    for pair, (row, item) in enumerate(zip(pairs.rows, pairs.items.tolist(), strict=True)):
        one = histories.take(np.array([row]))
        seen = one.items.tolist()
        for event in range(len(seen)):
            left = one.only_events(np.arange(len(seen)) != event)
            lost = log_probability(one, seen, item) - log_probability(left, seen, item)
            mine = found.contributions[found.of(pair)][event]
            np.testing.assert_allclose(mine, lost, rtol=1e-3, atol=1e-4)
            n_compared += 1
    assert n_compared > 10
