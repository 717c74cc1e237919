"""What was measured as tables, one for each data set and protocol."""

from dataclasses import dataclass, field

import numpy as np
from bench.accuracy.lineup import ROWS, SOURCES
from bench.accuracy.models.model import Model
from bench.accuracy.one import Outcome
from bench.accuracy.protocols import PROTOCOLS
from bench.timing import cells
from numpy.typing import NDArray


@dataclass(slots=True)
class Section:
    """The outcomes of the models on one data set by one protocol."""

    data: str
    protocol: str
    settings: dict[str, Model] = field(default_factory=dict)
    """By model: those that were chosen."""

    outcomes: dict[str, list[Outcome]] = field(default_factory=dict)
    """By model, one for each seed."""

    def figures(self, model: str, metric: str) -> NDArray[np.float64]:
        """Return float64 [n_seeds]."""
        return np.array([each.means[metric] for each in self.outcomes[model]])


def section_lines(section: Section) -> list[str]:
    """Return the table of a section, with its title above and what was chosen below."""
    protocol = PROTOCOLS[section.protocol]
    bar, lead = protocol.bar, protocol.metrics[0]
    users = sorted({each.n_users for of in section.outcomes.values() for each in of})
    asked = "–".join(f"{n:,}" for n in dict.fromkeys((*users[:1], *users[-1:])))
    header = [
        "model",
        *protocol.metrics,
        f"{lead} over that of {ROWS[bar].title}",
        "fit",
        "peak memory",
    ]
    rows = [
        [
            ROWS[model].title,
            *(spread(section.figures(model, metric)) for metric in protocol.metrics),
            ratio(section, model, lead) if bar in section.outcomes else "–",
            f"{np.median([each.seconds for each in outcomes]):.1f} s",
            f"{max(each.peak_bytes for each in outcomes) / 2**30:.2f} GiB",
        ]
        for model, outcomes in section.outcomes.items()
    ]
    settings = [
        f"{ROWS[model].title}: {chosen}"
        for model, chosen in section.settings.items()
        if len(ROWS[model].settings) > 1
    ]
    return [
        f"## {SOURCES[section.data].title}: {protocol.title}",
        "",
        f"{asked} users are asked.",
        "",
        *cells(header, rows),
        "",
        *([f"Chosen on validation: {'; '.join(settings)}.", ""] if settings else []),
    ]


def ratio(section: Section, model: str, metric: str) -> str:
    """Return the mean ratio to the bar over seeds, and the least."""
    n_seeds = min(len(section.outcomes[each]) for each in (model, PROTOCOLS[section.protocol].bar))
    bar = section.figures(PROTOCOLS[section.protocol].bar, metric)[:n_seeds]
    ratios = section.figures(model, metric)[:n_seeds] / np.where(bar > 0, bar, np.nan)
    return f"{ratios.mean():.3f} (least {ratios.min():.3f})"


def spread(values: NDArray[np.float64]) -> str:
    """Return the mean, and the standard deviation where there are two or more."""
    if len(values) == 1:
        return f"{values[0]:.4f}"
    return f"{values.mean():.4f} ± {values.std(ddof=1):.4f}"


def notes(sections: list[Section]) -> list[str]:
    """Say how it was measured."""
    told = [
        "The whole catalog is ranked, without what a user is known to have had. Of a user's events "
        "with an item only the first is there. Means over users and ± the standard deviation over "
        "seeds, which draw the split, but for next item, and start the models.",
        "Models learn from all that is not asked for; those with a choice of settings had it on "
        "validation data, by the first metric, with the split of the first seed. All others are at "
        "their defaults.",
        "Fit is the median time, of the recommender alone, without the choice of settings. Peak "
        "memory is that of a process that does nothing else, with Python, its libraries and the "
        "data in it, which are nearly all of popularity's; the most of all seeds.",
    ]
    return [line for each in (told if sections else []) for line in (each, "")]
