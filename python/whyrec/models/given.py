"""What a model of the application's own gives, held to what its protocol promises."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from whyrec.errors import ModelError

SAME = 1e-4
"""How far two answers to one question may be apart, in the largest absolute value of both."""


def asked(method: str, about: str, call: Callable[[], object]) -> object:
    """Call a method of the application's; whatever it raises is told with its name.

    Raises:
        ModelError: it raised an exception, which is the cause of this one.
    """
    try:
        return call()
    except Exception as error:
        raise ModelError(
            f"{method} raised {type(error).__name__} on {about}: {error}; expected an answer"
        ) from error


def finite_floats(found: object, method: str, shape: tuple[int | None, ...]) -> NDArray[Any]:
    """Return an answer as an array of floats, as it came.

    Args:
        found: the answer: a tensor on the CPU or a NumPy array.
        method: whose answer it is, for the message.
        shape: what its shape must be; None for any size from 1.

    Raises:
        ModelError: it is anything else; the message says what was expected and what came.
    """
    sizes = ", ".join("d" if each is None else f"{each:,}" for each in shape)
    expected = f"expected finite floats of shape [{sizes}], in a NumPy array or a CPU tensor"
    if isinstance(found, torch.Tensor):
        if found.device.type != "cpu":
            raise ModelError(
                f"{method} gave a tensor on the device {str(found.device)!r}; {expected}: return "
                "it with .cpu()"
            )
        found = found.detach()
        found = (found.float() if found.dtype == torch.bfloat16 else found).numpy()
    if not isinstance(found, np.ndarray):
        raise ModelError(f"{method} gave {type(found).__name__}; {expected}")
    if found.dtype.kind != "f":
        raise ModelError(f"{method} gave {found.dtype}; {expected}")
    fits = found.ndim == len(shape) and all(
        (size > 0) if wanted is None else size == wanted
        for size, wanted in zip(found.shape, shape, strict=True)
    )
    if not fits:
        raise ModelError(f"{method} gave an array of shape {list(found.shape)}; {expected}")
    bad = np.argwhere(~np.isfinite(found))
    if len(bad):
        where = tuple(bad[0].tolist())
        raise ModelError(f"{method} gave {found[where]} at {list(where)}; {expected}")
    return found


def distance(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Return the largest difference of two arrays, in the largest absolute value of both."""
    largest = max(float(np.abs(one).max(initial=0)), float(np.abs(other).max(initial=0)))
    return float(np.abs(one - other).max(initial=0)) / (largest or 1.0)


def check_the_same(
    first: NDArray[Any], second: NDArray[Any], method: str, because: str, model: object
) -> None:
    """Refuse a model that answers one question in two ways.

    Args:
        first: an answer.
        second: the other answer.
        method: whose answers they are.
        because: what was different between the two, such as "a second call".
        model: in which modules that are in training are looked for.

    Raises:
        ModelError: the answers differ; dropout that is left on is named.
    """
    apart = distance(first, second)
    if apart > SAME:
        raise ModelError(
            f"{method} gave other values in {because} (they differ by {apart:.2g} of the largest); "
            f"expected the same; {_left_on(model)}"
        )


def _left_on(model: object) -> str:
    """Say which modules of a model are in training."""
    parts = {"": model} | getattr(model, "__dict__", {})
    modules = {
        ".".join(part for part in (name, inner) if part): module
        for name, whole in parts.items()
        if isinstance(whole, torch.nn.Module)
        for inner, module in whole.named_modules()
        if module.training
    }
    dropout = [name for name, each in modules.items() if "Dropout" in type(each).__name__]
    if dropout:
        return f"dropout is on in {dropout[0]!r}: call eval() on the model before it is wrapped"
    if modules:
        named = next(iter(modules)) or type(model).__name__
        return f"{named!r} is in training mode: call eval() on the model before it is wrapped"
    return "look for what is random in it, or depends on what it was asked before"
