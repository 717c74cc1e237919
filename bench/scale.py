"""How long a fit of many events takes, and in how much memory: `python -m bench.scale`.

Each model is fitted in a process of its own, on events of a made-up shop: items by a Zipf law, and
each user keeps to a few of its aisles. Nothing is written but what is printed.
"""

import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
from bench.accuracy.one import BYTES_OF_MAXRSS

from whyrec import SDK, GradientPathConfig, SequenceConfig, TrainingConfig, TwoTowerConfig
from whyrec.data.dataset import Dataset
from whyrec.models import RecommenderConfig

MODELS: dict[str, tuple[RecommenderConfig | None, float]] = {
    "set": (TwoTowerConfig(), 300.0),
    "sequence": (SequenceConfig(), 1_200.0),
    "chosen": (None, 300.0),
}
"""What is fitted, and the seconds that it may take on two cores; None leaves it to the SDK."""

MOST_BYTES = 4 << 30
EVENTS_OF_A_USER = 40
N_AISLES, AISLES_OF_A_USER = 40, 3


def main() -> None:
    """Fit each model, and print a row of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--items", type=int, default=4_000)
    parser.add_argument("--only", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--one", choices=MODELS, help="Fit this one here, and print JSON.")
    asked = parser.parse_args()
    size = ["--events", str(asked.events), "--items", str(asked.items)]
    if asked.one:
        print(json.dumps(measured(asked.one, shop(asked.events, asked.items))))
        return
    print(f"{asked.events:,} events, {asked.items:,} items\n")
    print("| model | fit | of that, on processors | most memory | is in bounds |")
    print("|---|---|---|---|---|")
    for name in asked.only:
        command = [sys.executable, "-m", "bench.scale", "--one", name, *size]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        seconds, processor, memory = json.loads(done.stdout.splitlines()[-1])
        within = seconds <= MODELS[name][1] and memory <= MOST_BYTES
        figures = f"{seconds:.0f} s | {processor:.0f} s | {memory / (1 << 30):.2f} GiB"
        print(f"| {name} | {figures} | {'yes' if within else 'no'} |", flush=True)


def shop(n_events: int, n_items: int) -> Dataset:
    """Draw events: items of the aisles of a user, the popular ones of each more often."""
    random = np.random.default_rng(0)
    n_users = max(1, n_events // EVENTS_OF_A_USER)
    users = np.repeat(np.arange(n_users), EVENTS_OF_A_USER)
    aisles = random.integers(N_AISLES, size=(n_users, AISLES_OF_A_USER))
    of_event = aisles[users, random.integers(AISLES_OF_A_USER, size=len(users))]
    per_aisle = max(1, n_items // N_AISLES)
    chances = 1 / np.arange(1, per_aisle + 1)
    within = random.choice(per_aisle, size=len(users), p=chances / chances.sum())
    times = 1_600_000_000 + random.integers(10**8, size=len(users))
    items = of_event * per_aisle + within
    columns = {"user_id": users, "item_id": items, "timestamp": times}
    table = pa.table({name: pa.array(each) for name, each in columns.items()})
    catalog = pa.table({"item_id": pa.array(np.arange(max(n_items, N_AISLES * per_aisle)))})
    return Dataset.from_tables(table, catalog)


def measured(name: str, dataset: Dataset) -> tuple[float, float, int]:
    """Return seconds of a fit, those of its processors, and the most bytes of the process."""
    model, _ = MODELS[name]
    began, computed = time.perf_counter(), time.process_time()
    explainer = None if model is None else GradientPathConfig()
    training = TrainingConfig(device="cpu")
    SDK.fit_dataset(dataset, model=model, explainer=explainer, training=training, progress=False)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * BYTES_OF_MAXRSS
    return time.perf_counter() - began, time.process_time() - computed, most


if __name__ == "__main__":
    main()
