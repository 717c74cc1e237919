"""What a fit learns from, where it is to learn from only so much of each user."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from whyrec import (
    SDK,
    ArgumentError,
    DeepRankerConfig,
    EASEConfig,
    PopularityConfig,
    SequenceConfig,
    ShapleyConfig,
    TrainingConfig,
    TwoTowerConfig,
)
from whyrec.data.dataset import Dataset
from whyrec.data.influence import capped
from whyrec.models import RecommenderConfig
from whyrec.types import Float32Array

CAP = TrainingConfig(max_events_per_user=4)


def arrays(sdk: SDK) -> dict[str, Float32Array]:
    return dict(sdk.recommender.arrays())


def fitted(data: Dataset, model: RecommenderConfig, training: TrainingConfig | None) -> SDK:
    explainer = ShapleyConfig(max_evaluations=8)
    return SDK.fit_dataset(
        data, model=model, explainer=explainer, training=training, progress=False
    )


def shouting(data: Dataset, user: int, item: int, times: int) -> Dataset:
    """Return the same where one user has gone to one item again and again."""
    events = data.interactions
    place = int(events.offsets[user + 1])
    several = np.concatenate(
        [np.arange(place), np.full(times, place - 1), np.arange(place, len(events))]
    )
    more = replace(
        events.at(several),
        offsets=events.offsets + times * (np.arange(len(events.offsets)) > user),
    )
    more.items[place : place + times] = item
    return data.with_interactions(more)


@pytest.mark.parametrize("kind", ["popularity", "ease", "towers", "sequence", "ranker"])
def test_every_model_learns_from_no_more_than_the_cap(
    kind: str,
    shop: Dataset,
    tower_config: TwoTowerConfig,
    sequence_config: SequenceConfig,
    ranker_config: DeepRankerConfig,
) -> None:
    models: dict[str, RecommenderConfig] = {
        "popularity": PopularityConfig(),
        "ease": EASEConfig(l2=2.0),
        "towers": tower_config,
        "sequence": sequence_config,
        "ranker": ranker_config,
    }
    model = models[kind]
    part = shop.with_interactions(capped(shop.interactions, 4))
    assert len(part.interactions) < len(shop.interactions)
    expected, found = arrays(fitted(part, model, None)), arrays(fitted(shop, model, CAP))
    assert expected.keys() == found.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, name)


def test_whoever_goes_to_an_item_again_and_again_adds_one_to_its_count(shop: Dataset) -> None:
    user, item, events = 4, 1, shop.interactions
    loud = shouting(shop, user, item, 500)
    quiet = arrays(fitted(shop, PopularityConfig(), CAP))["biases"]
    biases = arrays(fitted(loud, PopularityConfig(), CAP))["biases"]
    assert np.expm1(biases)[item] - np.expm1(quiet)[item] <= 1.001
    without = arrays(fitted(loud, PopularityConfig(), None))["biases"]
    assert np.expm1(without)[item] > 400
    assert len(loud.interactions) == len(events) + 500


def test_answers_are_drawn_from_whole_histories(shop: Dataset, tmp_path: Path) -> None:
    sdk = fitted(shop, EASEConfig(l2=2.0), CAP)
    longest = shop.users[int(np.argmax(np.diff(shop.interactions.offsets)))]
    seen = {event.item_id for event in sdk.history(longest)}
    assert len(seen) > 4
    answer = sdk.recommend_with_reasons(longest, k=25, max_reasons=None)
    assert not seen & {each.item_id for each in answer}
    assert {reason.source for reason in answer[0].reasons if reason.kind == "history"} == seen
    sdk.save(tmp_path)
    loaded = SDK.load(tmp_path)
    assert loaded.recommend_with_reasons(longest, k=25, max_reasons=None) == answer


def test_a_cap_below_one_is_refused() -> None:
    with pytest.raises(ArgumentError, match="max_events_per_user must be at least 1, not 0"):
        TrainingConfig(max_events_per_user=0)
