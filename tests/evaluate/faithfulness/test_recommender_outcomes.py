"""The outcomes of recommenders, held to scores that are counted one history at a time."""

from collections.abc import Callable
from typing import cast

import numpy as np
import pytest

from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.data.rows import gather_rows
from whyrec.errors import ArgumentError
from whyrec.evaluate.faithfulness import (
    Orders,
    Probability,
    RecommenderOutcomes,
    recommender_outcomes,
    removal,
)
from whyrec.explain import ClosedFormConfig
from whyrec.models import DeepRanker, EASEConfig, PopularityConfig, Recommender, TwoTower
from whyrec.ranking import Candidates, Filters, ItemIndex, retrieve
from whyrec.types import BoolArray, Float32Array, Int64Array

USERS = np.array([3, 9, 7, 12, 1, 2])


@pytest.fixture
def histories(shop: Dataset) -> Histories:
    return shop.histories(USERS)


@pytest.fixture(params=["two towers", "EASE", "popularity"])
def recommender(request: pytest.FixtureRequest, shop: Dataset, tower: TwoTower) -> Recommender:
    others: dict[str, Callable[[], Recommender]] = {
        "two towers": lambda: tower,
        "EASE": lambda: EASEConfig(l2=2.0).fit(shop),
        "popularity": lambda: PopularityConfig().fit(shop),
    }
    return others[request.param]()


def unseen_pairs(histories: Histories, n_items: int) -> Pairs:
    """Pair each history with the first two items and the last that are not in it."""
    rows, items = [], []
    for row in range(len(histories)):
        seen = histories.items[histories.offsets[row] : histories.offsets[row + 1]]
        unseen = np.setdiff1d(np.arange(n_items), seen)
        rows += [row] * 3
        items += [*unseen[:2].tolist(), int(unseen[-1])]
    return Pairs(np.array(rows, np.int32), np.array(items, np.int32))


def questions(histories: Histories, pairs: Pairs) -> tuple[Int64Array, BoolArray]:
    random = np.random.default_rng(1)
    asked = random.integers(0, len(pairs), 60)
    _, events = gather_rows(histories.offsets, pairs.rows[asked])
    return asked, random.random(len(events)) < 0.6


def plain(
    recommender: Recommender, histories: Histories, pair: tuple[int, int], kept: BoolArray
) -> tuple[int, float, float]:
    """Return the rank, and the probability by softmax and by sigmoid, of one pair."""
    row, item = pair
    full = histories.take(np.array([row]))
    query = recommender.query_vectors(full.only_events(kept))[0]
    scores = recommender.item_vectors() @ query + recommender.item_biases()
    unseen = [each for each in range(len(scores)) if each not in full.items.tolist()]
    better = [
        each
        for each in unseen
        if scores[each] > scores[item] or (scores[each] == scores[item] and each < item)
    ]
    total = sum(np.exp(float(scores[each])) for each in unseen)
    exponential = np.exp(float(scores[item]))
    return 1 + len(better), exponential / total, exponential / (1 + exponential)


def test_rank_and_probability_are_those_of_plain_python(
    recommender: Recommender, shop: Dataset, histories: Histories
) -> None:
    pairs = unseen_pairs(histories, shop.n_items)
    asked, kept = questions(histories, pairs)
    outcomes = RecommenderOutcomes(recommender, histories, pairs)
    ranks, softmax = outcomes(asked, kept)
    _, sigmoid = RecommenderOutcomes(
        recommender, histories, pairs, probability=Probability.SIGMOID
    )(asked, kept)
    bounds = np.cumsum(np.diff(outcomes.offsets)[asked])[:-1]
    expected = [
        plain(recommender, histories, (int(pairs.rows[pair]), int(pairs.items[pair])), part)
        for pair, part in zip(asked.tolist(), np.split(kept, bounds), strict=True)
    ]
    of_ranks, of_softmax, of_sigmoid = np.array(expected).T
    assert ranks.dtype == np.int64
    np.testing.assert_array_equal(ranks, of_ranks)
    np.testing.assert_allclose(softmax, of_softmax, rtol=1e-4)
    np.testing.assert_allclose(sigmoid, of_sigmoid, rtol=1e-4)
    assert len(set(ranks.tolist())) > 3


