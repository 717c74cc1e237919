"""What must hold of which items are recommended, and in which order."""

from whyrec.testing.invariant import Invariant, invariants_of
from whyrec.testing.ranking import company, lists, models, rules, visitors

INVARIANTS: tuple[Invariant, ...] = invariants_of((lists, rules, company, visitors, models))
