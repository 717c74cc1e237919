"""A SQLite file: what it survives, what it refuses, and what is left after forgetting."""

import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from whyrec.errors import StoreError
from whyrec.feedback import Batch, Event, SQLite, SQLStore, sqlite

needs_fork = pytest.mark.skipif(sys.platform == "win32", reason="forks")


def open_store(path: Path, **settings: float) -> SQLStore:
    return SQLStore(SQLite(path / "feedback.db", **settings))


def events(n: int, start: int = 0) -> list[Event]:
    return [Event(f"u{i % 50}", i, "view", event_id=f"e{i}") for i in range(start, start + n)]


def run(script: str, *arguments: object) -> str:
    """Run a script in a process of its own and return what it printed."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def watched() -> Iterator[list[tuple[str, str]]]:
    """Return a list to which each write and each sync of a file is added, with its ending."""
    seen: list[tuple[str, str]] = []
    usual = apsw.vfs_names()[0]

    class File(apsw.VFSFile):
        def __init__(self, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
            super().__init__(usual, name, flags)
            path = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
            self.ending = Path(path).name.removeprefix("feedback.db")

        def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
            seen.append(("write", self.ending))
            super().xWrite(data, offset)

        def xSync(self, flags: int) -> None:  # noqa: N802
            seen.append(("sync", self.ending))
            super().xSync(flags)

    class Files(apsw.VFS):
        def xOpen(  # noqa: N802
            self, name: str | apsw.URIFilename | None, flags: list[int]
        ) -> apsw.VFSFile:
            return File(name, flags)

    files = Files("watched", base=usual, makedefault=True)
    yield seen
    apsw.set_default_vfs(usual)
    files.unregister()


def test_the_log_is_synced_after_its_last_write_before_a_call_returns(
    tmp_path: Path, watched: list[tuple[str, str]]
) -> None:
    store = open_store(tmp_path)
    for n in (1, 300, 1):
        watched.clear()
        store.record(events(n, start=1000 * n))
        log = [what for what, ending in watched if ending == "-wal"]
        assert "write" in log
        assert log[-1] == "sync"
    store.close()


def test_the_writes_of_a_commit_do_not_grow_with_the_store(
    tmp_path: Path, watched: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("by_user", "of_users"):
        smaller = SQLite.words[name].replace(str(sqlite._PART), "1000")
        monkeypatch.setitem(SQLite.words, name, smaller)
    store = open_store(tmp_path)
    sizes = []
    for start in range(0, 60_000, 1000):
        batch = Batch(
            Event(f"user {7 * i % 4001}", i, event_id=f"{i:06}") for i in range(start, start + 1000)
        )
        watched.clear()
        store.record(batch)
        sizes.append(sum(each == ("write", "-wal") for each in watched))
    assert max(sizes[-9:]) < 1.3 * max(sizes[:9])
    assert len(store.read(Event, users=["user 7"])) == 15
    store.close()


@pytest.mark.parametrize(
    "query",
    [
        f"SELECT * FROM events WHERE position > ? AND {SQLite.words['of_users']} ORDER BY position",
        f"DELETE FROM impressions WHERE position > ? AND {SQLite.words['of_users']}",
    ],
)
def test_the_records_of_a_user_are_found_by_the_index(tmp_path: Path, query: str) -> None:
    database = SQLite(tmp_path / "feedback.db")
    SQLStore(database)
    plan = database.read(lambda session: session.rows(f"EXPLAIN QUERY PLAN {query}", [0, "[]"]))
    assert "_by_user (<expr>=? AND user_id=? AND rowid>?)" in str(plan)
    database.close()


@needs_fork
def test_a_fork_writes_on_after_the_process_before_it_has_closed(tmp_path: Path) -> None:
    # The last to close a SQLite file removes its log, unless locks say that others use it. A fork
    # has no lock of its own as long as it has inherited connections.
    script = """
import os, sys
from whyrec.feedback import Event, SQLite, SQLStore
stores = [SQLStore(SQLite(sys.argv[1])) for _ in range(2)]
for store in stores:
    store.record([Event("before", i) for i in range(10)])
    store.read(Event)
