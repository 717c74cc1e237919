"""Writers that are killed at any moment, servers that crash: is what was acknowledged there?"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.postgres import Server, find_binaries

N_ROUNDS = 1_000

# Forks from a process that has everything imported, so that a round takes milliseconds. Each call
# keeps some events and a control that says which, so that half a call can be told from a whole one.
# A killed writer is followed by one that sends again what nobody has acknowledged.
KILLED_WRITERS = """
import json, os, random, signal, subprocess, sys, time
from whyrec.feedback import Control, ControlKind, Event, PostgreSQL, SQLite, SQLStore, Undo

where, n_rounds, crash = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
chance = random.Random(int(sys.argv[4]))
LARGEST = 400
MANY = 15_000

def open_store(generation):
    if crash:
        return SQLStore(PostgreSQL(where, schema=f"killed_{generation}"))
    return SQLStore(SQLite(f"{where}/{generation}.db"))

def write(generation, number, acknowledge):
    store = open_store(generation)
    while True:
        size = 1 + number * 7919 % LARGEST
        events = [Event(f"u{i % 50}", i, event_id=f"e{i}") for i in range(number, number + size)]
        control = Control("ann", ControlKind.EVENT, number, size, event_id=f"c{number}")
        store.record([*events, control, Undo("ann", f"c{number}", event_id=f"d{number}")])
        number += size
        os.write(acknowledge, f"{number} ".encode())
        if number % 5 == 0:
            store.record([Event("gone", number)])
            store.forget("gone")
        if number % 7 == 0:
            store.close()
            store = open_store(generation)

def look(generation):
    store = open_store(generation)
    if not crash:
        store._database.check()
    kept = [event.item_id for event in store.read(Event) if event.user_id != "gone"]
    calls = {one["source"]: one["value"] for one in store.export("ann")["controls"]}
    undone = store.read(Control) == [] and len(store.export("ann")["undos"]) == len(calls)
    store.close()
    return kept, calls, undone

began = time.perf_counter()
store = open_store("warm")
for i in range(6):
    store.record([Event("ann", j) for j in range(LARGEST // 2)])
store.close()
longest = max(0.05, time.perf_counter() - began)
generation = acknowledged = 0
seen = {"calls": 0, "unacknowledged": 0, "advanced": 0, "crashes": 0}
for round_ in range(n_rounds):
    read, acknowledge = os.pipe()
    child = os.fork()
    if child == 0:
        write(generation, acknowledged, acknowledge)
    os.close(acknowledge)
    time.sleep(chance.uniform(0, longest))
    crashes = bool(crash) and round_ % 50 == 10
    if crashes:
        for command in crash["commands"]:
            subprocess.run(command, check=True, user=crash["user"], capture_output=True, cwd="/")
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    told = b""
    while more := os.read(read, 65536):
        told += more
    os.close(read)
    numbers = [int(each) for each in told.split()]
    before, acknowledged = acknowledged, max([acknowledged, *numbers])
    kept, calls, undone = look(generation)
    assert kept == list(range(len(kept))), "an event was lost, doubled or moved"
    assert len(kept) >= acknowledged, (len(kept), acknowledged)
    assert sum(calls.values()) == len(kept), "half a call was kept"
    assert all(start + size in calls or start + size == len(kept) for start, size in calls.items())
    assert undone
    seen["calls"] += len(numbers)
    seen["crashes"] += crashes
    seen["advanced"] += acknowledged > before
    seen["unacknowledged"] += len(kept) > acknowledged
    if acknowledged > MANY:
        generation, acknowledged = generation + 1, 0
print(json.dumps(seen))
"""


def campaign(where: str, n_rounds: int, server: Server | None, seed: int) -> dict[str, int]:
    """Kill a writer after the other, and return how many of what there was.

    Raises:
        AssertionError: something that was acknowledged is not there, or not as it was.
    """
    crash = server and {
        "user": server.user,
        "commands": [server.command("stop", "immediate"), server.command("start")],
    }
    command = [
        sys.executable,
        "-c",
        KILLED_WRITERS,
        where,
        str(n_rounds),
        json.dumps(crash),
        str(seed),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=7200, check=False)
    assert done.returncode == 0, done.stderr
    seen: dict[str, int] = json.loads(done.stdout)
    # The rounds prove something only if many writers got somewhere before they were killed.
    assert seen["advanced"] >= n_rounds / 4, seen
    return seen


def main(n_rounds: int = N_ROUNDS) -> list[list[str]]:
    """Run the campaign on both databases, and return what it showed."""
    rows = []
    with tempfile.TemporaryDirectory() as directory:
        rows.append(told("SQLite", n_rounds, campaign(directory, n_rounds, None, seed=n_rounds)))
    if (binaries := find_binaries()) is not None:
        with tempfile.TemporaryDirectory() as directory:
            server = Server(binaries, Path(directory))
            server.start()
            try:
                seen = campaign(server.conninfo, n_rounds, server, seed=n_rounds)
            finally:
                server.stop("immediate")
        rows.append(told("PostgreSQL", n_rounds, seen))
    return rows


def told(store: str, n_rounds: int, seen: dict[str, int]) -> list[str]:
    """Return a row of the table of all that is shown."""
    crashes = f", {seen['crashes']} of the server" if seen["crashes"] else ""
    found = (
        f"0 lost, 0 doubled in {n_rounds:,} kills{crashes}; {seen['calls']:,} calls acknowledged, "
        f"{seen['unacknowledged']} rounds had kept more"
    )
    print(store, found, flush=True)
    return [f"kill -9, {store}", "0 lost of 1,000 rounds, no duplicates, intact", found]


if __name__ == "__main__":
    for row in main(int(sys.argv[1]) if sys.argv[1:] else N_ROUNDS):
        print(*row, sep=" | ")
