"""The reference of wrapped encoders is that of the definition."""

from itertools import permutations

import numpy as np
from bench.event_shapley import sample, values_of_last_two

from whyrec.types import BoolArray, Float64Array

N_EVENTS, DIMENSION = 5, 3


def by_definition(values: dict[bytes, Float64Array]) -> Float64Array:
    """Average what each adds over all orders."""
    found = np.zeros((N_EVENTS, DIMENSION))
    orders = list(permutations(range(N_EVENTS)))
    for order in orders:
        present, before = np.zeros(N_EVENTS, bool), np.zeros(DIMENSION)
        for player in order:
            present[player] = True
            found[player] += values[present.tobytes()] - before
            before = values[present.tobytes()]
    return found / len(orders)


def every_coalition() -> BoolArray:
    cells = np.arange(1, 1 << N_EVENTS)[:, None] >> np.arange(N_EVENTS) & 1
    return cells.astype(bool)


def test_the_game_of_the_last_two_has_the_values_of_the_definition() -> None:
    of_two = np.random.default_rng(0).normal(size=(N_EVENTS + 1, N_EVENTS, DIMENSION))
    values = {}
    for present in every_coalition():
        *before, last = [N_EVENTS, *np.flatnonzero(present).tolist()]
        values[present.tobytes()] = of_two[before[-1], last]
    np.testing.assert_allclose(values_of_last_two(of_two), by_definition(values), atol=1e-12)


def test_samples_come_near_the_values_of_the_definition_and_add_up() -> None:
    random = np.random.default_rng(1)
    said = random.normal(size=(N_EVENTS, DIMENSION))

    def queries(coalitions: BoolArray) -> Float64Array:
        return np.array([np.tanh(said[each].sum(0)) + said[each][-1] for each in coalitions])

    coalitions = every_coalition()
    values = dict(zip((each.tobytes() for each in coalitions), queries(coalitions), strict=True))
    found = sample(queries, N_EVENTS, 4_000, random)
    np.testing.assert_allclose(found.mean, by_definition(values), atol=0.03)
    for half in found.halves:
        np.testing.assert_allclose(half.sum(axis=0), values[b"\x01" * N_EVENTS], atol=1e-9)
    assert (found.halves[0] != found.halves[1]).any()
