"""What the explainer network of an encoder says of an event, it says in any company."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from whyrec import EncoderNetworkConfig, WrappedConfig
from whyrec.data.dataset import Dataset
from whyrec.data.interactions import Histories
from whyrec.data.pairs import Pairs
from whyrec.data.rows import offsets_of
from whyrec.datasets.synthetic import World
from whyrec.explain.attribution import Attributions
from whyrec.explain.encoder_network import EncoderNetwork
from whyrec.explain.event_network import EventNetwork, Said
from whyrec.types import Int64Array

DIMENSION, N_HEARD = 8, 4
SETTINGS = EncoderNetworkConfig(
    width=16,
    heads=2,
    n_heard=N_HEARD,
    n_histories=32,
    n_coalitions=4,
    batch_size=8,
    max_steps=20,
    evaluate_every=10,
    confidence_pairs=0,
)


class LatestCountMore:
    """An encoder that squashes a mean in which later events weigh more."""

    def __init__(self, item_ids: list[Any]) -> None:
        self.item_ids, self.n_asked = item_ids, 0
        generator = torch.Generator().manual_seed(0)
        self.vectors = torch.randn(len(item_ids), DIMENSION, generator=generator)

    def encode(self, histories: list[Int64Array]) -> torch.Tensor:
        self.n_asked += 1
        rows = []
        for each in histories:
            weights = 0.8 ** torch.arange(len(each) - 1, -1, -1)
            rows.append(weights @ self.vectors[torch.from_numpy(each)] / weights.sum())
        return torch.tanh(2 * torch.stack(rows))

    def item_vectors(self) -> torch.Tensor:
        return self.vectors


@pytest.fixture(scope="module")
def dataset(world: World) -> Dataset:
    return Dataset.from_tables(world.events, world.items)


@pytest.fixture(scope="module")
def encoder(dataset: Dataset) -> LatestCountMore:
    return LatestCountMore(list(dataset.items))


@pytest.fixture(scope="module")
def explainer(encoder: LatestCountMore, dataset: Dataset) -> EncoderNetwork:
    return SETTINGS.fit(WrappedConfig(encoder).fit(dataset), dataset, progress=False)


@pytest.fixture(scope="module")
def histories(dataset: Dataset) -> Histories:
    """Return many histories, some of them empty and some longer than is heard."""
    found = dataset.histories(np.arange(60))
    kept = np.random.default_rng(0).random(len(found.items)) < 0.7
    first_of_some = np.repeat(np.arange(60) % 20 == 7, found.counts())
    found = found.only_events(kept & ~first_of_some)
    assert (found.counts() == 0).any()
    assert found.counts().max() > 2 * N_HEARD
    assert found.counts().sum() > 256
    return found


def asked(histories: Histories, n_items: int, n_of_each: int) -> Pairs:
    random = np.random.default_rng(1)
    rows = np.repeat(np.arange(len(histories), dtype=np.int32), n_of_each)
    return Pairs(rows, random.integers(n_items, size=len(rows)).astype(np.int32))


def explained(explainer: EncoderNetwork, histories: Histories, pairs: Pairs) -> Attributions:
    return explainer.explain(histories, pairs, np.linspace(-1, 1, len(pairs)))


def of_each(found: Attributions) -> list[NDArray[np.float64]]:
    return [found.contributions[found.of(pair)] for pair in range(len(found.pairs))]


@pytest.mark.parametrize("n_threads", [1, 2])
def test_a_pair_has_the_same_bits_in_any_company(
    explainer: EncoderNetwork, histories: Histories, dataset: Dataset, n_threads: int
) -> None:
    before = torch.get_num_threads()
    pairs = asked(histories, dataset.n_items, 19)
    together = of_each(explained(explainer, histories, pairs))
    torch.set_num_threads(n_threads)
    try:
        values = np.linspace(-1, 1, len(pairs))
        for pair in range(0, len(pairs), 13):
            row = np.array([pairs.rows[pair]], np.int64)
            alone = Pairs(np.zeros(1, np.int32), pairs.items[[pair]])
            found = explainer.explain(histories.take(row), alone, values[[pair]])
            np.testing.assert_array_equal(found.contributions, together[pair])
        order = np.random.default_rng(2).permutation(len(pairs))
        mixed = of_each(explainer.explain(histories, pairs.take(order), values[order]))
        for place, pair in enumerate(order.tolist()):
            np.testing.assert_array_equal(mixed[place], together[pair])
    finally:
        torch.set_num_threads(before)


def test_contributions_add_up_and_the_encoder_is_not_asked(
    explainer: EncoderNetwork, encoder: LatestCountMore, histories: Histories, dataset: Dataset
) -> None:
    n_asked = encoder.n_asked
    found = explained(explainer, histories, asked(histories, dataset.n_items, 3))
    assert encoder.n_asked == n_asked
    assert len(found.contributions) > 100
    np.testing.assert_allclose(found.efficiency_gaps(), 0, atol=1e-9)


def network() -> EventNetwork:
    """Return a network with all weights drawn, as a trained one has none that are 0."""
    drawn = EventNetwork(DIMENSION, 16, 2, 2, N_HEARD)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in drawn.parameters():
            parameter.normal_(0, 0.4, generator=generator)
    return drawn.eval().requires_grad_(False)


def tables(n_items: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(4)
    vectors, alone = torch.randn(2, n_items, DIMENSION, generator=generator).unbind()
    return vectors, alone


@pytest.mark.parametrize("counts", [[3], [1, 0, 9, 4], [300, 0, 2], [0], []])
def test_what_is_said_is_what_the_network_was_trained_to_say(counts: list[int]) -> None:
    trained, (vectors, alone) = network(), tables(40)
    offsets = offsets_of(np.array(counts, np.int64))
    items = torch.from_numpy(np.random.default_rng(0).integers(40, size=offsets[-1]))
    said = Said(trained, vectors, alone).of(items, offsets)
    assert said.shape == (sum(counts), DIMENSION)
    for row, count in enumerate(counts):
        if count:
            own = items[offsets[row] : offsets[row + 1]]
            padded = torch.nn.functional.pad(own, (0, 5))
            expected = trained(vectors[padded][None], alone[padded][None], torch.tensor([count]))
            torch.testing.assert_close(said[offsets[row] : offsets[row + 1]], expected[0, :count])
            assert not expected[0, count:].any()


def test_only_the_latest_events_are_heard_by_the_others() -> None:
    (vectors, alone), n_events = tables(40), N_HEARD + 3
    said = Said(network(), vectors, alone)
    items, offsets = torch.arange(n_events), np.array([0, n_events])
    before = said.of(items, offsets)
    for place in range(n_events):
        changed = items.clone()
        changed[place] = 39
        others = torch.arange(n_events) != place
        is_same = bool((said.of(changed, offsets)[others] == before[others]).all())
        assert is_same == (place < n_events - N_HEARD)


def test_a_restored_explainer_says_the_same_to_the_bit(
    explainer: EncoderNetwork, encoder: LatestCountMore, histories: Histories, dataset: Dataset
) -> None:
    pairs = asked(histories, dataset.n_items, 2)
    restored = SETTINGS.restore(WrappedConfig(encoder).fit(dataset), explainer.arrays())
    np.testing.assert_array_equal(
        explained(restored, histories, pairs).contributions,
        explained(explainer, histories, pairs).contributions,
    )
