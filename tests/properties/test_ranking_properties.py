"""What holds of ranking for any catalog, any queries and any candidates."""

from dataclasses import dataclass
from random import Random
from typing import TypeAlias

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from whyrec.data.pairs import Pairs
from whyrec.errors import ArgumentError
from whyrec.ranking import Candidates, ItemIndex, Ranking
from whyrec.types import Float32Array

Answer: TypeAlias = list[tuple[int, bytes]]
"""The item indices of one query, best first, each with the bits of its score."""

thoroughly = settings(deadline=None, max_examples=150)

# Few values that come often make ties; the others make sums that have to be rounded.
values = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, 2.0]), st.floats(-1e6, 1e6, width=32)
)
ks = st.integers(1, 70)


@dataclass(frozen=True)
class World:
    vectors: Float32Array
    biases: Float32Array
    queries: Float32Array

    @property
    def index(self) -> ItemIndex:
        return ItemIndex(self.vectors, self.biases)

    @property
    def n_queries(self) -> int:
        return len(self.queries)

    @property
    def n_items(self) -> int:
        return len(self.biases)

    def scores(self) -> Float32Array:
        """Return float32 [n_queries, n_items]: the score of every pair."""
        rows = np.repeat(np.arange(self.n_queries, dtype=np.int32), self.n_items)
        items = np.tile(np.arange(self.n_items, dtype=np.int32), self.n_queries)
        scores = self.index.scores(self.queries, Pairs(rows, items))
        return scores.reshape(self.n_queries, self.n_items)


@st.composite
def worlds(draw: st.DrawFn, *, least_items: int = 0, least_queries: int = 0) -> World:
    """Draw a catalog in which items come twice, and queries for it."""
    dimension = draw(st.integers(0, 9))
    distinct = draw(arrays(np.float32, (draw(st.integers(1, 8)), dimension + 1), elements=values))
    chosen = st.integers(0, len(distinct) - 1)
    rows = distinct[draw(st.lists(chosen, min_size=least_items, max_size=60))]
    n_queries = draw(st.integers(least_queries, 9))
    queries = draw(arrays(np.float32, (n_queries, dimension), elements=values))
    return World(rows[:, 1:].copy(), rows[:, 0].copy(), queries)


@st.composite
def worlds_with_sets(draw: st.DrawFn) -> tuple[World, list[list[int]]]:
    """Draw a world and for each query a set of its items, in any order and with duplicates."""
    world = draw(worlds(least_items=1))
    one = st.lists(st.integers(0, world.n_items - 1), max_size=40)
    return world, draw(st.lists(one, min_size=world.n_queries, max_size=world.n_queries))


def answers(ranking: Ranking) -> list[Answer]:
    """Return what each query was told, after a look at whether the arrays belong together."""
    assert len(ranking.items) == len(ranking.scores) == ranking.offsets[-1]
    return [
        [
            (int(item), score.tobytes())
            for item, score in zip(ranking.items[span], ranking.scores[span], strict=True)
        ]
        for span in map(ranking.of, range(len(ranking)))
    ]


def sorted_by_hand(scores: Float32Array, allowed: set[int], k: int) -> Answer:
    """Return the k best of the items allowed: highest score first, then lowest index."""
    best = sorted(allowed, key=lambda item: (-scores[item], item))[:k]
    return [(item, scores[item].tobytes()) for item in best]


@thoroughly
@given(worlds(), ks)
def test_top_k_is_the_head_of_a_stable_sort(world: World, k: int) -> None:
    scores = world.scores()
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    ranking = world.index.top_k(world.queries, k)
    assert ranking.items.tolist() == order.ravel().tolist()
    assert ranking.scores.tobytes() == np.take_along_axis(scores, order, 1).tobytes()
    assert np.diff(ranking.offsets).tolist() == [min(k, world.n_items)] * world.n_queries


@thoroughly
@given(worlds(), ks, ks)
def test_a_smaller_k_is_a_prefix(world: World, k: int, other: int) -> None:
    few, many = sorted((k, other))
    longer = answers(world.index.top_k(world.queries, many))
    assert answers(world.index.top_k(world.queries, few)) == [each[:few] for each in longer]


@thoroughly
@given(worlds_with_sets(), ks)
def test_only_what_is_allowed_comes_and_all_of_it(
    case: tuple[World, list[list[int]]], k: int
) -> None:
    world, sets = case
    found = answers(world.index.top_k(world.queries, k, only=Candidates.per_query(sets)))
    scores = world.scores()
    assert found == [
        sorted_by_hand(row, set(allowed), k) for row, allowed in zip(scores, sets, strict=True)
    ]


