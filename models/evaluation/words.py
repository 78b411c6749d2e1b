"""Figures of words by maintained packages: BLEU (sacrebleu), ROUGE-L (rouge-score), METEOR and CIDEr (pycocoevalcap).

METEOR and CIDEr are measured where pycocoevalcap is installed (METEOR also needs Java); nothing is downloaded.
"""

import shutil
from collections.abc import Sequence
from importlib.util import find_spec

import numpy as np
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics.bleu import BLEU

from models.evaluation.metrics import rounded

ORDERS = (1, 2, 3, 4)


def word_measures(candidates: Sequence[str], references: Sequence[str]) -> dict[str, float | None]:
    """BLEU-1..4, ROUGE-L, METEOR and CIDEr of one candidate per reference; None where not measured."""
    lower = [text.lower() for text in candidates]
    truth = [text.lower() for text in references]
    bleu = {f"bleu_{n}": rounded(_bleu(lower, truth, n)) for n in ORDERS}
    return {**bleu, "rouge_l": rounded(_rouge_l(lower, truth)), **_coco(lower, truth)}


def _bleu(candidates: list[str], references: list[str], order: int) -> float:
    return float(BLEU(max_ngram_order=order).corpus_score(candidates, [references]).score) / 100.0


def _rouge_l(candidates: list[str], references: list[str]) -> float:
    scorer = RougeScorer(["rougeL"])
    pairs = zip(references, candidates, strict=True)
    return float(np.mean([scorer.score(truth, text)["rougeL"].fmeasure for truth, text in pairs]))


def _coco(candidates: list[str], references: list[str]) -> dict[str, float | None]:
    if find_spec("pycocoevalcap") is None:
        return {"meteor": None, "cider": None}
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.meteor.meteor import Meteor

    truth = {number: [text] for number, text in enumerate(references)}
    said = {number: [text] for number, text in enumerate(candidates)}
    meteor = Meteor().compute_score(truth, said)[0] if shutil.which("java") else float("nan")
    return {"meteor": rounded(meteor), "cider": rounded(Cider().compute_score(truth, said)[0])}
