"""One model in a process of its own: `python -m bench.accuracy.one`, as the benchmark calls it.

It chooses settings on validation, or fits those chosen and answers on test, and writes what came
out as JSON.
"""

import argparse
import json
import resource
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from bench.accuracy.lineup import ROWS, SOURCES
from bench.accuracy.models.model import Fitted, Model, Resumable
from bench.accuracy.protocols import PROTOCOLS, Question, first_events

from whyrec.data.dataset import Dataset

BYTES_OF_MAXRSS = 1 if sys.platform == "darwin" else 1_024


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a fit has cost, and what came of it."""

    means: dict[str, float]
    n_users: int

    seconds: float
    """Of the fit alone."""

    peak_bytes: int
    """The most memory of the process until the end of the fit, with Python, torch and the data."""


def main() -> None:
    """Choose or fit, as asked."""
    asked = arguments()
    dataset = SOURCES[asked.data].read(asked.retail)
    dataset = dataset.with_interactions(first_events(dataset.interactions))
    if asked.users is not None:
        dataset = of_some_users(dataset, asked.users)
    protocol, row = PROTOCOLS[asked.protocol], ROWS[asked.model]
    validation, test = protocol.questions(dataset.interactions, asked.seed)
    if asked.setting is None:
        chosen = best_setting(row.settings, dataset, validation, protocol.metrics[0], asked.seed)
        asked.out.write_text(json.dumps(chosen))
    else:
        outcome = fit(row.settings[asked.setting], dataset, test, asked.seed)
        asked.out.write_text(json.dumps(asdict(outcome)))


def best_setting(
    settings: tuple[Model, ...], dataset: Dataset, question: Question, metric: str, seed: int
) -> int:
    """Return which settings are best by a metric.

    One that can resume goes on from the one before, and ends two after its best.
    """
    known = dataset.with_interactions(question.known)
    figures: list[float] = []
    fitted: Fitted | None = None
    for model in settings:
        if fitted is not None and isinstance(model, Resumable):
            fitted = model.resume(fitted)
        else:
            fitted = model.fit(known, seed)
        figures.append(fitted.answer(question).means()[metric])
        if isinstance(model, Resumable) and len(figures) - int(np.argmax(figures)) > 2:
            break
    return int(np.argmax(figures))


def fit(model: Model, dataset: Dataset, question: Question, seed: int) -> Outcome:
    """Fit a model, and ask it."""
    known = dataset.with_interactions(question.known)
    started = time.perf_counter()
    fitted = model.fit(known, seed)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * BYTES_OF_MAXRSS
    found = fitted.answer(question)
    return Outcome(found.means(), found.n_users, seconds, peak)


def of_some_users(dataset: Dataset, n_users: int) -> Dataset:
    """Keep the events of so many users, drawn among those with five or more."""
    interactions = dataset.interactions
    eligible = np.flatnonzero(np.diff(interactions.offsets) >= 5)
    kept = np.random.default_rng(0).permutation(eligible)[:n_users]
    return dataset.with_interactions(interactions.only(np.isin(interactions.users(), kept)))


def arguments() -> argparse.Namespace:
    """Read what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench.accuracy.one", description=__doc__)
    parser.add_argument("--data", choices=SOURCES, required=True)
    parser.add_argument("--protocol", choices=PROTOCOLS, required=True)
    parser.add_argument("--model", choices=ROWS, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument(
        "--setting", type=int, help="which of the model's; without, the best is chosen"
    )
    parser.add_argument("--users", type=int, help="keep so many users")
    parser.add_argument("--retail", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="where the answer goes")
    return parser.parse_args()


if __name__ == "__main__":
    main()
