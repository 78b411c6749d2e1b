"""Texts written from facts: each sentence carries the ids of the facts it states, and can be checked against them.

In: facts of `models.gtgm.facts` and a seed. Out: sentences; nothing of a volume but its facts enters them. May fail:
nothing; facts of unknown kinds are passed over.
"""

from models.gtgm.text.check import Wrong, check
from models.gtgm.text.rewrite import CausalRewriter, Rewriter, rewritten
from models.gtgm.text.write import Sentence, write

__all__ = ["CausalRewriter", "Rewriter", "Sentence", "Wrong", "check", "rewritten", "write"]
