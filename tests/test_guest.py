"""What the SDK is to its host: shared by threads, forked, awaited, never copied, and quiet."""

import asyncio
import copy
import logging
import os
import pickle
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from whyrec import SDK, EASEConfig, ShapleyConfig, TwoTowerConfig
from whyrec.data.dataset import Dataset
from whyrec.explain import GradientPathConfig
from whyrec.reasons.recommendation import Recommendations

N_THREADS = 16
PATIENCE = 60
"""Seconds: far more than an answer takes."""


@pytest.fixture(scope="module")
def linear(shop: Dataset) -> SDK:
    return SDK.fit_dataset(shop, model=EASEConfig(), progress=False)


@pytest.fixture(scope="module")
def deep(shop: Dataset) -> SDK:
    config = TwoTowerConfig(dimension=8, heads=1, hidden=8, max_steps=2)
    return SDK.fit_dataset(shop, model=config, explainer=GradientPathConfig(), progress=False)


def verbs(sdk: SDK, path: Path) -> list[Callable[[int], Any]]:
    """Return every verb that answers; each is asked with the number of the thread."""
    users = ["u3", "u7", "u8", "u9"]

    def saved(number: int) -> object:
        sdk.save(path / str(number))
        return SDK.load(path / str(number)).recommend("u3")

    return [
        lambda number: sdk.recommend(users[number % 4], k=5),
        lambda number: sdk.recommend_with_reasons(users, k=3 + number),
        lambda number: sdk.recommend_with_reasons(
            users[number % 4], k=3, group_by="style", against=4
        ),
        lambda _: sdk.recommend_for(["i3", "i5"], {"city": "c1"}, k=4),
        lambda number: sdk.explain(users[number % 4], "i6"),
        lambda number: sdk.explain(users[number % 4], "i6", against=3),
        lambda _: str(sdk.evaluate(sdk.dataset.interactions, k=3)),
        lambda _: sdk.importance(users, k=3).to_dict(),
        lambda number: str(
            sdk.faithfulness(3, reference=ShapleyConfig(max_permutations=8), seed=number)
        ),
        lambda _: (str(sdk.report), repr(sdk)),
        saved,
    ]


