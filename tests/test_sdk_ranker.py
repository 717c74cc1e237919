"""The SDK with two stages: what ranks is the logit of the ranker, and so is what is explained."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from whyrec import (
    SDK,
    ArgumentError,
    DeepRankerConfig,
    EASEConfig,
    GradientPathConfig,
    NetworkConfig,
    Recommendations,
    SequenceConfig,
    TwoTowerConfig,
)
from whyrec.data.dataset import Dataset
from whyrec.data.pairs import Pairs
from whyrec.models import DeepRanker
from whyrec.saved import Fitted
from whyrec.storage import load_directory

TINY = NetworkConfig(
    max_steps=5, evaluate_every=1, batch_size=4, n_coalitions=4, confidence_pairs=8
)
USERS = [f"u{user}" for user in range(30)]


@pytest.fixture(scope="module")
def sdk(shop: Dataset, ranker_config: DeepRankerConfig) -> SDK:
    return SDK.fit_dataset(shop, ranker=ranker_config, explainer=TINY, progress=False)


def ids(answer: Recommendations) -> list[Any]:
    return [each.item_id for each in answer]


def scores_of(model: DeepRanker, dataset: Dataset, user: int) -> tuple[list[int], list[float]]:
    """Return the unseen items in the order of the retrieval, and the scores of the ranker."""
    history = dataset.histories(np.array([user]))
    retrieved = (model.query_vectors(history) @ model.item_vectors().T + model.item_biases())[0]
    seen = set(history.items.tolist())
    items = [item for item in np.argsort(-retrieved).tolist() if item not in seen]
    pairs = Pairs(np.zeros(len(items), np.int32), np.array(items, np.int32))
    return items, model.pair_scores(history, pairs).tolist()


@pytest.mark.parametrize("k", [1, 5, 8, 12, 40])
def test_the_best_of_the_retrieval_are_ranked_by_the_ranker(
    sdk: SDK, shop: Dataset, ranker: DeepRanker, k: int
) -> None:
    differs = 0
    for user, answer in enumerate(sdk.recommend(USERS, k)):
        items, scores = scores_of(ranker, shop, user)
        ranked = list(zip(items, scores, strict=True))[: max(k, 8)]
        found = sorted(ranked, key=lambda each: (-each[1], each[0]))[:k]
        assert ids(answer) == [shop.items[item] for item, _ in found]
        assert [each.score for each in answer] == [score for _, score in found]
        differs += ids(answer) != [shop.items[item] for item in items[:k]]
    assert differs > 3


def test_several_users_get_the_same_bits_as_one_by_one(sdk: SDK) -> None:
    together = sdk.recommend_with_reasons(USERS, k=4)
    assert together == [sdk.recommend_with_reasons(user, k=4) for user in USERS]
    turned = sdk.recommend_with_reasons(USERS[::-1], k=4)
    assert turned == together[::-1]


def test_rules_hold_for_what_is_re_ordered(sdk: SDK, shop: Dataset) -> None:
    best = ids(sdk.recommend("u7", k=8))
    assert ids(sdk.recommend("u7", k=5, only=best[3:]))[:5] == best[3:]
    assert not {*ids(sdk.recommend("u7", k=25, exclude=best))} & {*best}
    assert len(sdk.recommend("u7", k=25, include_seen=True)) == shop.n_items


def test_reasons_add_up_to_the_logit_of_the_ranker(sdk: SDK) -> None:
    for answer in sdk.recommend_with_reasons(["u5", "u9", "u0", "u2"], k=6, max_reasons=None):
        for each in answer:
            assert each.tier == "network"
            assert each.base_value is not None
            total = each.base_value + sum(reason.contribution for reason in each.reasons)
            np.testing.assert_allclose(total, each.score, atol=1e-9)


def test_any_item_is_explained_by_the_score_that_it_is_recommended_with(sdk: SDK) -> None:
    answer = sdk.recommend("u9", k=5)
    for each in answer:
        assert sdk.explain("u9", each.item_id).score == each.score


def test_an_item_is_held_against_others_by_the_ranker(sdk: SDK) -> None:
    first, *others = ids(sdk.recommend("u9", k=4))
    found = sdk.explain("u9", first, against=others)
    assert found == sdk.explain("u9", first, against=3)
    scores = [sdk.explain("u9", item).score for item in others]
    assert found.base_value is not None
    total = found.base_value + sum(reason.contribution for reason in found.reasons)
    np.testing.assert_allclose(total, found.score - np.mean(scores), atol=1e-6)


def test_a_visitor_without_an_id_is_answered(sdk: SDK) -> None:
    answer = sdk.recommend_for(["i4", "i9"], {"city": "c1"}, k=5)
    assert len(answer) == 5
    assert len(sdk.recommend_for(k=5)) == 5


def test_k_below_1_is_refused(sdk: SDK) -> None:
    with pytest.raises(ArgumentError, match="k must be at least 1"):
        sdk.recommend("u5", k=0)


def test_the_whole_sdk_works_on_two_stages(sdk: SDK, shop: Dataset) -> None:
    assert repr(sdk).startswith("SDK(DeepRanker, Network, 30 users")
    new = replace(shop.interactions, items=(shop.interactions.items + 1) % shop.n_items)
    assert sdk.evaluate(new).means()["Recall@10"] > 0
    assert sdk.importance(USERS[:5], k=2)
    assert sdk.faithfulness(5).relative_gap < 1e-9


def test_a_saved_ranker_answers_with_the_same_bits(
    sdk: SDK, ranker_config: DeepRankerConfig, tmp_path: Path
) -> None:
    sdk.save(tmp_path)
    assert Fitted.of(load_directory(tmp_path)).model_config == ranker_config
    loaded = SDK.load(tmp_path)
    for call in ("recommend", "recommend_with_reasons"):
        one, other = (getattr(each, call)(USERS, k=12) for each in (sdk, loaded))
        assert one == other
    first, second = ids(sdk.recommend("u9", k=2))
    margins = [each.explain("u9", first, against=[second]) for each in (sdk, loaded)]
    assert margins[0] == margins[1]


def test_a_ranker_is_put_on_the_model_that_is_given(
    shop: Dataset, ranker_config: DeepRankerConfig, sequence_config: SequenceConfig
) -> None:
    path = GradientPathConfig()
    for model in (ranker_config.retrieval, sequence_config):
        sdk = SDK.fit_dataset(
            shop, model=model, ranker=ranker_config, explainer=path, progress=False
        )
        assert isinstance(sdk._fitted.model_config, DeepRankerConfig)
        assert sdk._fitted.model_config.retrieval == model
        assert len(sdk.recommend_with_reasons("u9", k=3)) == 3


@pytest.mark.parametrize(
    ("model", "ranker", "message"),
    [
        (EASEConfig(l2=2.0), DeepRankerConfig(), r"EASEConfig\(l2=2.0\) has no vectors"),
        (DeepRankerConfig(), DeepRankerConfig(), r"DeepRankerConfig\(.*has no vectors"),
        (None, TwoTowerConfig(), r"ranker must be whyrec.DeepRankerConfig\(…\), not TwoTower"),
        (None, True, r"ranker must be whyrec.DeepRankerConfig\(…\), not True"),
    ],
)
def test_what_cannot_be_two_stages_is_refused_before_anything_is_fitted(
    shop: Dataset, model: Any, ranker: Any, message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        SDK.fit_dataset(shop, model=model, ranker=ranker, progress=False)
