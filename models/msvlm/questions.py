"""Questions in plain English: what is asked about which finding, and an answer that is bound to the scores.

Understood are whether, where, how large and how many, about one finding at a time. Everything else is refused with the
reason: the model has no figures, no earlier study and no diagnosis to answer from.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from models.msvlm.runtime import BundleRuntime, Reading, presence
from models.msvlm.sentences import NOTHING, Said, prompt_of
from models.msvlm.tokenizer import answer_tag, as_text
from models.phantoms.findings import Finding, Grade
from models.phantoms.wording import GRADES, answers
from pacs_agent.inference.attributes import NONE, Attributes
from pacs_agent.inference.manifest import FindingEntry

Asked = Literal["whether", "where", "size", "count"]

NAMES: tuple[tuple[Finding, str], ...] = (
    (Finding.PERICARDIAL_EFFUSION, r"pericardial (?:effusion|fluid)|fluid around the heart|haemopericardium"),
    (Finding.PLEURAL_EFFUSION, r"(?:pleural )?effusions?|pleural fluid|hydrothorax|fluid in the (?:chest|pleura\w*)"),
    (Finding.CORONARY_CALCIFICATION, r"(?:coronar\w+|cac)\b.*?(?:calci\w+|plaques?)|calci\w+.*?coronar\w+|cac"),
    (Finding.ARTERIAL_CALCIFICATION, r"(?:aort\w+|arter\w+|vascular|vessels?)\b.*?(?:calci\w+|plaques?|atheroscl\w+)"),
    (Finding.ARTERIAL_CALCIFICATION, r"(?:calci\w+|plaques?)\b.*?(?:aort\w+|arter\w+|vessels?)|atheroscl\w+"),
    (Finding.SEPTAL_THICKENING, r"(?:interlobular )?(?:sept(?:al|a|um)) (?:\w+ )?thicken\w+|thickened septa|kerley"),
    (
        Finding.PERIBRONCHIAL_THICKENING,
        r"(?:peri)?bronchial (?:wall )?(?:thickening|cuffing)|thickened bronchial walls",
    ),
    (Finding.BRONCHIECTASIS, r"bronchiecta\w+|dilated (?:bronchi|airways)"),
    (Finding.MOSAIC_ATTENUATION, r"mosaic(?: attenuation| perfusion)?(?: pattern)?|air trapping"),
    (Finding.MEDICAL_MATERIAL, r"medical (?:material|devices?)|devices?|catheters?|pacemakers?|stents?|implants?"),
    (Finding.MEDICAL_MATERIAL, r"(?:central )?lines?|tubes?|port|sternal wires?|drains?"),
    (Finding.LUNG_NODULE, r"(?:(?:pulmonary|lung|solid) )?nod(?:ules?|ular lesions?)"),
    (Finding.LUNG_OPACITY, r"ground[- ]glass(?: \w+)?|ggos?|(?:(?:pulmonary|lung|hazy) )?opacit\w+|infiltrat\w+"),
    (Finding.CONSOLIDATION, r"consolidat\w+|airspace disease"),
    (Finding.ATELECTASIS, r"atelecta\w+|collapsed lung|lung collapse"),
    (Finding.FIBROTIC_SEQUELA, r"fibro(?:sis|tic)(?: \w+)?|scar(?:s|ring)?|sequela\w*"),
    (Finding.EMPHYSEMA, r"emphysem\w+"),
    (Finding.LYMPHADENOPATHY, r"lymph\w+|adenopath\w+|enlarged nodes|nodes"),
    (Finding.CARDIOMEGALY, r"cardiomegal\w+|enlarged heart|heart (?:\w+ )?enlarge\w+|heart size|size of the heart"),
    (Finding.CARDIOMEGALY, r"(?:large|big) (?:is the )?heart|heart (?:large|big|enlarged)"),
    (Finding.HIATAL_HERNIA, r"(?:hiat\w+|sliding) hernias?|hernias?"),
)
"""How findings are named in questions. What comes earlier wins: a pericardial effusion is no pleural one."""

BEYOND = (
    (r"malignan\w*|benign|cancer\w*|tumou?rs?|metasta\w+|diagnos\w+|cause[sd]?|why|pneumonia|covid\S*", "a diagnosis"),
    (r"prior|previous\w*|compar\w+|chang(?:e|ed|es|ing) (?:since|from)|grown?|new|older?|stable|progress\w*|increas\w+|"
     r"decreas\w+|since|before|last", "an earlier study"),
    (r"millimet\w+|centimet\w+|mm|cm|volumes?|density|hounsfield|hu|percent|score|diameter", "a measurement"),
    (r"treat\w*|biops\w+|recommend\w*|should|manage\w*|follow[- ]?up|surg\w+|prognos\w+", "advice"),
    (r"name|age|sex|gender|birth\w*|smok\w+|history|symptoms?|when|who|whose", "facts about the patient"),
)  # fmt: skip
"""What the model has no grounds to speak of, by the words that ask for it."""

NO_FINDING = "No finding is named that the model looks for"
_DENIED = re.compile(r"\b(no|not|without|isn't|aren't|never|free of|absent|absence|exclude[ds]?|rule out)\b")
_WHERE = re.compile(
    r"\b(where|locat\w+|which (?:\w+ )?(?:lobes?|sides?|lungs?|parts?)|(?:what|which) (?:side|part|lobe)|position)\b"
)
_COUNT = re.compile(r"\b(how many|number of|count|single|multiple|several|solitary|more than one|numerous)\b")
_SIZE = re.compile(
    r"\b(how (?:large|big|small|severe|extensive|marked|much|wide|bad|mild|pronounced)|"
    r"size|sever\w+|grade|extent|degree)\b"
)
_WHETHER = re.compile(r"\b(is|are|does|do|has|have|any|can|evidence|signs?|present|show|see|seen|presence)\b")
_PLACE = re.compile(
    r"\b(right|left|bilateral|both|upper|lower|middle|lobes?|lingula|apex|apices|apical|bas(?:e|es|al))\b"
)


@dataclass(frozen=True)
class Unanswerable(ValueError):
    """A question that the model does not answer, and why."""

    reason: str

    def __str__(self) -> str:
        return f"{self.reason}."


@dataclass(frozen=True)
class Question:
    """What is asked, about which finding."""

    asked: Asked
    finding: Finding


@dataclass(frozen=True)
class Answer:
    """An answer with the prompt that licenses it; `fixed` when the decoder's own words were not licensed."""

    text: str
    prompt: tuple[str, ...]
    finding: Finding
    fixed: bool


