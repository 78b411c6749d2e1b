"""Objects to deliver."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import BasicTextSRStorage, Comprehensive3DSRStorage, ExplicitVRLittleEndian

from pacs_agent.deliver import Outgoing, outgoing
from pacs_agent.results import write_bytes

ObjectMaker = Callable[..., Outgoing]


@pytest.fixture
def make_object(tmp_path: Path) -> ObjectMaker:
    """Makes a file that can be sent."""

    def make(number: int, sop_class: str = Comprehensive3DSRStorage) -> Outgoing:
        document = Dataset()
        document.SOPClassUID, document.SOPInstanceUID = sop_class, f"1.2.3.{number}"
        document.StudyInstanceUID, document.SeriesInstanceUID = "1.2.1", f"1.2.2.{number}"
        document.PatientID, document.Modality = "P1", "SR"
        document.file_meta = FileMetaDataset()
        document.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        path = tmp_path / f"{number}.dcm"
        path.write_bytes(write_bytes(document))
        return outgoing(path)

    return make


@pytest.fixture
def two_objects(make_object: ObjectMaker) -> list[Outgoing]:
    """An AI result and a draft report."""
    return [make_object(1), make_object(2, BasicTextSRStorage)]