@thoroughly
@given(worlds_with_sets(), ks)
def test_what_is_excluded_never_comes_and_nothing_else_is_lost(
    case: tuple[World, list[list[int]]], k: int
) -> None:
    world, sets = case
    found = answers(world.index.top_k(world.queries, k, excluded=Candidates.per_query(sets)))
    catalog, scores = set(range(world.n_items)), world.scores()
    assert found == [
        sorted_by_hand(row, catalog - set(excluded), k)
        for row, excluded in zip(scores, sets, strict=True)
    ]


@thoroughly
@given(worlds_with_sets(), ks, st.data())
def test_allowed_and_excluded_at_once_is_allowed_less_excluded(
    case: tuple[World, list[list[int]]], k: int, data: st.DataObject
) -> None:
    world, sets = case
    shared = data.draw(st.lists(st.integers(0, world.n_items - 1), max_size=40))
    own, same = Candidates.per_query(sets), Candidates.shared(shared)
    scores = world.scores()
    found = answers(world.index.top_k(world.queries, k, only=own, excluded=same))
    assert found == [
        sorted_by_hand(row, set(items) - set(shared), k)
        for row, items in zip(scores, sets, strict=True)
    ]
    found = answers(world.index.top_k(world.queries, k, only=same, excluded=own))
    assert found == [
        sorted_by_hand(row, set(shared) - set(items), k)
        for row, items in zip(scores, sets, strict=True)
    ]


@thoroughly
@given(worlds_with_sets(), ks, st.booleans())
def test_a_mask_says_the_same_as_the_list_of_what_it_allows(
    case: tuple[World, list[list[int]]], k: int, shared: bool
) -> None:
    world, sets = case
    index, queries = world.index, world.queries
    mask = np.zeros((world.n_queries, world.n_items), bool)
    for row, items in zip(mask, sets, strict=True):
        row[items] = True
    if shared:
        anybodys = np.array(mask.any(axis=0))
        found = index.top_k(queries, k, mask=anybodys)
        listed = Candidates.shared(np.flatnonzero(anybodys))
    else:
        found = index.top_k(queries, k, mask=mask)
        listed = Candidates.per_query(sets)
    assert answers(found) == answers(index.top_k(queries, k, only=listed))


@thoroughly
@given(worlds(), ks, st.data())
def test_shards_merge_to_the_whole(world: World, k: int, data: st.DataObject) -> None:
    shard = st.integers(0, 3)
    shards = np.array(data.draw(st.lists(shard, min_size=world.n_items, max_size=world.n_items)))
    rankings = []
    for number in range(4):
        items = np.flatnonzero(shards == number).astype(np.int32)
        index = ItemIndex(world.vectors[items], world.biases[items])
        rankings.append(index.top_k(world.queries, k).renumbered(items))
    whole = world.index.top_k(world.queries, k)
    assert answers(Ranking.merge(rankings, k)) == answers(whole)


@thoroughly
@given(worlds(), ks, st.data())
def test_an_index_that_grew_and_changed_answers_as_one_built_at_once(
    world: World, k: int, data: st.DataObject
) -> None:
    n_items = world.n_items
    ends = sorted(data.draw(st.lists(st.integers(0, n_items), min_size=2, max_size=4)))
    wrong = np.array(
        data.draw(st.lists(st.integers(0, max(ends[0] - 1, 0)), unique=True, max_size=ends[0])),
        np.int32,
    )
    vectors = world.vectors.copy()
    vectors[wrong] = 1e3
    index = ItemIndex(vectors[: ends[0]], world.biases[: ends[0]])
    for start, end in zip(ends, [*ends[1:], n_items], strict=True):
        index = index.appended(world.vectors[start:end], world.biases[start:end])
    index = index.replaced(wrong, world.vectors[wrong], world.biases[wrong])
    whole = world.index.top_k(world.queries, k)
    assert answers(index.top_k(world.queries, k)) == answers(whole)


@thoroughly
@given(worlds_with_sets(), ks, st.randoms(use_true_random=False))
def test_the_order_of_candidates_and_duplicates_change_nothing(
    case: tuple[World, list[list[int]]], k: int, random: Random
) -> None:
    world, sets = case
    shuffled = [random.sample(items * 2, 2 * len(items)) for items in sets]
    own, other = Candidates.per_query(sets), Candidates.per_query(shuffled)
    index, queries = world.index, world.queries
    assert answers(index.top_k(queries, k, only=own)) == answers(
        index.top_k(queries, k, only=other)
    )
    assert answers(index.top_k(queries, k, excluded=own)) == answers(
        index.top_k(queries, k, excluded=other)
    )


