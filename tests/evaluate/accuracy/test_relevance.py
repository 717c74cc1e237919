import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from whyrec.errors import ArgumentError
from whyrec.evaluate.accuracy import Accuracy, accuracy
from whyrec.evaluate.intervals import differences, intervals
from whyrec.types import Float64Array, Int32Array, Int64Array

Lists = list[list[int]]
Ragged = Callable[[Lists], tuple[Int64Array, Int32Array]]
Measure = Callable[[Lists, Lists, int | tuple[int, ...]], Accuracy]

items = st.integers(0, 12)
users = st.lists(
    st.tuples(st.lists(items, max_size=8), st.lists(items, max_size=6)), min_size=1, max_size=6
)
cutoffs = st.lists(st.integers(1, 10), min_size=1, max_size=3)


@pytest.fixture(scope="session")
def measure(ragged: Ragged) -> Measure:
    return lambda ranked, wanted, k: accuracy(*ragged(ranked), *ragged(wanted), k=k)


def slowly(best: list[int], wants: set[int], k: int) -> dict[str, float]:
    """Give the metrics of one user, each as it is defined."""
    is_hit = [item in wants and item not in best[:place] for place, item in enumerate(best)][:k]
    ranks = [place + 1 for place, hit in enumerate(is_hit) if hit]
    ideal = [1 / math.log2(rank + 1) for rank in range(1, min(k, len(wants)) + 1)]
    precisions = [sum(is_hit[:rank]) / rank for rank in ranks]
    return {
        f"NDCG@{k}": sum(1 / math.log2(rank + 1) for rank in ranks) / sum(ideal),
        f"Recall@{k}": len(ranks) / len(wants),
        f"HR@{k}": 1.0 if ranks else 0.0,
        f"Precision@{k}": len(ranks) / k,
        f"MRR@{k}": 1 / ranks[0] if ranks else 0.0,
        f"MAP@{k}": sum(precisions) / len(wants),
    }


@given(users, cutoffs)
def test_metrics_are_those_of_plain_python(
    measure: Measure, rows: list[tuple[list[int], list[int]]], k: list[int]
) -> None:
    ranked, wanted = [each for each, _ in rows], [each for _, each in rows]
    if not any(wanted):
        with pytest.raises(ArgumentError, match="no user has a held-out event"):
            measure(ranked, wanted, tuple(k))
        return
    expected: dict[str, list[float]] = {}
    for best, wants in rows:
        for cutoff in sorted(set(k)):
            for name, value in slowly(best, set(wants), cutoff).items() if wants else ():
                expected.setdefault(name, []).append(value)
    found = measure(ranked, wanted, tuple(k))
    assert found.n_users == sum(map(bool, wanted))
    assert list(found.figures()) == list(expected)
    for name, values in found.figures().items():
        np.testing.assert_allclose(values, expected[name], rtol=1e-12)
        assert found.means()[name] == pytest.approx(np.mean(expected[name]))


def random_lists(n_users: int, n_items: int, seed: int) -> tuple[Lists, Lists]:
    """Give lists and wishes of all lengths, none of them with an item twice."""
    random = np.random.default_rng(seed)
    ranked = [
        random.permutation(n_items)[: random.integers(0, 40)].tolist() for _ in range(n_users)
    ]
    wanted = [
        random.permutation(n_items)[: random.integers(1, 30)].tolist() for _ in range(n_users)
    ]
    return ranked, wanted


