"""The words of reports, questions and answers: templates per finding, and the slots that attributes fill."""

from models.phantoms.wording.fill import fill, fill_words, spoken
from models.phantoms.wording.qa import QuestionAnswer, answers, ask, questions
from models.phantoms.wording.templates import GRADES, NORMAL_IMPRESSION, WORDINGS, Wording
from models.phantoms.wording.vocabulary import all_said, all_sentences, all_words

__all__ = [
    "GRADES",
    "NORMAL_IMPRESSION",
    "WORDINGS",
    "QuestionAnswer",
    "Wording",
    "all_said",
    "all_sentences",
    "all_words",
    "answers",
    "ask",
    "fill",
    "fill_words",
    "questions",
    "spoken",
]
