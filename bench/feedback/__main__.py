"""All that feedback is to show, in one table: `--only stores kills`, `--quick`, `--rounds 100`."""

import argparse

from bench.feedback import answers, kills, membership, objections, poisoning, stores
from bench.timing import write_table


def main() -> None:
    """Measure, and write a table of each part and bench/results/feedback.md, which has them all."""
    parser = argparse.ArgumentParser(prog="bench.feedback")
    parser.add_argument("--quick", action="store_true", help="try it on less")
    parser.add_argument("--rounds", type=int, default=kills.N_ROUNDS, help="writers to kill")
    parts = {
        "kills": lambda asked: kills.main(asked.rounds),
        "stores": lambda asked: stores.main(quick=asked.quick),
        "answers": lambda asked: answers.main(quick=asked.quick),
        "objections": lambda asked: objections.main(quick=asked.quick),
        "poisoning": lambda asked: poisoning.main(quick=asked.quick),
        "membership": lambda asked: membership.main(quick=asked.quick),
    }
    parser.add_argument("--only", nargs="+", choices=parts, default=list(parts), metavar="PART")
    asked = parser.parse_args()
    rows = [row for name in asked.only for row in parts[name](asked)]
    notes = ["Tried on less (--quick): no figures to go by."] if asked.quick else []
    write_table("feedback", "What feedback shows", ["what", "asked for", "found"], rows, notes)


if __name__ == "__main__":
    main()
