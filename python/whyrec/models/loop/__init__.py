"""The one loop that trains whatever is trained: its settings, its steps and its checkpoints."""

from whyrec.models.loop.chance import Chance
from whyrec.models.loop.checkpoint import Identity
from whyrec.models.loop.descent import Learner, Look, Pace, train_to_best
from whyrec.models.loop.run import Log, Run, TrainingConfig, TrainingStep

__all__ = [
    "Chance",
    "Identity",
    "Learner",
    "Log",
    "Look",
    "Pace",
    "Run",
    "TrainingConfig",
    "TrainingStep",
    "train_to_best",
]
