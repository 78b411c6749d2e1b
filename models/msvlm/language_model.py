"""Any Hugging Face causal language model as the report decoder: frozen, with LoRA, and bound like the one from scratch.

Visual tokens stand before the words as a soft prompt. The words are those of the bundle's own vocabulary, with prompts,
so that what may be said is fixed by the same prompt words; each starts as the mean of the language model's embeddings
of its parts. Only LoRA, bridge and words are learned and kept: the language model's own weights stay where they are.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, DynamicCache, PreTrainedModel

from models.msvlm.decoder import Decoder
from models.msvlm.preset import NetworkShape
from models.msvlm.wording_choice import WordingChoice

ATTENTION = r".*(?:attn|attention)\w*\.(?:[qkvo]_proj|c_attn|c_proj|query_key_value|query|key|value|dense|qkv_proj)"
"""Linear layers of attention, by the names that Hugging Face's models give them."""
RANDOM = "random:"
TINY: dict[str, Any] = {
    "hidden_size": 128,
    "intermediate_size": 384,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "vocab_size": 64,
}


class LanguageModelDecoder(Decoder):
    """The decoder on a frozen language model. Its `state_dict` holds only what is learned."""

    def __init__(self, shape: NetworkShape, vocabulary: int, base: PreTrainedModel, rank: int) -> None:
        super().__init__()
        config = base.config.get_text_config()
        base.requires_grad_(False)
        lora = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=ATTENTION)
        self.base = inject_adapter_in_model(lora, base.base_model)
        width = int(config.hidden_size)
        self.layers, self.heads = int(config.num_hidden_layers), int(_key_value_heads(config))
        self.head_width = int(getattr(config, "head_dim", None) or width // config.num_attention_heads)
        self.bridge = nn.Linear(shape.visual_width, width)
        self.embed = nn.Embedding(vocabulary, width)
        self.to_words = nn.Linear(width, vocabulary)
        self.wording = WordingChoice(shape.visual_tokens, shape.visual_width, vocabulary, context_width=width)
        for weight in (self.embed.weight, self.to_words.weight):
            nn.init.normal_(weight, std=0.02)
        self.register_state_dict_post_hook(_drop_frozen)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_post_hook(_expect_learned)  # type: ignore[no-untyped-call]

    def forward(self, words: Tensor, visual_tokens: Tensor) -> Tensor:
        """Logits [b, w, V] for teacher forcing."""
        prefix = self.bridge(visual_tokens)
        seen = self.base(inputs_embeds=torch.cat([prefix, self.embed(words)], dim=1), use_cache=False)
        logits: Tensor = self.to_words(seen.last_hidden_state[:, prefix.shape[1] :])
        return logits

    def empty_cache(self, sentences: int) -> tuple[Tensor, Tensor]:
        """Keys and values before the first word, [e, b, m, 0, a] each."""
        none = self.embed.weight.new_zeros(self.layers, sentences, self.heads, 0, self.head_width)
        return none, none

    def step(
        self, word: Tensor, visual_tokens: Tensor, past_keys: Tensor, past_values: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """One word on. The soft prompt is read anew: the cache holds the words alone."""
        cache = DynamicCache()
        self.base(inputs_embeds=self.bridge(visual_tokens), past_key_values=cache, use_cache=True)
        read = cache.get_seq_length()
        for layer, (keys, values) in enumerate(zip(past_keys, past_values, strict=True)):
            cache.update(keys, values, layer)
        place = torch.full((1, 1), read + past_keys.shape[3], device=word.device)
        seen = self.base(inputs_embeds=self.embed(word), past_key_values=cache, position_ids=place, use_cache=True)
        known = seen.last_hidden_state[:, 0]
        layers: list[Any] = list(cache.layers)
        grown = torch.stack([layer.keys[:, :, read:] for layer in layers])
        grown_values = torch.stack([layer.values[:, :, read:] for layer in layers])
        return self.wording(self.to_words(known), known, visual_tokens), grown, grown_values

    @torch.no_grad()
    def start_words_from(self, tokenizer: Any, words: Sequence[str], embeddings: Tensor, head: Tensor) -> None:
        """Each word starts as the mean of its parts in the language model: `embeddings` and `head` [V', width]."""
        for number, word in enumerate(words):
            parts = tokenizer(_plain(word), add_special_tokens=False)["input_ids"]
            if parts:
                self.embed.weight[number] = embeddings[parts].mean(0)
                self.to_words.weight[number] = head[parts].mean(0)


def language_model_decoder(
    shape: NetworkShape, words: Sequence[str], base: str, rank: int, seed: int
) -> LanguageModelDecoder:
    """The decoder on the causal language model in the folder `base`, or on an untrained tiny one ("random:qwen3").

    An untrained one is drawn from the seed, the same for the same seed.
    """
    if base.startswith(RANDOM):
        return LanguageModelDecoder(shape, len(words), untrained(base.removeprefix(RANDOM), seed), rank)
    folder = Path(base)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, dtype=torch.float32)
    embeddings, head = (
        cast(Tensor, model.get_input_embeddings().weight),
        cast(Tensor, model.get_output_embeddings().weight),
    )
    decoder = LanguageModelDecoder(shape, len(words), model, rank)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    decoder.start_words_from(tokenizer, words, embeddings, head)
    return decoder


def untrained(kind: str, seed: int, **sizes: int) -> PreTrainedModel:
    """A tiny untrained causal language model of a Hugging Face model type, such as "llama", "qwen2" or "qwen3"."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model: PreTrainedModel = AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]
            AutoConfig.for_model(kind, **TINY | sizes)
        )
    return model


def _plain(word: str) -> str:
    """A word of the vocabulary as running text: "<present:lung_nodule>" as "present lung nodule"."""
    return " " + " ".join(word.strip("<>").replace(":", " ").replace("_", " ").split())


def _key_value_heads(config: Any) -> int:
    heads: int = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    return heads


def _drop_frozen(module: nn.Module, state: dict[str, Any], prefix: str, metadata: Mapping[str, Any]) -> None:
    for name, parameter in module.named_parameters():
        if not parameter.requires_grad:
            state.pop(prefix + name, None)


def _expect_learned(module: nn.Module, keys: Any) -> None:
    frozen = {name for name, parameter in module.named_parameters() if not parameter.requires_grad}
    keys.missing_keys[:] = [key for key in keys.missing_keys if key not in frozen]
