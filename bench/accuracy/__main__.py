"""Hold recommenders against each other on data they have not seen: `python -m bench.accuracy`."""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.accuracy.lineup import ROWS, SOURCES
from bench.accuracy.one import Outcome
from bench.accuracy.protocols import PROTOCOLS
from bench.accuracy.report import Section, notes, section_lines
from bench.data import RETAIL
from bench.timing import heading, write_lines

SEEDS = 3
RECTOOLS = Path(sys.prefix) / "rectools" / "bin" / "python"


def main() -> int:
    """Compare what is asked for; the tables of a whole run are kept."""
    asked = arguments()
    whole = not asked.only and asked.users is None and asked.seeds >= SEEDS
    sections: list[Section] = []
    status = 0
    try:
        for data, protocol in asked_pairs(asked):
            section = Section(data, protocol)
            sections.append(section)
            whole &= fill(section, asked)
            print("\n".join(section_lines(section)), flush=True)
    except KeyboardInterrupt:
        print("interrupted: this is what was measured so far, and is not kept", file=sys.stderr)
        whole, status = False, 130
    title = f"Accuracy of recommenders, seeds {', '.join(map(str, range(asked.seeds)))}"
    lines = [*heading(title), *(line for each in sections for line in section_lines(each))]
    lines += notes(sections)
    if whole:
        write_lines("accuracy", lines)
    else:
        print("\n".join(lines))
    return status


def asked_pairs(asked: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """Give the data sets and protocols that are asked for."""
    for data in chosen(asked.only, SOURCES):
        if data == "retail" and not asked.retail.exists():
            print(f"Online Retail is left out: there is no file {asked.retail}", file=sys.stderr)
            continue
        for protocol in chosen(asked.only, PROTOCOLS):
            yield data, protocol


def fill(section: Section, asked: argparse.Namespace) -> bool:
    """Run all rows of a section, and tell whether all of them are there."""
    complete = True
    for model in chosen(asked.only, ROWS):
        row = ROWS[model]
        if section.protocol not in row.protocols:
            continue
        if row.needs_rectools and not asked.rectools.exists():
            print(f"{row.title} is left out: there is no {asked.rectools}", file=sys.stderr)
            complete = False
            continue
        try:
            # Once for all seeds: what is chosen for the first split may have seen events that are
            # asked for in another, which is of use to nobody but the peers.
            setting = 0 if len(row.settings) == 1 else run(section, model, asked, seed=0)
            section.settings[model] = row.settings[setting]
            for seed in range(asked.seeds):
                found = run(section, model, asked, seed=seed, setting=setting)
                section.outcomes.setdefault(model, []).append(Outcome(**found))
        except (subprocess.CalledProcessError, FileNotFoundError) as error:
            print(f"{row.title} has failed: {error}", file=sys.stderr)
            complete = False
    return complete


def run(
    section: Section,
    model: str,
    asked: argparse.Namespace,
    *,
    seed: int,
    setting: int | None = None,
) -> Any:
    """Run one fit, or the choice of settings if none is given, in a process of its own."""
    # What RecTools warns of is between it and its own dependencies.
    rectools = ROWS[model].needs_rectools
    python = [asked.rectools, "-W", "ignore"] if rectools else [sys.executable]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "answer.json"
        options = {
            "data": section.data,
            "protocol": section.protocol,
            "model": model,
            "seed": seed,
            "setting": setting,
            "users": asked.users,
            "retail": asked.retail,
            "out": out,
        }
        told = [f"--{name}={value}" for name, value in options.items() if value is not None]
        subprocess.run([*python, "-m", "bench.accuracy.one", *told], check=True)
        return json.loads(out.read_text())


def chosen(only: list[str] | None, names: dict[str, Any]) -> list[str]:
    """Return the names that are asked for; all of them where none of this kind is."""
    return [name for name in names if name in (only or ())] or list(names)


def arguments() -> argparse.Namespace:
    """Read what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench.accuracy", description=__doc__)
    parser.add_argument(
        "--only",
        nargs="+",
        choices=[*SOURCES, *PROTOCOLS, *ROWS],
        metavar="NAME",
        help="data sets, protocols and models, of each kind those named: %(choices)s",
    )
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how many (default %(default)s)")
    parser.add_argument("--users", type=int, help="a trial on so many users")
    parser.add_argument(
        "--retail", type=Path, default=RETAIL, help="where Online Retail is, as Parquet"
    )
    parser.add_argument(
        "--rectools", type=Path, default=RECTOOLS, help="the Python that has RecTools"
    )
    asked = parser.parse_args()
    if asked.seeds < 1 or (asked.users is not None and asked.users < 20):
        parser.error("--seeds must be 1 or more and --users 20 or more")
    return asked


if __name__ == "__main__":
    sys.exit(main())
