"""What reasons for a wrapped model cost, and how true they are: RecTools' SASRec on MovieLens."""

import argparse
import logging
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from bench.accuracy.models.sasrec import rectools_dataset
from bench.data import movielens_data
from bench.event_shapley import Sampled, sample
from bench.timing import interleaved, write_table
from scipy.stats import spearmanr

import whyrec
from whyrec.data.coalitions import Coalitions
from whyrec.data.dataset import Dataset
from whyrec.data.pairs import Pairs
from whyrec.models import EncodingRecommender
from whyrec.types import BoolArray, Float64Array, Int64Array

N_USERS, K, N_ROUNDS = 100, 10, 9
N_ITEMS = 5
"""Of the best of each user whose reasons are held against Shapley values."""

SMALL: dict[str, Any] = {"n_factors": 64, "n_heads": 2, "session_max_len": 50, "batch_size": 64}
"""A model that is asked so fast that Shapley values can be sampled well."""

UNTRAINED = whyrec.EncoderNetworkConfig(max_steps=0, n_histories=64, confidence_pairs=0)
"""As fast as a trained one."""


class Encoder:
    """RecTools' SASRec as `SDK.wrap` takes it, see examples/rectools_sasrec.py."""

    def __init__(self, model: Any, dataset: Dataset) -> None:
        self.net, prepared = model.torch_model.eval(), model.data_preparator
        self.length, self.first = prepared.session_max_len, prepared.n_item_extra_tokens
        self.item_ids = [dataset.items[index] for index in prepared.get_known_item_ids()]
        self.vectors = self.net.item_model.get_all_embeddings().detach()

    def encode(self, histories: list[Int64Array]) -> torch.Tensor:
        """Fill histories up from the left, as RecTools does, and take the last place."""
        x = torch.zeros(len(histories), self.length, dtype=torch.long)
        for row, items in enumerate(histories):
            x[row, -len(items) :] = torch.from_numpy(items[-self.length :]) + self.first
        return cast(torch.Tensor, self.net.encode_sessions({"x": x}, self.vectors)[:, -1])

    def item_vectors(self) -> torch.Tensor:
        """Leave out the vector of what fills up."""
        return cast(torch.Tensor, self.vectors[self.first :])


@dataclass(frozen=True, slots=True)
class Trained:
    """A model, and what whyrec and RecTools each ask of it."""

    model: Any
    encoder: Encoder
    dataset: Dataset

    @classmethod
    def on(cls, dataset: Dataset, n_epochs: int, **sizes: Any) -> "Trained":
        """Train for so many epochs, other settings as they come."""
        from pytorch_lightning import Trainer, seed_everything
        from rectools.models import SASRecModel

        def trainer() -> Any:
            silent = {"enable_progress_bar": False, "enable_model_summary": False, "logger": False}
            return Trainer(
                max_epochs=n_epochs, accelerator="cpu", enable_checkpointing=False, **silent
            )

        seed_everything(0, verbose=False)
        model = SASRecModel(
            deterministic=True, recommend_torch_device="cpu", get_trainer_func=trainer, **sizes
        )
        model.fit(rectools_dataset(dataset.interactions))
        return cls(model, Encoder(model, dataset), dataset)

    def wrapped(self, explainer: whyrec.EncoderNetworkConfig | None = None) -> whyrec.SDK:
        """Wrap it, by default with the explainer of the defaults."""
        return whyrec.SDK.wrap(
            self.encoder,
            whyrec.datasets.movielens().events,
            unknown_items="drop",
            explainer=explainer,
            progress=False,
        )


def overhead(name: str, trained: Trained, sdk: whyrec.SDK) -> list[str]:
    """Return a row: what the model takes by itself for some users, and what is asked beside it."""
    users = list(sdk.dataset.users)[:N_USERS]
    indices = sdk.dataset.users.indices_of(users)
    histories = sdk.dataset.histories(indices)
    seen = np.split(histories.items, histories.offsets[1:-1])
    places = {each: place for place, each in enumerate(trained.encoder.item_ids)}
    of_model = np.array([places[each] for each in sdk.dataset.items])
    own = [of_model[each] for each in seen]
    names = trained.dataset.users.indices_of(users).tolist()
    asked = rectools_dataset(trained.dataset.interactions)

    @torch.no_grad()
    def alone() -> object:
        scores = trained.encoder.encode(own) @ trained.encoder.item_vectors().T
        for row, items in enumerate(own):
            scores[row, items] = -torch.inf
        return scores.topk(K)

    seconds = interleaved(
        {
            "model": alone,
            "RecTools": lambda: trained.model.recommend(names, asked, K, filter_viewed=True),
            "recommend": lambda: sdk.recommend(users, K),
            "reasons": lambda: sdk.recommend_with_reasons(users, K),
        },
        N_ROUNDS,
    )
    told = [f"{1e3 * each:.0f} ms" for each in seconds.values()]
    ratios = [seconds["reasons"] / seconds[each] for each in ("model", "RecTools")]
    return [name, *told, *(f"{ratio:.1f}×" for ratio in ratios)]


