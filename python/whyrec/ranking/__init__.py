"""Which items: exact top-k over the whole catalog, for many users at once."""

from whyrec.ranking.candidates import Candidates
from whyrec.ranking.first_stage import retrieve
from whyrec.ranking.index import ItemIndex
from whyrec.ranking.ranking import Ranking

__all__ = ["Candidates", "ItemIndex", "Ranking", "retrieve"]
