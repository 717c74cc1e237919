"""The SDK as its user sees it: what it answers, and what always holds of the answers."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from whyrec import (
    SDK,
    ArgumentError,
    DataError,
    EASEConfig,
    GradientPathConfig,
    NetworkConfig,
    PopularityConfig,
    ReasonKind,
    Recommendation,
    Recommendations,
    RefinedConfig,
    ShapleyConfig,
    StorageError,
    TwoTowerConfig,
    UnknownItemError,
    UnknownUserError,
    WhyrecError,
)
from whyrec.askers import Askers
from whyrec.data.split import hold_out_users
from whyrec.datasets import synthetic

WORLD = synthetic(seed=5, n_users=40, n_items=30, n_events_per_user=8)
ITEM_IDS = set(WORLD.item_ids)
BRIEF = ["i4", "i9", "i4", "i17"]
"""What the user "brief" did, all in one moment; "quiet" did nothing."""
ATTRIBUTES = {"age_group": "young", "region": "west"}

_events = pl.DataFrame(WORLD.events)
_is_last = pl.col("timestamp") == pl.col("timestamp").max().over("user_id")
_moment = _events["timestamp"][0]
EVENTS = pl.concat(
    [
        _events.filter(~_is_last),
        pl.DataFrame({"user_id": "brief", "item_id": BRIEF, "timestamp": _moment}, _events.schema),
    ]
)
HELD_OUT = _events.filter(_is_last)
USERS = pl.concat(
    [
        pl.DataFrame(WORLD.users),
        pl.DataFrame([{"user_id": "brief", **ATTRIBUTES}, {"user_id": "quiet", **ATTRIBUTES}]),
    ]
)
SEEN = {str(user): set(items) for user, items in EVENTS.group_by("user_id").agg("item_id").rows()}
FEW = ["u3", "u1", "brief", "quiet", "u20"]


@pytest.fixture(scope="module")
def sdk() -> SDK:
    return SDK.fit(
        EVENTS,
        WORLD.items,
        USERS,
        model=TwoTowerConfig(dimension=16, heads=2, hidden=8, max_steps=20),
        explainer=NetworkConfig(max_steps=10, evaluate_every=5, confidence_pairs=16),
        progress=False,
    )


@pytest.fixture(scope="module")
def ease() -> SDK:
    return SDK.fit(EVENTS, WORLD.items, USERS, model=EASEConfig(l2=5.0), progress=False)


def ids(answer: Recommendations) -> list[Any]:
    return [each.item_id for each in answer]


def parts(each: Recommendation) -> list[float]:
    """Return all that has to add up to the score."""
    others = (each.base_value, each.other_contribution, each.efficiency_gap)
    assert None not in others
    return [reason.contribution for reason in each.reasons] + [float(part or 0) for part in others]


def test_the_sdk_tells_what_it_is_and_what_it_was_fitted_on(sdk: SDK, ease: SDK) -> None:
    assert repr(sdk) == "SDK(TwoTower, Network, 42 users, 30 items)"
    assert repr(ease) == "SDK(EASE, ClosedForm, 42 users, 30 items)"
    assert sdk.report is sdk.dataset.report
    assert (sdk.report.n_events, sdk.report.n_users) == (len(EVENTS), 42)


def test_one_id_gives_one_answer(sdk: SDK) -> None:
    answer = sdk.recommend("u3", k=4)
    assert isinstance(answer, Recommendations)
    assert (answer.user_id, answer.k, answer.personalised, answer.note) == ("u3", 4, True, None)
    assert [each.rank for each in answer] == [1, 2, 3, 4]
    assert len(set(ids(answer)) & ITEM_IDS) == 4
    assert [each.score for each in answer] == sorted((one.score for one in answer), reverse=True)
    assert all(each.reasons == () and each.tier is None for each in answer)
    assert sdk.recommend(np.array(["u3"])[0], k=4) == answer


@pytest.mark.parametrize("of", [list, np.array, pd.Series, pd.Index, pl.Series, pa.array])
def test_several_ids_give_as_many_answers_in_their_order(
    sdk: SDK, of: Callable[[list[str]], Any]
) -> None:
    for call in (sdk.recommend, sdk.recommend_with_reasons):
        answers = call(of(FEW), k=3)
        assert isinstance(answers, list)
        assert [answer.user_id for answer in answers] == FEW
        assert answers == [call(user, k=3) for user in FEW]
        assert call(of(FEW[:1]), k=3) == answers[:1]


def test_a_type_checker_knows_one_answer_from_several(sdk: SDK) -> None:
    one: Recommendations = sdk.recommend("u3", k=1)
    several: list[Recommendations] = sdk.recommend(["u3"], k=1)
    several += sdk.recommend(pd.Series(["u3"]), k=1)
    several += sdk.recommend(pl.Series(["u3"]), k=1)
    assert several == [one] * 3


def test_no_ids_give_no_answers(sdk: SDK) -> None:
    assert sdk.recommend([]) == sdk.recommend_with_reasons([]) == []


def test_the_order_of_users_changes_no_answer(sdk: SDK) -> None:
    there = sdk.recommend_with_reasons(FEW)
    back = sdk.recommend_with_reasons(FEW[::-1])
    assert there == back[::-1]
    assert sdk.recommend_with_reasons(["u1", "u1"]) == there[1:2] * 2


def test_more_users_than_are_explained_at_once_are_answered_one_by_one(ease: SDK) -> None:
    many = [f"u{n % 40}" for n in range(600)]
    answers = ease.recommend_with_reasons(many, k=2)
    assert len(answers) == 600
    assert answers[:40] * 15 == answers
    assert answers[300] == ease.recommend_with_reasons(many[300], k=2)


def test_reasons_do_not_change_the_ranking(sdk: SDK) -> None:
    for plain, explained in zip(sdk.recommend(FEW), sdk.recommend_with_reasons(FEW), strict=True):
        ranked = [(each.item_id, each.score) for each in plain]
        assert [(each.item_id, each.score) for each in explained] == ranked
        assert all(each.tier for each in explained)


@pytest.mark.parametrize("max_reasons", [1, 3, None])
@pytest.mark.parametrize("group_by", [None, "topics", "style"])
def test_the_parts_add_up_to_the_score(
    sdk: SDK, max_reasons: int | None, group_by: str | None
) -> None:
    for answer in sdk.recommend_with_reasons(FEW, max_reasons=max_reasons, group_by=group_by):
        assert len(answer) == 10
        for each in answer:
            assert sum(parts(each)) == pytest.approx(each.score, abs=1e-9)
            assert 0 < len(each.reasons) <= (max_reasons or 99)
            if max_reasons is None:
                assert each.other_contribution == 0
                assert sum(reason.n_players for reason in each.reasons) > 3


def test_the_strongest_reasons_come_first(sdk: SDK) -> None:
    everything = sdk.recommend_with_reasons("u3", max_reasons=None)
    for each, few in zip(everything, sdk.recommend_with_reasons("u3"), strict=True):
        sizes = [abs(reason.contribution) for reason in each.reasons]
        assert sizes == sorted(sizes, reverse=True)
        assert few.reasons == each.reasons[:3]
        assert {reason.kind for reason in each.reasons} == {
            ReasonKind.HISTORY,
            ReasonKind.USER_ATTRIBUTE,
            ReasonKind.ITEM_FEATURE,
        }


def test_grouping_folds_events_whose_items_share_a_value(sdk: SDK) -> None:
    style_of = dict(zip(*pl.DataFrame(WORLD.items)["item_id", "style"], strict=True))
    (single,) = sdk.recommend_with_reasons("u3", k=1, max_reasons=None)
    (folded,) = sdk.recommend_with_reasons("u3", k=1, max_reasons=None, group_by="style")
    groups = [each for each in folded.reasons if each.kind is ReasonKind.HISTORY_GROUP]
    assert groups
    for group in groups:
        members = [
            each.contribution
            for each in single.reasons
            if each.kind is ReasonKind.HISTORY and style_of[each.source] == group.value
        ]
        assert len(members) == group.n_players > 1
        assert group.contribution == pytest.approx(sum(members), abs=1e-12)
    with pytest.raises(ArgumentError, match="colour"):
        sdk.recommend_with_reasons("u3", group_by="colour")


def test_items_that_are_excluded_are_not_in_the_answer(sdk: SDK) -> None:
    before = ids(sdk.recommend("u3", k=30))
    for call in (sdk.recommend, sdk.recommend_with_reasons):
        answer = call("u3", k=30, exclude=[before[0], before[5]])
        assert ids(answer) == before[1:5] + before[6:]
        assert ids(call("u3", k=30, exclude=pd.Series(before[2:]))) == before[:2]


def test_only_items_that_are_allowed_are_in_the_answer(sdk: SDK) -> None:
    before = ids(sdk.recommend("u3", k=30))
    seen = next(iter(SEEN["u3"]))
    for call in (sdk.recommend, sdk.recommend_with_reasons):
        assert ids(call("u3", only=[before[7], before[2], seen])) == [before[2], before[7]]
        assert ids(call("u3", only=before[:3], exclude=before[:1])) == before[1:3]


def test_items_of_the_history_are_in_the_answer_only_when_asked(sdk: SDK) -> None:
    for call in (sdk.recommend, sdk.recommend_with_reasons):
        for user, seen in ((user, SEEN.get(user, set())) for user in FEW):
            assert set(ids(call(user, k=30))) == ITEM_IDS - seen
            assert set(ids(call(user, k=30, include_seen=True))) == ITEM_IDS


def test_an_absurd_k_gives_all_there_are(sdk: SDK) -> None:
    answer = sdk.recommend("u3", k=10**12)
    assert set(ids(answer)) == ITEM_IDS - SEEN["u3"]
    assert ids(sdk.recommend_with_reasons("u3", k=10**12)) == ids(answer)
    assert answer.k == 10**12


@pytest.mark.parametrize("k", [0, -1])
def test_a_k_below_1_is_refused(sdk: SDK, k: int) -> None:
    calls: list[Callable[[], object]] = [
        lambda: sdk.recommend("u3", k=k),
        lambda: sdk.recommend_with_reasons("u3", k=k),
        lambda: sdk.recommend_for(k=k),
        lambda: sdk.evaluate(HELD_OUT, k=k),
        lambda: sdk.importance(k=k),
    ]
    for call in calls:
        with pytest.raises(ArgumentError, match="k must be at least 1"):
            call()


def test_max_reasons_below_1_is_refused(sdk: SDK) -> None:
    calls: list[Callable[[], object]] = [
        lambda: sdk.recommend_with_reasons("u3", max_reasons=0),
        lambda: sdk.recommend_for(max_reasons=0),
        lambda: sdk.explain("u3", "i1", max_reasons=0),
    ]
    for call in calls:
        with pytest.raises(ArgumentError, match="max_reasons must be at least 1"):
            call()


def test_nothing_left_gives_an_empty_answer(sdk: SDK) -> None:
    for call in (sdk.recommend, sdk.recommend_with_reasons):
        for answer in (call("u3", exclude=list(ITEM_IDS)), call("u3", only=[])):
            assert len(answer) == 0
            assert answer.to_dict()["recommendations"] == []
            assert str(answer).startswith("0 of 10")


def test_an_unknown_user_is_named_with_what_to_do(sdk: SDK) -> None:
    calls: list[Callable[[], object]] = [
        lambda: sdk.recommend(["u1", "nobody", "u2"]),
        lambda: sdk.recommend_with_reasons("nobody"),
        lambda: sdk.explain("nobody", "i1"),
        lambda: sdk.importance(["nobody"]),
    ]
    for call in calls:
        with pytest.raises(UnknownUserError, match=r"1 unknown user: 'nobody'; .*recommend_for\("):
            call()


def test_an_unknown_item_is_named(sdk: SDK) -> None:
    calls: list[Callable[[], object]] = [
        lambda: sdk.recommend("u1", exclude=["i1", "nothing"]),
        lambda: sdk.recommend_with_reasons("u1", only=["nothing"]),
        lambda: sdk.recommend_for(["nothing"]),
        lambda: sdk.explain("u1", "nothing"),
    ]
    for call in calls:
        with pytest.raises(UnknownItemError, match="1 unknown item: 'nothing'"):
            call()


def test_what_can_be_no_id_is_refused(sdk: SDK) -> None:
    with pytest.raises(ArgumentError, match="an id must be hashable"):
        sdk.recommend([["u1"]])
    with pytest.raises(ArgumentError, match="not the one string 'i1'"):
        sdk.recommend("u1", exclude="i1")


def test_a_user_without_events_is_answered_from_attributes(sdk: SDK) -> None:
    answer = sdk.recommend_with_reasons("quiet", max_reasons=None)
    assert len(answer) == 10
    assert not answer.personalised
    assert answer.note is not None
    assert answer.note in str(answer)
    kinds = {reason.kind for each in answer for reason in each.reasons}
    assert kinds == {ReasonKind.USER_ATTRIBUTE, ReasonKind.ITEM_FEATURE}
    assert not sdk.explain("quiet", "i1").personalised


def test_a_visitor_is_answered_as_a_user_of_whom_the_same_is_known(sdk: SDK) -> None:
    for user, history in (("brief", BRIEF), ("quiet", [])):
        known = sdk.recommend_with_reasons(user, k=30, max_reasons=None)
        visitor = sdk.recommend_for(history, ATTRIBUTES, k=30, max_reasons=None)
        assert visitor.user_id is None
        for one, other in zip(visitor, known, strict=True):
            # The names of the reasons say for whom they are.
            reasons = [
                [replace(reason, reason_id="", may_object=False) for reason in each.reasons]
                for each in (one, other)
            ]
            assert reasons[0] == reasons[1]
            assert replace(one, reasons=()) == replace(other, reasons=())
        assert visitor.personalised == known.personalised
    assert len(sdk.recommend_for(BRIEF)[0].reasons) == 3
    less = sdk.recommend_for(BRIEF, {"region": "west"}, k=30, max_reasons=None)
    assert "age_group" not in {each.source for one in less for each in one.reasons}


def test_a_visitor_may_set_the_same_rules(sdk: SDK) -> None:
    before = ids(sdk.recommend_for(BRIEF, k=30))
    assert set(before) == ITEM_IDS - set(BRIEF)
    assert ids(sdk.recommend_for(BRIEF, k=30, exclude=before[:2])) == before[2:]
    assert ids(sdk.recommend_for(BRIEF, only=before[3:5])) == before[3:5]
    assert set(ids(sdk.recommend_for(BRIEF, k=30, include_seen=True))) == ITEM_IDS
    folded = sdk.recommend_for(BRIEF, group_by="style", max_reasons=1)
    assert all(len(each.reasons) == 1 for each in folded)
    with pytest.raises(ArgumentError, match="colour"):
        sdk.recommend_for(attributes={"colour": "red"})


def test_a_visitor_of_whom_nothing_is_known_is_answered(sdk: SDK) -> None:
    answer = sdk.recommend_for(k=30, max_reasons=None)
    assert set(ids(answer)) == ITEM_IDS
    assert (answer.user_id, answer.personalised) == (None, False)
    kinds = {reason.kind for each in answer for reason in each.reasons}
    assert kinds == {ReasonKind.ITEM_FEATURE}
    assert all(sum(parts(each)) == pytest.approx(each.score, abs=1e-9) for each in answer)


@pytest.mark.parametrize("group_by", [None, "topics"])
def test_an_explanation_says_what_the_recommendation_says(sdk: SDK, group_by: str | None) -> None:
    for answer in sdk.recommend_with_reasons(
        ["u3", "quiet"], k=30, max_reasons=None, group_by=group_by, include_seen=True
    ):
        assert set(ids(answer)) == ITEM_IDS
        for each in answer:
            alone = sdk.explain(answer.user_id, each.item_id, group_by=group_by)
            assert (alone.user_id, alone.item_id) == (answer.user_id, each.item_id)
            assert (alone.score, alone.label, alone.tier) == (each.score, each.label, each.tier)
            assert alone.reasons == each.reasons
            assert alone.base_value == each.base_value
            assert alone.efficiency_gap == pytest.approx(each.efficiency_gap, abs=1e-9)
            contributed = sum(reason.contribution for reason in alone.reasons)
            total = alone.base_value + contributed + alone.efficiency_gap
            assert total == pytest.approx(alone.score, abs=1e-9)


def test_an_explanation_gives_as_many_reasons_as_asked(sdk: SDK) -> None:
    everything, few = sdk.explain("u3", "i1"), sdk.explain("u3", "i1", max_reasons=2)
    assert len(everything.reasons) > 5
    assert few.reasons == everything.reasons[:2]


def test_a_loaded_sdk_answers_with_the_same_bits(
    sdk: SDK, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sdk.save(tmp_path)
    for config in (TwoTowerConfig, NetworkConfig):
        monkeypatch.delattr(config, "fit")
    loaded = SDK.load(str(tmp_path))
    assert repr(loaded) == repr(sdk)
    assert loaded.report == sdk.report
    for one, other in ((sdk, loaded), (loaded, sdk)):
        answers = one.recommend_with_reasons(FEW, max_reasons=None)
        assert answers == other.recommend_with_reasons(FEW, max_reasons=None)
        assert one.explain("u3", "i1") == other.explain("u3", "i1")
        visitor = one.recommend_for(BRIEF, ATTRIBUTES)
        assert visitor == other.recommend_for(BRIEF, ATTRIBUTES)
    assert loaded.evaluate(HELD_OUT).means() == sdk.evaluate(HELD_OUT).means()


def test_a_save_takes_the_place_of_the_one_before(sdk: SDK, ease: SDK, tmp_path: Path) -> None:
    sdk.save(tmp_path)
    n_files = len(list(tmp_path.iterdir()))
    ease.save(tmp_path)
    loaded = SDK.load(tmp_path)
    assert repr(loaded) == repr(ease)
    assert loaded.recommend_with_reasons(FEW) == ease.recommend_with_reasons(FEW)
    assert len(list(tmp_path.iterdir())) == n_files
    loaded.save(tmp_path)
    assert SDK.load(tmp_path).recommend(FEW) == ease.recommend(FEW)


def test_a_directory_that_holds_no_save_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no finished save is there"):
        SDK.load(tmp_path)


def test_the_same_seed_gives_the_same_answers(sdk: SDK) -> None:
    again = SDK.fit(
        EVENTS,
        WORLD.items,
        USERS,
        model=TwoTowerConfig(dimension=16, heads=2, hidden=8, max_steps=20),
        explainer=NetworkConfig(max_steps=10, evaluate_every=5, confidence_pairs=16),
        progress=False,
    )
    assert again.recommend_with_reasons(FEW) == sdk.recommend_with_reasons(FEW)


def test_accuracy_is_what_comes_out_by_hand(sdk: SDK) -> None:
    found = sdk.evaluate(HELD_OUT, k=5)
    gains, hits = [], []
    for user, item in HELD_OUT.select("user_id", "item_id").rows():
        ranked = ids(sdk.recommend(user, k=5))
        hits.append(float(item in ranked))
        gains.append(1 / math.log2(ranked.index(item) + 2) if item in ranked else 0.0)
    assert 0 < sum(hits) < len(hits) == found.n_users == 40
    means = found.means()
    assert means["NDCG@5"] == pytest.approx(np.mean(gains))
    for name, share in (("Recall@5", 1), ("HR@5", 1), ("Precision@5", 1 / 5)):
        assert means[name] == pytest.approx(np.mean(hits) * share)
    assert str(found).splitlines()[0].endswith(" over 40 users")


def test_several_cutoffs_are_evaluated_at_once(sdk: SDK) -> None:
    found = sdk.evaluate(HELD_OUT, k=(3, 5)).means()
    assert found == pytest.approx(
        sdk.evaluate(HELD_OUT, k=3).means() | sdk.evaluate(HELD_OUT, k=5).means()
    )


def test_what_is_recommended_is_measured_beside_its_accuracy(sdk: SDK) -> None:
    found, dataset = sdk.evaluate(HELD_OUT, k=5), sdk.dataset
    answers = [sdk.recommend(user, k=5) for user in HELD_OUT["user_id"].to_list()]
    ranked = [dataset.items.indices_of(ids(answer)) for answer in answers]
    counts = np.bincount(dataset.interactions.items, minlength=dataset.n_items)
    means = found.means()
    assert means["popularity@5"] == pytest.approx(np.mean([counts[items] for items in ranked]))
    assert means["coverage@5"] == len({*np.concatenate(ranked).tolist()}) / dataset.n_items
    features = dataset.item_features.matrix().toarray()
    units = features / np.linalg.norm(features, axis=1, keepdims=True)
    alike = [units[items] @ units[items].T for items in ranked]
    assert means["diversity@5"] == pytest.approx(
        np.mean([1 - each[np.triu_indices(5, 1)].mean() for each in alike])
    )


def test_those_held_out_whole_are_recommended_to_from_what_is_given(sdk: SDK) -> None:
    split = hold_out_users(sdk.dataset.interactions, (1, 0, 1), seed=0)
    found = sdk.evaluate(split.test, k=5, given=split.given)
    hits = []
    for user in np.flatnonzero(np.diff(split.test.offsets)).tolist():
        history = sdk.dataset.with_interactions(split.given).histories(np.array([user]))
        wanted = split.test.histories(np.array([user]), sdk.dataset.user_features).items
        ranked = sdk._pipeline.rank(Askers([user], history), 5).items
        hits.append(len({*ranked.tolist()} & {*wanted.tolist()}))
    assert found.n_users == len(hits) > 10
    assert found.means()["Precision@5"] == pytest.approx(np.mean(hits) / 5)
    # Of their own histories, what they are asked for is a part, and is never recommended.
    assert sdk.evaluate(split.test, k=5).means()["HR@5"] == 0 < found.means()["HR@5"]
    with pytest.raises(ArgumentError, match="the interactions are of 1 users"):
        sdk.evaluate(split.test, given=replace(split.given, offsets=np.array([0, 0])))


def test_events_of_strangers_are_left_out_of_accuracy(sdk: SDK) -> None:
    strangers = pl.DataFrame(
        {
            "user_id": ["stranger", "u3", "stranger"],
            "item_id": ["i1", "nothing", "nothing"],
            "timestamp": _moment,
        },
        HELD_OUT.schema,
    )
    more = sdk.evaluate(pl.concat([strangers, HELD_OUT]), k=5)
    assert more.n_users == 40
    assert more.means() == sdk.evaluate(HELD_OUT, k=5).means()
    with pytest.raises(DataError, match="events: no event is of a user that is known"):
        sdk.evaluate(strangers[:1])
    with pytest.raises(DataError, match='there is no column "timestamp"'):
        sdk.evaluate(HELD_OUT.drop("timestamp"))


def test_importance_accumulates_the_contributions_of_all_answers(sdk: SDK) -> None:
    importance = sdk.importance(k=3)
    answers = sdk.recommend_with_reasons(list(sdk.dataset.users), k=3, max_reasons=None)
    reasons = [reason for answer in answers for each in answer for reason in each.reasons]
    assert importance.n_explanations == 42 * 3
    assert sum(each.share for each in importance) == pytest.approx(1)
    assert sum(each.count for each in importance) == sum(one.n_players for one in reasons)
    total = sum(each.count * each.mean_contribution for each in importance)
    assert total == pytest.approx(sum(reason.contribution for reason in reasons))
    some = sdk.importance(np.array(["u3", "quiet"]), k=2)
    assert some.n_explanations == 4
    assert {each.source for each in some if each.kind is ReasonKind.HISTORY} == SEEN["u3"]


def test_faithfulness_measures_against_shapley_values(sdk: SDK, ease: SDK) -> None:
    reference = ShapleyConfig(max_permutations=64)
    found = sdk.faithfulness(6, reference=reference)
    assert len(found.spearman) == 6
    assert found.tier == sdk.recommend_with_reasons("u3")[0].tier
    assert found.means()["Spearman"] > 0.5
    assert str(sdk.faithfulness(6, reference=reference)) == str(found)
    assert str(sdk.faithfulness(6, reference=reference, seed=1)) != str(found)
    assert found.reliability is not None
    assert found.reliability.counts.sum() == 5 * 6
    exact = ease.faithfulness(6, reference=reference)
    assert exact.relative_error.max() < 1e-9
    assert exact.reliability is None
    for refused in (0, -3):
        with pytest.raises(ArgumentError, match="n_pairs must be at least 1"):
            sdk.faithfulness(refused)


def test_reasons_say_how_sure_they_are(sdk: SDK, ease: SDK) -> None:
    answer = sdk.explain("u3", "i2")
    stated = [reason.confidence for reason in answer.reasons]
    assert answer.to_arrow().column("confidence").to_pylist() == stated
    known = [confidence for confidence in stated if confidence is not None]
    assert known == sorted(known, reverse=True)
    assert 1 >= known[0] > 0.5 > known[-1] >= 0
    assert {each.confidence for each in ease.explain("u3", "i2").reasons} == {None}


def test_ease_is_explained_in_closed_form(ease: SDK) -> None:
    answer = ease.recommend_with_reasons("u3", max_reasons=None)
    for each in answer:
        assert (each.tier, each.base_value) == ("closed form", 0)
        assert each.efficiency_gap == pytest.approx(0, abs=1e-6)
        history = [one for one in each.reasons if one.kind is ReasonKind.HISTORY]
        assert {reason.source for reason in history} == SEEN["u3"]
        assert sum(reason.contribution for reason in history) == pytest.approx(each.score)
        assert all(one.contribution == 0 for one in each.reasons if one not in history)


def test_popularity_is_all_base_value(tmp_path: Path) -> None:
    popular = SDK.fit(EVENTS, model=PopularityConfig(), progress=False)
    counts: dict[object, int] = dict(EVENTS["item_id"].value_counts().iter_rows())
    answer = popular.recommend_with_reasons("u3", k=30, include_seen=True)
    assert len(answer) == len(counts)
    for each in answer:
        assert each.score == pytest.approx(math.log1p(counts[each.item_id]))
        assert each.base_value == each.score
        assert all(reason.contribution == 0 for reason in each.reasons)
    popular.save(tmp_path)
    assert SDK.load(tmp_path).recommend_with_reasons("u3", k=30, include_seen=True) == answer


@pytest.mark.parametrize("group_by", [None, "topics"])
def test_an_item_is_explained_against_others(sdk: SDK, ease: SDK, group_by: str | None) -> None:
    for each in (sdk, ease):
        best = ids(each.recommend("u3", 4))
        answer = each.explain("u3", best[0], against=best[1:], group_by=group_by)
        scores = [each.explain("u3", item).score for item in best]
        assert answer.score == scores[0]
        assert answer.margin == pytest.approx(scores[0] - sum(scores[1:]) / 3, abs=1e-12)
        assert answer.against == tuple(best[1:])
        assert all(reason.confidence is None for reason in answer.reasons)
        told = sum(reason.contribution for reason in answer.reasons)
        whole = answer.base_value + told + answer.efficiency_gap
        assert whole == pytest.approx(answer.margin, abs=1e-12)
        assert answer == each.explain("u3", best[0], against=3, group_by=group_by)


def test_a_margin_turns_round_with_the_items(ease: SDK) -> None:
    one, other = ids(ease.recommend("u3", 2))
    there, back = (
        {
            (reason.kind, reason.source): reason.contribution
            for reason in ease.explain("u3", *pair, against=[against]).reasons
        }
        for *pair, against in ((one, other), (other, one))
    )
    assert there == {key: pytest.approx(-value, abs=1e-9) for key, value in back.items()}


@pytest.mark.parametrize(
    ("against", "message"),
    [
        (0, "against must be at least 1, not 0"),
        ([], "there is no other item"),
        (["i1"], "'i1' cannot be held against itself"),
        ("i2", "against must be a list of ids or a number, not 'i2'"),
        (["i2", "nothing"], "unknown item: 'nothing'"),
    ],
)
def test_what_an_item_cannot_be_held_against_is_named(
    sdk: SDK, against: list[str] | int, message: str
) -> None:
    with pytest.raises(WhyrecError, match=message):
        sdk.explain("u3", "i1", against=against)


def test_a_reason_says_which_feature_it_goes_with(sdk: SDK, ease: SDK) -> None:
    best = ids(sdk.recommend("u3", 1))[0]
    plain, told = (sdk.explain("u3", best, interactions=each) for each in (False, True))
    with_partners = [reason for reason in told.reasons if reason.partner]
    assert len(with_partners) > 3
    for reason, before in zip(told.reasons, plain.reasons, strict=True):
        assert replace(reason, partner=None) == before
        if reason.partner is None:
            continue
        assert reason.kind is ReasonKind.HISTORY
        assert reason.partner.interaction * reason.contribution > 0
        assert reason.text.startswith(f"{before.text}, all the more since this has ")
        assert reason.partner.field in {"style", "topics"}
    told_of = told.to_dict()["reasons"]
    assert {"field", "value", "interaction"} == set(told_of[0]["partner"] or {})  # type: ignore[index]
    cells = told.to_arrow().to_pylist()
    partner = told.reasons[0].partner
    assert partner is not None
    assert cells[0]["partner"] == f"{partner.field}: {partner.value}"
    assert cells[0]["interaction"] == partner.interaction
    with pytest.raises(ArgumentError, match="ClosedForm finds no interactions"):
        ease.explain("u3", best, interactions=True)


def test_recommendations_have_the_partners_of_explanations(sdk: SDK) -> None:
    for answer in sdk.recommend_with_reasons(FEW, 2, interactions=True, max_reasons=None):
        for each in answer:
            explained = sdk.explain(answer.user_id, each.item_id, interactions=True)
            assert each.reasons == explained.reasons


@pytest.mark.parametrize("group_by", [None, "topics"])
def test_an_answer_is_explained_against_the_next_best(
    sdk: SDK, ease: SDK, group_by: str | None
) -> None:
    for each in (sdk, ease):
        asked = each.recommend_with_reasons(FEW, 3, against=4, group_by=group_by, max_reasons=2)
        for answer, ranked in zip(asked, each.recommend(FEW, 7), strict=True):
            assert [(one.item_id, one.score) for one in answer] == [
                (one.item_id, one.score) for one in ranked[:3]
            ]
            assert answer.against == tuple(ids(ranked)[3:])
            mean = sum(one.score for one in ranked[3:]) / 4
            for one in answer:
                assert one.margin == pytest.approx(one.score - mean, abs=1e-12)
                assert sum(parts(one)) == pytest.approx(one.margin, abs=1e-9)
                assert all(reason.confidence is None for reason in one.reasons)
                explained = each.explain(
                    answer.user_id,
                    one.item_id,
                    against=answer.against,
                    group_by=group_by,
                    max_reasons=2,
                )
                assert one.reasons == explained.reasons


def test_margins_over_the_next_best_are_shown_and_exported(sdk: SDK) -> None:
    answer = sdk.recommend_with_reasons("u3", 2, against=4)
    assert "beside the next 4" in str(answer)
    assert "margin" in str(answer)
    assert f"{answer[0].margin:.3f}" in str(answer)
    assert "margin" not in str(sdk.recommend_with_reasons("u3", 2))
    assert answer.to_dict()["against"] == list(answer.against)
    assert answer.to_arrow()["margin"].to_pylist()[0] == answer[0].margin
    assert "beside the next best" in str(answer[0])


def test_margins_do_not_depend_on_the_batch_nor_on_the_order_of_users() -> None:
    sampled = ShapleyConfig(exact_players=0, max_permutations=8)
    for explainer in (sampled, RefinedConfig(explainer=GradientPathConfig(), n_draws=2)):
        sdk = SDK.fit(
            EVENTS,
            WORLD.items,
            USERS,
            model=TwoTowerConfig(dimension=16, heads=2, hidden=8, max_steps=5),
            explainer=explainer,
            progress=False,
        )
        together = sdk.recommend_with_reasons(FEW, 3, against=2, max_reasons=None)
        alone = [sdk.recommend_with_reasons(user, 3, against=2, max_reasons=None) for user in FEW]
        assert together == alone
        turned = sdk.recommend_with_reasons(FEW[::-1], 3, against=2, max_reasons=None)
        assert turned[::-1] == together


def test_rivals_keep_the_rules_of_the_answer(sdk: SDK) -> None:
    some = [f"i{item}" for item in range(12)]
    answer = sdk.recommend_with_reasons("u3", 2, against=2, only=some, exclude=["i1"])
    ranked = ids(sdk.recommend("u3", 4, only=some, exclude=["i1"]))
    assert (ids(answer), list(answer.against)) == (ranked[:2], ranked[2:])
    visitor = sdk.recommend_for(["i1", "i2"], k=2, against=2, only=some)
    assert len(visitor.against) == 2
    assert visitor[0].margin is not None
    with pytest.raises(ArgumentError, match="no item is left to hold the answer for 'u3' against"):
        sdk.recommend_with_reasons("u3", 99, against=1)
    nothing = sdk.recommend_with_reasons("u3", 2, against=1, only=[])
    assert (len(nothing), nothing.against) == (0, ())


@pytest.mark.parametrize("against", [0, -1, True, 1.5, "rest", ["i1"]])
def test_only_a_number_of_the_next_best_can_be_asked_for(sdk: SDK, against: Any) -> None:
    with pytest.raises(ArgumentError, match="against must be a whole number from 1, not"):
        sdk.recommend_with_reasons("u3", against=against)
