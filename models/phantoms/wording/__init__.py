"""The words of reports: templates per finding, and the slots that attributes fill."""

from models.phantoms.wording.fill import all_sentences, all_words, fill, fill_words, spoken
from models.phantoms.wording.templates import GRADES, NORMAL_IMPRESSION, WORDINGS, Wording

__all__ = [
    "GRADES",
    "NORMAL_IMPRESSION",
    "WORDINGS",
    "Wording",
    "all_sentences",
    "all_words",
    "fill",
    "fill_words",
    "spoken",
]
