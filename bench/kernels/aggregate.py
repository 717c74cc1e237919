"""Aggregation beside the best that can be composed of NumPy, torch, SciPy and polars."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import polars as pl
import torch
from bench.kernels import ours
from bench.kernels.race import race
from bench.kernels.report import Case, beside, duration
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from whyrec.types import Float32Array, Float64Array, Int32Array

N_PLAYERS = 32
N_GROUPS = 8
M = 3
TRIPLES_PER_ROW = 50
ROUNDS_OF_TRIPLES = 3
"""At most: a call takes the better part of a second, and its medians hardly differ."""

OUT = ", out="
"""How a way is named that writes over the results of an earlier call."""

WRITTEN_OVER = ", written over earlier results"

ASKED_OF_ROWS = 7.0
ASKED_OF_SORTED_TRIPLES = 3.0
ASKED_OF_RANDOM_TRIPLES = 2.0


def measure(n_rows: int, n_rounds: int) -> Iterator[Case]:
    """Measure rows of one length, then triples in two orders."""
    yield from measure_rows(n_rows, n_rounds)
    yield from measure_triples(n_rows, n_rows * TRIPLES_PER_ROW, min(n_rounds, ROUNDS_OF_TRIPLES))


def measure_rows(n_rows: int, n_rounds: int) -> Iterator[Case]:
    """Fold, pick and sum in one call, beside the fastest way to do each of the three.

    Once into new memory and once over the results of an earlier call, as the peers then may too.
    """
    generator = np.random.default_rng(0)
    values = generator.standard_normal((n_rows, N_PLAYERS), np.float32)
    groups = generator.permutation(np.arange(N_PLAYERS, dtype=np.int32) % N_GROUPS)
    found = ours.aggregate_rows(values, groups, N_GROUPS, M)
    folded, strongest = found.folded, found.strongest.groups.reshape(n_rows, M)
    sums, absolute = found.importance.sums, found.importance.absolute_sums
    pieces = {
        "fold": folds(values, groups),
        "pick": picks(folded.astype(np.float32)),
        "sums": sums_of(values),
    }
    truth = {
        "fold": folded,
        "pick": np.take_along_axis(np.abs(folded), strongest.astype(np.int64), axis=1),
        "sums": np.stack([sums, absolute]),
    }
    for piece, ways in pieces.items():
        for way, call in ways.items():
            answer = np.asarray(call())
            if piece == "pick":  # two groups may be as strong as each other
                answer = np.take_along_axis(np.abs(folded), answer.astype(np.int64), axis=1)
            scale = absolute if piece == "sums" else np.abs(values).mean()
            check_equal(f"{piece} by {way}", answer, truth[piece], scale)
    calls: dict[str, Callable[[], object]] = {
        f"{piece}: {way}": call for piece, ways in pieces.items() for way, call in ways.items()
    }
    calls["ours: new"] = lambda: ours.aggregate_rows(values, groups, N_GROUPS, M)
    calls[f"ours: new{OUT}"] = lambda: ours.aggregate_rows(values, groups, N_GROUPS, M, out=found)
    times = race_all(calls, n_rounds)
    for out in ("", OUT):
        total, chosen = 0.0, []
        for piece, ways in pieces.items():
            allowed = [way for way in ways if out or not way.endswith(OUT)]
            seconds, way = min((times[f"{piece}: {way}"], way) for way in allowed)
            total += seconds
            chosen.append(f"{piece} by {way} {duration(seconds)}")
        name = f"{n_rows:,} × {N_PLAYERS} float32 to {N_GROUPS} groups, top {M}, sums"
        yield beside(
            name + (WRITTEN_OVER if out else ""),
            times[f"ours: new{out}"],
            {"best pieces": total},
            asked={"best pieces": ASKED_OF_ROWS},
            note=f"Best pieces{WRITTEN_OVER if out else ''}: {', '.join(chosen)}; they sum in "
            "float32, ours in float64.",
        )


def folds(values: Float32Array, groups: Int32Array) -> dict[str, Callable[[], Any]]:
    """Return ways to sum the players of each group."""
    onehot = (groups[:, None] == np.arange(N_GROUPS)).astype(np.float32)
    tensor, tensor_onehot = torch.from_numpy(values), torch.from_numpy(onehot)
    tensor_groups = torch.from_numpy(groups.astype(np.int64))
    sparse = csr_array(onehot)
    out = np.zeros((len(values), N_GROUPS), np.float32)
    tensor_out = torch.from_numpy(out)
    return {
        "NumPy matmul": lambda: values @ onehot,
        f"NumPy matmul{OUT}": lambda: np.matmul(values, onehot, out=out),
        "torch matmul": lambda: tensor @ tensor_onehot,
        f"torch matmul{OUT}": lambda: torch.matmul(tensor, tensor_onehot, out=tensor_out),
        "torch index_add": lambda: torch.zeros(len(values), N_GROUPS).index_add_(
            1, tensor_groups, tensor
        ),
        "SciPy csr": lambda: values @ sparse,
    }


def picks(folded: Float32Array) -> dict[str, Callable[[], Any]]:
    """Return ways to find the groups of largest absolute value, the strongest first."""
    tensor = torch.from_numpy(folded)
    out = (torch.zeros(len(folded), M), torch.zeros(len(folded), M, dtype=torch.int64))
    room = torch.zeros_like(tensor)

    def numpy_partition() -> NDArray[Any]:
        strength = np.abs(folded)
        best = np.argpartition(strength, -M, axis=1)[:, -M:]
        order = np.argsort(np.take_along_axis(strength, best, axis=1), axis=1)[:, ::-1]
        return np.take_along_axis(best, order, axis=1)

    def torch_maxima() -> torch.Tensor:
        strength = tensor.abs()
        best = []
        for _ in range(M):
            best.append(strength.argmax(1, keepdim=True))
            strength.scatter_(1, best[-1], -1.0)
        return torch.cat(best, 1)

    return {
        "torch topk": lambda: torch.topk(tensor.abs(), M).indices,
        f"torch topk{OUT}": lambda: torch.topk(torch.abs(tensor, out=room), M, out=out).indices,
        "torch sort": lambda: tensor.abs().sort(dim=1, descending=True).indices[:, :M],
        "torch argmax thrice": torch_maxima,
        "NumPy argpartition": numpy_partition,
        "NumPy argsort": lambda: np.argsort(-np.abs(folded), axis=1)[:, :M],
    }


def sums_of(values: Float32Array) -> dict[str, Callable[[], Any]]:
    """Return ways to sum the values and the absolute values of each player."""
    tensor = torch.from_numpy(values)
    ones = np.ones(len(values), np.float32)
    tensor_ones = torch.ones(len(values))
    frame = pl.DataFrame(values)
    return {
        "NumPy sum": lambda: np.stack([values.sum(axis=0), np.abs(values).sum(axis=0)]),
        "NumPy matmul": lambda: np.stack([ones @ values, ones @ np.abs(values)]),
        "torch sum": lambda: torch.stack([tensor.sum(0), tensor.abs().sum(0)]),
        "torch norm": lambda: torch.stack(
            [tensor.sum(0), torch.linalg.vector_norm(tensor, 1, dim=0)]
        ),
        "torch matmul": lambda: torch.stack([tensor_ones @ tensor, tensor_ones @ tensor.abs()]),
        "polars": lambda: (
            frame.select(pl.all().sum().name.prefix("Σ"), pl.all().abs().sum().name.prefix("|Σ|"))
            .to_numpy()
            .reshape(2, N_PLAYERS)
        ),
    }


def measure_triples(n_rows: int, n_triples: int, n_rounds: int) -> Iterator[Case]:
    """Sum (row, group, value) triples to a dense matrix, sorted by row and in random order."""
    generator = np.random.default_rng(0)
    rows = generator.integers(n_rows, size=n_triples, dtype=np.int32)
    groups = generator.integers(N_GROUPS, size=n_triples, dtype=np.int32)
    values = generator.standard_normal(n_triples)
    for order, asked in (("random", ASKED_OF_RANDOM_TRIPLES), ("sorted", ASKED_OF_SORTED_TRIPLES)):
        if order == "sorted":
            rows.sort()
        calls = ways_to_sum(rows, groups, values, n_rows)
        truth = ours.fold_triples(rows, groups, values, n_rows, N_GROUPS)
        for name, call in calls.items():
            check_equal(name, dense(call(), truth.shape), truth, scale=1.0)
        fold = partial(ours.fold_triples, rows, groups, values, n_rows, N_GROUPS)
        calls |= {"ours": fold, f"ours{OUT}": partial(fold, out=truth)}
        times = race(calls, n_rounds)
        for out in ("", OUT):
            peers = {
                name: seconds
                for name, seconds in times.items()
                if not name.startswith("ours") and (out or not name.endswith(OUT))
            }
            yield beside(
                f"{n_triples:,} {order} triples to {n_rows:,} × {N_GROUPS}"
                f"{WRITTEN_OVER if out else ''}",
                times[f"ours{out}"],
                peers,
                asked={"NumPy": asked},
                note="Triples are summed by `np.bincount`, `scatter_add_`, `coo_array.tocsr` and "
                "`group_by`; NumPy, torch and polars are given one key for row and group, made "
                "before. `np.bincount` cannot write over earlier results.",
            )


def ways_to_sum(
    rows: Int32Array, groups: Int32Array, values: Float64Array, n_rows: int
) -> dict[str, Callable[[], Any]]:
    """Return how the peers sum triples."""
    shape = (n_rows, N_GROUPS)
    keys = rows.astype(np.int64) * N_GROUPS + groups
    tensor_keys, tensor = torch.from_numpy(keys), torch.from_numpy(values)
    frame = pl.DataFrame({"key": keys, "value": values})
    size = n_rows * N_GROUPS

    def torch_sum() -> torch.Tensor:
        sums = torch.zeros(size, dtype=torch.float64)
        return sums.scatter_add_(0, tensor_keys, tensor).reshape(shape)

    room = torch.zeros(size, dtype=torch.float64)

    return {
        "NumPy": lambda: np.bincount(keys, values, size).reshape(shape),
        "NumPy, keys made too": lambda: np.bincount(
            rows.astype(np.int64) * N_GROUPS + groups, values, size
        ).reshape(shape),
        "torch": torch_sum,
        f"torch{OUT}": lambda: room.zero_().scatter_add_(0, tensor_keys, tensor).reshape(shape),
        "SciPy": lambda: coo_array((values, (rows, groups)), shape).tocsr().toarray(),
        "polars": lambda: frame.group_by("key").agg(pl.col("value").sum()),
    }


def dense(sums: Any, shape: tuple[int, ...]) -> NDArray[Any]:
    """Return sums as a matrix; those of a data frame come in an order of their own."""
    if not isinstance(sums, pl.DataFrame):
        return np.asarray(sums)
    matrix = np.zeros(shape)
    matrix.flat[sums["key"].to_numpy()] = sums["value"].to_numpy()
    return matrix


def race_all(calls: Mapping[str, Callable[[], object]], n_rounds: int) -> dict[str, float]:
    """Time all calls, each against those of its kind alone: what comes before ": "."""
    kinds = {name.split(": ")[0] for name in calls}
    times: dict[str, float] = {}
    for kind in sorted(kinds):
        times |= race({n: call for n, call in calls.items() if n.split(": ")[0] == kind}, n_rounds)
    return times


def check_equal(
    name: str,
    found: NDArray[Any],
    expected: NDArray[np.float64],
    scale: float | NDArray[np.float64],
) -> None:
    """Hold a peer's sums to ours; `scale` is the size of what is summed, which may cancel.

    Raises:
        ValueError: they differ by more than float32 may, so their times cannot be compared.
    """
    apart = np.abs(found - expected)
    if not (apart <= 1e-4 * np.abs(expected) + 1e-5 * scale).all():
        raise ValueError(f"{name} gives other sums than ours: they differ by {apart.max():.3g}")
