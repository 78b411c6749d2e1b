"""Hugging Face causal language models as decoders: untrained and tiny, so that nothing is downloaded."""

import io
from importlib.util import find_spec

import pytest

torch = pytest.importorskip("torch")
from models.msvlm.preset import load_preset  # noqa: E402
from models.msvlm.speak import speak  # noqa: E402
from models.msvlm.stage_decoder import sentence_loss  # noqa: E402
from models.msvlm.tokenizer import PAD, Tokenizer  # noqa: E402

pytestmark = [pytest.mark.train, pytest.mark.skipif(find_spec("peft") is None, reason="peft is not installed")]
KINDS = ("llama", "qwen2", "qwen3")
SMALL = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "head_dim": 8}
PROMPTS = [
    ("<absent:lung_nodule>", "<place:none>", "<grade:none>", "<count:none>"),
    ("<present:lung_nodule>", "<place:left>", "<grade:1>", "<count:one>"),
]
TEXTS = ["No lung nodule .", "There is a medium-sized pulmonary nodule in the left lung ."]


@pytest.fixture(scope="module")
def language_model():
    """Loaded by the first test, not when tests are collected: it takes seconds, and every worker collects all files."""
    from models.msvlm import language_model

    return language_model


@pytest.fixture(scope="module")
def shape():
    return load_preset("cpu-demo").network.model_copy(update={"visual_width": 16, "zone_queries": 2})


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.of_wordings()


@pytest.fixture(scope="module")
def decoder_of(language_model, shape, tokenizer):
    """Makes an untrained decoder of a kind."""

    def make(kind, seed=0):
        torch.manual_seed(seed)
        base = language_model.untrained(kind, 0, **SMALL)
        return language_model.LanguageModelDecoder(shape, len(tokenizer.words), base, rank=4)

    return make


def learned(decoder):
    return [parameter for parameter in decoder.parameters() if parameter.requires_grad]


def words_of(tokenizer):
    rows = [torch.tensor(tokenizer.encode(*pair)) for pair in zip(PROMPTS, TEXTS, strict=True)]
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=tokenizer.number[PAD])


@pytest.mark.parametrize("kind", KINDS)
def test_word_by_word_equals_whole_sentences(kind, decoder_of, shape, tokenizer):
    decoder = decoder_of(kind).eval()
    words, visual = words_of(tokenizer)[:, :7], torch.randn(2, shape.visual_tokens, shape.visual_width)
    keys, values = decoder.empty_cache(2)
    with torch.no_grad():
        whole = decoder(words, visual)
        for at in range(words.shape[1]):
            logits, keys, values = decoder.step(words[:, at : at + 1], visual, keys, values)
            assert keys.shape == (2, 2, 2, at + 1, 8)
            assert torch.allclose(logits, whole[:, at], atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns_by_lora_bridge_and_words_while_the_base_stays_frozen(kind, decoder_of, shape, tokenizer):
    decoder = decoder_of(kind)
    before = {name: value.clone() for name, value in decoder.named_parameters()}
    names = [name for name, parameter in decoder.named_parameters() if parameter.requires_grad]
    assert sum("lora_" in name for name in names) >= 2 * 2 * 4
    assert all("lora_" in name or not name.startswith("base.") for name in names)
    words, visual = words_of(tokenizer), torch.randn(2, shape.visual_tokens, shape.visual_width)
    optimiser = torch.optim.AdamW(learned(decoder), lr=2e-2)
    losses = []
    for _ in range(40):
        loss = sentence_loss(decoder(words[:, :-1], visual), words, tokenizer)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]
    for name, value in decoder.named_parameters():
        if not value.requires_grad:
            assert torch.equal(value, before[name]), name
    said = speak(decoder.eval(), tokenizer, PROMPTS, visual, 40)
    assert said == [text.replace(" .", ".") for text in TEXTS]


@pytest.mark.parametrize("kind", KINDS)
def test_only_what_is_learned_is_saved_and_it_comes_back(kind, decoder_of, shape, tokenizer):
    decoder, other = (decoder_of(kind, seed) for seed in (1, 2))
    with torch.no_grad():
        for parameter in learned(decoder):
            parameter.add_(0.1 * torch.randn_like(parameter))
    file = io.BytesIO()
    torch.save(decoder.state_dict(), file)
    file.seek(0)
    state = torch.load(file, weights_only=True)
    assert not any(name.startswith("base.") and "lora_" not in name for name in state)
    words, visual = words_of(tokenizer), torch.randn(2, shape.visual_tokens, shape.visual_width)
    assert not torch.allclose(decoder(words, visual), other(words, visual), atol=1e-3)
    other.load_state_dict(state)
    assert torch.allclose(decoder(words, visual), other(words, visual), atol=1e-5)


def test_a_state_that_lacks_what_is_learned_is_refused(decoder_of):
    decoder = decoder_of("llama")
    state = {name: value for name, value in decoder.state_dict().items() if not name.startswith("bridge")}
    with pytest.raises(RuntimeError, match="bridge"):
        decoder.load_state_dict(state)


def test_the_same_seed_gives_the_same_untrained_model(language_model, shape, tokenizer):
    make = language_model.language_model_decoder
    first, second = (make(shape, tokenizer.words, "random:qwen3", 4, seed=5) for _ in range(2))
    frozen = [(a, b) for a, b in zip(first.base.parameters(), second.base.parameters(), strict=True)]
    assert any(not a.requires_grad for a, _ in frozen)
    assert all(torch.equal(a, b) for a, b in frozen if not a.requires_grad)


def test_words_start_as_the_mean_of_their_parts(decoder_of, tokenizer):
    decoder = decoder_of("llama")
    embeddings, head = torch.randn(64, 32), torch.randn(64, 32)

    def letters(text, add_special_tokens):
        assert not add_special_tokens
        return {"input_ids": [ord(letter) % 64 for letter in text]}

    decoder.start_words_from(letters, tokenizer.words, embeddings, head)
    parts = letters(" present lung nodule", add_special_tokens=False)["input_ids"]
    number = tokenizer.number["<present:lung_nodule>"]
    assert torch.allclose(decoder.embed.weight[number], embeddings[parts].mean(0))
    assert torch.allclose(decoder.to_words.weight[number], head[parts].mean(0))


def test_a_local_folder_is_a_base(language_model, shape, tokenizer, tmp_path):
    """A model as a hospital would lay it down: weights and tokenizer in one folder, found without a network."""
    from tokenizers import Tokenizer as Pieces
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import PreTrainedTokenizerFast

    pieces = Pieces(WordLevel({"[unk]": 0, "present": 1, "lung": 2, "nodule": 3}, unk_token="[unk]"))
    pieces.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=pieces, unk_token="[unk]").save_pretrained(tmp_path)
    base = language_model.untrained("llama", 3, **SMALL)
    base.save_pretrained(tmp_path)
    rows = base.get_input_embeddings().weight[1:4].detach().clone()
    decoder = language_model.language_model_decoder(shape, tokenizer.words, str(tmp_path), 4, seed=0)
    number = tokenizer.number["<present:lung_nodule>"]
    assert torch.allclose(decoder.embed.weight[number], rows.mean(0), atol=1e-6)
