"""Runs invariants: as a report, or each as a test of pytest."""

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky, HypothesisException

from whyrec.errors import ArgumentError, MissingDependencyError
from whyrec.testing import attribution, ranking
from whyrec.testing.invariant import BrokenError, Case, Invariant, NotApplicableError
from whyrec.testing.report import Outcome, Report, Verdict
from whyrec.testing.subject import Subject
from whyrec.testing.system import System

INVARIANTS: tuple[Invariant, ...] = (*ranking.INVARIANTS, *attribution.INVARIANTS)
"""All invariants: those of ranking, then those of attribution."""

_TRIES_TO_SHRINK = 100
"""How many cases more are tried, once one breaks, to find a smaller one."""


def check_recommender(
    system: System, *, examples: int = 10, only: Iterable[Invariant] = INVARIANTS
) -> Report:
    """Try invariants of ranking and attribution on a recommender with reasons.

    The cases are drawn by Hypothesis, always the same ones for the same system and number.

    Args:
        system: an `SDK`, fitted, loaded or wrapped, or anything else that answers as one does.
        examples: how many cases of each invariant are tried.
        only: which invariants; all of them by default.

    Raises:
        ArgumentError: examples is below 1.

    >>> import whyrec
    >>> world = whyrec.datasets.synthetic(seed=0, n_users=20, n_items=25)
    >>> sdk = whyrec.SDK.fit(world.events, world.items, model=whyrec.EASEConfig())
    >>> report = check_recommender(sdk, examples=2)
    >>> report.holds, len(report.outcomes) > 100
    (True, True)
    """
    if examples < 1:
        raise ArgumentError(f"examples must be at least 1, not {examples}")
    with TemporaryDirectory() as workspace:
        subject = Subject(system, Path(workspace))
        return Report(tuple(_try(each, subject, examples) for each in only))


def invariants(
    system: System | Callable[[], System], *, examples: int = 10
) -> Callable[[Invariant], None]:
    """Return a test for pytest that runs once for each invariant, under its name.

    One line in a test module is enough: `test_invariants = whyrec.testing.invariants(sdk)`. An
    invariant that does not apply is skipped, with the reason.

    Args:
        system: what to test, or what makes it, which is then called once, by the first test.
        examples: how many cases of each invariant are tried.

    Raises:
        MissingDependencyError: pytest is not installed.
    """
    try:
        import pytest
    except ModuleNotFoundError as error:
        raise MissingDependencyError("invariants(…) needs pytest: pip install pytest") from error
    made: list[System] = []

    @pytest.mark.parametrize("invariant", INVARIANTS, ids=str)
    def test_invariant(invariant: Invariant) -> None:
        if not made:
            made.append(system() if callable(system) else system)
        (outcome,) = check_recommender(made[0], examples=examples, only=[invariant]).outcomes
        if outcome.verdict == Verdict.NOT_APPLICABLE:
            pytest.skip(outcome.because)
        if outcome.verdict == Verdict.BROKEN:
            pytest.fail(str(outcome), pytrace=False)

    return test_invariant


class _Attempt:
    """The cases of one invariant that are tried on a subject, and what came of them."""

    def __init__(self, invariant: Invariant, subject: Subject) -> None:
        self._invariant, self._subject = invariant, subject
        self.n_tried = 0
        self.passed_over: Counter[str] = Counter()
        self.broken: tuple[str, dict[str, object]] | None = None
        self.n_shrunk = 0

    @property
    def is_spent(self) -> bool:
        """Whether no more cases may be tried to find a smaller one."""
        return self.n_shrunk >= _TRIES_TO_SHRINK

    def case(self, data: st.DataObject) -> None:
        """Try one case."""
        if self.is_spent:
            return
        self.n_shrunk += self.broken is not None
        case = Case(data)
        try:
            self._invariant.holds(self._subject, case)
        except NotApplicableError as reason:
            self.passed_over[str(reason)] += 1
            return
        except HypothesisException:
            raise
        except Exception as error:
            said = str(error) if isinstance(error, BrokenError) else f"it raised {error!r}"
            self.broken = said, case.drawn
            self.n_tried += self.n_shrunk == 0
            raise
        self.n_tried += self.broken is None


def _try(invariant: Invariant, subject: Subject, examples: int) -> Outcome:
    attempt = _Attempt(invariant, subject)

    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(st.data())
    def cases(data: st.DataObject) -> None:
        attempt.case(data)

    now_and_then = ""
    try:
        cases()
    except Flaky:
        if not attempt.is_spent:
            now_and_then = "not each time the same case is tried; "
        if attempt.broken is None:
            attempt.broken = "what can be asked is not the same when asked again", {}
    except Exception:
        if attempt.broken is None:
            raise
    if attempt.broken is not None:
        said, drawn = attempt.broken
        return Outcome(invariant, Verdict.BROKEN, attempt.n_tried, f"{now_and_then}{said}", drawn)
    if not attempt.n_tried:
        ((reason, _),) = attempt.passed_over.most_common(1)
        return Outcome(invariant, Verdict.NOT_APPLICABLE, 0, reason)
    return Outcome(invariant, Verdict.HOLDS, attempt.n_tried)
