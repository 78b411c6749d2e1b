"""An object on its way out: its file and what a protocol must know of it beforehand."""

from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from pydicom.errors import InvalidDicomError

from pacs_agent.deliver.errors import Refused

_IDENTITY = ["SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"]


@dataclass(frozen=True)
class Outgoing:
    """A DICOM file and its identity. PS3.10 7."""

    path: Path
    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    transfer_syntax_uid: str


def outgoing(path: Path) -> Outgoing:
    """The object in a file. Raises Refused when the file cannot be sent because it is not a DICOM file."""
    try:
        header = dcmread(path, stop_before_pixels=True, specific_tags=_IDENTITY)
        identity = [str(header[keyword].value) for keyword in _IDENTITY]
        return Outgoing(path, identity[0], identity[1], identity[2], identity[3], header.file_meta.TransferSyntaxUID)
    except (InvalidDicomError, OSError, KeyError, AttributeError, ValueError, EOFError) as error:
        raise Refused(f"{path.name} cannot be sent: it is not a complete DICOM file ({error})") from error
