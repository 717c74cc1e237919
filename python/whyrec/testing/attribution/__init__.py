"""What must hold of why an item scores as it does: reasons, contributions and the games below."""

from whyrec.testing.attribution import agreement, contributions, games, margins, reasons, sums
from whyrec.testing.invariant import Invariant, invariants_of

INVARIANTS: tuple[Invariant, ...] = invariants_of(
    (sums, reasons, agreement, margins, games, contributions)
)
