"""The adapter of a local causal language model, with a tiny one of random weights: nothing is downloaded."""

from pathlib import Path

import pytest

from models.gtgm.facts import Fact, Kind
from models.gtgm.text import CausalRewriter, check, rewritten, write

pytestmark = pytest.mark.train


def test_a_local_model_with_random_weights_changes_no_fact(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    words = tokenizers.Tokenizer(tokenizers.models.BPE(unk_token="<unk>"))
    words.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel()
    words.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<unk>", "</s>"],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
    )
    words.train_from_iterator(["The right lung holds 3 L."], trainer)
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=words, eos_token="</s>", unk_token="<unk>")
    fast.save_pretrained(tmp_path)
    config = transformers.LlamaConfig(
        vocab_size=len(fast),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=512,
        eos_token_id=1,
        bos_token_id=None,
    )
    transformers.LlamaForCausalLM(config).save_pretrained(tmp_path)

    rewriter = CausalRewriter.load(tmp_path)
    facts = (
        Fact("plane", Kind.PLANE, "axial"),
        Fact("lung_volume.right", Kind.LUNG_VOLUME, 2.9, "L", "right"),
    )
    sentences = write(facts, 3)
    assert rewriter.rewrite(sentences[0].text, 1) == rewriter.rewrite(sentences[0].text, 1)
    out = rewritten(sentences, facts, rewriter, 1)
    assert [s.fact_ids for s in out] == [s.fact_ids for s in sentences]
    assert check(out, facts) == ()
