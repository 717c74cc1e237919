"""An application that uses every public name of whyrec, as type checkers see it.

It is checked, not run: a line with `type: ignore` is a mistake that they have to find.
"""

import asyncio
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

import whyrec
from whyrec import (
    ENGLISH,
    GERMAN,
    SDK,
    ArgumentError,
    Categorical,
    Choice,
    ClosedFormConfig,
    DataError,
    DeepRankerConfig,
    EASEConfig,
    Encoder,
    EncoderNetworkConfig,
    EventColumns,
    Explanation,
    ForkError,
    GradientPathConfig,
    InternalError,
    MissingDependencyError,
    ModelError,
    NetworkConfig,
    Numeric,
    PopularityConfig,
    RatedReasons,
    RateLimitError,
    Reason,
    ReasonKind,
    Recommendation,
    Recommendations,
    RefinedConfig,
    Rules,
    ScoredBy,
    ScoreError,
    SequenceConfig,
    ShapleyConfig,
    SlotSource,
    StorageError,
    StoreError,
    Tags,
    Text,
    TrainingConfig,
    TrainingError,
    TrainingStep,
    TuneConfig,
    TwoTowerConfig,
    UnknownIdError,
    UnknownItemError,
    UnknownUserError,
    WhyrecError,
    Wording,
    WrappedConfig,
    __version__,
    answer_schema,
    datasets,
)
from whyrec.feedback import Event

MODELS = (TwoTowerConfig(), SequenceConfig(), EASEConfig(), PopularityConfig())
EXPLAINERS = (
    NetworkConfig(),
    GradientPathConfig(),
    ShapleyConfig(),
    RefinedConfig(),
    ClosedFormConfig(),
    EncoderNetworkConfig(),
)


def fitted() -> SDK:
    """Fit with a setting of each kind."""
    world = datasets.synthetic(seed=0, n_users=40, n_items=30)

    steps: list[dict[str, float]] = []

    def log(step: TrainingStep) -> None:
        steps.append(step.values())

    return SDK.fit(
        world.events,
        world.items,
        world.users,
        columns=EventColumns(user_id="user_id"),
        item_fields={"style": Categorical(), "price": Numeric(), "topics": Tags(), "about": Text()},
        model=MODELS[0],
        ranker=DeepRankerConfig(),
        explainer=EXPLAINERS[0],
        tune=TuneConfig(seconds=60.0, max_trials=3, seed=1),
        training=TrainingConfig(log=log),
        progress=False,
    )


def why(sdk: SDK) -> list[str]:
    """Tell what was chosen by the data."""
    choices: tuple[Choice, ...] = sdk.choices
    return [f"{each.what} {each.chosen} {each.why}" for each in choices]


class Tower:
    """A model of its own."""

    item_ids: Sequence[Hashable] = ("i1", "i2")

    def encode(self, histories: list[NDArray[np.int64]]) -> NDArray[np.float32]:
        """Give a vector to each history."""
        return np.ones((len(histories), 2), np.float32)

    def item_vectors(self) -> NDArray[np.float32]:
        """Give a vector to each item."""
        return np.eye(2, dtype=np.float32)


def wrapped(events: str) -> list[SDK]:
    """Put reasons to what was trained elsewhere."""
    tower: Encoder = Tower()

    def score(
        histories: list[NDArray[np.object_]], items: NDArray[np.object_]
    ) -> NDArray[np.float64]:
        return np.array([float(len(each)) for each in histories]) + len(items)

    return [
        SDK.wrap(tower, events),
        SDK.wrap(WrappedConfig(tower, batch_size=8), events),
        SDK.wrap(ScoredBy(score, timeout=2.0), events),
        SDK.from_factors(None, np.eye(2), events, item_ids=["i1", "i2"]),
    ]


def told(reason: Reason) -> str:
    """Put a reason into a line."""
    chosen = "your history" if reason.kind is ReasonKind.HISTORY else reason.kind.value
    return f"{reason.contribution:+.3f} {chosen}: {reason.text}"


def answered(sdk: SDK) -> dict[Hashable, list[str]]:
    """Ask for one user, for several, and about one item."""
    one: Recommendations = sdk.recommend_with_reasons("u1", k=3, against=2, group_by="style")
    several: list[Recommendations] = sdk.recommend_with_reasons(["u1", "u2"], exclude=["i1"])
    visitor: Recommendations = sdk.recommend_for(["i1"], {"region": "north"}, k=3)
    best: Recommendation = several[0][0]
    why: Explanation = sdk.explain("u1", best.item_id)
    whole: list[object] = [__version__, why.to_json(), visitor.to_dict(), sdk.importance()]
    assert whole
    return {each.item_id: [told(reason) for reason in each.reasons] for each in one}


def listened(sdk: SDK, answer: Recommendations, wording: Wording = ENGLISH) -> list[str]:
    """Tell it what users do and think."""
    reason = answer[0].reasons[0]
    control = sdk.object_to("u1", reason, weight=0.5)
    sdk.undo(control)
    sdk.hide("u1", "i2")
    sdk.rate("u1", reason.reason_id, "helped")
    try:
        sdk.record([Event("u1", "i3", request_id=answer.request_id)])
    except RateLimitError as error:
        return [f"not before {error.ends}"]
    sdk.choose_reasons(RatedReasons())
    assert sdk.audit().to_dict()
    newer: SDK = sdk.update().refit(wrong_weight=0.5, progress=False)
    assert newer.choices
    kept: list[object] = [sdk.controls("u1"), sdk.history("u1"), sdk.export("u1")]
    assert kept
    assert sdk.forget("u1").needs_refit
    rules = Rules(pinned={1: "i4"}, at_most={"style": 2}, diversity=0.1)
    ruled = sdk.recommend("u2", rules=rules, exclude=["i5"])
    again = Recommendations.from_json(ruled.to_json(wording=GERMAN))
    assert answer_schema()["$id"]
    assert again[0].source is SlotSource.PROMOTED
    return [each.text_in(wording) for each in answer[0].reasons]


async def awaited(sdk: SDK) -> float:
    """Ask from an event loop."""
    one: Recommendations = await sdk.arecommend("u1", k=3, include_seen=True)
    several: list[Recommendations] = await sdk.arecommend_with_reasons(["u1"], max_reasons=1)
    return one[0].score + several[0][0].score


def careful(sdk: SDK) -> str:
    """Catch every error by its name."""
    try:
        return str(answered(sdk)) + str(asyncio.run(awaited(sdk)))
    except (UnknownUserError, UnknownItemError, UnknownIdError) as error:
        return f"no such id: {error}"
    except (ArgumentError, DataError, StorageError, StoreError, TrainingError) as error:
        return f"it cannot be done so: {error}"
    except ScoreError as error:
        return f"row {error.row}, item {error.item}"
    except (ForkError, ModelError, MissingDependencyError, InternalError) as error:
        return f"not here: {error}"
    except WhyrecError as error:
        return str(error)


def wrong(sdk: SDK) -> None:
    """Make mistakes."""
    sdk.recommend("u1", k="3")  # type: ignore[call-overload]
    sdk.recommend_with_reasons("u1", max_reason=3)  # type: ignore[call-overload]
    _ = sdk.recommend("u1").item_id  # type: ignore[attr-defined]
    SDK.fit([], model=NetworkConfig())  # type: ignore[arg-type]
    _ = whyrec.Recommander  # type: ignore[attr-defined]
