"""What the machine can do: rust/core/examples/machine.rs, built and asked."""

import json
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMMAND = ["cargo", "run", "--quiet", "--release", "-p", "whyrec-core", "--example", "machine"]


@dataclass(frozen=True, slots=True)
class Machine:
    """Limits of one thread and of all threads."""

    threads: int
    read_gb_s: tuple[float, float]
    fma_gflop_s: tuple[float, float]

    def text(self) -> str:
        """Return the limits in a sentence."""
        (read, read_all), (fma, fma_all) = self.read_gb_s, self.fma_gflop_s
        return (
            f"The machine reads {read:.1f} GB/s on one thread and {read_all:.1f} on "
            f"{self.threads}, and reaches {fma:.0f} and {fma_all:.0f} GFLOP/s in float32 "
            "multiply-adds (`cargo run --release --example machine`)."
        )


@cache
def measured() -> Machine:
    """Return what was measured first."""
    return measure()


def measure() -> Machine:
    """Measure now: the machine is not the same all the time.

    Raises:
        CalledProcessError: the example does not build or run; cargo says why.
    """
    done = subprocess.run(COMMAND, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    limits = json.loads(done.stdout)
    return Machine(limits["threads"], tuple(limits["read_gb_s"]), tuple(limits["fma_gflop_s"]))
