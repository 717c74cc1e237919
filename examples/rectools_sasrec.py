"""RecTools' SASRec, trained as it comes, and reasons for what it recommends.

Needs the environment of RecTools (`make .venv/.rectools`): .venv/rectools/bin/python
examples/rectools_sasrec.py
"""

import numpy as np
import pandas as pd
import torch
from pytorch_lightning import Trainer
from rectools.dataset import Dataset
from rectools.models import SASRecModel

import whyrec


class SASRec:
    """What whyrec asks of the model: its ids, its vectors of items, and those of histories."""

    def __init__(self, model):
        self.net, prepared = model.torch_model.eval(), model.data_preparator
        self.length, self.first = prepared.session_max_len, prepared.n_item_extra_tokens
        self.item_ids = prepared.get_known_item_ids()
        self.vectors = self.net.item_model.get_all_embeddings()

    def encode(self, histories):
        """Fill histories up from the left, as RecTools does, and take the last place."""
        x = torch.zeros(len(histories), self.length, dtype=torch.long)
        for row, items in enumerate(histories):
            x[row, -len(items) :] = torch.from_numpy(items[-self.length :]) + self.first
        return self.net.encode_sessions({"x": x}, self.vectors)[:, -1]

    def item_vectors(self):
        """Leave out the vector of what fills up."""
        return self.vectors[self.first :]


def trainer():
    """Train silently, and for a short time."""
    silent = {"enable_progress_bar": False, "enable_model_summary": False, "logger": False}
    return Trainer(max_epochs=10, accelerator="cpu", enable_checkpointing=False, **silent)


def wrapped():
    """Train on a made-up world, and put reasons to the model."""
    torch.manual_seed(0)
    events = whyrec.datasets.synthetic(seed=0, n_users=300, n_items=80).events.to_pandas()
    read = events.rename(columns={"timestamp": "datetime"}).assign(weight=1.0)
    read["datetime"] = pd.to_datetime(read["datetime"].astype(np.int64))
    trained = SASRecModel(
        n_factors=32, session_max_len=20, dropout_rate=0.1, get_trainer_func=trainer
    ).fit(Dataset.construct(read))

    model = SASRec(trained)
    settings = whyrec.EncoderNetworkConfig(n_histories=512, max_steps=500, confidence_pairs=0)
    return model, whyrec.SDK.wrap(
        model, events, unknown_items="drop", explainer=settings, progress=False
    )


def main():
    """Recommend with reasons, and say how near they are to Shapley values."""
    _, sdk = wrapped()
    print(sdk.recommend_with_reasons("u7", k=3))
    measured = sdk.faithfulness(20, reference=whyrec.ShapleyConfig(max_evaluations=4_096))
    print(f"Spearman {measured.means()['Spearman']:.3f}")


if __name__ == "__main__":
    main()
