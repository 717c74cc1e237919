"""What is recovered of damaged files."""

from pathlib import Path

import apsw
import pytest

from whyrec.errors import StoreError
from whyrec.feedback import Control, ControlKind, Event, SQLite, SQLStore, Undo, salvage

PAGE = 4096
N_EVENTS = 4000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a store of many events, of which the first is undone, and one control."""
    path = tmp_path / "feedback.db"
    store = SQLStore(SQLite(path))
    store.record(Event(f"u{i % 40}", i, event_id=f"e{i}", timestamp=i) for i in range(N_EVENTS))
    store.record([Control("u1", ControlKind.EVENT, 3, event_id="c"), Undo("u0", "e0")])
    store.close()
    return path


def damage(path: Path, *pages: int, with_: bytes = b"\xff") -> None:
    content = bytearray(path.read_bytes())
    for page in pages:
        content[PAGE * page : PAGE * (page + 1)] = with_ * PAGE
    path.write_bytes(content)


def leaves_of_events(path: Path) -> list[int]:
    """Return the pages that hold events, from 0, in their order."""
    connection = apsw.Connection(str(path))
    query = (
        "SELECT pageno - 1 FROM dbstat WHERE name = 'events' AND pagetype = 'leaf' ORDER BY path"
    )
    return [page for (page,) in connection.execute(query)]


def recovered(path: Path) -> tuple[str, list[Event], SQLStore]:
    into = path.parent / "new.db"
    told = str(salvage(path, into))
    database = SQLite(into)
    database.check()
    store = SQLStore(database)
    return told, store.read(Event), store


def test_a_sound_file_comes_back_whole(path: Path) -> None:
    before = SQLStore(SQLite(path))
    told, events, store = recovered(path)
    assert told.endswith("no gaps were met")
    assert events == before.read(Event)
    assert len(events) == N_EVENTS - 1
    assert (store.read(Control), store.read(Undo)) == (before.read(Control), before.read(Undo))
    assert store.position() == before.position()
    assert store.record([Event("u0", 0, event_id="e0")]) == 0
    assert store.record([Event("u0", 0)]) == 1


@pytest.mark.parametrize("with_", [b"\xff", b"\0", b"k"])
def test_the_records_of_damaged_pages_are_lost_and_no_others(path: Path, with_: bytes) -> None:
    leaves = leaves_of_events(path)
    hit = (leaves[0], leaves[9], leaves[10], leaves[-1])
    damage(path, *hit, with_=with_)
    told, events, store = recovered(path)
    assert told.count("events between position") == 3
    share = 1 - len(hit) / len(leaves)
    assert len(events) == pytest.approx(share * N_EVENTS, abs=2 * N_EVENTS / len(leaves))
    numbers = [int(event.event_id[1:]) for event in events]
    assert all(
        event == Event(f"u{i % 40}", i, event_id=f"e{i}", timestamp=float(i))
        for i, event in zip(numbers, events, strict=True)
    )
    assert store.read(Control)[0].event_id == "c"
    assert store.record([Event("ann", "fig")]) == 1
    assert store.read(Event)[-1].user_id == "ann"


def test_without_its_first_page_all_comes_back(path: Path) -> None:
    damage(path, 0)
    with pytest.raises(StoreError, match="salvage"):
        SQLStore(SQLite(path))
    _, events, store = recovered(path)
    assert len(events) == N_EVENTS - 1
    assert store.read(Control)[0].event_id == "c"


def test_a_file_cut_short_gives_what_is_left(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2 + 100])
    told, events, _ = recovered(path)
    assert "cannot" not in told
    assert N_EVENTS / 5 < len(events) < N_EVENTS


def test_what_is_only_in_the_log_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "feedback.db"
    store = SQLStore(SQLite(path))
    store.record([Event("ann", "fig")])
    assert path.with_name("feedback.db-wal").stat().st_size > 0
    _, events, _ = recovered(path)
    assert events == store.read(Event)
    store.close()


def test_the_damaged_file_is_left_as_it_is(path: Path) -> None:
    damage(path, 0, leaves_of_events(path)[3])
    before = path.read_bytes()
    recovered(path)
    assert path.read_bytes() == before
    assert {each.name for each in path.parent.iterdir()} <= {
        "feedback.db", "new.db", "new.db-wal", "new.db-shm",
    }  # fmt: skip


def test_what_cannot_be_salvaged_is_told(tmp_path: Path, path: Path) -> None:
    with pytest.raises(StoreError, match=r"nothing.db: there is no such file"):
        salvage(tmp_path / "nothing.db", tmp_path / "new.db")
    with pytest.raises(StoreError, match=r"feedback.db: exists already; name a new file"):
        salvage(path, path)
    noise = tmp_path / "noise.db"
    noise.write_bytes(b"noise" * 50_000)
    with pytest.raises(StoreError, match=r"noise.db: no record is readable"):
        salvage(noise, tmp_path / "new.db")
    assert not (tmp_path / "new.db").exists()
