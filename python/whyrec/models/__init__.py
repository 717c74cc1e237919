"""What scores: recommenders behind one protocol."""

from whyrec.models.deep_ranker import DeepRanker
from whyrec.models.factors import Factors, FactorsConfig
from whyrec.models.linear import EASE, EASEConfig
from whyrec.models.loop import Run, TrainingConfig, TrainingStep
from whyrec.models.popularity import Popularity, PopularityConfig
from whyrec.models.ranker_config import DeepRankerConfig
from whyrec.models.recommender import (
    DifferentiableRecommender,
    EncodingRecommender,
    Recommender,
    RecommenderConfig,
    RestorableConfig,
    TrainableConfig,
    TwoStageRecommender,
    fit_recommender,
)
from whyrec.models.scored import Scored, ScoredBy, ScoringFunction
from whyrec.models.sequence import Sequence, SequenceConfig
from whyrec.models.two_tower import TwoTower, TwoTowerConfig
from whyrec.models.wrapped import Encoder, Wrapped, WrappedConfig

__all__ = [
    "EASE",
    "DeepRanker",
    "DeepRankerConfig",
    "DifferentiableRecommender",
    "EASEConfig",
    "Encoder",
    "EncodingRecommender",
    "Factors",
    "FactorsConfig",
    "Popularity",
    "PopularityConfig",
    "Recommender",
    "RecommenderConfig",
    "RestorableConfig",
    "Run",
    "Scored",
    "ScoredBy",
    "ScoringFunction",
    "Sequence",
    "SequenceConfig",
    "TrainableConfig",
    "TrainingConfig",
    "TrainingStep",
    "TwoStageRecommender",
    "TwoTower",
    "TwoTowerConfig",
    "Wrapped",
    "WrappedConfig",
    "fit_recommender",
]