go, ready = os.pipe(), os.pipe()
child = os.fork()
if child == 0:
    stores[0].record([Event("fork", 0)])
    os.write(ready[1], b"x")
    os.read(go[0], 1)
    stores[0].record([Event("fork", 1)])
    os._exit(0)
os.read(ready[0], 1)
for store in stores:
    store.close()
os.write(go[1], b"x")
assert os.waitpid(child, 0)[1] == 0
"""
    run(script, tmp_path / "feedback.db")
    store = open_store(tmp_path)
    assert [event.item_id for event in store.read(Event, users=["fork"])] == [0, 1]
    assert len(store.read(Event, users=["before"])) == 20
    store.close()


@needs_fork
def test_a_fork_amid_another_threads_transaction_is_refused(tmp_path: Path) -> None:
    script = """
import os, sys, threading
from whyrec.errors import StoreError
from whyrec.feedback import Event, SQLite, SQLStore
database = SQLite(sys.argv[1])
store, other = SQLStore(database), SQLStore(SQLite(sys.argv[1] + "2"))
at_work, done = threading.Event(), threading.Event()
def wait(session):
    at_work.set()
    done.wait()
thread = threading.Thread(target=database.read, args=(wait,))
thread.start()
at_work.wait()
child = os.fork()
if child == 0:
    other.record([Event("ann", "fig")])
    for each in (store, store):
        try:
            each.record([Event("ann", "fig")])
        except StoreError as error:
            assert "forked while another" in str(error)
        else:
            os._exit(3)
    os._exit(0)
status = os.waitpid(child, 0)[1]
done.set()
thread.join()
assert status == 0
store.record([Event("ann", "fig")])
"""
    run(script, tmp_path / "feedback.db")


@needs_fork
def test_a_full_disk_is_told_and_harms_nothing(tmp_path: Path) -> None:
    # A limit of file size is a disk that cannot take more; it holds for the whole process.
    script = """
import resource, sys
from whyrec.errors import StoreError
from whyrec.feedback import Event, SQLite, SQLStore
database = SQLite(sys.argv[1])
store = SQLStore(database)
kept = [Event("ann", i) for i in range(100)]
store.record(kept)
before = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))
refused = [Event("ann", i) for i in range(20_000)]
for _ in range(2):
    try:
        store.record(refused)
    except StoreError as error:
        assert sys.argv[1] in str(error) and "may not grow" in str(error), error
    else:
        sys.exit("the disk was not full")
    assert store.read(Event) == kept
resource.setrlimit(resource.RLIMIT_FSIZE, before)
assert store.record(refused) == len(refused)
assert store.read(Event) == kept + refused
database.check()
store.close()
"""
    run(script, tmp_path / "feedback.db")


def test_a_file_of_its_largest_size_is_told_and_harms_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(tmp_path)
    kept = events(100)
    store.record(kept)
    database = store._database
    assert isinstance(database, SQLite)
    with monkeypatch.context() as patched:
        connect = SQLite._connect

        def connect_to_a_small_disk(self: SQLite) -> apsw.Connection:
            connection = connect(self)
            connection.pragma("max_page_count", 60)
            return connection

        patched.setattr(SQLite, "_connect", connect_to_a_small_disk)
        small = open_store(tmp_path)
        with pytest.raises(StoreError, match=r"feedback.db: the disk is full; make room"):
            small.record(events(9000, start=100))
        assert small.read(Event) == kept
        assert small.record([Event("ann", "fig")]) == 1
        small.close()
    assert store.record(events(9000, start=100)) == 9000
    database.check()
    store.close()


@needs_fork
def test_a_directory_that_is_read_only_is_told_and_harms_nothing() -> None:
    # Root may write everywhere, so another user tries, who may not enter pytest's directories.
    script = """
