"""A gradient-boosted ranker gives reasons by being asked alone."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import whyrec
from whyrec import SDK, ScoredBy, ShapleyConfig
from whyrec.datasets.synthetic import World
from whyrec.types import Float64Array

lightgbm = pytest.importorskip("lightgbm", reason="lightgbm is not installed: pip install lightgbm")


def test_a_ranker_of_lightgbm_gives_reasons_that_add_up(world: World) -> None:
    dataset = whyrec.SDK.fit(world.events, model=whyrec.PopularityConfig()).dataset
    places = {each: place for place, each in enumerate(dataset.items)}
    together = np.zeros((dataset.n_items, dataset.n_items))
    histories = [dataset.histories(np.array([user])).items for user in range(dataset.n_users)]
    for items in histories:
        together[np.ix_(items, items)] += 1
    together /= np.sqrt(np.outer(together.diagonal(), together.diagonal())).clip(1)

    def inputs(given: list[NDArray[Any]], asked: NDArray[Any]) -> Float64Array:
        rows = []
        for history, item in zip(given, asked.tolist(), strict=True):
            near = together[[places[each] for each in history.tolist()], places[item]]
            rows.append([near.sum(), near.max(initial=0), len(near), together[places[item]].sum()])
        return np.array(rows)

    names = np.array(dataset.items.ids)
    random = np.random.default_rng(0)
    rows, labels = [], []
    for items in histories:
        shown = random.permutation(dataset.n_items)[:20]
        given = [names[items[items != item]] for item in shown]
        rows.append(inputs(given, names[shown]))
        labels.append(np.isin(shown, items))
    ranker = lightgbm.LGBMRanker(n_estimators=20, min_child_samples=5, n_jobs=1, verbose=-1)
    ranker.fit(np.concatenate(rows), np.concatenate(labels), group=[20] * len(histories))

    sdk = SDK.wrap(
        ScoredBy(lambda given, asked: ranker.predict(inputs(given, asked)), batch_size=4_096),
        world.events,
        explainer=ShapleyConfig(max_evaluations=256),
    )
    user = dataset.users[3]
    (best, *_) = answer = sdk.recommend_with_reasons(user, k=3, max_reasons=None)
    history = names[histories[3]]
    assert len(answer) == 3
    expected = ranker.predict(inputs([history], np.array([best.item_id])))[0]
    assert best.score == pytest.approx(expected, rel=1e-5)
    assert best.base_value is not None
    assert best.reasons is not None
    total = best.base_value + sum(reason.contribution for reason in best.reasons)
    assert total == pytest.approx(best.score, abs=1e-9)
    assert any(abs(reason.contribution) > 0.01 for reason in best.reasons)
