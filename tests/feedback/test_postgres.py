"""A PostgreSQL server: what it survives, and what is told when it does not answer."""

import os
import sys
from collections.abc import Iterator

import pytest
from bench.postgres import Server

from whyrec.errors import ArgumentError, MissingDependencyError, StoreError
from whyrec.feedback import Event, PostgreSQL, SQLStore

SCHEMA = "test_server"


@pytest.fixture
def database(server: Server) -> Iterator[PostgreSQL]:
    opened = PostgreSQL(server.conninfo, schema=SCHEMA)
    yield opened
    opened.write(lambda session: session.run(f"DROP SCHEMA {SCHEMA} CASCADE"))
    opened.close()


def test_a_server_that_crashed_is_used_again_once_it_is_back(
    server: Server, database: PostgreSQL
) -> None:
    store = SQLStore(database)
    events = [Event("ann", i) for i in range(20)]
    store.record(events[:10])
    server.stop("immediate")
    with pytest.raises(StoreError, match=r"cannot be reached .* whether the server is running"):
        store.record(events)
    server.start()
    assert store.record(events) == 10
    server.stop("fast")
    server.start()
    assert store.read(Event) == events


@pytest.mark.parametrize(("setting", "kept"), [("off", "on"), ("remote_apply", "remote_apply")])
def test_commits_wait_for_the_disk_where_the_server_is_set_not_to(
    server: Server, setting: str, kept: str
) -> None:
    conninfo = f"{server.conninfo} options='-c synchronous_commit={setting}'"
    database = PostgreSQL(conninfo, schema=SCHEMA)
    found = database.read(lambda session: session.rows("SHOW synchronous_commit"))
    database.close()
    assert found == [(kept,)]


def test_a_server_that_may_not_be_written_is_told(server: Server, database: PostgreSQL) -> None:
    SQLStore(database).record([Event("ann", "fig")])
    read_only = f"{server.conninfo} options='-c default_transaction_read_only=on'"
    store = SQLStore(PostgreSQL(read_only, schema=SCHEMA))
    with pytest.raises(StoreError, match="cannot be written"):
        store.record([Event("ann", "pear")])
    assert len(store.read(Event)) == 1
    store.close()


def test_a_lock_that_is_never_let_go_is_told(server: Server, database: PostgreSQL) -> None:
    store = SQLStore(PostgreSQL(server.conninfo, schema=SCHEMA, patience=0.2))

    def meanwhile(_: object) -> None:
        with pytest.raises(StoreError, match=r"kept it locked for 0\.2 seconds"):
            store.record([Event("ann", "fig")])

    database.write(meanwhile)
    assert store.record([Event("ann", "fig")]) == 1
    store.close()


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_fork_opens_connections_of_its_own(database: PostgreSQL) -> None:
    store = SQLStore(database)
    store.record([Event("before", 0)])
    child = os.fork()
    if child == 0:
        try:
            store.record([Event("fork", 0)])
            store.close()
        finally:
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    store.record([Event("before", 1)])
    assert [(event.user_id, event.item_id) for event in store.read(Event)] == [
        ("before", 0), ("fork", 0), ("before", 1),
    ]  # fmt: skip


def test_no_server_at_all_is_told_without_the_password() -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(
        StoreError, match=r"PostgreSQL host=/nowhere dbname=d schema=whyrec: cannot be"
    ) as caught:
        PostgreSQL("postgresql://me:secret@/d?host=/nowhere")
    assert "secret" not in str(caught.value)


def test_a_schema_is_a_plain_name() -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(ArgumentError, match="plain name of lower-case letters"):
        PostgreSQL(schema='x"; DROP TABLE students')


def test_without_psycopg_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'whyrec\[postgres\]'"):
        PostgreSQL()
