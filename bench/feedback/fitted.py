"""The SDK that answers are timed and replayed on: two towers and their network on MovieLens."""

from bench.data import movielens_data

from whyrec import SDK, NetworkConfig, TwoTowerConfig


def movielens_sdk(*, quick: bool) -> SDK:
    """Fit on MovieLens; quick trains for a few steps, which changes no time of an answer."""
    model, explainer = TwoTowerConfig(), NetworkConfig()
    if quick:
        model = TwoTowerConfig(l2=100.0, windows=True, max_steps=100)
        explainer = NetworkConfig(max_steps=100, confidence_pairs=0)
    return SDK.fit_dataset(movielens_data(), model=model, explainer=explainer, progress=False)
