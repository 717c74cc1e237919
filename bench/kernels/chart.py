"""The table as a picture: how many times as long each peer takes, on a log axis."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt
from bench.kernels.report import Case, amount

INCHES_PER_BAR = 0.17
MUTED = "0.35"
# Text stays text, small and searchable, and the same figures give the same file.
STYLE = {"svg.fonttype": "none", "svg.hashsalt": "whyrec", "font.size": 8}


def draw(cases: Sequence[Case], path: Path, title: str) -> None:
    """Draw the cases that have peers as groups of bars, one colour a peer."""
    shown = [case for case in cases if case.peers and case.charted]
    peers = list(dict.fromkeys(peer for case in shown for peer in case.peers))
    strong_ones_first = [*range(0, 20, 2), *range(1, 20, 2)]  # those between are their pale twins
    colours = dict(zip(peers, map(mpl.colormaps["tab20"], strong_ones_first), strict=False))
    n_bars = sum(len(case.peers) + 1 for case in shown)
    with mpl.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(9, 1 + INCHES_PER_BAR * n_bars))
        place, ticks = 0.0, []
        for case in shown:
            ticks.append(place + (len(case.peers) - 1) / 2)
            for peer, ratio in sorted(case.peers.items(), key=lambda each: each[1]):
                axes.barh(place, ratio - 1, left=1, height=0.86, color=colours[peer])
                axes.annotate(
                    amount(ratio, "×"),
                    (max(ratio, 1), place),
                    xytext=(3, 0),
                    textcoords="offset points",
                    va="center",
                    fontsize=6.5,
                    color=MUTED,
                )
                place += 1
            place += 1
        axes.set_xscale("log")
        axes.margins(x=0.06, y=0.01)
        axes.axvline(1, color="black", linewidth=0.8)
        axes.set_yticks(ticks, [case.name.replace(", ", ",\n", 1) for case in shown])
        axes.invert_yaxis()
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}×")
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", color="0.9", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.set_xlabel("peer's time over ours; right of the line ours is faster")
        axes.set_title(title, loc="left")
        handles = [plt.Rectangle((0, 0), 1, 1, color=colours[peer]) for peer in peers]
        axes.legend(handles, peers, loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False)
        figure.savefig(path, bbox_inches="tight", metadata={"Date": None})
        plt.close(figure)
