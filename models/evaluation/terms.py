"""What each finding is called in English CT reports, as patterns over one clause.

A pattern may span a whole phrase ("heart size is normal", "coronary arteries show no calcification"); a negation inside
the phrase counts. `status` is what the phrase itself says, where it says it alone.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from models.phantoms.findings import Finding


class Status(StrEnum):
    """What a report says of a finding."""

    PRESENT = "present"
    ABSENT = "absent"
    UNCERTAIN = "uncertain"
    HISTORICAL = "historical"


@dataclass(frozen=True)
class Term:
    """A wording of a finding; `status` where the wording decides it alone, `lasts` for what outlives its operation."""

    finding: Finding
    pattern: re.Pattern[str]
    status: Status | None = None


def _gap(words: int) -> str:
    """Up to so many words; commas may stand between them."""
    return rf"(?:[\w'’/%-]+,?\s+){{0,{words}}}?"


_BE = r"(?:is|are|was|were|appears?|remains?|has|have|been|seems?|to\s+be|of|in|with|within)"
_LOW = r"(?:not\s+|no\s+longer\s+|\w+ly\s+|non-?|within\s+|overall\s+|still\s+|also\s+|now\s+|otherwise\s+)*"
_HEART = r"(?:heart|cardiac(?:\s+silhouette)?|cardiac\s+silhouette)"
_NODES = r"(?:lymph\s*nodes?|nodes|lymph\s+nodal\s+stations?)"
_ARTERY = (
    r"(?:aort(?:a|ic)(?!\s+valv)|arterial|arteries|artery|carotids?|subclavian|brachiocephalic|supra-?aortic|vascular"
    r"|vessel\s+walls?|vessels)"
)
_PLAQUE = r"(?:calcifi\w*|calcareous|atheroma\w*|atherosclero\w*|plaques?)"
_NOT_VESSEL = r"(?!(?:lymph|nodes?|granuloma\w*|nodules?|valve\w*|valvular|pleura\w*|annul\w*|no|without|but)\b)"
_STRAIGHT = rf"(?:{_NOT_VESSEL}[\w'’/-]+,?\s+)"


def _term(finding: Finding, pattern: str, status: Status | None = None) -> Term:
    return Term(finding, re.compile(pattern, re.IGNORECASE), status)


_MATERIAL = (
    r"pace\s?makers?|pacing\s+(?:leads?|wires?|electrodes?)|defibrillators?|ICD|loop\s+recorders?",
    r"catheters?|port-?a-?caths?|(?:chemo|mediports?|port)\s*(?:chambers?|systems?)|mediports?|chemoports?|venous\s+ports?",
    r"central\s+(?:venous\s+)?lines?|PICC(?:\s+lines?)?|stents?|endografts?",
    r"(?:sternotomy|sternal)\s+(?:wires?|sutures?|cerclages?|clips?)|cerclage\s+wires?",
    r"(?:surgical|metallic|metal|vascular)\s+(?:clips?|sutures?|staples?|materials?|devices?|hardware|implants?|densit\w+"
    r"|objects?|plates?|wires?|rods?)|suture\s+(?:materials?|lines?)|(?:clips|staples)",
    r"(?:prosthetic|mechanical|bioprosthetic|artificial)\s+(?:\w+\s+)?valves?|valve\s+(?:prosthes[ie]s|replacements?)"
    r"|prosthes[ie]s|implants?",
    r"(?:endotracheal|tracheostomy|tracheal|nasogastric|orogastric|feeding|enteric|chest|thoracostomy|drainage|gastrostomy"
    r"|NG|ET)[-\s]+(?:tubes?|cannula[es]*|drains?)|tracheostomy|(?:pleural|thoracic|pigtail|pericardial)\s+drains?",
    r"(?:medical|foreign|surgical|operative|implanted)\s+(?:materials?|devices?)|(?:pedicle\s+)?screws?|fixation\s+\w+"
    r"|osteosynthe\w+|(?:spinal|orthop\w+)\s+(?:instrumentation|hardware)|(?:embolization\s+)?coils?|shunts?|electrodes?",
)
_NODULE = (
    r"(?<!thyroid\s)(?<!adrenal\s)(?<!breast\s)(?<!hepatic\s)(?<!prostate\s)(?<!schmorl\s)(?<!schmorl's\s)(?<!skin\s)"
    r"(?<!renal\s)(?<!thyroidal\s)(?<!liver\s)(?<!subcutaneous\s)(?<!pleural\s)(?<!muscle\s)(?<!tissue\s)"
    rf"\b(?:micro|macro)?-?nodules?\b(?!\s+(?:is\s+|are\s+)?(?:{_gap(3)})(?:in|of|within)\s+(?:the\s+)?"
    r"(?:\w+\s+)?(?:thyroid|adrenal|breast|liver|kidney|prostate|spleen|pancreas|skin|cervi\w+))",
    r"\bnodular\s+(?:\w+[-\s]+){0,3}?(?:opacit\w+|densit\w+|lesions?|infiltrat\w+|consolidations?|involvement|shadows?"
    r"|foc(?:us|i)|structures?)\b",
    r"\bcoin\s+lesions?\b|\bmicronodular\b",
)
_OPACITY = (
    r"\bground[-\s]*glass(?:[-\s]+(?:\w+[-\s]+)?(?:opacit\w+|densit\w+|attenuation\w*|areas?|infiltrat\w+|changes?"
    r"|appearances?|pattern))?|\bGGOs?\b",
    r"(?<!nodular\s)(?<!contrast\s)\bopacit(?:y|ies)\b(?!\s+of\s+(?:the\s+)?(?:contrast|lens|sinus))",
    r"(?<!contrast\s)(?<!vascular\s)\bopacification\b(?!\s+of\s+(?:the\s+)?(?:\w+\s+)?(?:vessel|arter|vein|aort|sinus|bowel))",
    r"(?<!fatty\s)(?<!fat\s)(?<!nodular\s)\binfiltrat(?:es?|ions?|ive\s+\w+)\b(?!\s+of\s+(?:the\s+)?(?:liver|muscle|fat))",
    r"\bcrazy[-\s]+paving\b|\bair-?space\s+(?:disease|filling)\b|\bhaz(?:y|iness)\b",
    r"\b(?:increased|hazy|patchy)\s+(?:parenchymal\s+|lung\s+)?densit(?:y|ies)\b"
    r"|\bdensity\s+increases?\b|\bincreases?\s+in\s+(?:lung\s+|parenchymal\s+)?densit(?:y|ies)\b",
)
_CONSOLIDATION = (r"\b(?:fibro-?)?consolidat(?:ions?|ive|ed)\b",)
_ATELECTASIS = (
    r"\b(?:fibro-?|dys)?atelecta(?:sis|ses|tic)\b",
    r"\b(?:lobar|segmental|subsegmental|lung|pulmonary)\s+collapse\b|\bcollapsed?\s+(?:\w+\s+){0,4}?(?:lobes?|lungs?|lingula)\b"
    r"|\bcollapse\s+of\s+(?:\w+\s+){0,4}?(?:lobes?|lungs?|lingula)\b|\blobes?\s+(?:is|are)\s+(?:\w+\s+){0,2}?collapsed\b",
)
_ORGAN_FIBROSIS = r"(?<!cystic\s)(?<!hepatic\s)(?<!mediastinal\s)(?<!liver\s)(?<!retroperitoneal\s)(?<!myocardial\s)"
_FIBROTIC = (
    rf"{_ORGAN_FIBROSIS}\bfibros[ie]s\b|\bfibrotic\b|\bfibro-?(?:atelectatic|consolidation)\b|\bfibrous\s+(?:bands?|strands?"
    r"|sequela\w*|changes?|lesions?)\b|\bsequela[er]?\b(?!\s+of\s+(?:rib|fracture))|\bsequelae\b",
    r"(?<!surgical\s)(?<!skin\s)(?<!incision\s)(?<!operation\s)\bscar(?:s|ring|red)?\b(?!\s+(?:of|in|on)\s+(?:the\s+)?skin)",
    r"\bpleuro-?parenchymal\s+(?:\w+\s+)?(?:bands?|densit\w+|changes?|streaks?|lines?)\b|\bparenchymal\s+bands?\b"
    r"|\bhoney-?comb\w*",
)
_EMPHYSEMA = (
    r"(?<!subcutaneous\s)(?<!surgical\s)(?<!mediastinal\s)(?<!tissue\s)(?<!tissues\s)(?<!gastric\s)(?<!orbital\s)"
    r"(?<!interstitial\s)(?<!cutaneous\s)(?<!skin\s)(?<!chest\swall\s)(?<!portal\s)\bemphysema(?:tous)?\b"
    r"(?!\s+(?:of|in)\s+(?:the\s+|both\s+)?(?:\w+\s+)?(?:neck|leg|soft|mandib|chest\s+wall|mediastin|skin|subcut|orbit))",
    r"\bbull(?:a|ae|ous)\b|\bblebs?\b",
)
_MOSAIC = (
    r"\bmosaic(?:\s+(?:attenuation|perfusion|pattern|density|appearance|lung|oligaemia|oligemia)){0,2}(?:\s+pattern)?\b"
    r"|\bmosaicism\b|\bair[-\s]+trapping\b",
)
_SEPTAL = (
    r"(?<!ventricular\s)(?<!atrial\s)(?<!nasal\s)\b(?:(?:inter|intra)[-\s]?lobular\s+|smooth\s+|lobular\s+)*sept(?:al|a|um)\s+"
    rf"(?:lines?\b|(?:{_gap(4)})(?:thick\w*|prominen\w*))",
    r"\b(?:thick\w*|prominen\w*)\s+(?:of\s+)?(?:the\s+)?(?:\w+\s+){0,2}?(?:inter|intra)?[-\s]?(?:lobular\s+)"
    r"(?:and\s+\w+\s+)?sept(?:al?|um)\b(?:\s+thick\w+)?|\bthick\w*\s+(?:of\s+the\s+)?septa\b|\bkerley\b",
    r"\binterlobular\s+thickening\b",
)
_BRONCHIECTASIS = (
    r"\bbronch(?:io)?l?i?ecta\w+\b",
    r"\bbronch(?:us|i|ial)\s+(?:dilat\w+|ectasia)\b"
    rf"|\bdilat(?:ed|ion|ation)\s+(?:of\s+)?(?:the\s+)?(?:{_gap(3)})(?:bronch(?:i|us|ial)|airways?)\b"
    rf"|\b(?:bronchi|bronchus|airways)\s+(?:{_gap(6)}){_BE}\s+{_LOW}dilated\b",
)
_PERIBRONCHIAL = (
    r"\bperi-?bronch\w+\s+(?:\w+\s+){0,3}?(?:thick\w+|cuffing)\b|\bthick\w+\s+(?:of\s+)?(?:the\s+)?peri-?bronch\w+\b"
    r"(?:\s+(?:thick\w+|cuffing))?",
    rf"\b(?:bronch(?:ial|us|iolar|i)|airway)\s+walls?\s+(?:{_gap(4)})thick\w+\b",
    r"\b(?:thick\w+\s+)(?:of\s+)?(?:the\s+)?(?:walls?\s+of\s+)?(?:the\s+)?(?:\w+\s+){0,2}?(?:bronchi|bronch(?:ial|iolar)\s+walls?"
    r"|airway\s+walls?)\b|\bwall\s+thickening\s+of\s+(?:the\s+)?(?:\w+\s+)?(?:bronchi|bronchus|airways)\b"
    r"|\bbronch(?:ial|us)\s+(?:\w+\s+)?thickening\b",
)
_EFFUSION = (
    r"\bpleural\s+(?:(?:or|and|and/or|nor|/)\s+pericardial\s+|space\s+|cavity\s+)?(?:effusions?|fluid)\b",
    r"\bpericardial\s+(?:or|and|and/or|nor)\s+pleural\s+(?:effusions?|fluid)\b",
    r"(?<!pericardial\s)(?<!pleural\s)(?<!joint\s)(?<!sacroiliac\s)(?<!mastoid\s)(?<!subdural\s)(?<!ear\s)(?<!knee\s)"
    r"\b(?:effusions?|hydrothora\w+|ha?emothora\w+|pyothorax|empyema)\b"
    r"(?!\s+(?:\w+\s+)?(?:in|of|around|at|surround\w+)\s+(?:the\s+)?(?:\w+\s+){0,2}?(?:pericardi|joint|sacroiliac|heart|hip|knee|mastoid))",
    r"\bfluid\s+(?:\w+\s+)?(?:in|within)\s+(?:the\s+)?(?:\w+\s+){0,2}?pleura\w*(?:\s+(?:space|cavity)s?)?",
    r"\bpleural\s+(?:spaces?|cavit(?:y|ies))\s+(?:\w+\s+){1,4}?fluid\b",
)
_PERICARDIAL = (
    r"\bpericardial\s+(?:(?:or|and|and/or|nor|/)\s+pleural\s+)?(?:effusions?|fluid)\b",
    r"\bpericardial\s+thickening[-\s/]+(?:or\s+)?effusions?\b|\bpleural\s+(?:or|and|and/or|nor)\s+pericardial\s+(?:effusions?|fluid)\b",
    r"\b(?:effusions?|fluid)\s+(?:\w+\s+)?(?:in|within|around|surround\w+)\s+(?:the\s+)?(?:\w+\s+)?(?:pericardi\w+(?:\s+(?:space|sac|cavity"
    r"|recess(?:es)?))?|heart)\b|\bha?emopericardium\b|\bpericardi(?:um|al\s+(?:space|sac|cavity))\s+(?:\w+\s+){1,4}?fluid\b",
)
_ENLARGED = r"(?:enlarge\w*|swollen|swelling|increased|patholog\w+|abnormal\w*|prominent)"
_LYMPHADENOPATHY = (
    r"\b(?:lymph)?-?adenopath(?:y|ies)\b|\blymphadenomegal\w+\b",
    rf"\b{_ENLARGED}\s+(?:{_gap(4)}){_NODES}(?:\s+(?:enlargements?|swelling))?\b|\b(?:metastatic|necrotic|conglomerate[d]?|bulky)"
    rf"\s+(?:\w+\s+){{0,2}}?{_NODES}\b",
    rf"\b(?:{_NODES}|nodal)\s+(?:enlargements?|swelling)\b|\bnode\s+enlargements?\b",
    rf"\b{_NODES}\s+(?:{_gap(10)}){_ENLARGED}\b(?:\s+(?:in\s+)?(?:sizes?|dimensions?))?",
)
_CARDIOMEGALY = (
    r"\bcardiomegal\w+\b|\bcardiac\s+(?:enlargement|dilat\w+)\b",
    rf"\b(?:enlarge\w*|dilated|large)\s+(?:of\s+)?(?:the\s+)?(?:(?:overall|global)\s+)?{_HEART}\b(?!\s+(?:vessel|vein|valve))",
    rf"\b{_HEART}(?:\s+(?:size|contours?|dimensions?|shadow|and))*\s*:?\s+(?:{_gap(3)}){_LOW}"
    r"(?:enlarged|increased|dilated|large|bigger|above\s+(?:the\s+)?(?:upper\s+)?(?:normal|limits?))\b",
    r"\b(?:increased?|increase\s+in)\s+(?:the\s+)?(?:heart|cardiac)\s+(?:size|dimensions?)\b",
    r"\bcardiothoracic\s+(?:ratio|index)\s+(?:\w+\s+){0,3}?(?:increased|elevated|in\s+favou?r\s+of)\b"
    r"|\bincreased?\s+(?:in\s+)?(?:the\s+)?cardiothoracic\s+(?:ratio|index)\b",
)
_SIZE = r"(?:sizes?|contours?|dimensions?|chambers?|silhouette|shadow|and|configuration)"
_HEART_SIZE = rf"\b{_HEART}(?:(?:\s+|,\s*|-){_SIZE})*\s*:?\s+"
_NORMAL_HEART = (
    rf"{_HEART_SIZE}(?:(?:is|are|was|were|appears?|remains?|within|has|a|of|in|with|and|shape|overall)\s+){{0,4}}"
    r"(?:not\s+ab)?(?:normal|natural|unremarkable|physiologic\w*)\b(?!\s+upper)(?:\s+(?:in\s+)?(?:size|limits?|range))?",
    rf"\bnormal(?:[-\s]+(?:sized?|in\s+size))?\s+(?:of\s+)?(?:the\s+)?{_HEART}\b(?:\s+(?:size|contours?))?",
    r"\bcardiothoracic\s+(?:ratio|index)\s+(?:\w+\s+){0,3}?(?:normal|natural)\b",
)
_BORDERLINE_HEART = (
    rf"\b{_HEART}(?:\s+\w+){{0,5}}?\s+(?:upper\s+(?:limits?|range)\s+of\s+(?:the\s+)?normal|upper\s+normal|borderline)\b"
    r"(?:\s+(?:\w+\s+)?(?:size|enlarged|enlargement|in\s+size))?",
    rf"\bborderline\s+(?:{_HEART}(?:\s+(?:size|enlargement))?|cardiomegaly|enlarge\w+(?:\s+of)?(?:\s+the)?\s+heart)\b",
)
_NORMAL_NODES = (
    rf"\b{_NODES}\s+(?:(?:is|are|was|were|of|in|with|within|have|has|a|all)\s+){{0,4}}normal\b(?:\s+(?:size|in\s+size|limits))?",
    rf"\bnormal[-\s]+sized?\s+(?:\w+\s+){{0,2}}?{_NODES}\b",
)
_BORDERLINE_NODES = (rf"\bborderline(?:[-\s]+sized?|\s+enlarged)?\s+(?:\w+\s+){{0,2}}?{_NODES}\b",)
_CORONARY = (
    rf"\bcoronar(?:y|ies)\s+{_STRAIGHT}{{0,7}}?{_PLAQUE}|\bcoronar(?:y|ies)\s+(?:arter\w+\s+)?(?:walls?\s+)?"
    rf"(?:show|are|have|is|appear|demonstrate|contain)s?\s+(?:no|free\s+of|without)\s+(?:\w+\s+){{0,3}}?{_PLAQUE}",
    rf"\b{_PLAQUE}\s+{_STRAIGHT}{{0,14}}?coronar(?:y|ies)\b",
)
_ARTERIAL = (
    rf"(?<!coronary\s)\b{_ARTERY}\s+{_STRAIGHT}{{0,7}}?{_PLAQUE}|\b(?:aorta|aortic\s+walls?|vessels|great\s+vessels|arterial\s+"
    r"walls?)\s+(?:show|are|have|is|appear|demonstrate|contain)s?\s+(?:no|free\s+of|without)\s+(?:\w+\s+){0,3}?"
    rf"{_PLAQUE}",
    rf"\b{_PLAQUE}\s+{_STRAIGHT}{{0,14}}?(?<!coronary\s){_ARTERY}\b(?!\s+valv)",
    r"\b(?:calcified|calcific)\s+(?:atheroma\w*|atherosclero\w*)\b(?!(?:\s+[\w-]+){0,6}\s+coronar)(?:\s+\w+)?|\baort(?:o|ic)[-\s]?(?:athero)?sclero\w+",
)
_HERNIA = (
    r"\b(?:hiat(?:al|us)|para-?o?esophageal|sliding(?:\s+type)?|gastric)(?:\s+\w+)?\s+herniat?\w*\b"
    r"|\bherniat?\w*\s+(?:\w+\s+){0,3}?(?:hiatus|hiatal)\b|\bherniation\s+of\s+(?:the\s+)?(?:\w+\s+){0,2}?stomach\b"
    r"|\bintrathoracic\s+stomach\b",
)

_PATTERNS: dict[Finding, tuple[str, ...]] = {
    Finding.MEDICAL_MATERIAL: tuple(rf"\b(?:{pattern})\b" for pattern in _MATERIAL),
    Finding.LUNG_NODULE: _NODULE,
    Finding.LUNG_OPACITY: _OPACITY,
    Finding.CONSOLIDATION: _CONSOLIDATION,
    Finding.ATELECTASIS: _ATELECTASIS,
    Finding.FIBROTIC_SEQUELA: _FIBROTIC,
    Finding.EMPHYSEMA: _EMPHYSEMA,
    Finding.MOSAIC_ATTENUATION: _MOSAIC,
    Finding.SEPTAL_THICKENING: _SEPTAL,
    Finding.BRONCHIECTASIS: _BRONCHIECTASIS,
    Finding.PERIBRONCHIAL_THICKENING: _PERIBRONCHIAL,
    Finding.PLEURAL_EFFUSION: _EFFUSION,
    Finding.LYMPHADENOPATHY: _LYMPHADENOPATHY,
    Finding.CARDIOMEGALY: _CARDIOMEGALY,
    Finding.PERICARDIAL_EFFUSION: _PERICARDIAL,
    Finding.CORONARY_CALCIFICATION: _CORONARY,
    Finding.ARTERIAL_CALCIFICATION: _ARTERIAL,
    Finding.HIATAL_HERNIA: _HERNIA,
}

TERMS: tuple[Term, ...] = (
    *(_term(Finding.CARDIOMEGALY, pattern, Status.UNCERTAIN) for pattern in _BORDERLINE_HEART),
    *(_term(Finding.LYMPHADENOPATHY, pattern, Status.UNCERTAIN) for pattern in _BORDERLINE_NODES),
    *(_term(Finding.CARDIOMEGALY, pattern, Status.ABSENT) for pattern in _NORMAL_HEART),
    *(_term(Finding.LYMPHADENOPATHY, pattern, Status.ABSENT) for pattern in _NORMAL_NODES),
    *(_term(finding, pattern) for finding, patterns in _PATTERNS.items() for pattern in patterns),
)
"""In the order of precedence: of overlapping wordings of one finding the first that is found counts."""
