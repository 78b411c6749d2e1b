"""What people search for at a peer, and what is found there."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydicom.dataset import Dataset

from pacs_agent.archive import UNREADABLE_VALUE
from pacs_agent.receive import is_uid

MOST_FOUND = 200

Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=64, pattern=r"^[^\\\x00-\x1f\x7f]*$")]
Day = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^(\d{4}-?\d{2}-?\d{2})?$")]


class StudyQuery(BaseModel):
    """Attributes of studies to be found; all that are given must match. * and ? are wild cards (PS3.4 C.2.2.2.4)."""

    model_config = ConfigDict(frozen=True)

    patient_name: Text = Field("", description="Family^Given, or its beginning")
    patient_id: Text = ""
    accession_number: Text = ""
    modality: Text = Field("", description="such as CT")
    from_day: Day = Field("", description="first study date, YYYY-MM-DD")
    to_day: Day = Field("", description="last study date, YYYY-MM-DD")

    @model_validator(mode="after")
    def _not_everything(self) -> "StudyQuery":
        given = (self.patient_name, self.patient_id, self.accession_number, self.from_day, self.to_day)
        if not any(value.strip("*? ") for value in given):
            raise ValueError("give a name, an id, an accession number or a day; a search for everything loads the PACS")
        return self

    @property
    def keys(self) -> dict[str, str]:
        """The matching keys of a C-FIND or QIDO-RS request by keyword; only those that were given."""
        first, last = self.from_day.replace("-", ""), self.to_day.replace("-", "")
        name = self.patient_name
        keys = {
            "PatientName": name if not name or set(name) & set("*?") else f"{name}*",
            "PatientID": self.patient_id,
            "AccessionNumber": self.accession_number,
            "ModalitiesInStudy": self.modality.upper(),
            "StudyDate": f"{first}-{last}" if first != last else first,
        }
        return {keyword: value for keyword, value in keys.items() if value.strip("-")}


class FoundStudy(BaseModel):
    """A study that a peer has. All values are the peer's."""

    model_config = ConfigDict(frozen=True)

    study_instance_uid: str
    patient_name: str = ""
    patient_id: str = ""
    birth_date: str = ""
    sex: str = ""
    study_date: str = ""
    study_time: str = ""
    accession_number: str = ""
    modalities: str = ""
    description: str = ""
    instances: int | None = None


RETURN_KEYS = {
    "PatientName": "patient_name",
    "PatientID": "patient_id",
    "PatientBirthDate": "birth_date",
    "PatientSex": "sex",
    "StudyDate": "study_date",
    "StudyTime": "study_time",
    "AccessionNumber": "accession_number",
    "ModalitiesInStudy": "modalities",
    "StudyDescription": "description",
    "NumberOfStudyRelatedInstances": "instances",
}
"""What is asked of each study, PS3.4 C.6.2.1.2, and how we call it."""


def found_study(answer: Dataset) -> FoundStudy | None:
    """A study as a peer describes it; None when it does not say which one."""
    uid = _text(answer, "StudyInstanceUID")
    if not is_uid(uid):
        return None
    values = {name: _text(answer, keyword) for keyword, name in RETURN_KEYS.items() if name != "instances"}
    count = _text(answer, "NumberOfStudyRelatedInstances")
    instances = int(count) if count.isascii() and count.isdigit() and len(count) < 9 else None
    return FoundStudy(study_instance_uid=uid, instances=instances, **values)


def _text(answer: Dataset, keyword: str) -> str:
    """A value as text, several with commas; empty where it is absent or cannot be read."""
    try:
        value = answer.get(keyword)
        several = value if isinstance(value, list) or type(value).__name__ == "MultiValue" else [value]
        return ", ".join(str(one) for one in several if one is not None)[:324].strip("\0 ")
    except UNREADABLE_VALUE:
        return ""
