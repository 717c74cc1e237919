"""What a user objects to is no player any more, and comes back to the bit."""

from dataclasses import replace

import numpy as np
import pytest
from tests.sdk_feedback.conftest import (
    USER,
    a_reason,
    about,
    asked,
    assert_adds_up,
    attached,
    everything,
)

from whyrec import (
    SDK,
    ArgumentError,
    ReasonKind,
    ShapleyConfig,
    UnknownIdError,
)
from whyrec.data.coalitions import Coalitions
from whyrec.data.dataset import Dataset
from whyrec.data.pairs import Pairs
from whyrec.explain.attribution import PlayerKind, Players
from whyrec.feedback import (
    ControlKind,
    Event,
    Store,
)


def test_an_objection_leaves_a_player_out_of_all_later_answers(of_every_kind: SDK) -> None:
    sdk = of_every_kind
    before, others = asked(sdk), asked(sdk, "u4")
    n_told = 0
    for kind in (ReasonKind.HISTORY, ReasonKind.USER_ATTRIBUTE, ReasonKind.ITEM_FEATURE):
        for use_id in (False, True):
            reason = a_reason(before, kind)
            control = sdk.object_to(USER, reason.reason_id if use_id else reason)
            for after in (asked(sdk), *sdk.recommend_with_reasons(["u4", USER], max_reasons=None)):
                if after.user_id == USER:
                    assert about(reason) not in everything(after)
                    assert_adds_up(after)
                    n_told += len(after)
            explained = sdk.explain(USER, before[0].item_id)
            assert about(reason) not in {about(each) for each in explained.reasons}
            margin = sdk.explain(USER, before[0].item_id, against=3)
            assert about(reason) not in {about(each) for each in margin.reasons}
            assert asked(sdk, "u4") == others
            assert sdk.controls(USER) == [control]
            sdk.undo(control)
            assert sdk.controls(USER) == []
            assert asked(sdk) == before
    assert n_told > 50


def test_scores_after_objections_are_values_of_the_coalition_of_the_others(
    of_every_kind: SDK, shop: Dataset
) -> None:
    sdk, model = of_every_kind, of_every_kind._fitted.model
    before = asked(sdk)
    history, attribute, feature = (
        a_reason(before, kind)
        for kind in (ReasonKind.HISTORY, ReasonKind.USER_ATTRIBUTE, ReasonKind.ITEM_FEATURE)
    )
    for reason in (history, attribute, feature):
        sdk.object_to(USER, reason)
    after = {each.item_id: each.score for each in asked(sdk)}
    assert after.keys() == {each.item_id for each in before}
    histories = shop.histories(np.array([shop.users.index_of(USER)]))
    items = np.array([shop.items.index_of(each) for each in after], np.int32)
    pairs = Pairs(np.zeros(len(items), np.int32), items)
    players = Players.of(histories, shop.item_features, pairs)
    absent_item = shop.items.index_of(history.source)
    token = shop.item_features.schema.token_of(str(feature.source), feature.value)
    fields = shop.user_features.schema.field_names
    matrices = []
    for pair, item in enumerate(items.tolist()):
        span = slice(players.offsets[pair], players.offsets[pair + 1])
        first = shop.item_features.offsets[item]
        kinds, sources = players.kinds[span], players.sources[span]
        present = np.ones(len(kinds), bool)
        of_kind = kinds == PlayerKind.EVENT
        present[of_kind] = histories.items[sources[of_kind]] != absent_item
        of_kind = kinds == PlayerKind.ATTRIBUTE
        present[of_kind] = sources[of_kind] != fields.index(str(attribute.source))
        of_kind = kinds == PlayerKind.FEATURE
        present[of_kind] = shop.item_features.tokens[first + sources[of_kind]] != token
        matrices.append(present[None])
    values = model.coalition_values(histories, pairs, Coalitions.of_matrices(matrices))
    np.testing.assert_allclose(list(after.values()), values, rtol=1e-5, atol=1e-5)
    assert list(after.values()) == sorted(after.values(), reverse=True)


def test_the_best_of_all_items_are_found_after_an_objection_to_a_feature(sdk: SDK) -> None:
    reason = a_reason(asked(sdk), ReasonKind.ITEM_FEATURE)
    sdk.object_to(USER, reason)
    whole = asked(sdk)
    for k in (1, 3, 7):
        assert asked(sdk, k=k).recommendations == whole.recommendations[:k]


def test_a_group_of_the_history_is_left_out_as_a_whole(sdk: SDK, shop: Dataset) -> None:
    grouped = sdk.recommend_with_reasons(USER, max_reasons=None, group_by="style")
    reason = a_reason(grouped, ReasonKind.HISTORY_GROUP)
    control = sdk.object_to(USER, reason.reason_id)
    assert control.kind is ControlKind.HISTORY_GROUP
    style = {
        item: shop.item_features.schema.describe(int(token), 1.0)[1]
        for item in range(shop.n_items)
        for token in shop.item_features.take(np.array([item])).tokens
        if shop.item_features.schema.describe(int(token), 1.0)[0] == "style"
    }
    of_events = [
        style.get(shop.items.index_of(source))
        for kind, source, _ in everything(asked(sdk))
        if kind is ReasonKind.HISTORY
    ]
    assert of_events
    assert reason.value not in of_events
    sdk.undo(control)
    assert sdk.recommend_with_reasons(USER, max_reasons=None, group_by="style") == grouped


