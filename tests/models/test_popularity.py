import numpy as np

from whyrec.data.dataset import Dataset
from whyrec.data.pairs import Pairs
from whyrec.models.popularity import PopularityConfig


def test_the_score_is_the_logarithm_of_one_and_the_number_of_events(shop: Dataset) -> None:
    popularity = PopularityConfig().fit(shop, progress=False)
    items = shop.interactions.items.tolist()
    expected = [np.log(1 + items.count(item)) for item in range(shop.n_items)]
    np.testing.assert_allclose(popularity.item_biases(), expected, rtol=1e-6)
    assert popularity.item_biases()[1] == 0  # of no event


def test_everybody_gets_the_same_scores(shop: Dataset) -> None:
    popularity = PopularityConfig().fit(shop)
    queries = popularity.query_vectors(shop.histories(np.arange(shop.n_users)))
    assert not (queries @ popularity.item_vectors().T).any()


def test_no_event_contributes(shop: Dataset) -> None:
    popularity = PopularityConfig().fit(shop)
    histories = shop.histories(np.array([3, 4]))
    pairs = Pairs(np.array([1, 1, 0], np.int32), np.array([0, 2, 2], np.int32))
    contributions = popularity.event_contributions(histories, pairs)
    first, second = histories.counts()
    assert contributions.shape == (2 * second + first,)
    assert not contributions.any()
