"""What a training draws from."""

from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True, slots=True)
class Chance:
    """The two sources of chance, with a state that goes on with each draw."""

    random: np.random.Generator
    generator: torch.Generator

    @classmethod
    def of(cls, seed: int) -> "Chance":
        """Return the same chance for the same seed."""
        return cls(np.random.default_rng(seed), torch.Generator().manual_seed(seed))
