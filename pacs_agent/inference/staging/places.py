"""Where a slice lies in the patient, as the study reader is told it."""

from pacs_agent.imaging import Slice
from pacs_agent.inference.heat import Place, patient_mm


def centre_mm(one: Slice) -> Place:
    """Middle of a slice in patient coordinates. PS3.3 C.7.6.2.1.1."""
    return patient_mm(one, (0.5 * (one.rows - 1), 0.5 * (one.columns - 1)))
