"""Which items: exact top-k over the whole catalog, for many users at once."""

from whyrec.ranking.candidates import Candidates
from whyrec.ranking.filters import Filters
from whyrec.ranking.index import ItemIndex
from whyrec.ranking.ranking import Ranking
from whyrec.ranking.rules import Rules
from whyrec.ranking.slots import SlotSource

__all__ = ["Candidates", "Filters", "ItemIndex", "Ranking", "Rules", "SlotSource"]
