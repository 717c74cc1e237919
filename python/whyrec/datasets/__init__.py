"""Data to try whyrec on: real ratings, and a world whose true reasons are known."""

from whyrec.datasets.movielens import Tables, movielens
from whyrec.datasets.synthetic import TrueContributions, World, synthetic

__all__ = ["Tables", "TrueContributions", "World", "movielens", "synthetic"]
