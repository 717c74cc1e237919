"""Recommendations with reasons that add up to the score."""

from importlib import import_module
from typing import TYPE_CHECKING

from whyrec.errors import (
    ArgumentError,
    DataError,
    ForkError,
    InternalError,
    MissingDependencyError,
    ModelError,
    RateLimitError,
    ScoreError,
    StorageError,
    StoreError,
    TrainingError,
    UnknownIdError,
    UnknownItemError,
    UnknownUserError,
    WhyrecError,
)

if TYPE_CHECKING:
    from whyrec import datasets
    from whyrec.choosing import Choice
    from whyrec.data.event_columns import EventColumns
    from whyrec.data.fields import Categorical, Numeric, Tags, Text
    from whyrec.explain import (
        ClosedFormConfig,
        EncoderNetworkConfig,
        GradientPathConfig,
        NetworkConfig,
        RefinedConfig,
        ShapleyConfig,
    )
    from whyrec.models import (
        DeepRankerConfig,
        EASEConfig,
        Encoder,
        PopularityConfig,
        ScoredBy,
        SequenceConfig,
        TrainingConfig,
        TrainingStep,
        TwoTowerConfig,
        WrappedConfig,
    )
    from whyrec.ranking.rules import Rules
    from whyrec.ranking.slots import SlotSource
    from whyrec.reasons.choice import RatedReasons
    from whyrec.reasons.contract import answer_schema
    from whyrec.reasons.explanation import Explanation
    from whyrec.reasons.german import GERMAN
    from whyrec.reasons.reason import Reason, ReasonKind
    from whyrec.reasons.recommendation import Recommendation, Recommendations
    from whyrec.reasons.text import ENGLISH, Wording
    from whyrec.sdk import SDK
    from whyrec.tuning import TuneConfig

    __version__: str

__all__ = [
    "ENGLISH",
    "GERMAN",
    "SDK",
    "ArgumentError",
    "Categorical",
    "Choice",
    "ClosedFormConfig",
    "DataError",
    "DeepRankerConfig",
    "EASEConfig",
    "Encoder",
    "EncoderNetworkConfig",
    "EventColumns",
    "Explanation",
    "ForkError",
    "GradientPathConfig",
    "InternalError",
    "MissingDependencyError",
    "ModelError",
    "NetworkConfig",
    "Numeric",
    "PopularityConfig",
    "RateLimitError",
    "RatedReasons",
    "Reason",
    "ReasonKind",
    "Recommendation",
    "Recommendations",
    "RefinedConfig",
    "Rules",
    "ScoreError",
    "ScoredBy",
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
    "TuneConfig",
    "TwoTowerConfig",
    "UnknownIdError",
    "UnknownItemError",
    "UnknownUserError",
    "WhyrecError",
    "Wording",
    "WrappedConfig",
    "__version__",
    "answer_schema",
    "datasets",
]

_HOMES = {
    "Categorical": "whyrec.data.fields",
    "Choice": "whyrec.choosing",
    "ClosedFormConfig": "whyrec.explain",
    "DeepRankerConfig": "whyrec.models",
    "EASEConfig": "whyrec.models",
    "ENGLISH": "whyrec.reasons.text",
    "Encoder": "whyrec.models",
    "EncoderNetworkConfig": "whyrec.explain",
    "EventColumns": "whyrec.data.event_columns",
    "Explanation": "whyrec.reasons.explanation",
    "GERMAN": "whyrec.reasons.german",
    "GradientPathConfig": "whyrec.explain",
    "NetworkConfig": "whyrec.explain",
    "Numeric": "whyrec.data.fields",
    "PopularityConfig": "whyrec.models",
    "RatedReasons": "whyrec.reasons.choice",
    "Reason": "whyrec.reasons.reason",
    "ReasonKind": "whyrec.reasons.reason",
    "Recommendation": "whyrec.reasons.recommendation",
    "Recommendations": "whyrec.reasons.recommendation",
    "RefinedConfig": "whyrec.explain",
    "Rules": "whyrec.ranking.rules",
    "SDK": "whyrec.sdk",
    "ScoredBy": "whyrec.models",
    "SequenceConfig": "whyrec.models",
    "ShapleyConfig": "whyrec.explain",
    "SlotSource": "whyrec.ranking.slots",
    "Tags": "whyrec.data.fields",
    "Text": "whyrec.data.fields",
    "TrainingConfig": "whyrec.models",
    "TrainingStep": "whyrec.models",
    "TuneConfig": "whyrec.tuning",
    "TwoTowerConfig": "whyrec.models",
    "Wording": "whyrec.reasons.text",
    "WrappedConfig": "whyrec.models",
    "answer_schema": "whyrec.reasons.contract",
    "datasets": "whyrec.datasets",
}
"""Where a name is that is imported when it is first asked for: most of them bring PyTorch along."""

if not TYPE_CHECKING:

    def __getattr__(name):
        """Import a public name."""
        if name == "__version__":
            value = import_module("importlib.metadata").version(__name__)
        elif name in _HOMES:
            home = import_module(_HOMES[name])
            value = home if _HOMES[name] == f"{__name__}.{name}" else getattr(home, name)
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = value
        return value

    def __dir__():
        """Give the public names too that nobody has asked for yet."""
        return sorted({*globals(), *__all__})
