"""What scores: recommenders behind one protocol."""

from whyrec.models.deep_ranker import DeepRanker, DeepRankerConfig
from whyrec.models.linear import EASE, EASEConfig
from whyrec.models.popularity import Popularity, PopularityConfig
from whyrec.models.recommender import (
    DifferentiableRecommender,
    Recommender,
    RecommenderConfig,
    TwoStageRecommender,
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
    "Sequence",
    "SequenceConfig",
    "TwoStageRecommender",
    "TwoTower",
    "TwoTowerConfig",
]
