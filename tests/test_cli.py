"""The command line: each command answers as the SDK does, and refuses in one line."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from whyrec import SDK, DeepRankerConfig, NetworkConfig, TwoTowerConfig, __version__
from whyrec.cli import commands, main
from whyrec.datasets import synthetic
from whyrec.feedback import Event, SQLite, SQLStore

WORLD = synthetic(seed=3, n_users=30, n_items=25, n_events_per_user=6)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(commands.app, [str(each) for each in arguments])


def answered(*arguments: str | Path) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return result.stdout


def said(printed: str) -> dict[str, Any]:
    """Return what an answer says; its name and its time are its own."""
    answer = json.loads(printed)
    assert answer.pop("request_id")
    assert answer.pop("created_at")
    return dict(answer)


def refused(*arguments: str | Path) -> str:
    """Return the one line that a command ends with."""
    result = run(*arguments)
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    return result.stderr.rstrip()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the world as files; a fifth of the events are in a file of their own."""
    directory = tmp_path_factory.mktemp("files")
    events = pl.DataFrame(WORLD.events)
    held_out = pl.int_range(pl.len()) % 5 == 0
    events.filter(~held_out).write_csv(directory / "events.csv")
    events.filter(held_out).write_parquet(directory / "later.parquet")
    pl.DataFrame(WORLD.items).write_parquet(directory / "items.parquet")
    pl.DataFrame(WORLD.users).write_csv(directory / "users.csv")
    return directory


@pytest.fixture(scope="module")
def saved(files: Path) -> Path:
    """What `whyrec fit` has saved, with the closed form of EASE."""
    out = files / "saved"
    tables = ("--items", files / "items.parquet", "--users", files / "users.csv")
    answered("fit", files / "events.csv", *tables, "--out", out, "--model", "ease", "--quiet")
    return out


@pytest.fixture(scope="module")
def sdk(saved: Path) -> SDK:
    return SDK.load(saved)


@pytest.fixture
def damaged(saved: Path) -> Iterator[Path]:
    """The saved directory, as long as one of its files is cut short."""
    (part,) = saved.glob("model-*.safetensors")
    payload = part.read_bytes()
    part.write_bytes(payload[:-1])
    yield part
    part.write_bytes(payload)


def test_the_version_is_that_of_the_package() -> None:
    assert answered("--version") == f"whyrec {__version__}\n"


