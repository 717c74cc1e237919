"""What scores: recommenders behind one protocol."""

from whyrec.models.deep_ranker import DeepRanker, DeepRankerConfig
from whyrec.models.linear import EASE, EASEConfig
from whyrec.models.loop import Run, TrainingConfig, TrainingStep
from whyrec.models.popularity import Popularity, PopularityConfig
from whyrec.models.recommender import (
    DifferentiableRecommender,
    Recommender,
    RecommenderConfig,
    TrainableConfig,
    TwoStageRecommender,
    fit_recommender,
)
from whyrec.models.sequence import Sequence, SequenceConfig
from whyrec.models.two_tower import TwoTower, TwoTowerConfig

__all__ = [
    "EASE",
    "DeepRanker",
    "DeepRankerConfig",
    "DifferentiableRecommender",
    "EASEConfig",
    "Popularity",
    "PopularityConfig",
    "Recommender",
    "RecommenderConfig",
    "Run",
    "Sequence",
    "SequenceConfig",
    "TrainableConfig",
    "TrainingConfig",
    "TrainingStep",
    "TwoStageRecommender",
    "TwoTower",
    "TwoTowerConfig",
    "fit_recommender",
]
