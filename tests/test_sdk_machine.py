"""Any course of feedback leaves an SDK with the answers that a plain dictionary foretells."""

import itertools
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from whyrec import SDK, EASEConfig, ReasonKind, UnknownUserError
from whyrec.data.dataset import Dataset
from whyrec.feedback import Control, ControlKind, Event

USERS = st.sampled_from(["u4", "u7", "new"])
ITEMS = st.sampled_from(["i1", "i2", "i3", "i9", "i99"])
STYLES = st.sampled_from(["s0", "s1"])


def machine(fitted: SDK, directory: Path) -> type[RuleBasedStateMachine]:
    shop, numbers = fitted.dataset, itertools.count()
    styles = dict(styles_of(shop))
    rows = {
        user: [shop.items[item] for item in items_of(shop, user)]
        for user in shop.users
        if isinstance(user, str)
    }

    class Machine(RuleBasedStateMachine):
        @initialize()
        def begin(self) -> None:
            self.path = directory / str(next(numbers))
            self.sdk = SDK(fitted._fitted)
            self.sdk.save(self.path)
            self.fitted = dict(rows)
            self.kept: dict[str, Event | Control] = {}
            self.undone: set[str] = set()

        def teardown(self) -> None:
            self.sdk.store.close()

        @rule(user=USERS, items=st.lists(ITEMS, max_size=3))
        def add(self, user: str, items: list[str]) -> None:
            events = [Event(user, item, "view") for item in items]
            assert self.sdk.record(events) == len(events)
            self.kept.update({each.event_id: each for each in events})

        @precondition(lambda self: self.kept)
        @rule(data=st.data())
        def repeat(self, data: st.DataObject) -> None:
            again = data.draw(st.lists(st.sampled_from(list(self.kept.values())), min_size=1))
            assert self.sdk.record(again) == 0

        @rule(user=USERS, item=st.sampled_from(["i5", "i6"]), data=st.data())
        def object_to(self, user: str, item: str, data: st.DataObject) -> None:
            if not self.known(user):
                return
            reasons = self.sdk.explain(user, item).reasons
            told = [each for each in reasons if each.kind is ReasonKind.HISTORY]
            if told:
                reason = data.draw(st.sampled_from(told))
                self.keep(self.sdk.object_to(user, reason.reason_id))

        @rule(user=USERS)
        def object_to_the_whole_history(self, user: str) -> None:
            self.keep(self.sdk.object_to(user, ReasonKind.HISTORY))

        @rule(user=USERS, item=ITEMS)
        def hide(self, user: str, item: str) -> None:
            self.keep(self.sdk.hide(user, item))

        @rule(user=USERS, style=STYLES)
        def hide_a_style(self, user: str, style: str) -> None:
            self.keep(self.sdk.hide(user, where={"style": style}))

        @precondition(lambda self: self.kept)
        @rule(data=st.data())
        def undo(self, data: st.DataObject) -> None:
            record = data.draw(st.sampled_from(list(self.kept.values())))
            self.sdk.undo(record)
            self.undone.add(record.event_id)

        @rule(user=USERS)
        def forget(self, user: str) -> None:
            of_user = {key for key, each in self.kept.items() if each.user_id == user}
            told = self.sdk.forget(user)
            assert told.records.get("events", 0) + told.records.get("controls", 0) == len(of_user)
            assert told.fitted_events == len(self.fitted.pop(user, []))
            for key in of_user:
                del self.kept[key]
            self.undone -= of_user

        @rule()
        def load_again(self) -> None:
            self.sdk.store.close()
            self.sdk = SDK.load(self.path)

        @rule()
        def crash(self) -> None:
            crashed, self.path = self.path, directory / str(next(numbers))
            shutil.copytree(crashed, self.path, ignore=shutil.ignore_patterns("*-shm"))
            self.sdk.store.close()
            self.sdk = SDK.load(self.path)

        def keep(self, control: Control) -> None:
            self.kept[control.event_id] = control

        def standing(self, user: str, kind: type[Any]) -> list[Any]:
            return [
                each
                for key, each in self.kept.items()
                if key not in self.undone and each.user_id == user and type(each) is kind
            ]

        def known(self, user: str) -> bool:
            return user in self.fitted or any(
                self.standing(user, kind) for kind in (Event, Control)
            )

        @invariant()
        def it_answers_as_foretold(self) -> None:
            for user in ("u4", "u7", "new"):
                controls = self.standing(user, Control)
                assert self.sdk.controls(user) == controls
                if not self.known(user):
                    with pytest.raises(UnknownUserError):
                        self.sdk.recommend(user)
                    continue
                recorded = [each.item_id for each in self.standing(user, Event)]
                seen = [*self.fitted.get(user, []), *recorded]
                assert sorted(map(str, seen)) == sorted(
                    str(each.item_id) for each in self.sdk.history(user)
                )
                of_kind = {
                    kind: {each.value or each.source for each in controls if each.kind is kind}
                    for kind in ControlKind
                }
                left_out = of_kind[ControlKind.EVENT]
                if of_kind[ControlKind.REASON_KIND]:
                    left_out = set(seen)
                hidden = of_kind[ControlKind.HIDDEN_ITEM] | {
                    item
                    for item, style in styles.items()
                    if style in of_kind[ControlKind.HIDDEN_FEATURE]
                }
                answer = self.sdk.recommend_with_reasons(user, k=99, max_reasons=None)
                shown = {each.item_id for each in answer}
                assert shown == set(shop.items) - set(seen) - hidden
                told = {
                    reason.source
                    for each in answer
                    for reason in each.reasons
                    if reason.kind is ReasonKind.HISTORY
                }
                counting = (set(seen) - left_out) & set(shop.items)
                assert told == (counting if shown else set())
                assert answer.personalised == bool(counting)

    return Machine


def items_of(shop: Dataset, user: str) -> list[int]:
    items: list[int] = shop.histories(shop.users.indices_of([user])).items.tolist()
    return items


def styles_of(shop: Dataset) -> list[tuple[Any, Any]]:
    features = shop.item_features
    found = []
    for item in range(shop.n_items):
        for token in features.tokens[features.offsets[item] : features.offsets[item + 1]].tolist():
            field, value = features.schema.describe(token, 1.0)
            if field == "style":
                found.append((shop.items[item], value))
    return found


def test_any_course_of_feedback_gives_the_answers_of_a_dictionary(
    shop: Dataset, tmp_path: Path
) -> None:
    fitted = SDK.fit_dataset(shop, model=EASEConfig(l2=2.0), progress=False)
    run_state_machine_as_test(
        machine(fitted, tmp_path),
        settings=settings(max_examples=15, stateful_step_count=20, deadline=None),
    )
