"""Items that nobody has chosen yet, and people who have chosen nothing: told by what is known."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from whyrec import SDK, DeepRankerConfig, ShapleyConfig, TwoTowerConfig

N_GROUPS, N_OF_GROUP, N_USERS = 5, 10, 200
GROUPS = range(N_GROUPS)


def name(group: int, place: int) -> str:
    return f"i{group}.{place}"


@pytest.fixture(scope="module")
def sdk() -> SDK:
    """Users choose half of the items of the group of their town; the first of each group is new."""
    random = np.random.default_rng(0)
    events = [
        (f"u{user}", name(user % N_GROUPS, place))
        for user in range(N_USERS)
        for place in 1 + random.permutation(N_OF_GROUP - 1)[:5]
    ]
    events += [
        (f"u{user}", name(int(random.integers(N_GROUPS)), int(random.integers(1, N_OF_GROUP))))
        for user in range(N_USERS)
    ]
    user_ids, item_ids = zip(*events, strict=True)
    places = [(group, place) for group in GROUPS for place in range(N_OF_GROUP)]
    items = {
        "item_id": [name(*each) for each in places],
        "style": [f"s{group}" for group, _ in places],
        "size": [["small", "large"][place % 2] for _, place in places],
    }
    users = {
        "user_id": [f"u{user}" for user in range(N_USERS)] + [f"new{group}" for group in GROUPS],
        "town": [f"t{user % N_GROUPS}" for user in range(N_USERS)] + [f"t{g}" for g in GROUPS],
    }
    return SDK.fit(
        pa.table({"user_id": user_ids, "item_id": item_ids}),
        items=pa.table(items),
        users=pa.table(users),
        model=TwoTowerConfig(dimension=16, max_steps=60),
        ranker=DeepRankerConfig(n_ranked=20, layers=(16, 8), max_steps=20),
        explainer=ShapleyConfig(),
        progress=False,
    )


def test_a_new_item_is_ranked_among_those_that_its_features_are_like(sdk: SDK) -> None:
    wrong = 0
    for user in range(N_USERS):
        answer = [each.item_id for each in sdk.recommend(f"u{user}", 12)]
        group = user % N_GROUPS
        wrong += name(group, 0) not in answer[:6]
        others = [name(other, 0) for other in GROUPS if other != group]
        wrong += any(other in answer[: answer.index(name(group, 0))] for other in others)
    assert wrong <= 0.1 * N_USERS


def test_the_features_of_a_new_item_have_their_share_of_its_score(sdk: SDK) -> None:
    for user in range(10):
        group = user % N_GROUPS
        mine, other = (
            sdk.explain(f"u{user}", name(each, 0)) for each in (group, (group + 1) % N_GROUPS)
        )
        by_source = {}
        for answer in (mine, other):
            told = sum(each.contribution for each in answer.reasons)
            whole = answer.base_value + told + answer.efficiency_gap
            assert whole == pytest.approx(answer.score, abs=1e-5)
            assert answer.efficiency_gap == pytest.approx(0, abs=1e-3)
            by_source[answer.item_id] = {
                each.source: each.contribution
                for each in answer.reasons
                if each.source in ("style", "size")
            }
        style = by_source[mine.item_id].get("style", 0.0)
        assert style > 0
        assert style > by_source[other.item_id].get("style", 0.0)
        assert style > abs(by_source[mine.item_id].get("size", 0.0))


def test_new_items_are_scored_to_the_same_bits_after_save_and_load(
    sdk: SDK, tmp_path: Path
) -> None:
    sdk.save(tmp_path / "sdk")
    users = [f"u{user}" for user in range(20)]
    again = SDK.load(tmp_path / "sdk").recommend(users, 12)
    assert again == sdk.recommend(users, 12)


def test_somebody_without_history_is_answered_by_attributes(sdk: SDK) -> None:
    for group in GROUPS:
        answer = sdk.recommend(f"new{group}", 5)
        groups = [str(each.item_id).split(".")[0] for each in answer]
        assert groups.count(f"i{group}") >= 4
