"""Which operations of an elastic network matter: TAS and TPS (Li et al., "TIPS", 2023), exact and at once."""

from specc.importance.report import importance
from specc.importance.rules import Settings, settings_of
from specc.importance.scores import Importance, OpScore, PathScore, TensorScore

__all__ = ["Importance", "OpScore", "PathScore", "Settings", "TensorScore", "importance", "settings_of"]
