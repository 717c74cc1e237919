"""Which items: exact top-k over the whole catalog, for many users at once."""

from whyrec.ranking.candidates import Candidates
from whyrec.ranking.index import ItemIndex, Ranking

__all__ = ["Candidates", "ItemIndex", "Ranking"]