@thoroughly
@given(worlds_with_sets(), st.data())
def test_a_union_is_what_is_in_either(
    case: tuple[World, list[list[int]]], data: st.DataObject
) -> None:
    world, sets = case
    more = data.draw(st.permutations(sets))
    shared = data.draw(st.lists(st.integers(0, world.n_items - 1), max_size=40))
    own, other, same = (
        Candidates.per_query(sets),
        Candidates.per_query(more),
        Candidates.shared(shared),
    )

    def allowed(candidates: Candidates) -> list[set[int]]:
        ranking = world.index.top_k(world.queries, world.n_items, only=candidates)
        return [{item for item, _ in answer} for answer in answers(ranking)]

    assert allowed(own.union(other)) == [{*a, *b} for a, b in zip(sets, more, strict=True)]
    assert allowed(own.union(same)) == allowed(same.union(own))
    assert allowed(own.union(same)) == [{*items, *shared} for items in sets]


@thoroughly
@given(worlds_with_sets(), ks, st.data())
def test_the_order_of_users_changes_no_bit(
    case: tuple[World, list[list[int]]], k: int, data: st.DataObject
) -> None:
    world, sets = case
    order = data.draw(st.permutations(range(world.n_queries)))
    index, queries = world.index, world.queries
    found = answers(index.top_k(queries, k, excluded=Candidates.per_query(sets)))
    moved = answers(
        index.top_k(
            queries[np.array(order, int)],
            k,
            excluded=Candidates.per_query([sets[query] for query in order]),
        )
    )
    assert moved == [found[query] for query in order]


@thoroughly
@given(worlds_with_sets(), ks)
def test_a_batch_is_each_user_by_itself(case: tuple[World, list[list[int]]], k: int) -> None:
    world, sets = case
    index, queries = world.index, world.queries
    together = answers(index.top_k(queries, k, only=Candidates.per_query(sets)))
    alone = [
        answers(index.top_k(queries[query : query + 1], k, only=Candidates.shared(items)))
        for query, items in enumerate(sets)
    ]
    assert [[answer] for answer in together] == alone


@thoroughly
@given(worlds(), ks, st.data())
def test_the_order_of_the_catalog_changes_no_score(
    world: World, k: int, data: st.DataObject
) -> None:
    order = np.array(data.draw(st.permutations(range(world.n_items))), int)
    moved = ItemIndex(world.vectors[order], world.biases[order])
    ranking = moved.top_k(world.queries, k)
    assert ranking.scores.tobytes() == world.index.top_k(world.queries, k).scores.tobytes()
    scores = world.scores()[ranking.pairs().rows, order[ranking.items]]
    assert scores.tobytes() == ranking.scores.tobytes()


@thoroughly
@given(worlds(least_items=1, least_queries=1), st.data())
def test_pairs_in_any_order_have_the_score_of_each_by_itself(
    world: World, data: st.DataObject
) -> None:
    pair = st.tuples(st.integers(0, world.n_queries - 1), st.integers(0, world.n_items - 1))
    rows, items = np.array(data.draw(st.lists(pair, min_size=1, max_size=50)), np.int32).T.copy()
    scores = world.index.scores(world.queries, Pairs(rows, items))
    assert scores.tobytes() == world.scores()[rows, items].tobytes()
    alone = [
        world.index.scores(world.queries, Pairs(rows[n : n + 1], items[n : n + 1])).tobytes()
        for n in range(len(rows))
    ]
    assert [score.tobytes() for score in scores] == alone


@pytest.fixture(scope="module")
def crowd() -> World:
    """Return a catalog so large that threads really share the work, with every score thrice."""
    rng = np.random.default_rng(0)
    vectors = np.tile(rng.integers(-2, 3, (20_000, 12)), (3, 1)) / np.float32(3)
    return World(
        vectors.astype(np.float32),
        np.tile(rng.integers(-2, 3, 20_000), 3).astype(np.float32),
        rng.standard_normal((64, 12)).astype(np.float32),
    )


