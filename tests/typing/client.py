"""An application that uses every public name of whyrec, as type checkers see it.

It is checked, not run: a line with `type: ignore` is a mistake that they have to find.
"""

import asyncio
from collections.abc import Hashable

import whyrec
from whyrec import (
    SDK,
    ArgumentError,
    Categorical,
    ClosedFormConfig,
    DataError,
    DeepRankerConfig,
    EASEConfig,
    EventColumns,
    Explanation,
    ForkError,
    GradientPathConfig,
    InternalError,
    MissingDependencyError,
    NetworkConfig,
    Numeric,
    PopularityConfig,
    Reason,
    ReasonKind,
    Recommendation,
    Recommendations,
    RefinedConfig,
    ScoreError,
    SequenceConfig,
    ShapleyConfig,
    StorageError,
    StoreError,
    Tags,
    Text,
    TrainingConfig,
    TrainingError,
    TrainingStep,
    TwoTowerConfig,
    UnknownIdError,
    UnknownItemError,
    UnknownUserError,
    WhyrecError,
    __version__,
    datasets,
)

MODELS = (TwoTowerConfig(), SequenceConfig(), EASEConfig(), PopularityConfig())
EXPLAINERS = (
    NetworkConfig(),
    GradientPathConfig(),
    ShapleyConfig(),
    RefinedConfig(),
    ClosedFormConfig(),
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
        training=TrainingConfig(log=log),
        progress=False,
    )


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
    except (ForkError, MissingDependencyError, InternalError) as error:
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
