"""What is drawn is what it is said to be."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whyrec import SDK, ShapleyConfig
from whyrec.data.coalitions import Coalitions
from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.errors import ArgumentError
from whyrec.models import EASEConfig
from whyrec.saved import Fitted
from whyrec.testing import Scorer, Verdict, check_recommender, strategies


@settings(max_examples=30, deadline=None)
@given(strategies.event_tables(), strategies.catalogs())
def test_any_events_and_any_catalog_can_be_read(events: pa.Table, items: pa.Table) -> None:
    assert len(Dataset.from_tables(events).interactions) == events.num_rows
    known = (
        Dataset.from_tables(events, items, unknown_items="drop") if _meet(events, items) else None
    )
    assert known is None or known.n_items == items.num_rows


def _meet(events: pa.Table, items: pa.Table) -> bool:
    return bool({*events["item_id"].to_pylist()} & {*items["item_id"].to_pylist()})


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_histories_are_of_the_data_set_and_oldest_first(data: st.DataObject) -> None:
    dataset = data.draw(strategies.datasets())
    found = data.draw(strategies.histories(dataset, most_rows=4, most_events=6))
    assert 1 <= len(found) == len(found.attributes) <= 4
    assert found.counts().max() <= 6
    assert set(found.items.tolist()) <= set(range(dataset.n_items))
    assert set(found.kinds.tolist()) <= set(range(len(dataset.interactions.kind_names)))
    for row in range(len(found)):
        ages = found.ages[found.offsets[row] : found.offsets[row + 1]]
        assert (np.diff(ages) <= 0).all()
        assert not len(ages) or ages[-1] == 0


def everything(dataset: Dataset, histories: Histories) -> Pairs:
    rows, items = np.indices((len(histories), dataset.n_items), np.int32).reshape(2, -1)
    return Pairs(rows.copy(), items.copy())


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_the_contributions_of_a_scorer_are_its_shapley_values(data: st.DataObject) -> None:
    dataset = data.draw(strategies.datasets())
    scorer = data.draw(strategies.scorers(dataset))
    histories = data.draw(strategies.histories(dataset, most_rows=2, most_events=3))
    pairs = everything(dataset, histories)
    queries, vectors = scorer.query_vectors(histories), scorer.item_vectors()
    scores = (queries @ vectors.T + scorer.item_biases()).ravel().astype(np.float64)
    found = ShapleyConfig().fit(scorer, dataset).explain(histories, pairs, scores)
    expected = scorer.shapley_values(histories, pairs)
    np.testing.assert_allclose(found.contributions, expected, atol=1e-5)


class Own(EASEConfig):
    """The settings of what cannot be saved."""


def test_a_scorer_breaks_no_invariant(shop: Dataset) -> None:
    random = np.random.default_rng(0)
    n_items, schemas = shop.n_items, (shop.user_features.schema, shop.item_features.schema)

    def eighths(n: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
        return (random.integers(-8, 9, (n, 2)) / 8).astype(np.float32)

    scorer = Scorer(
        shop.item_features,
        events=eighths(n_items),
        attributes=eighths(schemas[0].n_tokens),
        items=eighths(n_items),
        features=eighths(schemas[1].n_tokens),
        biases=eighths(n_items)[:, 0].copy(),
    )
    config = ShapleyConfig(max_permutations=16)
    sdk = SDK(Fitted(shop, Own(), scorer, config, config.fit(scorer, shop)))
    report = check_recommender(sdk, examples=2)
    assert report.holds, str(report)
    because = [each.because for each in report.of(Verdict.NOT_APPLICABLE)]
    assert sum("cannot be saved" in each for each in because) == 2


def test_coalitions_of_other_players_are_refused(shop: Dataset) -> None:
    one = np.ones((shop.n_items, 1), np.float32)
    scorer = Scorer(
        shop.item_features,
        events=one,
        attributes=np.ones((shop.user_features.schema.n_tokens, 1), np.float32),
        items=one,
        features=np.ones((shop.item_features.schema.n_tokens, 1), np.float32),
        biases=one[:, 0],
    )
    with pytest.raises(ArgumentError, match=r"coalitions are of \[99\] players"):
        scorer.coalition_values(
            shop.histories(np.array([3])),
            Pairs(np.zeros(1, np.int32), np.zeros(1, np.int32)),
            Coalitions.of_matrices([np.ones((1, 99), bool)]),
        )
