"""The label table of the model: names and codes of the 18 findings.

SNOMED CT and DCM codes as in PS3.16; what no standard scheme names has a code of our local scheme.
"""

from dataclasses import dataclass

from models.phantoms.findings import FINDINGS, Finding
from pacs_agent.inference.reading import Code
from pacs_agent.results.codes import LOCAL_SCHEME


def _sct(value: str, meaning: str) -> Code:
    return Code(value=value, scheme="SCT", meaning=meaning)


def _dcm(value: str, meaning: str) -> Code:
    return Code(value=value, scheme="DCM", meaning=meaning)


def _local(value: str, meaning: str) -> Code:
    return Code(value=value, scheme=LOCAL_SCHEME, meaning=meaning)


THORAX = _sct("816094009", "Thorax")
LUNG = _sct("39607008", "Lung")
PLEURA = _sct("3120008", "Pleura")
HEART = _sct("80891009", "Heart")
CORONARY_ARTERY = _sct("41801008", "Coronary artery")
AORTA = _sct("15825003", "Aorta")
DIAPHRAGM = _sct("5798000", "Diaphragm")


@dataclass(frozen=True)
class Label:
    """What a finding is called, its code and where it sits."""

    key: Finding
    name: str
    code: Code
    site: Code


LABELS: tuple[Label, ...] = (
    Label(Finding.MEDICAL_MATERIAL, "Medical material", _sct("49062001", "Device"), THORAX),
    Label(Finding.LUNG_NODULE, "Lung nodule", _sct("786838002", "Lung nodule"), LUNG),
    Label(Finding.LUNG_OPACITY, "Lung opacity", _dcm("112001", "Opacity"), LUNG),
    Label(Finding.CONSOLIDATION, "Consolidation", _sct("95436008", "Consolidation"), LUNG),
    Label(Finding.ATELECTASIS, "Atelectasis", _sct("46621007", "Atelectasis"), LUNG),
    Label(Finding.FIBROTIC_SEQUELA, "Pulmonary fibrotic sequela", _sct("51615001", "Fibrosis of lung"), LUNG),
    Label(Finding.EMPHYSEMA, "Emphysema", _sct("87433001", "Emphysema"), LUNG),
    Label(
        Finding.MOSAIC_ATTENUATION,
        "Mosaic attenuation pattern",
        _dcm("112130", "Mosaic pattern"),
        LUNG,
    ),
    Label(Finding.SEPTAL_THICKENING, "Interlobular septal thickening", _dcm("112114", "Septal line(s)"), LUNG),
    Label(Finding.BRONCHIECTASIS, "Bronchiectasis", _sct("12295008", "Bronchiectasis"), LUNG),
    Label(
        Finding.PERIBRONCHIAL_THICKENING,
        "Peribronchial thickening",
        _local("PERIBRONCHIAL_THICKENING", "Peribronchial thickening"),
        LUNG,
    ),
    Label(Finding.PLEURAL_EFFUSION, "Pleural effusion", _sct("60046008", "Pleural effusion"), PLEURA),
    Label(Finding.LYMPHADENOPATHY, "Lymphadenopathy", _sct("30746006", "Lymphadenopathy"), THORAX),
    Label(Finding.CARDIOMEGALY, "Cardiomegaly", _sct("8186001", "Cardiomegaly"), HEART),
    Label(Finding.PERICARDIAL_EFFUSION, "Pericardial effusion", _sct("373945007", "Pericardial effusion"), HEART),
    Label(
        Finding.CORONARY_CALCIFICATION,
        "Coronary artery wall calcification",
        _sct("445512009", "Coronary artery calcification"),
        CORONARY_ARTERY,
    ),
    Label(
        Finding.ARTERIAL_CALCIFICATION,
        "Arterial wall calcification",
        _sct("237897009", "Vascular calcification"),
        AORTA,
    ),
    Label(Finding.HIATAL_HERNIA, "Hiatal hernia", _sct("84089009", "Hiatal hernia"), DIAPHRAGM),
)

CONCERN: dict[Finding, int] = {
    Finding.MEDICAL_MATERIAL: 0,
    Finding.LUNG_NODULE: 3,
    Finding.LUNG_OPACITY: 2,
    Finding.CONSOLIDATION: 3,
    Finding.ATELECTASIS: 1,
    Finding.FIBROTIC_SEQUELA: 1,
    Finding.EMPHYSEMA: 1,
    Finding.MOSAIC_ATTENUATION: 1,
    Finding.SEPTAL_THICKENING: 2,
    Finding.BRONCHIECTASIS: 1,
    Finding.PERIBRONCHIAL_THICKENING: 1,
    Finding.PLEURAL_EFFUSION: 2,
    Finding.LYMPHADENOPATHY: 3,
    Finding.CARDIOMEGALY: 2,
    Finding.PERICARDIAL_EFFUSION: 3,
    Finding.CORONARY_CALCIFICATION: 1,
    Finding.ARTERIAL_CALCIFICATION: 0,
    Finding.HIATAL_HERNIA: 0,
}
"""How soon a finding wants attention, for the order of the impression: 3 soon, 2 with the report, 1 slow, 0 no matter.

The project's own choice for a demonstration; no guideline ranks the eighteen.
"""

if tuple(label.key for label in LABELS) != FINDINGS:
    raise AssertionError("the label table and the phantoms' findings must have one order")