import os, sys
from whyrec.errors import StoreError
from whyrec.feedback import Event, SQLite, SQLStore
os.umask(0)
path = os.path.join(sys.argv[1], "feedback.db")
kept = Event("ann", "fig")
store = SQLStore(SQLite(path)); store.record([kept]); store.close()
os.chmod(sys.argv[1], 0o555)
child = os.fork()
if child == 0:
    if os.getuid() == 0:
        os.setuid(65534)
    for mode in (0o666, 0o444):
        try:
            SQLStore(SQLite(path)).record([Event("ann", "pear")])
        except StoreError as error:
            assert path in str(error) and "must exist and be writable" in str(error), error
        else:
            os._exit(3)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
os.chmod(sys.argv[1], 0o755)
store = SQLStore(SQLite(path))
assert store.read(Event) == [kept]
assert store.record([Event("ann", "pear")]) == 1
"""
    with tempfile.TemporaryDirectory() as directory:
        run(script, directory)


def test_a_directory_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"nowhere/feedback.db: cannot be opened"):
        SQLStore(SQLite(tmp_path / "nowhere" / "feedback.db"))


def test_a_file_of_somebody_elses_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "feedback.db"
    foreign = apsw.Connection(str(path))
    foreign.execute("CREATE TABLE notes (note)")
    foreign.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"feedback.db: is a SQLite file, but no store"):
        open_store(tmp_path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "feedback.db").write_bytes(b"no database at all " * 500)
    with pytest.raises(StoreError, match=r"feedback.db: is damaged .*salvage"):
        open_store(tmp_path)


def test_a_damaged_page_is_told_by_whoever_reads_it_and_by_the_check(tmp_path: Path) -> None:
    path = tmp_path / "feedback.db"
    store = open_store(tmp_path)
    store.record(events(3000))
    store.close()
    content = bytearray(path.read_bytes())
    for page in range(20, len(content) // 4096, 7):
        content[4096 * page : 4096 * page + 64] = b"\xff" * 64
    path.write_bytes(content)
    database = SQLite(path)
    store = SQLStore(database)
    with pytest.raises(StoreError, match=r"feedback.db: is damaged .*salvage"):
        store.read(Event)
    with pytest.raises(StoreError, match=r"feedback.db: is damaged"):
        database.check()
    store.close()


def test_a_lock_that_is_never_let_go_is_told(tmp_path: Path) -> None:
    store = open_store(tmp_path, patience=0.1)
    holder = apsw.Connection(str(tmp_path / "feedback.db"))
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match=r"another process has kept it locked for 0\.1 seconds"):
        store.record([Event("ann", "fig")])
    assert store.read(Event) == []
    holder.execute("ROLLBACK")
    assert store.record([Event("ann", "fig")]) == 1
    holder.close()
    store.close()


def test_an_old_sqlite_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: "3.51.2")
    with pytest.raises(StoreError, match=r"SQLite 3.51.2 can lose commits; .*pip install -U apsw"):
        open_store(tmp_path)


def test_nothing_of_a_forgotten_user_is_left_in_the_files(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.record(
        Event(name, f"{name}'s item {i}", event_id=f"{name}'s {i}")
        for i in range(2000)
        for name in ("forgotten", "kept")
    )
    assert any(b"forgotten" in path.read_bytes() for path in tmp_path.iterdir())
    assert store.forget("forgotten")["events"] == 2000
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert b"kept's 1999" in files["feedback.db"]
    assert [name for name, content in files.items() if b"forgotten" in content] == []
    store.close()


def test_an_error_in_a_transaction_leaves_nothing_of_it(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    database = store._database

    def fail(session: object) -> None:
        session.run("UPDATE store SET position = 99")  # type: ignore[attr-defined]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        database.write(fail)
    assert store.position() == 0
    assert store.record([Event("ann", "fig")]) == 1
    store.close()


def test_a_store_closed_while_a_thread_reads_lets_it_finish(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    at_work, done = threading.Event(), threading.Event()
    found: list[object] = []

    def wait(session: object) -> object:
        at_work.set()
        done.wait()
        return session.rows("SELECT position FROM store")  # type: ignore[attr-defined]

    thread = threading.Thread(target=lambda: found.append(store._database.read(wait)))
    thread.start()
    at_work.wait()
    store.close()
    done.set()
    thread.join()
    assert found == [[(0,)]]
    assert not (tmp_path / "feedback.db-wal").exists()
