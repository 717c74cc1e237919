"""Fields of numbers and dates: one token each, whose weight is the standardised number."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import numpy as np

from whyrec.data.fields.entries import Entries
from whyrec.data.fields.specs import Numeric
from whyrec.data.numbers import SECONDS_PER_DAY, holds_times, read_numbers, read_times
from whyrec.data.tables import Column
from whyrec.types import Float32Array, Float64Array

LINEAR_TO = 5.0
"""Standard deviations from the mean beyond which weights grow with the logarithm only."""

Unit = Literal["number", "whole number", "date"]


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
        numbers = _read(column)
        numbers = numbers[~np.isnan(numbers)]
        unit: Unit = "number"
        if holds_times(column):
            unit = "date"
        elif (numbers == np.round(numbers)).all():
            unit = "whole number"
        mean = float(numbers.mean()) if len(numbers) else 0.0
        std = float(numbers.std()) if len(numbers) else 0.0
        return cls(column.name, spec, mean, std if std > 0 else 1.0, unit)

    @property
    def n_tokens(self) -> int:
        """One token for all numbers."""
        return 1

    def encode(self, column: Column) -> Entries:
        """Read the number of each row as a weight."""
        numbers = _read(column)
        rows = np.flatnonzero(~np.isnan(numbers))
        return Entries(rows, np.zeros(len(rows), np.int64), self._weigh(numbers[rows]))

    def describe(self, token: int, weight: float) -> int | float | str:  # noqa: ARG002
        """Return the number that has a weight: the shortest decimal that encodes to it.

        A date comes back as ISO text. Shortest, so that 1995 is not shown as 1995.0000029.
        """
        exact = self._unweigh(float(weight))
        if self.unit == "date":
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

    def to_json(self) -> dict[str, Any]:
        """Return the state as JSON data."""
        return {
            "kind": "numeric",
            "name": self.name,
            "mean": self.mean,
            "std": self.std,
            "unit": self.unit,
        }

    @classmethod
    def from_json(cls, state: dict[str, Any]) -> "FittedNumeric":
        """Read back what `to_json` gave."""
        return cls(state["name"], Numeric(), state["mean"], state["std"], state["unit"])


def _read(column: Column) -> Float64Array:
    if holds_times(column):
        seconds, _ = read_times(column)
        return seconds / SECONDS_PER_DAY
    return read_numbers(column)