def test_an_answer_has_the_same_bits_whatever_else_is_asked(
    recommender: Recommender, shop: Dataset, histories: Histories, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = unseen_pairs(histories, shop.n_items)
    asked, kept = questions(histories, pairs)
    outcomes = RecommenderOutcomes(recommender, histories, pairs)
    ranks, probabilities = outcomes(asked, kept)
    offsets = np.concatenate([[0], np.cumsum(np.diff(outcomes.offsets)[asked])])
    order = np.random.default_rng(2).permutation(len(asked))
    _, events = gather_rows(offsets, order)
    for at_once in (2_048, 7, 1):
        monkeypatch.setattr(recommender_outcomes, "_QUERIES_AT_ONCE", at_once)
        for found, whole in zip(
            outcomes(asked[order], kept[events]), (ranks, probabilities), strict=True
        ):
            np.testing.assert_array_equal(found, whole[order])


def test_the_best_unseen_item_has_rank_1_and_removal_begins_with_it(
    recommender: Recommender, histories: Histories
) -> None:
    full = histories.take(np.flatnonzero(histories.counts() > 0))
    index = ItemIndex(recommender.item_vectors(), recommender.item_biases())
    seen = Candidates(full.items, full.offsets)
    pairs = index.top_k(recommender.query_vectors(full), 1, excluded=seen).pairs()
    outcomes = RecommenderOutcomes(recommender, full, pairs)
    ranks, probabilities = outcomes(np.arange(len(full)), np.ones(len(full.items), bool))
    assert (ranks == 1).all()
    assert (probabilities > 1 / 26).all()
    found = removal(outcomes, Orders.drawn(outcomes.offsets), method="random")
    assert (found.pos >= 1 / 11).all()
    assert (found.deletion >= 1 / 11).all()


def test_of_two_stages_the_second_ranks_the_best_and_the_first_the_rest(
    ranker: DeepRanker, shop: Dataset, histories: Histories
) -> None:
    pairs = unseen_pairs(histories, shop.n_items)
    asked, kept = questions(histories, pairs)
    outcomes = RecommenderOutcomes(ranker, histories, pairs, probability=Probability.SIGMOID)
    ranks, probabilities = outcomes(asked, kept)
    bounds = np.cumsum(np.diff(outcomes.offsets)[asked])[:-1]
    beyond, moved = 0, 0
    for place, (pair, part) in enumerate(zip(asked.tolist(), np.split(kept, bounds), strict=True)):
        full = histories.take(pairs.rows[[pair]].astype(np.int64))
        left = full.only_events(part)
        first = ranker.item_vectors() @ ranker.query_vectors(left)[0] + ranker.item_biases()
        unseen = [item for item in np.argsort(-first).tolist() if item not in full.items]
        best = np.array(unseen[: ranker.n_ranked], np.int32)
        again = ranker.pair_scores(left, Pairs(np.zeros(len(best), np.int32), best))
        order = [*best[np.argsort(-again)].tolist(), *unseen[ranker.n_ranked :]]
        item = int(pairs.items[pair])
        assert ranks[place] == 1 + order.index(item)
        score = again[best.tolist().index(item)] if item in best else first[item]
        np.testing.assert_allclose(probabilities[place], 1 / (1 + np.exp(-score)), rtol=1e-4)
        beyond += item not in best
        moved += order.index(item) != unseen.index(item)
    assert beyond > 5
    assert moved > 5


def test_a_wide_part_finds_half_of_what_is_ranked_as_in_an_answer(
    wide_ranker: DeepRanker, shop: Dataset, histories: Histories
) -> None:
    pairs = unseen_pairs(histories, shop.n_items)
    asked, kept = questions(histories, pairs)
    outcomes = RecommenderOutcomes(wide_ranker, histories, pairs)
    ranks, _ = outcomes(asked, kept)
    index = ItemIndex(wide_ranker.item_vectors(), wide_ranker.item_biases())
    bounds = np.cumsum(np.diff(outcomes.offsets)[asked])[:-1]
    by_wide = 0
    for place, (pair, part) in enumerate(zip(asked.tolist(), np.split(kept, bounds), strict=True)):
        full = histories.take(pairs.rows[[pair]].astype(np.int64))
        left = full.only_events(part)
        filters = Filters(Candidates(full.items, full.offsets))
        queries = wide_ranker.query_vectors(left)
        found = retrieve(index, wide_ranker, left, queries, 1, filters)
        n_found = len(found.items)
        ranked = found.reordered(wide_ranker.pair_scores(left, found.pairs(), queries), n_found)
        item = int(pairs.items[pair])
        assert (ranks[place] <= n_found) == (item in found.items)
        if item in found.items:
            assert ranks[place] == 1 + ranked.items.tolist().index(item)
        by_vectors = index.top_k(queries, n_found, excluded=filters.gone)
        by_wide += item in np.setdiff1d(found.items, by_vectors.items)
    assert by_wide > 0


def test_removal_tells_a_true_order_from_a_random_one(world_data: Dataset) -> None:
    recommender = EASEConfig(l2=20.0).fit(world_data)
    full = world_data.histories(np.arange(world_data.n_users))
    index = ItemIndex(recommender.item_vectors(), recommender.item_biases())
    seen = Candidates(full.items, full.offsets)
    ranking = index.top_k(recommender.query_vectors(full), 1, excluded=seen)
    pairs = ranking.pairs()
    explainer = ClosedFormConfig().fit(recommender, world_data)
    true = explainer.explain(full, pairs, ranking.scores.astype(np.float64))
    outcomes = RecommenderOutcomes(recommender, full, pairs)
    found = removal(outcomes, Orders.of(true), method="closed form").means()
    random = removal(outcomes, Orders.drawn(outcomes.offsets), method="random").means()
    for low in ("POS@1", "POS@5", "POS@10", "DEL", "CDCG"):
        assert found[low] < random[low]
    for high in ("NEG@1", "NEG@5", "NEG@10", "INS"):
        assert found[high] > random[high]


def test_an_item_whose_event_is_left_out_does_not_come_back(shop: Dataset) -> None:
    """By popularity a removed event changes nothing, so neither does the rank."""
    recommender = PopularityConfig().fit(shop)
    histories = shop.histories(np.array([9]))
    pairs = unseen_pairs(histories, shop.n_items)
    outcomes = RecommenderOutcomes(recommender, histories, pairs)
    n_events = len(histories.items)
    whole = outcomes(np.arange(3), np.ones(3 * n_events, bool))
    nothing = outcomes(np.arange(3), np.zeros(3 * n_events, bool))
    for found, expected in zip(nothing, whole, strict=True):
        np.testing.assert_array_equal(found, expected)
    assert whole[0].max() == shop.n_items - len(set(histories.items.tolist()))


class Loud:
    """A recommender whose scores are far apart: score(u, i) = 1000 i · (1 + events)."""

    def __init__(self, n_items: int) -> None:
        self.n_items = n_items

    def query_vectors(self, histories: Histories) -> Float32Array:
        queries: Float32Array = (1 + histories.counts()[:, None]).astype(np.float32)
        return queries

    def item_vectors(self) -> Float32Array:
        vectors: Float32Array = 1_000 * np.arange(self.n_items, dtype=np.float32)[:, None]
        return vectors

    def item_biases(self) -> Float32Array:
        return np.zeros(self.n_items, np.float32)


def loud(n_items: int) -> Recommender:
    return cast(Recommender, Loud(n_items))


@pytest.mark.parametrize(("kind", "least"), [("softmax", 0.0), ("sigmoid", 0.5)])
def test_scores_far_apart_have_probabilities_all_the_same(
    shop: Dataset, histories: Histories, kind: str, least: float
) -> None:
    pairs = unseen_pairs(histories, shop.n_items)
    outcomes = RecommenderOutcomes(
        loud(shop.n_items), histories, pairs, probability=Probability(kind)
    )
    n_events = int(outcomes.offsets[-1])
    ranks, probabilities = outcomes(np.arange(len(pairs)), np.ones(n_events, bool))
    assert ranks[2::3].tolist() == [1] * len(histories)
    assert probabilities[2::3].tolist() == [1] * len(histories)
    assert probabilities.min() == least


def test_no_questions_have_no_answers(shop: Dataset, histories: Histories) -> None:
    outcomes = RecommenderOutcomes(
        loud(shop.n_items), histories, unseen_pairs(histories, shop.n_items)
    )
    ranks, probabilities = outcomes(np.zeros(0, np.int64), np.zeros(0, bool))
    assert ranks.shape == probabilities.shape == (0,)


def test_scores_that_are_no_numbers_are_refused_by_pair(
    shop: Dataset, histories: Histories
) -> None:
    class Broken(Loud):
        def query_vectors(self, histories: Histories) -> Float32Array:
            queries = super().query_vectors(histories)
            queries[histories.counts() == 0] = np.nan
            return queries

    pairs = unseen_pairs(histories, shop.n_items)
    outcomes = RecommenderOutcomes(cast(Recommender, Broken(shop.n_items)), histories, pairs)
    kept = np.ones(int(outcomes.offsets[3]), bool)
    assert outcomes(np.arange(3), kept)[0].shape == (3,)
    with pytest.raises(ArgumentError, match=r"not finite for pair 0, row 0 and item \d+"):
        outcomes(np.arange(3), ~kept)


def test_pairs_that_cannot_be_explained_are_refused(shop: Dataset, histories: Histories) -> None:
    def made(row: int, item: int) -> RecommenderOutcomes:
        one = Pairs(np.array([4, row], np.int32), np.array([0, item], np.int32))
        return RecommenderOutcomes(loud(shop.n_items), histories, one)

    seen = int(histories.items[histories.offsets[1]])
    with pytest.raises(ArgumentError, match=f"pair 1: item {seen} is in the history of row 1"):
        made(1, seen)
    with pytest.raises(ArgumentError, match="pair 1: there is no row 6"):
        made(6, 0)
    with pytest.raises(ArgumentError, match=f"pair 1: there is no item {shop.n_items}"):
        made(0, shop.n_items)
    with pytest.raises(ArgumentError, match='probability must be one of "softmax", "sigmoid"'):
        RecommenderOutcomes(
            loud(shop.n_items),
            histories,
            Pairs(np.zeros(0, np.int32), np.zeros(0, np.int32)),
            probability=cast(Probability, "logit"),
        )


def test_events_of_another_number_are_refused(shop: Dataset, histories: Histories) -> None:
    outcomes = RecommenderOutcomes(
        loud(shop.n_items), histories, unseen_pairs(histories, shop.n_items)
    )
    with pytest.raises(ArgumentError, match=r"kept: expected bool \[\d+\], got shape \(1,\)"):
        outcomes(np.array([0]), np.ones(1, bool))
