"""What is hidden is in no answer, whatever else is asked for."""

from typing import Any

import pytest
from tests.sdk_feedback.conftest import USER, a_reason, about, asked, assert_adds_up, everything

from whyrec import (
    SDK,
    ArgumentError,
    ReasonKind,
    Rules,
)


def test_what_is_hidden_is_in_no_answer(of_every_kind: SDK) -> None:
    sdk = of_every_kind
    before = asked(sdk)
    best = before[0].item_id
    style = next(
        reason.value
        for each in before
        for reason in sdk.explain(USER, each.item_id).reasons
        if reason.source == "style"
    )
    styled = {
        each
        for each in sdk.dataset.items
        if ("style", style) in {(one.source, one.value) for one in sdk.explain(USER, each).reasons}
    }
    controls = [sdk.hide(USER, best), sdk.hide(USER, where={"style": style})]
    gone = {best} | styled
    answers = [
        sdk.recommend(USER, k=25),
        sdk.recommend(USER, k=25, include_seen=True),
        sdk.recommend(USER, k=25, only=[best, "i2", "i3"], include_seen=True),
        sdk.recommend_with_reasons([USER, "u4"], k=25, include_seen=True)[0],
        sdk.recommend_with_reasons(USER, k=2, against=5),
    ]
    for answer in answers:
        assert not gone & {each.item_id for each in answer}
        assert not gone & set(answer.against)
    assert not gone & set(sdk.explain(USER, best, against=20).against)
    assert best in {each.item_id for each in sdk.recommend("u4", k=25, include_seen=True)}
    for control in controls:
        sdk.undo(control)
    assert asked(sdk) == before


def test_rules_move_nothing_in_that_is_hidden_and_score_as_the_user_wants(
    of_every_kind: SDK,
) -> None:
    sdk = of_every_kind
    before = asked(sdk)
    pinned, hidden, boosted = before[3].item_id, before[0].item_id, before[5].item_id
    rules = Rules(pinned={1: pinned, 2: hidden}, boosts={hidden: 9.0, boosted: 0.5})
    reason = a_reason(before, ReasonKind.ITEM_FEATURE)
    sdk.object_to(USER, reason)
    sdk.hide(USER, hidden)
    whole = {each.item_id: each.score for each in asked(sdk)}
    answer, other = sdk.recommend_with_reasons(
        [USER, "u4"], k=25, rules=rules, max_reasons=None, include_seen=False
    )
    assert answer[0].item_id == pinned
    assert {each.item_id: each.score for each in answer} == whole
    assert about(reason) not in everything(answer)
    assert_adds_up(answer)
    assert hidden in {each.item_id for each in other} or hidden in {
        each.item_id for each in sdk.history("u4")
    }
    rivals = sdk.recommend_with_reasons(USER, k=2, rules=rules, against=4).against
    assert hidden not in rivals
    assert not set(rivals) & {each.item_id for each in sdk.history(USER)}


def test_what_cannot_be_hidden_is_refused(sdk: SDK) -> None:
    wrong: list[dict[str, Any]] = [{}, {"item": "i3", "where": {"style": "s1"}}, {"where": {}}]
    for each in wrong:
        with pytest.raises(ArgumentError, match="name an item, or one field and value"):
            sdk.hide(USER, **each)
    with pytest.raises(ArgumentError, match=r'is no field of categories or tags.*"style"'):
        sdk.hide(USER, where={"price": 3})
    with pytest.raises(ArgumentError, match="'style' of the items has no value 's9'"):
        sdk.hide(USER, where={"style": "s9"})
    sdk.hide(USER, "an item to come")
    assert [each.source for each in sdk.controls(USER)] == ["an item to come"]
