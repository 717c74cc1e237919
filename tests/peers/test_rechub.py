"""A two-tower network of torch-rechub, wrapped as it is."""

import numpy as np
import pytest
import torch
from bench.event_rivals import relative_errors
from numpy.typing import NDArray

from whyrec import SDK, EncoderNetworkConfig, ModelError
from whyrec.datasets.synthetic import World
from whyrec.evaluate.intervals import interval
from whyrec.types import Int64Array

features = pytest.importorskip(
    "torch_rechub.basic.features", reason="torch-rechub is not installed: pip install torch-rechub"
)
matching = pytest.importorskip("torch_rechub.models.matching")

N_ITEMS, LENGTH = 80, 20


class YoutubeDNN:
    """Items are numbered from 1 in the network; 0 fills a history up."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        item = features.SparseFeature("item", N_ITEMS + 1, 16, padding_idx=0)
        history = features.SequenceFeature(
            "history", N_ITEMS + 1, 16, pooling="mean", shared_with="item", padding_idx=0
        )
        negatives = features.SequenceFeature(
            "negatives", N_ITEMS + 1, 16, pooling="concat", shared_with="item"
        )
        settings = {"dims": [32, 16], "dropout": 0.2}
        self.net = matching.YoutubeDNN([history], [item], [negatives], settings, temperature=0.1)
        self.item_ids = [f"i{number}" for number in range(N_ITEMS)]

    def encode(self, histories: list[Int64Array]) -> torch.Tensor:
        x = torch.zeros(len(histories), LENGTH, dtype=torch.long)
        for row, items in enumerate(histories):
            x[row, : len(items)] = torch.from_numpy(items[-LENGTH:]) + 1
        self.net.mode = "user"
        found: torch.Tensor = self.net({"history": x}) / self.net.temperature
        return found

    def item_vectors(self) -> torch.Tensor:
        self.net.mode = "item"
        found: torch.Tensor = self.net({"item": torch.arange(1, N_ITEMS + 1)})
        return found

    def gradients(self, items: Int64Array, vector: torch.Tensor) -> torch.Tensor:
        """Return gradient × input at what the network looks up of each event."""
        looked_up: list[torch.Tensor] = []
        (table,) = [each for each in self.net.modules() if isinstance(each, torch.nn.Embedding)]
        hook = table.register_forward_hook(lambda *told: looked_up.append(told[2]))
        score = self.encode([items])[0] @ vector
        hook.remove()
        (found,) = torch.autograd.grad(score, looked_up[0])
        return (found * looked_up[0]).sum(-1)[0, : len(items)].detach()


def train(model: YoutubeDNN, histories: list[NDArray[np.str_]]) -> None:
    """Foretell the last event from those before it."""
    numbers = [np.array([int(each[1:]) for each in history]) for history in histories]
    optimizer = torch.optim.Adam(model.net.parameters(), 0.01)
    wanted = torch.from_numpy(np.array([each[-1] for each in numbers]))
    for _ in range(30):
        scores = model.encode([each[:-1] for each in numbers]) @ model.item_vectors().T
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(scores, wanted).backward()
        optimizer.step()


def test_youtube_dnn_gives_reasons(world: World) -> None:
    model = YoutubeDNN()
    model.net.train()
    histories = world.events.to_pandas().groupby("user_id")["item_id"]
    train(model, [each.to_numpy() for _, each in histories if len(each) > 1])
    with pytest.raises(ModelError, match=r"YoutubeDNN\.encode.*dropout is on in 'net\.user_mlp"):
        SDK.wrap(model, world.events, progress=False)
    model.net.eval()
    explainer = EncoderNetworkConfig(n_histories=384, max_steps=400, confidence_pairs=0)
    sdk = SDK.wrap(model, world.events, world.items, explainer=explainer, progress=False)
    found = relative_errors(sdk, model.item_ids, model.gradients, n_users=40, n_permutations=256)
    errors = {name: np.array(each) for name, each in found.items()}
    assert len(errors["gap"]) == 40
    assert errors["gap"].max() < 1e-9
    for rival in ("leave one out", "gradient"):
        assert interval(errors["reasons"] - errors[rival]).high < 0, rival
    best = sdk.recommend_with_reasons("u3", k=1, max_reasons=None)[0]
    assert best.base_value is not None
    assert best.reasons is not None
    total = best.base_value + sum(reason.contribution for reason in best.reasons)
    assert total == pytest.approx(best.score, abs=1e-9)
