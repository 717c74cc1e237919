"""What must hold of any recommender that gives reasons, to be run on one's own.

`check_recommender(sdk)` tries every invariant and reports what broke, why it must hold, and the
smallest case that breaks it; `invariants(sdk)` makes a pytest test of each. `strategies` draws
events, catalogs, histories and scorers for tests of one's own.
"""

from whyrec.errors import MissingDependencyError

try:
    import hypothesis as _hypothesis  # noqa: F401
except ModuleNotFoundError as error:
    raise MissingDependencyError(
        'whyrec.testing needs Hypothesis: pip install "whyrec[testing]"'
    ) from error

from whyrec.testing import strategies
from whyrec.testing.check import INVARIANTS, check_recommender, invariants
from whyrec.testing.invariant import Group, Invariant
from whyrec.testing.report import Outcome, Report, Verdict
from whyrec.testing.scorer import Scorer
from whyrec.testing.system import System

__all__ = [
    "INVARIANTS",
    "Group",
    "Invariant",
    "Outcome",
    "Report",
    "Scorer",
    "System",
    "Verdict",
    "check_recommender",
    "invariants",
    "strategies",
]
