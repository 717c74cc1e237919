"""What is kept of a user can be had, and erased."""

import json
from pathlib import Path

import pytest
from tests.sdk_feedback.conftest import USER

from whyrec import (
    SDK,
    PopularityConfig,
    StorageError,
    UnknownUserError,
)
from whyrec.data.dataset import Dataset
from whyrec.feedback import (
    Event,
)


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


def test_forgetting_tells_of_a_directory_that_is_damaged(ease: SDK, tmp_path: Path) -> None:
    sdk = SDK(ease._fitted)
    sdk.save(tmp_path)
    (part,) = tmp_path.glob("events-*.arrow")
    part.write_bytes(part.read_bytes()[:-1])
    with pytest.raises(StorageError, match=r"events-.*cut short"):
        sdk.forget(USER)
    with pytest.raises(UnknownUserError):
        sdk.recommend(USER)
