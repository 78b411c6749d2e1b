"""The JSON that the panel reads: what a model says of a study, on which slices it rests, and when that changes.

In: a Study Instance UID, and the keys and UIDs that an earlier answer gave. Out: the JSON of `models.py`, a version for
cheap polls, and a stream of events. What may fail: a request for what is not there, answered in words.
"""

from pacs_agent.console.readings.blueprint import readings_blueprint
from pacs_agent.console.readings.measured import newest_measurements
from pacs_agent.console.readings.models import Measurements

__all__ = ["Measurements", "newest_measurements", "readings_blueprint"]
