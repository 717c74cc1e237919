"""The process in which an SDK was made, and what does not come along into its forks."""

import os

import torch

from whyrec.errors import ForkError


class Home:
    """The process that it was made in."""

    def __init__(self) -> None:
        self._process = os.getpid()

    def check(self) -> None:
        """Fail in a fork in which PyTorch would wait for threads that are not there, for ever."""
        if os.getpid() != self._process and torch.get_num_threads() > 1:
            raise ForkError(
                f"this process is a fork of {self._process}, where the SDK was made; the threads "
                "of PyTorch did not come with it: call torch.set_num_threads(1) first thing in a "
                "fork, or load the SDK in a process that was spawned"
            )
