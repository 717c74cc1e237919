"""Recommendations with reasons that add up to the score."""

from importlib.metadata import version

from whyrec import datasets
from whyrec.data.event_columns import EventColumns
from whyrec.data.fields import Categorical, Numeric, Tags, Text
from whyrec.errors import (
    ArgumentError,
    DataError,
    InternalError,
    MissingDependencyError,
    ScoreError,
    StorageError,
    StoreError,
    TrainingError,
    UnknownIdError,
    UnknownItemError,
    UnknownUserError,
    WhyrecError,
)
from whyrec.explain import (
    ClosedFormConfig,
    GradientPathConfig,
    NetworkConfig,
    RefinedConfig,
    ShapleyConfig,
)
from whyrec.models import (
    DeepRankerConfig,
    EASEConfig,
    PopularityConfig,
    SequenceConfig,
    TrainingConfig,
    TrainingStep,
    TwoTowerConfig,
)
from whyrec.ranking.rules import Rules
from whyrec.ranking.slots import SlotSource
from whyrec.reasons.contract import answer_schema
from whyrec.reasons.explanation import Explanation
from whyrec.reasons.german import GERMAN
from whyrec.reasons.reason import Reason, ReasonKind
from whyrec.reasons.recommendation import Recommendation, Recommendations
from whyrec.reasons.text import ENGLISH, Wording
from whyrec.sdk import SDK

__version__ = version("whyrec")

__all__ = [
    "ENGLISH",
    "GERMAN",
    "SDK",
    "ArgumentError",
    "Categorical",
    "ClosedFormConfig",
    "DataError",
    "DeepRankerConfig",
    "EASEConfig",
    "EventColumns",
    "Explanation",
    "GradientPathConfig",
    "InternalError",
    "MissingDependencyError",
    "NetworkConfig",
    "Numeric",
    "PopularityConfig",
    "Reason",
    "ReasonKind",
    "Recommendation",
    "Recommendations",
    "RefinedConfig",
    "Rules",
    "ScoreError",
    "SequenceConfig",
    "ShapleyConfig",
    "SlotSource",
    "StorageError",
    "StoreError",
    "Tags",
    "Text",
    "TrainingConfig",
    "TrainingError",
    "TrainingStep",
    "TwoTowerConfig",
    "UnknownIdError",
    "UnknownItemError",
    "UnknownUserError",
    "WhyrecError",
    "Wording",
    "__version__",
    "answer_schema",
    "datasets",
]