@pytest.mark.parametrize("kind", list(ReasonKind))
def test_a_kind_of_reason_is_left_out_as_a_whole(sdk: SDK, kind: ReasonKind) -> None:
    before = asked(sdk)
    sdk.object_to(USER, kind)
    after = everything(asked(sdk))
    gone = ReasonKind.HISTORY if kind is ReasonKind.HISTORY_GROUP else kind
    assert gone not in {each[0] for each in after}
    assert len({each[0] for each in after}) == 2
    sdk.undo(sdk.controls(USER)[0].event_id, user=USER)
    assert asked(sdk) == before


@pytest.mark.parametrize(
    "kind", [ReasonKind.HISTORY, ReasonKind.USER_ATTRIBUTE, ReasonKind.ITEM_FEATURE]
)
def test_a_weight_leaves_a_part_of_what_a_player_adds(
    towers: SDK, store: Store, kind: ReasonKind
) -> None:
    exact = replace(
        towers._fitted,
        explainer_config=ShapleyConfig(exact_players=12, max_permutations=64),
        explainer=ShapleyConfig(exact_players=12, max_permutations=64).restore(
            towers._fitted.model, {}
        ),
    )
    sdk = SDK(exact, store=store)
    item = next(
        each.item_id for each in asked(sdk) if kind in {reason.kind for reason in each.reasons}
    )
    reason = next(each for each in sdk.explain(USER, item).reasons if each.kind is kind)
    scores = {}
    for weight in (1.0, 0.999, 0.5, 0.001, 0.0):
        sdk.object_to(USER, reason, weight=weight)
        explained = sdk.explain(USER, item)
        parts = sum(each.contribution for each in explained.reasons)
        assert parts + explained.base_value == pytest.approx(explained.score, abs=1e-9)
        scores[weight] = explained.score
        there = [each.contribution for each in explained.reasons if about(each) == about(reason)]
        assert len(there) == (weight > 0)
        if weight:
            assert abs(there[0]) <= abs(reason.contribution) * max(weight, 0.01) * 1.5
    assert scores[0.999] == pytest.approx(scores[1.0], abs=0.02)
    assert scores[0.001] == pytest.approx(scores[0.0], abs=0.02)
    assert scores[0.5] not in (scores[1.0], scores[0.0])
    assert len(sdk.controls(USER)) == 5


def test_a_weight_that_the_recommender_cannot_give_is_refused(additive: SDK) -> None:
    reason = a_reason(asked(additive), ReasonKind.HISTORY)
    with pytest.raises(ArgumentError, match="EASE knows no presence between"):
        additive.object_to(USER, reason, weight=0.5)
    with pytest.raises(ArgumentError, match="weight is 2"):
        additive.object_to(USER, reason, weight=2)
    assert additive.controls(USER) == []


def test_where_a_later_model_cannot_weigh_nothing_is_left(sdk: SDK, ease: SDK) -> None:
    reason = a_reason(asked(sdk), ReasonKind.HISTORY)
    sdk.object_to(USER, reason, weight=0.5)
    later = attached(ease, sdk.store)
    assert about(reason) not in everything(asked(later))
    assert about(reason) in everything(asked(SDK(ease._fitted)))


def test_a_reason_of_another_user_or_model_is_refused(sdk: SDK, additive: SDK) -> None:
    reason = a_reason(asked(sdk), ReasonKind.HISTORY)
    for given in (reason, reason.reason_id):
        with pytest.raises(ArgumentError, match="for somebody else than user 'u4'"):
            sdk.object_to("u4", given)
        with pytest.raises(ArgumentError, match="of another model"):
            additive.object_to(USER, given)
        with pytest.raises(ArgumentError, match="of another model"):
            additive.rate(USER, given, "helped")
    with pytest.raises(ArgumentError, match="malformed"):
        sdk.object_to(USER, "r1.nonsense")
    assert sdk.store.position() == 0


def test_undo_is_of_ones_own_records_alone(sdk: SDK) -> None:
    control = sdk.hide(USER, "i3")
    with pytest.raises(ArgumentError, match="for its user"):
        sdk.undo(control.event_id)
    with pytest.raises(UnknownIdError, match="no record"):
        sdk.undo(control.event_id, user="u4")
    event = Event(USER, asked(sdk)[0].item_id, "purchase")
    before = asked(sdk)
    sdk.record(event)
    assert asked(sdk) != before
    sdk.undo(event)
    assert asked(sdk) == before
