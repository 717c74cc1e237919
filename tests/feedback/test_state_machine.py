"""Any course of calls leaves a store with what a plain dictionary would have."""

import itertools
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bench.postgres import Server
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

from whyrec.data.vocabulary import Vocabulary
from whyrec.errors import UnknownIdError
from whyrec.feedback import (
    Control,
    ControlKind,
    Database,
    Event,
    PostgreSQL,
    Record,
    SQLite,
    SQLStore,
    Undo,
)

USERS = st.sampled_from(["ann", "bob", 3])
ITEMS = st.sampled_from(["fig", "pear", 7, ("shelf", 1)])
CATALOG = Vocabulary.from_ids(["pear", ("shelf", 1), "fig"], "item")
TIMES = st.integers(0, 3).map(float)


class Files:
    """SQLite files; one that crashed is a copy of what was on the disk, with the log."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.numbers = directory, itertools.count()
        self.renew()

    def renew(self) -> None:
        self.path = self.directory / f"{next(self.numbers)}.db"

    def open(self) -> Database:
        return SQLite(self.path)

    def crash(self, store: SQLStore) -> SQLStore:
        old = self.path
        self.renew()
        for ending in ("", "-wal"):
            if (written := Path(f"{old}{ending}")).exists():
                shutil.copyfile(written, f"{self.path}{ending}")
        store.close()
        return SQLStore(self.open())


class Schemas:
    """Schemas of a PostgreSQL server, in which a crash is the end of all sessions."""

    def __init__(self, server: Server) -> None:
        self.server, self.numbers = server, itertools.count()
        self.renew()

    def renew(self) -> None:
        self.name = f"machine_{next(self.numbers)}"

    def open(self) -> Database:
        return PostgreSQL(self.server.conninfo, schema=self.name)

    def crash(self, store: SQLStore) -> SQLStore:
        killer = self.open()
        query = (
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        )
        killer.read(lambda session: session.rows(query + " AND backend_type = 'client backend'"))
        killer.close()
        return store


def machine(place: Files | Schemas) -> type[RuleBasedStateMachine]:
    class Machine(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.kept: dict[str, Record] = {}
            self.undone: set[str] = set()
            self.sent: list[Record] = []

        @initialize()
        def begin(self) -> None:
            place.renew()
            self.store = SQLStore(place.open())

        def teardown(self) -> None:
            self.store.close()

        def send(self, records: list[Record]) -> None:
            new = {one.event_id: one for one in reversed(records) if one.event_id not in self.kept}
            assert self.store.record(records) == len(new)
            for record in records:
                if self.kept.setdefault(record.event_id, record) is record:
                    self.sent.append(record)
            self.undone |= {one.undone_id for one in new.values() if isinstance(one, Undo)}

        @rule(
            rows=st.lists(
                st.tuples(USERS, ITEMS, st.sampled_from(["view", "buy"]), TIMES), max_size=5
            )
        )
        def add(self, rows: list[tuple[Any, ...]]) -> None:
            self.send([Event(*row, timestamp=time) for *row, time in rows])

        @rule(
            user=USERS, field=st.sampled_from(["genres", "city"]), weight=st.sampled_from([0, 0.5])
        )
        def object_to(self, user: Any, field: str, weight: float) -> None:
            self.send([Control(user, ControlKind.ATTRIBUTE, field, weight=weight)])

        @rule(user=USERS, item=ITEMS)
        def hide(self, user: Any, item: Any) -> None:
            self.send([Control(user, ControlKind.HIDDEN_ITEM, item)])

        @precondition(lambda self: self.sent)
        @rule(data=st.data())
        def repeat(self, data: st.DataObject) -> None:
            # Whoever was forgotten meanwhile may be told of again, but an undo then has no target.
            again = data.draw(st.lists(st.sampled_from(self.sent), min_size=1, max_size=4))
            self.send(
                [one for one in again if not isinstance(one, Undo) or one.event_id in self.kept]
            )

        @precondition(lambda self: self.sent)
        @rule(data=st.data())
        def repeat_in_other_words(self, data: st.DataObject) -> None:
            again = data.draw(st.sampled_from(self.sent))
            if again.event_id in self.kept:
                assert self.store.record([replace(again, user_id="eve")]) == 0

        @precondition(lambda self: self.sent)
        @rule(data=st.data())
        def undo(self, data: st.DataObject) -> None:
            target = data.draw(st.sampled_from(self.sent))
            undo = Undo(target.user_id, target.event_id)
            if target.event_id in self.kept and not isinstance(target, Undo):
                self.send([undo])
            else:
                with pytest.raises(UnknownIdError):
                    self.store.record([undo])

        @rule(user=USERS)
        def forget(self, user: Any) -> None:
            of_user = {key for key, one in self.kept.items() if one.user_id == user}
            assert sum(self.store.forget(user).values()) == len(of_user)
            for key in of_user:
                del self.kept[key]
            self.undone -= of_user

        @rule()
        def open_again(self) -> None:
            self.store.close()
            self.store = SQLStore(place.open())

        @rule()
        def crash(self) -> None:
            self.store = place.crash(self.store)

        def standing(self, kind: type[Record]) -> list[Any]:
            return [
                one
                for key, one in self.kept.items()
                if type(one) is kind and key not in self.undone
            ]

        @invariant()
        def the_store_has_what_the_dictionary_has(self) -> None:
            for kind in (Event, Control, Undo):
                assert self.store.read(kind) == self.standing(kind)

        @invariant()
        def histories_are_the_events_in_the_order_of_time(self) -> None:
            users = [3, "ann", "nobody", "bob"]
            found = self.store.histories(users, CATALOG)
            for row, user in enumerate(users):
                events = [
                    one
                    for one in sorted(self.standing(Event), key=lambda one: float(one.timestamp))
                    if one.user_id == user and one.item_id in CATALOG
                ]
                here = slice(*found.offsets[row : row + 2])
                assert [CATALOG[item] for item in found.items[here]] == [
                    one.item_id for one in events
                ]
                assert [found.kind_names[kind] for kind in found.kinds[here]] == [
                    one.kind for one in events
                ]

    return Machine


FEW = settings(max_examples=15, stateful_step_count=25, deadline=None, derandomize=True)
MANY = settings(max_examples=200, stateful_step_count=50, deadline=None)
SIZES = [FEW, pytest.param(MANY, marks=pytest.mark.slow)]


@pytest.mark.parametrize("size", SIZES, ids=["few", "many"])
def test_a_file_has_what_a_dictionary_would(tmp_path: Path, size: settings) -> None:
    run_state_machine_as_test(machine(Files(tmp_path)), settings=size)


@pytest.mark.parametrize("size", SIZES, ids=["few", "many"])
def test_a_server_has_what_a_dictionary_would(server: Server, size: settings) -> None:
    run_state_machine_as_test(machine(Schemas(server)), settings=size)
