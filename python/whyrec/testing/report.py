"""What a check found: of each invariant, whether it holds, and the smallest case that breaks it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from whyrec.data.wording import count
from whyrec.testing.invariant import Group, Invariant, shortened


class Verdict(StrEnum):
    """What came of an invariant."""

    HOLDS = "holds"
    BROKEN = "broken"
    NOT_APPLICABLE = "not applicable"
    """No case that was drawn says anything about it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one invariant."""

    invariant: Invariant
    verdict: Verdict

    n_examples: int
    """How many cases were really tried; those that say nothing do not count."""

    because: str = ""
    """What broke, or why it does not apply."""

    smallest_case: Mapping[str, object] | None = None
    """What was drawn in the smallest case that was found to break it, by name."""

    def to_dict(self) -> dict[str, object]:
        """Return all of it; what a case is made of is text."""
        case = self.smallest_case
        return {
            "invariant": self.invariant.name,
            "group": self.invariant.group.value,
            "why": self.invariant.why,
            "verdict": self.verdict.value,
            "n_examples": self.n_examples,
            "because": self.because,
            "smallest_case": case and {name: repr(value) for name, value in case.items()},
        }

    def __str__(self) -> str:
        head = f"{self.invariant.group.value}: {self.invariant.name}"
        match self.verdict:
            case Verdict.HOLDS:
                return f"holds    {head} ({count(self.n_examples, 'example')})"
            case Verdict.NOT_APPLICABLE:
                return f"not applicable    {head}\n    because {self.because}"
        lines = [f"BROKEN   {head}", f"    why it must hold: {self.invariant.why}"]
        lines.append(f"    what broke: {self.because}")
        if self.smallest_case:
            lines.append("    the smallest case that was found:")
            lines += [
                f"        {name} = {shortened(value)}" for name, value in self.smallest_case.items()
            ]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Report:
    """What came of every invariant, in their order."""

    outcomes: tuple[Outcome, ...]

    def of(self, verdict: Verdict) -> tuple[Outcome, ...]:
        """Return the invariants with one verdict."""
        return tuple(each for each in self.outcomes if each.verdict == verdict)

    @property
    def broken(self) -> tuple[Outcome, ...]:
        """The invariants that the system breaks."""
        return self.of(Verdict.BROKEN)

    @property
    def holds(self) -> bool:
        """Whether none is broken."""
        return not self.broken

    @property
    def n_examples(self) -> int:
        """How many cases were tried of all invariants."""
        return sum(each.n_examples for each in self.outcomes)

    def to_dict(self) -> dict[str, object]:
        """Return all of it as dicts and lists."""
        return {
            "holds": self.holds,
            "n_examples": self.n_examples,
            "outcomes": [each.to_dict() for each in self.outcomes],
        }

    def __str__(self) -> str:
        parts = [self.of(verdict) for verdict in (Verdict.BROKEN, *Verdict)]
        told = [str(each) for outcomes in (parts[0], parts[3], parts[1]) for each in outcomes]
        groups = " and ".join(
            f"{sum(each.invariant.group == group for each in self.outcomes)} of {group.value}"
            for group in Group
        )
        told.append(
            f"{count(len(self.outcomes), 'invariant')}, {groups}: {len(parts[1])} hold, "
            f"{len(parts[0])} are broken, {len(parts[3])} do not apply; "
            f"{count(self.n_examples, 'example')}"
        )
        return "\n".join(told)
