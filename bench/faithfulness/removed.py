"""The second question: does removing what a method names change score and rank as it says?"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench.faithfulness.kept import Arrays
from bench.faithfulness.lineup import RANDOM, RIVALS
from bench.faithfulness.measured import Asked, Measured

from whyrec.evaluate.faithfulness import (
    Orders,
    RecommenderOutcomes,
    Removal,
    differences,
    gap_closed,
    greedy_orders,
    intervals,
    refined_removal,
    removal,
)
from whyrec.evaluate.intervals import Interval
from whyrec.models.recommender import Recommender

GREEDY = "greedy"
FIGURES = ("POS@5", "POS@10", "POS@20", "CDCG", "DEL", "INS", "NEG@10")
LOWER_IS_BETTER = ("POS@5", "POS@10", "POS@20", "CDCG", "DEL")
CLOSED = ("POS@10", "CDCG", "DEL")
STEPS = 10
"""Of the greedy reference: as many as there are cuts."""


@dataclass(frozen=True, slots=True)
class Removals:
    """What removal by each method did, and by the greedy reference."""

    whole: dict[str, Removal]
    """At the eleven points from none to all events, by method."""

    refined: dict[str, tuple[Removal, ...]]
    """With exactly one event removed, two, …, by method."""

    def main_rows(self) -> list[list[str]]:
        """Return a row for each method: figures with intervals, and the share of the gap closed."""
        rows = []
        for name, found in self.whole.items():
            bounds = intervals({figure: found.figures()[figure] for figure in FIGURES})
            closed = gap_closed(found, self.whole[RANDOM], self.whole[GREEDY])
            rows.append(
                [
                    name,
                    *(f"{of.mean:.3f} ± {(of.high - of.low) / 2:.3f}" for of in bounds.values()),
                    *(f"{closed[figure]:.0%}" for figure in CLOSED),
                ]
            )
        return rows

    def every_figure(self) -> tuple[list[str], list[list[str]]]:
        """Return header and rows: the means of every figure."""
        means = {name: found.means() for name, found in self.whole.items()}
        header = ["method", *means[RANDOM]]
        return header, [
            [name, *(f"{of:.3f}" for of in each.values())] for name, each in means.items()
        ]

    def refined_rows(self) -> tuple[list[str], list[list[str]]]:
        """Return header and rows: POS@10, CDCG and DEL after one event, two, …"""
        figures = ("POS@10", "CDCG", "DEL")
        header = [
            f"{figure}, {found.n_removed} removed"
            for figure in figures
            for found in self.refined[RANDOM]
        ]
        rows = []
        for name, found in self.refined.items():
            means = [each.means() for each in found]
            cells = [f"{of[figure]:.3f}" for figure in figures for of in means]
            rows.append([name, *cells])
        return ["method", *header], rows

    def differences(self, ours: str, rival: str) -> dict[str, Interval]:
        """Return how far a method's figures are above those of a rival, pair by pair."""
        one, other = self.whole[ours].figures(), self.whole[rival].figures()
        return differences(
            {figure: one[figure] for figure in LOWER_IS_BETTER},
            {figure: other[figure] for figure in LOWER_IS_BETTER},
        )

    def against_rivals(self, ours: str) -> list[list[str]]:
        """Return a row for each rival: a method's figure less the rival's."""
        return [
            [
                rival,
                *(
                    f"{bound.mean:+.4f} [{bound.low:+.4f}, {bound.high:+.4f}], {verdict(bound)}"
                    for bound in self.differences(ours, rival).values()
                ),
            ]
            for rival in RIVALS
            if rival in self.whole
        ]


MAIN_HEADER = ["method", *FIGURES, *(f"gap closed, {figure}" for figure in CLOSED)]
NOTES = [
    "Events of a history are removed from the strongest on, at eleven points from none to all; "
    "NEG from the weakest on; INS puts only the strongest into an empty history. The explained "
    "item is the best unseen one, and ranks count the items that are not in the full history. Low "
    "is good for POS, CDCG and DEL, high for INS and NEG. ± is half of the 95 % bootstrap interval "
    "over users.",
    f"Greedy asks anew after each of {STEPS} steps which events lower the probability most; gap "
    "closed is (random − method) / (random − greedy).",
]


def verdict(difference: Interval) -> str:
    """Say what an interval of a difference tells, where low is good."""
    if not difference.is_apart:
        return "level"
    return "better" if difference.high < 0 else "worse"


Keep = Callable[[str, Callable[[], Arrays]], Arrays]
"""From the name of a method and what measures its removal to what was measured, now or before."""


def measure_removals(
    recommender: Recommender, asked: Asked, measured: Mapping[str, Measured], keep: Keep
) -> Removals:
    """Follow the order of each method, and the greedy one."""
    outcomes = RecommenderOutcomes(recommender, *asked[:2])
    found = {}
    for name in (*measured, GREEDY):

        def make(name: str = name) -> Arrays:
            if name == GREEDY:
                orders = greedy_orders(outcomes, outcomes.offsets, n_steps=STEPS)
            else:
                orders = Orders.of(measured[name].attributions)
            whole = removal(outcomes, orders, method=name)
            return _arrays(whole, *refined_removal(outcomes, orders, method=name))

        found[name] = _removals(name, keep(name, make))
    return Removals(
        {name: whole for name, (whole, *_) in found.items()},
        {name: tuple(refined) for name, (_, *refined) in found.items()},
    )


_KEPT = ("pairs", "pos", "neg", "deletion", "insertion", "cdcg")


def _arrays(*removals: Removal) -> Arrays:
    return {
        f"{name} {place}": getattr(each, name)
        for place, each in enumerate(removals)
        for name in _KEPT
    }


def _removals(method: str, arrays: Arrays) -> list[Removal]:
    """Build what `_arrays` has told: first all points, then one event removed, two, …"""
    return [
        Removal(method, place or None, *(arrays[f"{name} {place}"] for name in _KEPT))
        for place in range(len(arrays) // len(_KEPT))
    ]
