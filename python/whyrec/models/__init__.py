"""What scores: recommenders behind one protocol."""

from whyrec.models.linear import EASE, EASEConfig
from whyrec.models.loop import Run, TrainingConfig, TrainingStep
from whyrec.models.popularity import Popularity, PopularityConfig
from whyrec.models.recommender import (
    DifferentiableRecommender,
    Recommender,
    RecommenderConfig,
    TrainableConfig,
    fit_recommender,
)
from whyrec.models.sequence import Sequence, SequenceConfig
from whyrec.models.two_tower import TwoTower, TwoTowerConfig

__all__ = [
    "EASE",
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
    "TwoTower",
    "TwoTowerConfig",
    "fit_recommender",
]
