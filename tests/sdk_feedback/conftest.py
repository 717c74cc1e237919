"""Fitted SDKs with a store of their own, and how they are asked."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from whyrec import (
    SDK,
    DeepRankerConfig,
    EASEConfig,
    GradientPathConfig,
    NetworkConfig,
    Reason,
    ReasonKind,
    Recommendations,
    SequenceConfig,
    TwoTowerConfig,
)
from whyrec.data.dataset import Dataset
from whyrec.feedback import (
    SQLite,
    SQLStore,
    Store,
)

NETWORK = NetworkConfig(max_steps=2, evaluate_every=1, confidence_pairs=0)
USER = "u3"
"""Who has two events that are the same, and both attributes."""


@pytest.fixture(scope="session")
def towers(shop: Dataset, tower_config: TwoTowerConfig) -> SDK:
    return SDK.fit_dataset(shop, model=tower_config, explainer=NETWORK, progress=False)


@pytest.fixture(scope="session")
def ease(shop: Dataset) -> SDK:
    return SDK.fit_dataset(shop, model=EASEConfig(l2=2.0), progress=False)


@pytest.fixture(params=["two towers", "sequence", "ranker", "ease"])
def of_every_kind(
    request: pytest.FixtureRequest,
    shop: Dataset,
    towers: SDK,
    ease: SDK,
    sequence_config: SequenceConfig,
    ranker_config: DeepRankerConfig,
    tmp_path: Path,
) -> Iterator[SDK]:
    path = GradientPathConfig(n_points=2)
    match request.param:
        case "two towers":
            sdk = towers
        case "ease":
            sdk = ease
        case "sequence":
            sdk = SDK.fit_dataset(shop, model=sequence_config, explainer=path, progress=False)
        case _:
            sdk = SDK.fit_dataset(shop, model=ranker_config, explainer=path, progress=False)
    with SQLStore(SQLite(tmp_path / "feedback.db")) as store:
        yield attached(sdk, store)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with SQLStore(SQLite(tmp_path / "feedback.db")) as opened:
        yield opened


@pytest.fixture
def sdk(towers: SDK, store: Store) -> SDK:
    return attached(towers, store)


@pytest.fixture
def additive(ease: SDK, store: Store) -> SDK:
    return attached(ease, store)


def attached(sdk: SDK, store: Store) -> SDK:
    """Return the same fitted SDK with a store of its own."""
    return SDK(sdk._fitted, store=store)


def asked(sdk: SDK, user: Any = USER, k: int = 25) -> Recommendations:
    answer: Recommendations = sdk.recommend_with_reasons(user, k=k, max_reasons=None)
    return answer


def a_reason(answer: Recommendations, kind: ReasonKind) -> Reason:
    return next(reason for each in answer for reason in each.reasons if reason.kind is kind)


def about(reason: Reason) -> tuple[Any, ...]:
    value = reason.value if reason.kind is ReasonKind.ITEM_FEATURE else None
    return reason.kind, reason.source, value


def everything(answer: Recommendations) -> set[tuple[Any, ...]]:
    return {about(reason) for each in answer for reason in each.reasons}


def assert_adds_up(answer: Recommendations) -> None:
    for each in answer:
        assert each.base_value is not None
        assert each.other_contribution is not None
        assert each.efficiency_gap is not None
        parts = [each.base_value, each.other_contribution, each.efficiency_gap]
        parts += [reason.contribution for reason in each.reasons]
        assert sum(parts) == pytest.approx(each.score, abs=1e-9)
        assert each.efficiency_gap == pytest.approx(0, abs=1e-9)
