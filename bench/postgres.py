"""A PostgreSQL server of our own, in a directory of its own, for the benchmark and the tests."""

import os
import shutil
import subprocess
from pathlib import Path

SERVER_USER = "postgres"
"""Who runs the server where we are root, which it refuses to run as."""

PATIENCE = "600"
"""Seconds to wait for it: after a crash it syncs all its files, long work for a busy disk."""


class Server:
    """A PostgreSQL server in a directory of its own, reached by a socket in it."""

    def __init__(self, binaries: Path, directory: Path) -> None:
        self.binaries, self.directory = binaries, directory
        self.data, self.log = directory / "data", directory / "log"
        self.user = SERVER_USER if os.getuid() == 0 else None
        if self.user:
            shutil.chown(directory, self.user)
        initdb = [str(binaries / "initdb"), "-D", str(self.data), "-U", "whyrec", "-A", "trust"]
        self.run([*initdb, "-E", "UTF8"])

    @property
    def conninfo(self) -> str:
        """How to reach it."""
        return f"host={self.directory} user=whyrec dbname=postgres"

    def run(self, command: list[str]) -> None:
        """Run a program of PostgreSQL's, and show what it said if it fails."""
        done = subprocess.run(
            command, cwd=self.directory, capture_output=True, text=True, check=False, user=self.user
        )
        log = self.log.read_text() if self.log.exists() else ""
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}{log}"

    def command(self, action: str, mode: str = "fast") -> list[str]:
        """Return the command that starts it, or stops it; the mode "immediate" is a crash."""
        control = [str(self.binaries / "pg_ctl"), "-D", str(self.data), "-w", "-t", PATIENCE]
        options = f"-c listen_addresses='' -c unix_socket_directories='{self.directory}'"
        ways = {
            "start": ["-l", str(self.log), "-o", options, "start"],
            "stop": ["-m", mode, "stop"],
        }
        return control + ways[action]

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.run(self.command("start"))

    def stop(self, mode: str = "fast") -> None:
        """Stop it, see `command`."""
        self.run(self.command("stop", mode))


def find_binaries() -> Path | None:
    """Find initdb: on the path, or where Debian puts it."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    return max(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, default=None)


def _version(binaries: Path) -> float:
    return float(binaries.parent.name)
