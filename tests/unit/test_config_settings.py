"""Settings that would make invalid DICOM are refused at start, in words."""

import pytest
from pydantic import ValidationError

from pacs_agent.config import ResultsSettings


def test_a_hospital_may_be_named_in_its_own_script() -> None:
    assert ResultsSettings(organization=" Universitätsklinikum Köln ").organization == "Universitätsklinikum Köln"


@pytest.mark.parametrize("name", ["", "  ", "A\\B", "A\nB", "x" * 65])
def test_an_organization_that_cannot_stand_in_dicom_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="1 to 64 printable characters"):
        ResultsSettings(organization=name)
