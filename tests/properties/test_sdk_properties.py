"""What holds of the SDK's answers for any users, any k and any rules."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whyrec import SDK, NetworkConfig, Recommendations, TwoTowerConfig
from whyrec.datasets import synthetic

WORLD = synthetic(seed=8, n_users=24, n_items=26, n_events_per_user=7)
known = st.sampled_from([*WORLD.user_ids, "quiet"])
item_lists = st.lists(st.sampled_from(list(WORLD.item_ids)), max_size=30)
ks = st.integers(1, 40)
most_reasons = st.none() | st.integers(1, 6)
groups = st.sampled_from([None, "style", "topics"])
often = settings(deadline=None, max_examples=25)


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    """Draw which items may be in an answer."""
    return {
        "exclude": draw(item_lists),
        "only": draw(st.none() | item_lists),
        "include_seen": draw(st.booleans()),
    }


@pytest.fixture(scope="module")
def sdk() -> SDK:
    """Histories of different lengths, and a user without any."""
    events = pl.DataFrame(WORLD.events).filter(pl.int_range(pl.len()) % 4 != 1)
    quiet = {"user_id": "quiet", "age_group": "old", "region": "north"}
    return SDK.fit(
        events,
        WORLD.items,
        pl.concat([pl.DataFrame(WORLD.users), pl.DataFrame([quiet])]),
        model=TwoTowerConfig(dimension=8, heads=2, hidden=8, max_steps=5),
        explainer=NetworkConfig(max_steps=5),
        progress=False,
    )


@pytest.fixture(scope="module")
def loaded(sdk: SDK, tmp_path_factory: pytest.TempPathFactory) -> SDK:
    path: Path = tmp_path_factory.mktemp("saved")
    sdk.save(path)
    return SDK.load(path)


def ids(answer: Recommendations) -> list[Any]:
    return [each.item_id for each in answer]


@often
@given(user=known, k=ks, more=ks, rule=rules())
def test_the_best_of_fewer_are_the_first_of_more(
    sdk: SDK, user: str, k: int, more: int, rule: dict[str, Any]
) -> None:
    few = sdk.recommend_with_reasons(user, k, max_reasons=None, **rule)
    many = sdk.recommend_with_reasons(user, k + more, max_reasons=None, **rule)
    assert few.recommendations == many[:k]
    assert len(few) == min(k, len(many))


@often
@given(user=known, k=ks, rule=rules(), with_reasons=st.booleans())
def test_rules_leave_out_exactly_what_they_forbid(
    sdk: SDK, user: str, k: int, rule: dict[str, Any], with_reasons: bool
) -> None:
    answer = (sdk.recommend_with_reasons if with_reasons else sdk.recommend)(user, k, **rule)
    seen = set(WORLD.item_ids) - set(ids(sdk.recommend(user, 99)))
    allowed = set(WORLD.item_ids) if rule["only"] is None else set(rule["only"])
    allowed -= set(rule["exclude"]) | (set() if rule["include_seen"] else seen)
    free = [one for one in ids(sdk.recommend(user, 99, include_seen=True)) if one in allowed]
    assert ids(answer) == free[:k]


@often
@given(
    users=st.lists(known, max_size=12).flatmap(
        lambda those: st.tuples(st.just(those), st.permutations(those))
    ),
    k=ks,
    max_reasons=most_reasons,
    group_by=groups,
)
def test_a_batch_in_any_order_is_answered_one_by_one(
    sdk: SDK,
    users: tuple[list[str], list[str]],
    k: int,
    max_reasons: int | None,
    group_by: str | None,
) -> None:
    alone = {
        user: sdk.recommend_with_reasons(user, k, max_reasons=max_reasons, group_by=group_by)
        for user in set(users[0])
    }
    for order in users:
        answers = sdk.recommend_with_reasons(order, k, max_reasons=max_reasons, group_by=group_by)
        assert answers == [alone[user] for user in order]
        plain = sdk.recommend(order, k)
        assert [ids(answer) for answer in plain] == [ids(answer) for answer in answers]


@often
@given(
    users=st.lists(known, min_size=1, max_size=6),
    k=ks,
    max_reasons=most_reasons,
    group_by=groups,
    rule=rules(),
)
def test_contributions_add_up_to_the_score_over_the_base_value(
    sdk: SDK,
    users: list[str],
    k: int,
    max_reasons: int | None,
    group_by: str | None,
    rule: dict[str, Any],
) -> None:
    for answer in sdk.recommend_with_reasons(
        users, k, max_reasons=max_reasons, group_by=group_by, **rule
    ):
        for each in answer:
            contributed = sum(reason.contribution for reason in each.reasons)
            contributed += (each.other_contribution or 0) + (each.efficiency_gap or 0)
            assert each.base_value is not None
            assert contributed == pytest.approx(each.score - each.base_value, abs=1e-9)
            assert max_reasons is None or len(each.reasons) <= max_reasons


@often
@given(
    history=item_lists,
    attributes=st.fixed_dictionaries(
        {},
        optional={
            "age_group": st.sampled_from(["young", "grown", "old"]),
            "region": st.sampled_from(["north", "east", "south", "west"]),
        },
    ),
    k=ks,
    rule=rules(),
)
def test_any_visitor_is_answered_and_the_reasons_add_up(
    sdk: SDK, history: list[str], attributes: dict[str, str], k: int, rule: dict[str, Any]
) -> None:
    answer = sdk.recommend_for(history, attributes, k, max_reasons=None, **rule)
    assert answer.personalised == bool(history)
    assert not set(ids(answer)) & set(rule["exclude"])
    for each in answer:
        kinds = {reason.kind.value for reason in each.reasons}
        assert ("history" in kinds) == bool(history)
        assert ("user_attribute" in kinds) == bool(attributes)
        total = (each.base_value or 0) + sum(reason.contribution for reason in each.reasons)
        assert total + (each.efficiency_gap or 0) == pytest.approx(each.score, abs=1e-9)


@often
@given(users=st.lists(known, max_size=6), k=ks, max_reasons=most_reasons, group_by=groups)
def test_what_was_saved_answers_with_the_same_bits(
    sdk: SDK,
    loaded: SDK,
    users: list[str],
    k: int,
    max_reasons: int | None,
    group_by: str | None,
) -> None:
    there, back = (
        each.recommend_with_reasons(users, k, max_reasons=max_reasons, group_by=group_by)
        for each in (sdk, loaded)
    )
    assert there == back