@settings(deadline=None, max_examples=25)
@given(
    st.integers(4, 64),
    st.sampled_from([1, 10, 100, 3_000]),
    st.integers(2, 9),
    st.sampled_from(["all", "only", "excluded"]),
)
def test_the_number_of_threads_changes_no_bit(
    crowd: World, n_queries: int, k: int, threads: int, kind: str
) -> None:
    queries, some = crowd.queries[:n_queries], Candidates.shared(np.arange(0, 60_000, 2))
    only, excluded = some if kind == "only" else None, some if kind == "excluded" else None
    index = crowd.index
    one = index.top_k(queries, k, only=only, excluded=excluded, threads=1)
    for number in (threads, None):
        ranking = index.top_k(queries, k, only=only, excluded=excluded, threads=number)
        assert ranking.items.tobytes() == one.items.tobytes()
        assert ranking.scores.tobytes() == one.scores.tobytes()
        assert ranking.offsets.tolist() == [k * query for query in range(n_queries + 1)]
    scores = index.scores(queries, one.pairs(), threads=threads)
    assert scores.tobytes() == one.scores.tobytes()


@thoroughly
@given(
    worlds(least_items=1, least_queries=1),
    st.sampled_from([np.nan, np.inf, -np.inf]),
    st.data(),
)
def test_a_value_that_is_not_finite_is_named_with_its_place(
    world: World, value: float, data: st.DataObject
) -> None:
    dimension = world.queries.shape[1]
    row = data.draw(st.integers(0, world.n_items - 1))
    biases = world.biases.copy()
    biases[row] = value
    with pytest.raises(ArgumentError, match=f"biases: entry {row} is"):
        ItemIndex(world.vectors, biases)
    if not dimension:
        return
    column = data.draw(st.integers(0, dimension - 1))
    vectors, queries = world.vectors.copy(), world.queries.copy()
    vectors[row, column] = value
    with pytest.raises(ArgumentError, match=f"vectors: row {row}, column {column} is"):
        ItemIndex(vectors, world.biases)
    row = data.draw(st.integers(0, world.n_queries - 1))
    queries[row, column] = value
    with pytest.raises(ArgumentError, match=f"queries: row {row}, column {column} is"):
        world.index.top_k(queries, 1)


@thoroughly
@given(worlds_with_sets(), st.integers(0, 2**31 - 1), st.data())
def test_an_item_outside_the_catalog_is_named_with_its_place(
    case: tuple[World, list[list[int]]], beyond: int, data: st.DataObject
) -> None:
    world, sets = case
    wrong = min(world.n_items + beyond, 2**31 - 1)
    own = [*sets, [0, wrong]]
    place = sum(map(len, sets)) + 1
    queries = np.concatenate([world.queries, np.zeros((1, world.queries.shape[1]), np.float32)])
    message = rf"_items: entry {place} is {wrong}, outside 0\.\.{world.n_items}$"
    candidates = Candidates.per_query(own)
    with pytest.raises(ArgumentError, match="excluded" + message):
        world.index.top_k(queries, 1, excluded=candidates)
    with pytest.raises(ArgumentError, match="only" + message):
        world.index.top_k(queries, 1, only=candidates)
    flawed = data.draw(st.sampled_from([-1, wrong]))
    pairs = Pairs(np.zeros(2, np.int32), np.array([0, flawed], np.int32))
    with pytest.raises(ArgumentError, match=rf"^items: entry 1 is {flawed}, outside"):
        world.index.scores(queries, pairs)


@thoroughly
@given(worlds(), st.integers(max_value=0))
def test_a_count_below_one_is_named(world: World, count: int) -> None:
    with pytest.raises(ArgumentError, match=f"^k must be at least 1, got {count}$"):
        world.index.top_k(world.queries, count)
    with pytest.raises(ArgumentError, match=f"^threads must be at least 1, got {count}$"):
        world.index.top_k(world.queries, 1, threads=count)


@thoroughly
@given(worlds_with_sets(), st.integers(1, 5))
def test_sets_for_another_number_of_queries_are_refused(
    case: tuple[World, list[list[int]]], more: int
) -> None:
    world, sets = case
    candidates = Candidates.per_query(sets + [[]] * more)
    found = rf"expected {world.n_queries} rows \(one for each query\), got {len(sets) + more}"
    with pytest.raises(ArgumentError, match=f"only_offsets: {found}"):
        world.index.top_k(world.queries, 1, only=candidates)
    with pytest.raises(ArgumentError, match=f"excluded_offsets: {found}"):
        world.index.top_k(world.queries, 1, excluded=candidates)