@pytest.mark.parametrize("kind", ["linear", "deep"])
def test_sixteen_threads_get_the_bits_of_one(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    sdk: SDK = request.getfixturevalue(kind)
    asked = [(verb, number) for number in range(N_THREADS) for verb in verbs(sdk, tmp_path)]
    alone = [verb(number) for verb, number in asked]
    # Nothing that is kept from call to call is there when they all begin.
    sdk.save(tmp_path / "fresh")
    fresh = SDK.load(tmp_path / "fresh")
    asked = [(verb, number) for number in range(N_THREADS) for verb in verbs(fresh, tmp_path)]
    ready = threading.Barrier(N_THREADS)

    def share(first: int) -> list[object]:
        ready.wait(PATIENCE)
        return [verb(number) for verb, number in asked[first::N_THREADS]]

    with ThreadPoolExecutor(N_THREADS) as threads:
        together = list(threads.map(share, range(N_THREADS)))
    assert together == [alone[first::N_THREADS] for first in range(N_THREADS)]


FORKING = """
import multiprocessing, os, sys
import torch, whyrec
torch.set_num_threads({threads})
sdk = whyrec.SDK.load(sys.argv[1])
def answer():
    return sdk.recommend_with_reasons(["u3", "u7", "u8"], k=5)
def in_fork(first):
    if first:
        torch.set_num_threads(1)
    try:
        return answer() == before
    except whyrec.ForkError as error:
        return "torch.set_num_threads(1)" in str(error) and "refused"
before = answer()
large = torch.randn(3_000_000)
torch.exp(large).sum()  # so that PyTorch has started its threads, if it has any
"""
FORK = """
read, write = os.pipe()
if os.fork() == 0:
    os.write(write, str(in_fork({first})).encode())
    os._exit(0)
os.wait()
print(os.read(read, 100).decode(), answer() == before)
"""
POOL = """
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(*set(pool.map(in_fork, [{first}] * 4)), answer() == before)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize("way", [FORK, POOL])
@pytest.mark.parametrize(
    ("threads", "first", "told"),
    [(1, False, "True"), (2, True, "True"), (2, False, "refused")],
)
def test_a_fork_answers_or_says_at_once_why_it_cannot(
    deep: SDK, tmp_path: Path, way: str, threads: int, first: bool, told: str
) -> None:
    deep.save(tmp_path / "sdk")
    source = FORKING.format(threads=threads) + way.format(first=first)
    command = [sys.executable, "-c", source, str(tmp_path / "sdk")]
    run = subprocess.run(command, capture_output=True, text=True, timeout=5 * PATIENCE, check=False)
    assert (run.stdout, run.returncode) == (f"{told} True\n", 0), run.stderr


class Held(SDK):
    """An SDK that answers when it is let go on."""

    begun: threading.Event
    let_go: threading.Event

    def recommend_with_reasons(self, *args: Any, **rules: Any) -> Any:
        self.begun.set()
        assert self.let_go.wait(PATIENCE), "nobody let the call go on"
        return super().recommend_with_reasons(*args, **rules)


@pytest.fixture
def held(linear: SDK) -> Held:
    sdk = Held(linear._fitted)
    sdk.begun, sdk.let_go = threading.Event(), threading.Event()
    return sdk


async def begun(sdk: Held) -> None:
    """Wait, on the event loop, until a call is held."""
    while not sdk.begun.is_set():
        await asyncio.sleep(0.001)


def test_the_event_loop_goes_on_while_an_answer_is_made(held: Held, linear: SDK) -> None:
    async def main() -> Recommendations:
        task = asyncio.create_task(held.arecommend_with_reasons("u3", k=3, max_reasons=2))
        await begun(held)
        held.let_go.set()  # only a loop that goes on comes here
        return await task

    answer = asyncio.run(main())
    assert answer == linear.recommend_with_reasons("u3", k=3, max_reasons=2)


def test_many_answers_are_awaited_together(linear: SDK) -> None:
    async def main() -> list[Recommendations]:
        return await asyncio.gather(*(linear.arecommend(f"u{each}", k=4) for each in range(3, 20)))

    alone = [linear.recommend(f"u{each}", k=4) for each in range(3, 20)]
    assert asyncio.run(main()) == alone


def test_to_cancel_frees_the_caller_and_harms_nothing(held: Held, linear: SDK) -> None:
    async def main() -> Recommendations:
        task = asyncio.create_task(held.arecommend_with_reasons("u3", k=3))
        await begun(held)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task  # though the thread is still held
        held.let_go.set()
        return await held.arecommend_with_reasons("u3", k=3)

    assert asyncio.run(main()) == linear.recommend_with_reasons("u3", k=3)


@pytest.mark.parametrize("copied", [pickle.dumps, copy.deepcopy, copy.copy])
def test_an_sdk_is_saved_not_pickled(linear: SDK, copied: Callable[[SDK], object]) -> None:
    with pytest.raises(TypeError, match=r"SDK is neither pickled nor copied: save\(path\) keeps"):
        copied(linear)


def test_nothing_is_logged_or_printed_unasked(
    shop: Dataset, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.WARNING):  # below, the choices of a fit are told
        sdk = SDK.fit_dataset(shop, model=EASEConfig(), progress=False)
        sdk.recommend_with_reasons(["u3", "u7"])
        sdk.importance(["u3"])
    assert [record for record in caplog.records if record.name.startswith("whyrec")] == []
    assert tuple(capfd.readouterr()) == ("", "")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["linear", "deep"])
def test_memory_is_flat_over_ten_thousand_calls(kind: str, request: pytest.FixtureRequest) -> None:
    sdk: SDK = request.getfixturevalue(kind)

    def ask(n_calls: int) -> None:
        for call in range(n_calls):
            sdk.recommend_with_reasons(f"u{3 + call % 27}", k=3)

    ask(500)
    resident = resident_bytes()
    tracemalloc.start()
    try:
        ask(100)
        before, _ = tracemalloc.get_traced_memory()
        ask(9_900)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # A hundred bytes that stayed behind each call would be a megabyte.
    assert after - before < 500_000
    # What Rust and PyTorch allocate is not traced: a kilobyte a call would be ten megabytes.
    assert resident_bytes() - resident < 8_000_000


def resident_bytes() -> int:
    """Return the memory of this process; 0 where the system does not say."""
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if status.exists() else 0
