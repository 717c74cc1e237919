"""How good rankings are, over the whole catalog, at one cut-off or at several.

Do users turn out to want what they get (`accuracy`), and what do they get (`beyond_accuracy`): how
much of the catalog, how novel, how diverse, how popular? Both take arrays, and know no model class.
"""

from whyrec.evaluate.accuracy.beyond import BeyondAccuracy, beyond_accuracy
from whyrec.evaluate.accuracy.evaluation import Evaluation
from whyrec.evaluate.accuracy.lists import read_cutoffs
from whyrec.evaluate.accuracy.relevance import Accuracy, accuracy

__all__ = [
    "Accuracy",
    "BeyondAccuracy",
    "Evaluation",
    "accuracy",
    "beyond_accuracy",
    "read_cutoffs",
]
