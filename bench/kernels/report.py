"""One line of the table: how long ours took, how much longer the peers, and what was asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field

HEADER = ["case", "ours", "peers' time over ours", "figure", "asked", "reached"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What the figure of a case shall be: a least or a most."""

    least: float | None = None
    most: float | None = None

    def reached_by(self, figure: float) -> bool:
        """Say whether a figure is within the goal."""
        above = self.least is None or figure >= self.least
        return above and (self.most is None or figure <= self.most)

    def text(self, unit: str) -> str:
        """Return the goal as people write it."""
        sides = (("≥", self.least), ("≤", self.most))
        return ", ".join(f"{sign} {amount(side, unit)}" for sign, side in sides if side is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What was measured of one case."""

    name: str
    ours: str
    figure: float
    """What is held to the goal; beside peers, the time of the fastest over ours."""
    unit: str = "×"
    peers: Mapping[str, float] = field(default_factory=dict)
    """Each peer's time over ours."""
    goal: Goal | None = None
    asked: Mapping[str, float] = field(default_factory=dict)
    """The least ratio for each peer that has one; it is held to the fastest of its settings."""
    charted: bool = True
    note: str = ""

    def cells(self) -> list[str]:
        """Return the case as a row of the table, the fastest peer first."""
        peers = sorted(self.peers.items(), key=lambda peer: peer[1])
        asked = [self.goal.text(self.unit)] if self.goal else []
        asked += [f"{peer} ≥ {amount(least, '×')}" for peer, least in self.asked.items()]
        return [
            self.name,
            self.ours,
            " · ".join(f"{name} {amount(ratio, '×')}" for name, ratio in peers) or "–",
            amount(self.figure, self.unit),
            ", ".join(asked) or "–",
            ("yes" if self.reached() else "**no**") if asked else "–",
        ]

    def reached(self) -> bool:
        """Say whether the figure and every peer's ratio are as was asked."""
        return (self.goal is None or self.goal.reached_by(self.figure)) and all(
            min(ratio for name, ratio in self.peers.items() if name.startswith(peer)) >= least
            for peer, least in self.asked.items()
        )

    def line(self) -> str:
        """Return the case as a line of progress."""
        name, ours, peers, figure, asked, reached = self.cells()
        goal = "" if asked == "–" else f"; asked {asked}: {reached.strip('*')}"
        return f"{name}: ours {ours}, figure {figure}{goal}\n    {peers}"


def beside(
    name: str,
    ours: float,
    peers: Mapping[str, float],
    *,
    asked: Mapping[str, float] | None = None,
    charted: bool = True,
    note: str = "",
) -> Case:
    """Compare our seconds with those of the peers; `asked` gives the least ratio of a peer."""
    ratios = {peer: seconds / ours for peer, seconds in peers.items()}
    return Case(
        name=name,
        ours=duration(ours),
        figure=min(ratios.values()),
        peers=ratios,
        asked=asked or {},
        charted=charted,
        note=note,
    )


def amount(value: float, unit: str) -> str:
    """Return a figure with its unit, to three digits or so."""
    if unit == "%":
        return f"{value * 100:.0f} %"
    digits = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:.{digits}f}{'' if unit == '×' else ' '}{unit}"


def duration(seconds: float) -> str:
    """Return a time in the unit that suits it."""
    return amount(seconds, "s") if seconds >= 1 else amount(seconds * 1e3, "ms")
