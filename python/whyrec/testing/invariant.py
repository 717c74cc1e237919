"""An invariant: a name, why it must hold, and a function that tries one case of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import ModuleType
from typing import TYPE_CHECKING, TypeVar

from hypothesis import strategies as st

if TYPE_CHECKING:  # it is what invariants are about, and knows how to draw a case
    from whyrec.testing.subject import Subject

T = TypeVar("T")


class Group(StrEnum):
    """What an invariant is about."""

    RANKING = "ranking"
    ATTRIBUTION = "attribution"


class BrokenError(AssertionError):
    """The system did what an invariant forbids."""


class NotApplicableError(Exception):
    """A case that says nothing about an invariant; the message says why."""


class Case:
    """One case, drawn by Hypothesis as the invariant asks for it."""

    def __init__(self, data: st.DataObject) -> None:
        self._data = data
        self.drawn: dict[str, object] = {}
        """What was drawn so far, by name."""

    def draw(self, name: str, values: st.SearchStrategy[T]) -> T:
        """Draw a value that the report shows under a name."""
        value = self.drawn[name] = self._data.draw(values)
        return value


@dataclass(frozen=True, slots=True)
class Invariant:
    """Something that holds of every system that ranks and explains as it should."""

    name: str
    group: Group
    why: str
    """One sentence: what goes wrong for those who use the system where it does not hold."""

    holds: "Callable[[Subject, Case], None]"
    """Tries one case; raises `BrokenError` or `NotApplicableError`."""

    def __str__(self) -> str:
        return self.name


def ranking(holds: "Callable[[Subject, Case], None]") -> Invariant:
    """Make an invariant of ranking, named as the function, whose docstring says why."""
    return _named(Group.RANKING, holds)


def attribution(holds: "Callable[[Subject, Case], None]") -> Invariant:
    """Make an invariant of attribution, named as the function, whose docstring says why."""
    return _named(Group.ATTRIBUTION, holds)


def _named(group: Group, holds: "Callable[[Subject, Case], None]") -> Invariant:
    why = " ".join((holds.__doc__ or "").split())
    return Invariant(holds.__name__.replace("_", " "), group, why, holds)


def invariants_of(modules: Sequence[ModuleType]) -> tuple[Invariant, ...]:
    """Return the invariants that some modules define, in their order."""
    return tuple(
        each for module in modules for each in vars(module).values() if isinstance(each, Invariant)
    )


def demand(is_so: bool, otherwise: str) -> None:
    """Break the invariant, with what was found, unless something is so."""
    if not is_so:
        raise BrokenError(otherwise)


def demand_same(found: object, expected: object, what: str) -> None:
    """Break the invariant unless two things are equal."""
    demand(found == expected, f"{what}: {shortened(found)}, not {shortened(expected)}")


def apply_only(is_so: bool, otherwise: str) -> None:
    """Leave a case that says nothing about the invariant."""
    if not is_so:
        raise NotApplicableError(otherwise)


def shortened(value: object, length: int = 300) -> str:
    """Write a value as Python does, cut where it is too long to read."""
    text = repr(value)
    return text if len(text) <= length else f"{text[: length - 1]}…"