def test_metrics_are_those_of_trec_eval(measure: Measure) -> None:
    trec = pytest.importorskip("pytrec_eval", reason="the reference is for development only")
    ranked, wanted = random_lists(400, 60, seed=0)
    relevant = {f"{user}": {f"{item}": 1 for item in wants} for user, wants in enumerate(wanted)}
    names = {
        "NDCG": "ndcg_cut",
        "Recall": "recall",
        "HR": "success",
        "Precision": "P",
        "MAP": "map_cut",
    }
    found = measure(ranked, wanted, (1, 5, 10, 20)).figures()

    def reference(measured: str, of: str, k: int | None = None) -> Float64Array:
        # Scores that fall, so that the order is ours; trec_eval leaves out who gets nothing.
        run = {
            f"{user}": {f"{item}": -float(place) for place, item in enumerate(best[:k])}
            for user, best in enumerate(ranked)
            if best
        }
        answers = trec.RelevanceEvaluator(relevant, {measured}).evaluate(run)
        return np.array([answers.get(f"{user}", {}).get(of, 0.0) for user in range(len(ranked))])

    for k in (1, 5, 10, 20):
        for name, theirs in names.items():
            expected = reference(f"{theirs}.{k}", f"{theirs}_{k}")
            np.testing.assert_allclose(found[f"{name}@{k}"], expected, atol=1e-12, err_msg=name)
        # It knows no cut-off of the reciprocal rank: lists are cut before.
        expected = reference("recip_rank", "recip_rank", k)
        np.testing.assert_allclose(found[f"MRR@{k}"], expected, atol=1e-12)
    assert 0.2 < found["NDCG@10"].mean() < 0.8


def test_a_perfect_ranking_scores_1_and_a_missed_one_0(measure: Measure) -> None:
    found = measure([[3, 1, 2], [5, 6, 7]], [[1, 3], [8]], 2)
    for values in found.figures().values():
        assert values.tolist() == [1.0, 0.0]


def test_several_cutoffs_are_those_taken_alone(measure: Measure) -> None:
    ranked, wanted = random_lists(50, 30, seed=1)
    together = measure(ranked, wanted, (20, 5, 5)).figures()
    alone = measure(ranked, wanted, 5).figures() | measure(ranked, wanted, 20).figures()
    assert list(together) == list(alone)
    for name, values in together.items():
        np.testing.assert_array_equal(values, alone[name])


def test_an_item_wanted_twice_counts_once(measure: Measure) -> None:
    twice, once = measure([[3, 1]], [[1, 1, 2]], 2), measure([[3, 1]], [[2, 1]], 2)
    assert twice.means() == once.means()
    assert twice.means()["Recall@2"] == 0.5


def test_an_item_ranked_twice_counts_where_it_comes_first(measure: Measure) -> None:
    found = measure([[1, 1, 2]], [[1, 2]], (2, 3)).means()
    assert found["Recall@2"] == 0.5
    assert found["Recall@3"] == 1
    assert found["MAP@3"] == pytest.approx((1 + 2 / 3) / 2)


def test_users_who_want_nothing_are_left_out(measure: Measure) -> None:
    assert measure([[1], [2], [3]], [[], [2], []], 1).ndcg.tolist() == [[1.0]]


def test_an_empty_list_is_a_miss(measure: Measure) -> None:
    found = measure([[], [2]], [[1], [2]], 1)
    assert found.n_users == 2
    assert set(found.means().values()) == {0.5}


def test_what_is_told_names_the_metrics_and_the_users(measure: Measure) -> None:
    assert str(measure([[4, 7]], [[7]], 2)) == (
        "NDCG@2 0.6309, Recall@2 1.0000, HR@2 1.0000, Precision@2 0.5000, MRR@2 0.5000, "
        "MAP@2 0.5000 over 1 users"
    )
    lines = str(measure([[4, 7]], [[7]], (1, 10))).splitlines()
    assert [line.count("@1 ") for line in lines] == [6, 0]


def test_intervals_over_users_come_from_the_figures(measure: Measure) -> None:
    (ranked, wanted), (other, _) = (random_lists(80, 40, seed=seed) for seed in (2, 3))
    ours, theirs = (measure(each, wanted, 10).figures() for each in (ranked, other))
    found = intervals(ours)
    assert found.keys() == ours.keys()
    ndcg = found["NDCG@10"]
    assert ndcg.low < ndcg.mean < ndcg.high
    assert ndcg.mean == pytest.approx(ours["NDCG@10"].mean())
    assert ndcg.n_pairs == 80
    assert not differences(ours, theirs)["NDCG@10"].is_apart


def test_rankings_of_other_users_are_refused(measure: Measure) -> None:
    with pytest.raises(ArgumentError, match="rankings are of 1 users, wanted items of 2"):
        measure([[1]], [[1], [2]], 1)


def test_with_nobody_to_ask_there_is_nothing_to_evaluate(measure: Measure) -> None:
    with pytest.raises(ArgumentError, match="no user has a held-out event"):
        measure([[1], []], [[], []], 1)
