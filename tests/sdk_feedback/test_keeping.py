"""Where feedback is kept, and who may use it at once."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from bench.postgres import Server
from tests.feedback.conftest import NUMBERS, server

from whyrec import (
    SDK,
    ArgumentError,
    UnknownUserError,
)
from whyrec.feedback import (
    Control,
    Event,
    PostgreSQL,
    SQLite,
    SQLStore,
)

__all__ = ["server"]


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
