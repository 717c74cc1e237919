"""Checks the numbers of a settings dataclass when it is built."""

from collections.abc import Collection
from dataclasses import fields
from typing import Any

import numpy as np

from whyrec.errors import ArgumentError


def check_numbers(settings: Any, may_be_zero: Collection[str] = ()) -> None:
    """Refuse whole numbers below 1, or below 0 where named, and other numbers below 0.

    Raises:
        ArgumentError: a field of the dataclass is out of range; the message names it.
    """
    for field in fields(settings):
        value = getattr(settings, field.name)
        least = 0 if field.name in may_be_zero else 1
        if field.type is int and value < least:
            raise ArgumentError(f"{field.name} must be at least {least}, not {value}")
        if field.type is float and not (np.isfinite(value) and value >= 0):
            raise ArgumentError(f"{field.name} must be a number from 0, not {value}")
