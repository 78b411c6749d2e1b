"""Facts computed from whole volumes: what the text of GTGM states, and nothing else.

In: a volume, or the volumes of one study. Out: facts with value, unit and place, measured by the methods that the
modules name. May fail: only on volumes of different modalities; what a volume does not show gives no fact.
"""

from models.gtgm.facts.fact import DEPTHS, LEVELS, SIDES, Fact, Kind
from models.gtgm.facts.measure import MixedStudy, facts_of

__all__ = ["DEPTHS", "LEVELS", "SIDES", "Fact", "Kind", "MixedStudy", "facts_of"]
