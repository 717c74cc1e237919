"""Fields of numbers and dates: one token each, whose weight is the standardised number."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import numpy as np

from whyrec.data.fields.entries import Entries
from whyrec.data.fields.specs import Kind, Numeric
from whyrec.data.numbers import read_numbers
from whyrec.data.tables import Column
from whyrec.data.times import SECONDS_PER_DAY, holds_times, read_times
from whyrec.types import Float32Array, Float64Array

LINEAR_TO = 5.0
"""Standard deviations from the mean beyond which weights grow with the logarithm only."""

Unit = Literal["number", "whole number", "day"]


@dataclass(frozen=True, slots=True)
class FittedNumeric:
    """A numeric field with the mean and the spread that its weights are measured by."""

    name: str
    spec: Numeric
    mean: float
    std: float
    """Standard deviation, in the unit of the column (days for dates); 1 where all are equal."""

    unit: Unit
    """How a number is shown."""

    @classmethod
    def fit(cls, column: Column, spec: Numeric) -> "FittedNumeric":
        """Measure the mean and the spread of a column."""
        unit: Unit = "day" if holds_times(column) else "number"
        numbers = _read(column, unit)
        numbers = numbers[~np.isnan(numbers)]
        if unit == "number" and (numbers == np.round(numbers)).all():
            unit = "whole number"
        if not len(numbers):
            return cls(column.name, spec, 0.0, 1.0, unit)
        if np.ptp(numbers) == 0:  # rounding could make it a very small spread
            return cls(column.name, spec, float(numbers[0]), 1.0, unit)
        # Squares of deviations below 1e-154 are 0; whoever differs so little is equal.
        std = float(numbers.std()) or 1.0
        return cls(column.name, spec, float(numbers.mean()), std, unit)

    @property
    def kind(self) -> Kind:
        """What the column was read as."""
        return "numeric"

    @property
    def n_tokens(self) -> int:
        """One token for all numbers."""
        return 1

    def encode(self, column: Column) -> Entries:
        """Read the number of each row as a weight."""
        numbers = _read(column, self.unit)
        rows = np.flatnonzero(~np.isnan(numbers))
        return Entries(rows, np.zeros(len(rows), np.int64), self._weigh(numbers[rows]))

    def describe(self, token: int, weight: float) -> int | float | str:  # noqa: ARG002
        """Return the number that has a weight: the shortest decimal that encodes to it.

        Shortest, so that 1995 is not shown as 1995.0000029. A date comes back as ISO 8601 text.
        """
        exact = self._unweigh(float(weight))
        if self.unit == "day":
            day = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=round(exact))
            return day.date().isoformat()
        for digits in range(1, 17):
            shorter = float(f"{exact:.{digits}g}")
            if self._weigh(np.array([shorter]))[0] == np.float32(weight):
                exact = shorter
                break
        return round(exact) if self.unit == "whole number" else exact

    def _weigh(self, numbers: Float64Array) -> Float32Array:
        deviations = (numbers - self.mean) / self.std
        excess = np.maximum(np.abs(deviations) - LINEAR_TO, 0)
        bent = np.minimum(np.abs(deviations), LINEAR_TO) + np.log1p(excess)
        weights: Float32Array = (np.sign(deviations) * bent).astype(np.float32)
        return weights

    def _unweigh(self, weight: float) -> float:
        excess = max(abs(weight) - LINEAR_TO, 0)
        deviation = min(abs(weight), LINEAR_TO) + float(np.expm1(excess))
        return float(np.copysign(deviation, weight)) * self.std + self.mean

    def token_of(self, value: object) -> int | None:  # noqa: ARG002
        """Return 0: all numbers have one token."""
        return 0

    def to_json(self) -> dict[str, Any]:
        """Return the state as JSON data."""
        return {
            "kind": self.kind,
            "name": self.name,
            "mean": self.mean,
            "std": self.std,
            "unit": self.unit,
        }

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> "FittedNumeric":
        """Read back what `to_json` gave."""
        return cls(state["name"], Numeric(), state["mean"], state["std"], state["unit"])


def _read(column: Column, unit: Unit) -> Float64Array:
    if unit != "day":
        return read_numbers(column)
    seconds, _ = read_times(column)
    days: Float64Array = seconds / SECONDS_PER_DAY
    return days