def test_fit_prints_the_report_and_where_it_was_saved(files: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "place"
    printed = answered("fit", files / "events.csv", "--out", out, "--model", "popularity")
    sdk = SDK.load(out)
    assert printed == f"{sdk.report}\nsaved in {out}\n"
    assert repr(sdk).startswith("SDK(Popularity, ClosedForm, 30 users")


def test_fit_trains_the_two_tower_and_its_network_from_the_seed(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    towers = partial(TwoTowerConfig, dimension=16, heads=2, hidden=8, max_steps=5)
    monkeypatch.setattr(commands, "TwoTowerConfig", towers)
    monkeypatch.setattr(commands, "NetworkConfig", partial(NetworkConfig, max_steps=3))
    plain = ("--no-ranker", "--quiet")
    answered("fit", files / "events.csv", "--out", tmp_path, "--seed", "7", *plain)
    described = json.loads((tmp_path / "manifest.json").read_text())["description"]
    assert [described[part]["settings"]["seed"] for part in ("model", "explainer")] == [7, 7]
    expected = SDK.fit(
        files / "events.csv",
        model=towers(seed=7),
        explainer=NetworkConfig(max_steps=3, seed=7),
        progress=False,
    )
    answer = answered("recommend", tmp_path, "u2", "-k", "4", "--json")
    assert said(answer) == said(expected.recommend_with_reasons("u2", k=4).to_json())


def test_fit_puts_a_ranker_on_two_towers_and_on_others_when_told(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    towers = partial(TwoTowerConfig, dimension=16, heads=2, hidden=8, max_steps=1)
    ranker = partial(DeepRankerConfig, layers=(8,), n_ranked=10, max_steps=1)
    monkeypatch.setattr(commands, "TwoTowerConfig", towers)
    monkeypatch.setattr(commands, "DeepRankerConfig", ranker)
    monkeypatch.setattr(commands, "NetworkConfig", partial(NetworkConfig, max_steps=1))
    fit = ("fit", files / "events.csv", "--out", tmp_path, "--seed", "7", "--quiet")
    answered(*fit)
    described = json.loads((tmp_path / "manifest.json").read_text())["description"]["model"]
    assert described["kind"] == "deep_ranker"
    assert described["settings"]["seed"] == 7
    assert described["settings"]["retrieval"]["settings"]["seed"] == 7
    assert json.loads(answered("recommend", tmp_path, "u2", "-k", "4", "--json"))
    assert "EASEConfig(l2=200.0) has no vectors" in refused(*fit, "--model", "ease", "--ranker")


def test_fit_shows_its_progress_unless_it_is_to_be_quiet(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    towers = partial(TwoTowerConfig, dimension=4, heads=2, hidden=8, max_steps=1)
    monkeypatch.setattr(commands, "TwoTowerConfig", towers)
    monkeypatch.setattr(commands, "NetworkConfig", partial(NetworkConfig, max_steps=1))
    loud = run("fit", files / "events.csv", "--out", tmp_path)
    assert loud.exit_code == 0
    assert "%" in loud.stderr
    assert answered("fit", files / "events.csv", "--out", tmp_path, "--quiet") == ""


def test_fit_reads_the_columns_that_are_named(tmp_path: Path) -> None:
    path, out = tmp_path / "events.csv", tmp_path / "saved"
    frame = {"a": [1, 1, 2], "b": [7, 8, 7], "c": [3, 2, 1], "d": [0.5, 1, 1], "e": ["x", "y", "x"]}
    pl.DataFrame(frame).write_csv(path)
    roles = {"user": "a", "item": "b", "time": "c", "value": "d", "kind": "e"}
    named = [each for role, name in roles.items() for each in (f"--{role}-column", name)]
    answered("fit", path, *named, "--out", out, "--model", "ease", "--quiet")
    found = SDK.load(out).report.columns
    assert dict(zip(roles, found.values(), strict=True)) == roles


def test_fit_drops_events_of_unknown_items_only_when_told(files: Path, tmp_path: Path) -> None:
    few = tmp_path / "items.csv"
    pl.DataFrame({"item_id": [f"i{n}" for n in range(20)]}).write_csv(few)
    fit = (
        "fit",
        files / "events.csv",
        "--items",
        few,
        "--out",
        tmp_path / "out",
        "--model",
        "ease",
    )
    assert "that the items table does not have" in refused(*fit)
    assert "of unknown items dropped" in answered(*fit, "--unknown-items", "drop")


def test_recommend_shows_a_table(saved: Path) -> None:
    shown = answered("recommend", saved, "u2", "-k", "3")
    assert "3 recommendations for user 'u2'" in shown
    assert "in your history" in shown
    assert "in your history" not in answered("recommend", saved, "u2", "-k", "3", "--no-reasons")


def test_recommend_as_json_is_the_answer_of_the_sdk(saved: Path, sdk: SDK) -> None:
    ask = ("recommend", saved, "u2", "--json")
    printed = answered(*ask)
    assert printed.endswith("}\n")
    assert said(printed) == said(sdk.recommend_with_reasons("u2").to_json())
    ids = [each["item_id"] for each in json.loads(printed)["recommendations"]]
    assert len(ids) == 10

    cases = {
        ("-k", "2", "--max-reasons", "1"): sdk.recommend_with_reasons("u2", 2, max_reasons=1),
        ("--group-by", "style"): sdk.recommend_with_reasons("u2", group_by="style"),
        ("--exclude", ids[0], "--exclude", ids[2]): sdk.recommend_with_reasons(
            "u2", exclude=[ids[0], ids[2]]
        ),
        ("--only", ids[3], "--only", ids[1]): sdk.recommend_with_reasons(
            "u2", only=[ids[1], ids[3]]
        ),
        ("--include-seen",): sdk.recommend_with_reasons("u2", include_seen=True),
        ("--no-reasons",): sdk.recommend("u2"),
        ("--no-reasons", "--only", ids[1]): sdk.recommend("u2", only=[ids[1]]),
    }
    answers = [said(printed)]
    for options, expected in cases.items():
        answer = said(answered(*ask, *options))
        assert answer == said(expected.to_json())
        assert answer not in answers
        answers.append(answer)


def test_explain_is_the_answer_of_the_sdk(saved: Path, sdk: SDK) -> None:
    (best,) = sdk.recommend("u2", k=1)
    ask = ("explain", saved, "u2", str(best.item_id))
    assert said(answered(*ask, "--json")) == said(sdk.explain("u2", best.item_id).to_json())
    against = ("--against", "i1", "--against", "i2")
    margin = sdk.explain("u2", best.item_id, against=["i1", "i2"])
    assert said(answered(*ask, *against, "--json")) == said(margin.to_json())
    fewer = sdk.explain("u2", best.item_id, max_reasons=1, group_by="style")
    options = ("--max-reasons", "1", "--group-by", "style", "--json")
    assert said(answered(*ask, *options)) == said(fewer.to_json())
    shown = answered(*ask)
    assert f"Why {best.label} scores" in shown
    assert "base value" in shown


def test_evaluate_is_the_answer_of_the_sdk(files: Path, saved: Path, sdk: SDK) -> None:
    later = files / "later.parquet"
    expected = sdk.evaluate(later, k=5)
    assert expected.means()["HR@5"] > 0
    printed = json.loads(answered("evaluate", saved, later, "-k", "5", "--json"))
    assert printed == {"n_users": expected.n_users, **expected.means()}
    assert answered("evaluate", saved, later, "-k", "5") == f"{expected}\n"


def test_what_is_recorded_counts_and_can_be_seen_and_forgotten(saved: Path, tmp_path: Path) -> None:
    place = tmp_path / "model"
    shutil.copytree(saved, place)
    events = tmp_path / "events.csv"
    lines = ["user_id,item_id,timestamp,event_id", "new,i3,1700000000,a", "new,i4,1700000001,b"]
    events.write_text("\n".join([*lines, "7,i5,1700000002,c"]))
    (tmp_path / "later.csv").write_text("user_id,item_id,timestamp\nlater,i3,1700000003")
    assert answered("record", place, events) == f"3 new events recorded in {place}\n"
    assert answered("record", place, events) == f"0 new events recorded in {place}\n"
    answer = json.loads(answered("recommend", place, "new", "-k", "2", "--json"))
    assert answer["personalised"]

    shown = answered("history", place, "new")
    assert "2 events of user 'new'" in shown
    assert "2023-11-14 22:13" in shown
    history = json.loads(answered("history", place, "new", "--json"))
    assert [(each["item_id"], each["event_id"]) for each in history] == [("i3", "a"), ("i4", "b")]
    assert "1 event of user '7'" in answered("history", place, "7")

    refitted = answered("refit", place, "--quiet")
    assert refitted == ""
    assert "new" in SDK.load(place).dataset.users
    assert "1 event of user '7'" in answered("history", place, "7")
    assert f"saved in {place}" in answered("refit", place, "--events", tmp_path / "later.csv")
    assert "later" in SDK.load(place).dataset.users
    answer = json.loads(answered("recommend", place, "new", "-k", "2", "--json"))

    sdk = SDK.load(place)
    reason_id = answer["recommendations"][0]["reasons"][0]["reason_id"]
    control = sdk.object_to("new", reason_id)
    sdk.store.close()
    assert "event" in answered("controls", place, "new")
    (listed,) = json.loads(answered("controls", place, "new", "--json"))
    assert (listed["event_id"], listed["source"]) == (control.event_id, control.source)

    asked = CliRunner().invoke(commands.app, ["forget", str(place), "new"], input="n\n")
    assert asked.exit_code == 1
    assert "erase all" in asked.stdout
    assert len(json.loads(answered("history", place, "new", "--json"))) == 2
    told = answered("forget", place, "new", "--yes")
    assert told.startswith("erased of user 'new': 2 events, 1 controls")
    assert "unknown user: 'new'" in refused("recommend", place, "new")
    assert "only another fit removes" in answered("forget", place, "u2", "--yes")
    assert "unknown user: 'u2'" in refused("history", place, "u2")


def test_a_damaged_store_is_recovered_into_a_new_file(tmp_path: Path) -> None:
    path, into = tmp_path / "feedback.db", tmp_path / "new.db"
    with SQLStore(SQLite(path)) as store:
        store.record([Event("ann", "fig"), Event("ann", "pear")])
    content = path.read_bytes()
    path.write_bytes(b"nonsense" * 512 + content[4096:])
    told = answered("salvage", path, into)
    assert told.startswith("recovered 2 events, 0 controls")
    with SQLStore(SQLite(into)) as store:
        assert [event.item_id for event in store.read(Event)] == ["fig", "pear"]
    assert "exists already" in refused("salvage", path, into)
    assert "no such file" in refused("salvage", tmp_path / "nothing.db", tmp_path / "other.db")


def test_a_typed_id_is_looked_up_as_text_and_then_as_a_number(tmp_path: Path) -> None:
    path = tmp_path / "events.parquet"
    pl.DataFrame({"user_id": [1, 1, 2, 2], "item_id": [10, 11, 11, 12]}).write_parquet(path)
    numbers = tmp_path / "saved"
    answered("fit", path, "--out", numbers, "--model", "ease", "--quiet")
    answer = json.loads(answered("recommend", numbers, "1", "--exclude", "10", "--json"))
    assert answer["user_id"] == 1
    assert [each["item_id"] for each in answer["recommendations"]] == [12]
    explanation = json.loads(answered("explain", numbers, "2", "10", "--json"))
    assert (explanation["user_id"], explanation["item_id"]) == (2, 10)
    assert "unknown user: '3'" in refused("recommend", numbers, "3")
    later = tmp_path / "later.csv"
    later.write_text("user_id,item_id\n3,10")
    answered("record", numbers, later)
    assert json.loads(answered("recommend", numbers, "3", "--json"))["user_id"] == 3
    assert "unknown item: '99'" in refused("explain", numbers, "1", "99")

    answered("forget", numbers, "3", "--yes")
    texts = ["1", "1", "02", "02"]
    pl.DataFrame({"user_id": texts, "item_id": ["10", "a", "a", "b"]}).write_parquet(path)
    answered("fit", path, "--out", numbers, "--model", "ease", "--quiet")
    answer = json.loads(answered("recommend", numbers, "02", "--exclude", "b", "--json"))
    assert answer["user_id"] == "02"
    assert [each["item_id"] for each in answer["recommendations"]] == ["10"]
    assert "unknown user: '2'" in refused("recommend", numbers, "2")


def test_unknown_ids_are_named(saved: Path) -> None:
    assert "1 unknown user: 'nobody'" in refused("recommend", saved, "nobody")
    assert "1 unknown user: 'nobody'" in refused("explain", saved, "nobody", "i1")
    assert "1 unknown item: 'x'" in refused("explain", saved, "u1", "x")
    assert "2 unknown items: 'x', 'y'" in refused(
        "recommend", saved, "u1", "--exclude", "x", "--exclude", "y"
    )


def test_what_the_sdk_refuses_is_refused(saved: Path) -> None:
    assert "k must be at least 1" in refused("recommend", saved, "u1", "-k", "0")
    assert "max_reasons must be" in refused("recommend", saved, "u1", "--max-reasons", "0")
    assert "colour" in refused("recommend", saved, "u1", "--group-by", "colour")


def test_a_path_that_leads_nowhere_is_named(saved: Path, tmp_path: Path) -> None:
    events = tmp_path / "events.csv"
    assert refused("fit", events, "--out", tmp_path / "out") == (
        f"error: events: there is no file {events}"
    )
    assert f"there is no file {events}" in refused("evaluate", saved, events)
    for command in (("recommend", tmp_path, "u1"), ("explain", tmp_path / "no", "u1", "i1")):
        assert "no finished save is there" in refused(*command)


def test_fit_refuses_a_place_where_it_cannot_save_before_it_reads(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("mine")
    missing = tmp_path / "events.csv"
    assert f"{taken} is a file" in refused("fit", missing, "--out", taken)
    assert f"{tmp_path} holds other files" in refused("fit", missing, "--out", tmp_path)
    assert taken.read_text() == "mine"


def test_a_damaged_directory_is_told_by_its_file(saved: Path, damaged: Path) -> None:
    assert str(damaged) in refused("recommend", saved, "u1")
    assert "was cut short" in refused("evaluate", saved, "events.csv")


def test_a_wrong_option_is_a_wrong_use(saved: Path) -> None:
    for wrong in (("-k", "many"), ("--colour",)):
        result = run("recommend", saved, "u1", *wrong)
        assert result.exit_code == 2
        assert wrong[0] in result.stderr
    assert run("fit", "events.csv", "--out", saved, "--model", "best").exit_code == 2


def test_ctrl_c_ends_a_command_quietly(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(SDK, "recommend_with_reasons", interrupted)
    result = run("recommend", saved, "u1")
    assert (result.exit_code, result.output) == (130, "")


def test_demo_runs_the_demo_on_a_console(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = ModuleType("whyrec.demo")
    stand_in.__dict__["run_demo"] = lambda console: console.print(type(console) is Console)
    monkeypatch.setitem(sys.modules, "whyrec.demo", stand_in)
    assert answered("demo") == "True\n"


def test_without_typer_the_command_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "whyrec.cli.commands")
    monkeypatch.setitem(sys.modules, "typer", None)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 'the command line needs typer: pip install "whyrec[cli]"'


def test_as_a_process_it_ends_with_one_line_and_no_traceback(tmp_path: Path) -> None:
    program = "from whyrec.cli import main; main()"
    ended = subprocess.run(
        [sys.executable, "-c", program, "recommend", str(tmp_path), "u1"],
        capture_output=True,
        text=True,
        check=False,
    )
    expected = f"error: {tmp_path / 'manifest.json'}: is missing; no finished save is there\n"
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", expected)


def test_check_tells_what_holds(saved: Path) -> None:
    printed = answered("check", saved, "--examples", "1")
    assert "holds    ranking: a smaller k is a prefix (1 example)" in printed
    assert " 0 are broken, " in printed.splitlines()[-1]


def test_check_tells_what_broke_and_exits_with_1(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recommend = SDK.recommend

    def ignores_exclusions(self: SDK, user: Any, k: int = 10, **rules: Any) -> Any:
        return recommend(self, user, k, **{**rules, "exclude": ()})

    monkeypatch.setattr(SDK, "recommend", ignores_exclusions)
    result = run("check", saved, "--examples", "3", "--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    broken = {each["invariant"] for each in told["outcomes"] if each["verdict"] == "broken"}
    assert "what is excluded never comes" in broken
    assert not told["holds"]
