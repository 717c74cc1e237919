"""The verbs of feedback: what is recorded counts at once, what is objected to never again."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from bench.postgres import Server
from tests.feedback.conftest import NUMBERS, server

from whyrec import (
    SDK,
    ArgumentError,
    DataError,
    DeepRankerConfig,
    EASEConfig,
    GradientPathConfig,
    NetworkConfig,
    PopularityConfig,
    Reason,
    ReasonKind,
    Recommendations,
    Rules,
    SequenceConfig,
    ShapleyConfig,
    StorageError,
    TwoTowerConfig,
    UnknownIdError,
    UnknownUserError,
)
from whyrec.data.coalitions import Coalitions
from whyrec.data.dataset import Dataset
from whyrec.data.pairs import Pairs
from whyrec.explain.attribution import PlayerKind, Players
from whyrec.feedback import (
    Batch,
    Control,
    ControlKind,
    Event,
    Impression,
    PostgreSQL,
    Rating,
    ReasonRating,
    SQLite,
    SQLStore,
    Store,
)

__all__ = ["server"]

NETWORK = NetworkConfig(max_steps=2, evaluate_every=1, confidence_pairs=0)
USER = "u3"
"""Who has two events that are the same, and both attributes."""


@pytest.fixture(scope="module")
def towers(shop: Dataset, tower_config: TwoTowerConfig) -> SDK:
    return SDK.fit_dataset(shop, model=tower_config, explainer=NETWORK, progress=False)


@pytest.fixture(scope="module")
def ease(shop: Dataset) -> SDK:
    return SDK.fit_dataset(shop, model=EASEConfig(l2=2.0), progress=False)


@pytest.fixture(params=["two towers", "sequence", "ranker", "ease"])
def of_every_kind(
    request: pytest.FixtureRequest,
    shop: Dataset,
    towers: SDK,
    ease: SDK,
    sequence_config: SequenceConfig,
    ranker_config: DeepRankerConfig,
    tmp_path: Path,
) -> Iterator[SDK]:
    path = GradientPathConfig(n_points=2)
    match request.param:
        case "two towers":
            sdk = towers
        case "ease":
            sdk = ease
        case "sequence":
            sdk = SDK.fit_dataset(shop, model=sequence_config, explainer=path, progress=False)
        case _:
            sdk = SDK.fit_dataset(shop, model=ranker_config, explainer=path, progress=False)
    with SQLStore(SQLite(tmp_path / "feedback.db")) as store:
        yield attached(sdk, store)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with SQLStore(SQLite(tmp_path / "feedback.db")) as opened:
        yield opened


@pytest.fixture
def sdk(towers: SDK, store: Store) -> SDK:
    return attached(towers, store)


@pytest.fixture
def additive(ease: SDK, store: Store) -> SDK:
    return attached(ease, store)


def attached(sdk: SDK, store: Store) -> SDK:
    """Return the same fitted SDK with a store of its own."""
    return SDK(sdk._fitted, store=store)


def asked(sdk: SDK, user: Any = USER, k: int = 25) -> Recommendations:
    answer: Recommendations = sdk.recommend_with_reasons(user, k=k, max_reasons=None)
    return answer


def a_reason(answer: Recommendations, kind: ReasonKind) -> Reason:
    return next(reason for each in answer for reason in each.reasons if reason.kind is kind)


def about(reason: Reason) -> tuple[Any, ...]:
    value = reason.value if reason.kind is ReasonKind.ITEM_FEATURE else None
    return reason.kind, reason.source, value


def everything(answer: Recommendations) -> set[tuple[Any, ...]]:
    return {about(reason) for each in answer for reason in each.reasons}


def assert_adds_up(answer: Recommendations) -> None:
    for each in answer:
        assert each.base_value is not None
        assert each.other_contribution is not None
        assert each.efficiency_gap is not None
        parts = [each.base_value, each.other_contribution, each.efficiency_gap]
        parts += [reason.contribution for reason in each.reasons]
        assert sum(parts) == pytest.approx(each.score, abs=1e-9)
        assert each.efficiency_gap == pytest.approx(0, abs=1e-9)


def test_a_store_with_nothing_of_a_user_changes_no_bit(of_every_kind: SDK, shop: Dataset) -> None:
    users = list(shop.users)
    alone = SDK(of_every_kind._fitted)
    of_every_kind.record(Event("somebody else", "i3", "view"))
    assert of_every_kind.recommend_with_reasons(users) == alone.recommend_with_reasons(users)


def test_the_next_answer_is_drawn_from_what_was_recorded(sdk: SDK) -> None:
    before = asked(sdk)
    new = before[0].item_id
    assert sdk.record(Event(USER, new, "purchase", 5.0)) == 1
    after = asked(sdk)
    assert new not in [each.item_id for each in after]
    assert (ReasonKind.HISTORY, new, None) in everything(after)
    assert_adds_up(after)


def test_what_was_recorded_counts_as_if_it_had_been_in_the_data(sdk: SDK, shop: Dataset) -> None:
    row = shop.users.index_of("u4")
    events = shop.interactions.take(np.array([row]))
    assert events.values is not None
    assert events.timestamps is not None
    values = [None if np.isnan(value) else float(value) for value in events.values]
    columns = zip(events.items, events.kinds, values, events.timestamps, strict=True)
    copies = [
        Event("copy", shop.items[item], events.kind_names[kind], value, timestamp=time)
        for item, kind, value, time in columns
    ]
    sdk.record(copies[::-1])
    # Nothing is known of the copy but its events, so the original is asked without attributes.
    sdk.object_to("u4", ReasonKind.USER_ATTRIBUTE)
    copy, original = asked(sdk, "copy"), asked(sdk, "u4")
    assert [(each.item_id, each.score) for each in copy] == [
        (each.item_id, each.score) for each in original
    ]
    assert [[about(one) for one in each.reasons] for each in copy] == [
        [about(one) for one in each.reasons] for each in original
    ]


def test_an_event_that_the_sdk_was_fitted_on_counts_once(sdk: SDK) -> None:
    before, last = asked(sdk, "u4"), sdk.history("u4")[-1]
    assert last.timestamp is not None
    again = Event("u4", last.item_id, last.kind, last.value, timestamp=last.timestamp)
    sdk.record(again)
    assert asked(sdk, "u4") == before
    assert sdk.history("u4")[-1] == last
    sdk.record(Event("u4", last.item_id, last.kind, last.value, timestamp=last.timestamp + 1))
    assert asked(sdk, "u4") != before


def test_a_user_of_whom_only_the_store_knows_is_answered(sdk: SDK) -> None:
    with pytest.raises(UnknownUserError, match="'new'"):
        sdk.recommend("new")
    sdk.record([Event("new", "i3", "view"), Event("new", "i5", "view")])
    answer = sdk.recommend("new", k=25)
    assert answer.personalised
    assert answer.user_id == "new"
    assert not {"i3", "i5"} & {each.item_id for each in answer}
    several = sdk.recommend(["u4", "new", USER, "new"], k=25)
    assert several == [sdk.recommend(user, k=25) for user in ("u4", "new", USER, "new")]
    with pytest.raises(UnknownUserError, match="1 unknown user: 'nobody'"):
        sdk.recommend(["new", "nobody"])
    with pytest.raises(UnknownUserError):
        sdk.recommend([None])


def test_an_item_that_is_not_known_yet_counts_once_it_is(
    towers: SDK, sdk: SDK, shop: Dataset
) -> None:
    sdk.record(Event("new", "i99", "view"))
    answer = sdk.recommend("new")
    assert not answer.personalised
    assert [each.counts for each in sdk.history("new")] == [False]
    known = replace(shop, items=type(shop.items)((*shop.items.ids[:-1], "i99"), "item"))
    later = SDK(towers._fitted.fitted_on(known), store=sdk.store)
    assert later.recommend("new").personalised
    assert [each.counts for each in later.history("new")] == [True]


def test_kinds_that_the_recommender_does_not_know_are_seen_but_do_not_count(sdk: SDK) -> None:
    before = asked(sdk)
    dismissed, unnamed = before[0].item_id, before[1].item_id
    sdk.record(Event(USER, dismissed, "dismissal"))
    after = asked(sdk)
    assert after.recommendations == tuple(replace(each, rank=each.rank - 1) for each in before[1:])
    sdk.record(Event(USER, unnamed))
    assert (ReasonKind.HISTORY, unnamed, None) in everything(asked(sdk))
    assert {each.item_id: each.counts for each in sdk.history(USER)}[dismissed] is False


def test_where_events_have_no_kinds_all_but_dismissals_count(store: Store) -> None:
    events = pa.table({"user_id": ["a", "a", "b", "b"], "item_id": ["x", "y", "y", "z"]})
    sdk = SDK.fit(events, model=EASEConfig(l2=1.0), store=store, progress=False)
    sdk.record([Event("c", "x", "purchase"), Event("d", "x", "dismissal")])
    assert sdk.recommend("c").personalised
    assert not sdk.recommend("d").personalised
    assert {each.item_id for each in sdk.recommend("d")} == {"y", "z"}


def test_record_takes_records_batches_tables_and_answers(sdk: SDK, tmp_path: Path) -> None:
    one = Event("a", "i3", "view")
    assert sdk.record(one) == 1
    assert sdk.record([one, Event("a", "i4", "view")]) == 1
    assert sdk.record(Batch([Event("b", "i4", "view")])) == 1
    assert sdk.record(Event("b", "i5", "view") for _ in range(2)) == 2
    table = pa.table({"user_id": ["c", "c"], "item_id": ["i1", "i2"], "event_id": ["x", "y"]})
    assert (sdk.record(table), sdk.record(table)) == (2, 0)
    path = tmp_path / "events.csv"
    path.write_text("user_id,item_id,kind,value\nd,i1,purchase,3\n")
    assert sdk.record(path) == 1
    assert [each.value for each in sdk.history("d")] == [3.0]
    answer = sdk.recommend("a", k=2)
    assert (sdk.record(answer), sdk.record([answer])) == (2, 0)
    shown = sdk.store.read(Impression, users=["a"])
    assert [(each.rank, each.request_id) for each in shown] == [
        (1, answer.request_id),
        (2, answer.request_id),
    ]
    sdk.record(Event("a", shown[0].item_id, "purchase", request_id=answer.request_id))
    (joined,) = [each for each in sdk.store.read(Event, users=["a"]) if each.request_id]
    assert joined.request_id == shown[0].request_id


def test_what_is_no_event_is_refused(sdk: SDK) -> None:
    with pytest.raises(ArgumentError, match="is no record; the records are Event"):
        sdk.record([{"user_id": "a"}])
    with pytest.raises(ArgumentError, match="visitor without an id"):
        sdk.record(sdk.recommend_for(["i3"]))
    with pytest.raises(ArgumentError, match="timestamp is -1"):
        sdk.record(Event("a", "i3", timestamp=-1))
    with pytest.raises(DataError, match="user_id"):
        sdk.record(pa.table({"item_id": ["i1"]}))
    assert sdk.store.position() == 0


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


def test_ratings_of_reasons_are_kept(sdk: SDK) -> None:
    answer = asked(sdk)
    reason = answer[0].reasons[0]
    rated = sdk.rate(USER, reason, "wrong", request_id=answer.request_id)
    (kept,) = sdk.store.read(ReasonRating, users=[USER])
    assert kept == replace(rated, rating=Rating.WRONG)
    assert (kept.item_id, kept.kind, kept.source) == (
        answer[0].item_id,
        reason.kind.value,
        reason.source,
    )
    with pytest.raises(ArgumentError, match='one of "helped", "wrong", "unclear"'):
        sdk.rate(USER, reason, "bad")  # type: ignore[arg-type]


def test_the_history_tells_what_counts(sdk: SDK, shop: Dataset) -> None:
    fitted = sdk.history("u4")
    assert len(fitted) == np.diff(shop.interactions.offsets)[shop.users.index_of("u4")]
    assert all(each.event_id is None and each.counts for each in fitted)
    new = Event("u4", "i1", "view", 2.5)
    sdk.record([new, Event("u4", "i77", "view")])
    *old, known, unknown = sdk.history("u4")
    assert old == fitted
    assert (known.item_id, known.value, known.event_id) == ("i1", 2.5, new.event_id)
    assert (unknown.item_id, unknown.counts) == ("i77", False)
    sdk.object_to("u4", next(one for one in sdk.explain("u4", "i2").reasons if one.source == "i1"))
    assert [each.counts for each in sdk.history("u4")[-2:]] == [False, False]
    with pytest.raises(UnknownUserError):
        sdk.history("nobody")


def test_a_buffer_is_read_once_it_is_flushed(sdk: SDK) -> None:
    with sdk.buffer(size=10) as buffer:
        buffer.add(Event("new", "i3", "view"))
        with pytest.raises(UnknownUserError):
            sdk.recommend("new")
    assert sdk.recommend("new").personalised


def test_export_is_all_that_is_kept_as_json(sdk: SDK) -> None:
    sdk.record(Event(USER, "i3", "view"))
    control = sdk.hide(USER, "i4")
    exported = json.loads(json.dumps(sdk.export(USER)))
    assert [each["item_id"] for each in exported["events"]] == ["i3"]
    assert [each["event_id"] for each in exported["controls"]] == [control.event_id]
    assert len(exported["fitted"]["events"]) == len(sdk.history(USER)) - 1
    assert {each["field"] for each in exported["fitted"]["attributes"]} == {"city", "age"}
    assert sdk.export("nobody")["events"] == []


def test_a_forgotten_user_is_unknown_here_and_after_load(ease: SDK, tmp_path: Path) -> None:
    sdk = SDK(ease._fitted)
    sdk.save(tmp_path)
    sdk.save(tmp_path / "other")
    sdk.record([Event(USER, "i3", "view"), Event("u4", "i3", "view")])
    sdk.hide(USER, "i4")
    others = sdk.recommend("u4", k=25)
    model_id, n_users = sdk.model_id, sdk.dataset.n_users
    told = sdk.forget(USER)
    assert told.records["events"] == 1
    assert told.records["controls"] == 1
    assert (told.fitted_events, told.needs_refit) == (len(ease.history(USER)), True)
    assert "only another fit removes" in str(told)
    loaded = [SDK.load(tmp_path), SDK.load(tmp_path / "other")]
    for each in (sdk, *loaded):
        with pytest.raises(UnknownUserError):
            each.recommend(USER)
        assert each.dataset.n_users == n_users - 1
        assert each.model_id == model_id
        assert each.controls(USER) == []
        assert each.export(USER)["fitted"] == {"events": [], "attributes": []}
    assert sdk.recommend("u4", k=25) == loaded[0].recommend("u4", k=25) == others
    again = sdk.forget(USER)
    assert (sum(again.records.values()), again.fitted_events, again.needs_refit) == (0, 0, False)
    sdk.record(Event(USER, "i3", "view"))
    assert len(sdk.history(USER)) == 1
    for each in (sdk, *loaded):
        each.store.close()


def test_a_forgotten_user_is_erased_from_a_newer_model_in_the_place(
    ease: SDK, shop: Dataset, tmp_path: Path
) -> None:
    old = SDK(ease._fitted)
    old.save(tmp_path)
    SDK.fit_dataset(shop, model=PopularityConfig(), progress=False).save(tmp_path)
    old.forget(USER)
    assert repr(SDK.load(tmp_path)).startswith("SDK(Popularity, ClosedForm, 29 users")


def test_feedback_stays_beside_the_model(ease: SDK, towers: SDK, tmp_path: Path) -> None:
    sdk = SDK(ease._fitted)
    with pytest.raises(ArgumentError, match=r"save the SDK first .* or give SDK.fit or SDK.load"):
        sdk.record(Event("new", "i3", "view"))
    assert sdk.controls("new") == []
    sdk.save(tmp_path)
    assert not (tmp_path / "feedback.db").exists()
    sdk.recommend("u4")
    assert not (tmp_path / "feedback.db").exists()
    sdk.record(Event("new", "i3", "view"))
    sdk.save(tmp_path)
    refitted = SDK(towers._fitted)
    refitted.save(tmp_path)
    for each in (sdk, refitted, SDK.load(tmp_path)):
        assert each.recommend("new").personalised
        each.store.close()
    with SQLStore(SQLite(tmp_path / "own.db")) as own:
        other = SDK.load(tmp_path, store=own)
        with pytest.raises(UnknownUserError):
            other.recommend("new")


def test_a_damaged_store_is_told_by_its_file(ease: SDK, tmp_path: Path) -> None:
    sdk = SDK(ease._fitted)
    sdk.save(tmp_path)
    (tmp_path / "feedback.db").write_bytes(b"nonsense" * 1000)
    with pytest.raises(OSError, match=r"feedback.db: is damaged .*salvage"):
        sdk.recommend("u4")


def test_forgetting_tells_of_a_directory_that_is_damaged(ease: SDK, tmp_path: Path) -> None:
    sdk = SDK(ease._fitted)
    sdk.save(tmp_path)
    (part,) = tmp_path.glob("events-*.arrow")
    part.write_bytes(part.read_bytes()[:-1])
    with pytest.raises(StorageError, match=r"events-.*cut short"):
        sdk.forget(USER)
    with pytest.raises(UnknownUserError):
        sdk.recommend(USER)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_threads_and_processes_record_and_read_at_once(
    kind: str, ease: SDK, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    SDK(ease._fitted).save(tmp_path / "model")
    opened = f"SQLite({str(tmp_path / 'feedback.db')!r})"
    if kind == "postgresql":
        running: Server = request.getfixturevalue("server")
        opened = f"PostgreSQL({running.conninfo!r}, schema='at_once_{next(NUMBERS)}')"
    database = eval(opened, {"SQLite": SQLite, "PostgreSQL": PostgreSQL})
    program = (
        "import sys, whyrec\n"
        "from whyrec.feedback import Event, SQLStore, SQLite, PostgreSQL\n"
        f"with SQLStore({opened}) as store:\n"
        f"    sdk = whyrec.SDK.load({str(tmp_path / 'model')!r}, store=store)\n"
        "    for n in range(20):\n"
        "        sdk.record(Event('other', f'i{n}', 'view', event_id=f'{sys.argv[1]}-{n}'))\n"
        "        sdk.recommend(['other', 'u4'])\n"
    )
    with SQLStore(database) as store:
        sdk = SDK.load(tmp_path / "model", store=store)
        failures: list[BaseException] = []

        def work(number: int) -> None:
            try:
                user = f"t{number}"
                for n in range(20):
                    sdk.record(Event(user, f"i{n}", "view"))
                    shown = {each.item_id for each in sdk.recommend([user, "u4"], k=25)[0]}
                    assert not shown & {f"i{each}" for each in range(n + 1)}
                sdk.hide(user, "i21")
                assert "i21" not in {each.item_id for each in sdk.recommend(user, k=25)}
            except BaseException as error:
                failures.append(error)

        processes = [
            subprocess.Popen([sys.executable, "-c", program, name], stderr=subprocess.PIPE)
            for name in ("one", "two")
        ]
        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for process in processes:
            _, told = process.communicate()
            assert process.returncode == 0, told.decode()
        assert failures == []
        assert len(store.read(Event)) == 8 * 20 + 2 * 20
        assert len(store.read(Event, users=["other"])) == 40
        assert len(store.read(Control)) == 8