def understood(text: str) -> Question:
    """The question that a text asks. Raises Unanswerable."""
    lower = " ".join(text.lower().split())
    for words, what in BEYOND:
        if re.search(rf"\b(?:{words})\b", lower):
            raise Unanswerable(f"That asks for {what}, which the model does not have")
    findings = findings_named(lower)
    if len(findings) != 1:
        named = ", ".join(finding.replace("_", " ") for finding in findings)
        raise Unanswerable(
            f"The question names more than one finding ({named}): ask about one at a time" if named else NO_FINDING
        )
    return Question(_asked(lower, findings[0]), findings[0])


def findings_named(lower: str) -> tuple[Finding, ...]:
    """The findings that a text in lower case names, each once."""
    found: list[Finding] = []
    for finding, names in NAMES:
        lower, count = re.subn(rf"\b(?:{names})\b", " ", lower)
        if count and finding not in found:
            found.append(finding)
    return tuple(found)


def _asked(lower: str, finding: Finding) -> Asked:
    if _WHERE.search(lower):
        return "where"
    if _COUNT.search(lower):
        return "count"
    if _SIZE.search(lower):
        return "size"
    if _DENIED.search(lower):
        raise Unanswerable("A yes or a no would be ambiguous: ask without a negation")
    if not _WHETHER.search(lower):
        raise Unanswerable("Only whether, where, how large and how many can be answered")
    if _PLACE.search(lower):
        return "where"
    graded = any(re.search(rf"\b{re.escape(word)}\b", lower) for word in GRADES[finding])
    return "size" if graded else "whether"


def answer_prompt(question: Question, said: str, attributes: Attributes, entry: FindingEntry) -> tuple[str, ...]:
    """The prompt of the answer from the presence ("present", "uncertain", "absent") and the attributes of the finding.

    Raises Unanswerable where the model has no such attribute.
    """
    finding = question.finding
    if said != "present":
        return prompt_of(answer_tag("no" if said == "absent" else "unsure", finding), NOTHING)
    kind = "yes" if question.asked == "whether" else question.asked
    place, grade, count = _said_of(attributes)
    missing = {"where": place == NONE, "size": grade is None, "count": count == NONE}
    if missing.get(kind, False):
        what = {"where": "where it is", "size": "how marked it is", "count": "how many there are"}[kind]
        raise Unanswerable(f"{entry.name} is present; the model does not say {what}")
    return prompt_of(answer_tag(kind, finding), (place, grade, count))


def answer(runtime: BundleRuntime, reading: Reading, text: str) -> Answer:
    """The answer to a question about a study that was read. Raises Unanswerable."""
    question = understood(text)
    at = [entry.key for entry in runtime.findings].index(question.finding.value)
    entry, attributes = runtime.findings[at], reading.attributes[at]
    words = answer_prompt(question, presence(entry, float(reading.probabilities[at])), attributes, entry)
    (spoken,) = runtime.decode([words], reading.visual_tokens)
    licensed = licensed_answers(words)
    fixed = spoken not in licensed
    return Answer(licensed[0] if fixed else spoken, words, question.finding, fixed)


def licensed_answers(prompt: Sequence[str]) -> list[str]:
    """Every answer that a prompt licenses, as written text; the plainest first."""
    _, kind, key = prompt[0].strip("<>").split(":")
    place, grade, count = (word.strip("<>").split(":")[1] for word in prompt[1:])
    number = None if grade == NONE else Grade(int(grade))
    return [as_text(text.lower().split()) for text in answers(kind, Finding(key), place, number, count)]


def _said_of(attributes: Attributes) -> Said:
    grade = None if attributes.grade is None else Grade(attributes.grade)
    return attributes.place, grade, attributes.count or NONE
