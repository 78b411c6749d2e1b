"""A language model may say a sentence in other words; where a fact changes, the grammar's sentence stays."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from models.gtgm.facts import Fact
from models.gtgm.text.check import fault, read
from models.gtgm.text.write import Sentence

LONGEST_GROWTH = 2.5
"""A rewrite is at most this many times as long as the sentence."""
FINDING_WORDS = re.compile(
    r"pneumothorax|tumou?r|cancer|carcinom|malignan|metasta|fracture|embol|infarct|haemorrh|hemorrh|abscess|infect|"
    r"pneumonia|covid|tubercul|fibros|bronchiect|atelecta|consolidat|lymph|hernia|aneurysm|dissect|stenos|cyst|"
    r"oedema|edema|inflamm|nodul|mass\b|emphysem|effusion|calcif|ground-glass|opacit|cirrho|ascites|benign|normal",
    re.IGNORECASE,
)
"""Words that would add a finding or a judgement: a rewrite may hold one only where the sentence does."""
_OWN_NAME = re.compile(r"(?<!^)(?<![.:;] )\b[A-Z]\w*")
_WORD = re.compile(r"[a-zµ³]+", re.IGNORECASE)
PROMPT = (
    "Say the sentence in other words. Keep every number, unit, side and negation. Add nothing.\n"
    "Sentence: {text}\nIn other words:"
)


class Rewriter(Protocol):
    """Something that says a sentence in other words, the same for the same sentence and seed."""

    def rewrite(self, text: str, seed: int) -> str:
        """The sentence in other words; it need not be right."""


@dataclass(frozen=True)
class CausalRewriter:
    """A local causal language model of Hugging Face transformers, on whatever device it lies."""

    model: Any
    tokenizer: Any
    prompt: str = PROMPT
    most_tokens: int = 80
    temperature: float = 0.8

    @classmethod
    def load(cls, folder: Path) -> "CausalRewriter":
        """From a folder with config, weights and tokenizer; nothing is downloaded and no code of the folder runs."""
        from transformers import AutoModelForCausalLM, AutoTokenizer  # slow to import, and only needed here

        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        model = AutoModelForCausalLM.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, use_safetensors=True
        )
        model.requires_grad_(False)
        return cls(model, tokenizer)

    def rewrite(self, text: str, seed: int) -> str:
        """The first line of what the model says after the prompt, sampled with a seed of its own."""
        import torch

        tokens = self.tokenizer(self.prompt.format(text=text), return_tensors="pt").to(self.model.device)
        length = tokens["input_ids"].shape[1]
        with torch.random.fork_rng(), torch.inference_mode():
            torch.manual_seed(seed)
            out = self.model.generate(
                input_ids=tokens["input_ids"],
                attention_mask=tokens["attention_mask"],
                do_sample=True,
                temperature=self.temperature,
                max_new_tokens=self.most_tokens,
                pad_token_id=self.tokenizer.eos_token_id,
            )
        said: str = self.tokenizer.decode(out[0, length:], skip_special_tokens=True)
        return said.strip().split("\n")[0].strip()


def rewritten(
    sentences: Sequence[Sentence], facts: Sequence[Fact], rewriter: Rewriter, seed: int
) -> tuple[Sentence, ...]:
    """The sentences in other words where these state the same facts, as they were where not."""
    by_id = {fact.id: fact for fact in facts}
    out = []
    for number, sentence in enumerate(sentences):
        text = rewriter.rewrite(sentence.text, seed + number)
        stated = tuple(by_id[name] for name in sentence.fact_ids)
        out.append(sentence if change(sentence.text, text, stated) else Sentence(text, sentence.fact_ids))
    return tuple(out)


def change(before: str, after: str, facts: tuple[Fact, ...]) -> str:
    """What a rewrite changes beside the words; "" where numbers, sides, levels, negations and findings are the same."""
    if not after or len(after) > LONGEST_GROWTH * len(before) or not after.endswith("."):
        return "it is empty, too long or no whole sentence"
    reason = fault(after, facts)
    if reason:
        return reason
    if read(before, facts).numbers != read(after, facts).numbers:
        return "other numbers or negations"
    for pattern, what in ((FINDING_WORDS, "finding"), (_OWN_NAME, "name")):
        known = {word.lower() for word in _WORD.findall(before)}
        added = [
            match[0]
            for match in pattern.finditer(after)
            if not any(word.startswith(match[0].lower()) or match[0].lower() in word for word in known)
        ]
        if added:
            return f"another {what}: {added}"
    return ""