def queries_of(sdk: whyrec.SDK, user: int) -> Callable[[BoolArray], Float64Array]:
    """Return what asks the model for the queries of coalitions of one user's events."""
    histories = sdk.dataset.histories(np.array([user]))
    model = cast(EncodingRecommender, sdk.recommender)

    def queries(present: BoolArray) -> Float64Array:
        return model.coalition_queries(histories, Coalitions.of_matrices([present])).astype(float)

    return queries


def agreement(
    sdk: whyrec.SDK, n_users: int, n_permutations: int, most_events: int
) -> tuple[Float64Array, Float64Array]:
    """Return Spearman of reasons to the reference, and of its halves to one another, per pair."""
    random, dataset, model = np.random.default_rng(5), sdk.dataset, sdk.recommender
    counts = np.diff(dataset.interactions.offsets)
    chosen = random.permutation(np.flatnonzero((counts > 10) & (counts <= most_events)))[:n_users]
    found, halves = [], []
    for user in chosen.tolist():
        reference = sample(queries_of(sdk, user), int(counts[user]), n_permutations, random)
        histories = dataset.histories(np.array([user]))
        scores = model.query_vectors(histories)[0] @ model.item_vectors().T + model.item_biases()
        best = np.argsort(-scores, kind="stable")
        items = best[~np.isin(best, histories.items)][:N_ITEMS].astype(np.int32)
        told = sdk.explainer.explain(
            histories, Pairs(np.zeros(N_ITEMS, np.int32), items), scores[items].astype(np.float64)
        )
        for pair, item in enumerate(items.tolist()):
            vector, said = model.item_vectors()[item], told.contributions[told.of(pair)]
            found.append(_spearman(said[: counts[user]], reference.mean @ vector))
            halves.append(_halves(reference, vector))
        print(f"user {user}, {counts[user]} events: {np.mean(found):.3f} so far", flush=True)
    return np.array(found), np.array(halves)


def _halves(reference: Sampled, vector: Any) -> float:
    one, other = reference.halves
    return _spearman(one @ vector, other @ vector)


def _spearman(one: Any, other: Any) -> float:
    return float(spearmanr(one, other).statistic)


def main() -> None:
    """Measure and write bench/results/wrapped.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=14, help="whose reasons are judged")
    parser.add_argument("--permutations", type=int, default=2_048, help="of each of them")
    parser.add_argument("--most-events", type=int, default=42, help="of each of them")
    parser.add_argument("--epochs", type=int, default=12, help="that the small model trains for")
    asked = parser.parse_args()
    warnings.filterwarnings("ignore")
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    dataset = movielens_data()
    small = Trained.on(dataset, asked.epochs, **SMALL)
    started = time.perf_counter()
    sdk = small.wrapped()
    seconds = time.perf_counter() - started
    whole = Trained.on(dataset, 1)
    rows = [
        overhead("64 wide, 50 events", small, sdk),
        overhead("RecTools' own: 256 wide, 100 events", whole, whole.wrapped(UNTRAINED)),
    ]
    found, halves = agreement(sdk, asked.users, asked.permutations, asked.most_events)
    write_table(
        "wrapped",
        f"RecTools' SASRec on MovieLens, wrapped: {N_USERS} users, k = {K}, three reasons",
        [
            "model",
            "encode and top-k",
            "RecTools' recommend",
            "`recommend`",
            "`recommend_with_reasons`",
            "over the model",
            "over RecTools",
        ],
        rows,
        [
            f"The first model trained for {asked.epochs} epochs, its explainer by the defaults in "
            f"{seconds:.0f} s. Spearman of its contributions to sampled Shapley values: mean "
            f"{found.mean():.3f}, median {np.median(found):.3f}, worst {found.min():.3f}, of "
            f"{len(found)} pairs ({asked.users} users of 11 to {asked.most_events} events, their "
            f"best {N_ITEMS} items; {asked.permutations:,} permutations with a control variate, "
            f"whose halves agree at {halves.mean():.3f}).",
            "The second trained for one epoch, and its explainer not at all: it is for time alone.",
        ],
    )


if __name__ == "__main__":
    main()
