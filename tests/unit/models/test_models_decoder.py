"""The decoder: cache against whole sentences, wordings chosen by the study, and that it learns to obey its prompt."""

import pytest

torch = pytest.importorskip("torch")
from models.msvlm.network import new_network  # noqa: E402
from models.msvlm.preset import load_preset  # noqa: E402
from models.msvlm.sentences import every_prompt  # noqa: E402
from models.msvlm.speak import speak  # noqa: E402
from models.msvlm.stage_decoder import fallbacks, fit_wordings, train_decoder, visual_tokens  # noqa: E402
from models.msvlm.studies import EncodedStudy  # noqa: E402
from models.msvlm.tokenizer import END, as_text, tag  # noqa: E402
from models.phantoms.findings import ATTRIBUTE_NAMES, FINDINGS, Finding  # noqa: E402
from models.phantoms.report import TrueSentence  # noqa: E402

pytestmark = pytest.mark.train
F = len(FINDINGS)
SMALL = {
    "front_channels": (8, 8, 16),
    "field_px": (96, 96),
    "encoder_width": 8,
    "encoder_heads": 2,
    "encoder_blocks": 1,
    "reader_width": 16,
    "reader_heads": 2,
    "reader_blocks": 1,
    "visual_width": 32,
    "decoder_heads": 2,
}
NODULE = ("<present:lung_nodule>", "<place:left lower lobe>", "<grade:2>", "<count:one>")


def network_of(steps):
    preset = load_preset("cpu-demo")
    stage = preset.decoder.model_copy(update={"steps": steps, "batch": 64, "rate": 3e-3})
    shape = preset.network.model_copy(update=SMALL)
    return new_network(preset.model_copy(update={"network": shape, "decoder": stage})).eval()


def study_of(network, seed):
    generator = torch.Generator().manual_seed(seed)
    length = 12
    return EncodedStudy(
        tokens=torch.randn(length, network.preset.network.token_width, generator=generator),
        z_mm=torch.arange(length) * 5.0,
        slices=torch.zeros(length, F),
        labels=torch.zeros(F),
        known=torch.ones(F, dtype=torch.bool),
        located=torch.ones(F, dtype=torch.bool),
        attributes=torch.zeros(F, len(ATTRIBUTE_NAMES)),
        attributes_known=torch.zeros(F, 4, dtype=torch.bool),
        sentences=(TrueSentence("absent", Finding.LUNG_NODULE, "No lung nodule ."),),
    )


@pytest.fixture(scope="module")
def network():
    return network_of(0)


@pytest.fixture(scope="module")
def studies(network):
    return [study_of(network, seed) for seed in range(24)]


def test_word_by_word_equals_whole_sentences(network):
    shape = network.preset.network
    words = torch.randint(len(network.tokenizer.words), (3, 6))
    visual = torch.randn(3, shape.visual_tokens, shape.visual_width)
    keys, values = network.decoder.empty_cache(3)
    with torch.no_grad():
        whole = network.decoder(words, visual)
        for at in range(6):
            logits, keys, values = network.decoder.step(words[:, at : at + 1], visual, keys, values)
            assert keys.shape[3] == at + 1
            assert torch.allclose(logits, whole[:, at], atol=1e-4)


def test_a_study_chooses_the_same_wording_every_time_and_others_choose_differently(network, studies):
    network.decoder.wording.on.zero_()
    fit_wordings(network, studies)
    visual = visual_tokens(network, studies).detach()
    even = torch.zeros(len(studies), len(network.tokenizer.words))
    context = torch.randn(1, network.preset.network.visual_width).expand(len(studies), -1)
    first, again = (network.decoder.wording(even, context, visual).argmax(1) for _ in range(2))
    assert torch.equal(first, again)
    assert len(set(first.tolist())) > 15
    close = network.decoder.wording(even, context, visual + 1e-6).argmax(1)
    assert (close == first).float().mean() > 0.9


def test_unlikely_words_are_never_chosen(network, studies):
    fit_wordings(network, studies)
    visual = visual_tokens(network, studies).detach()
    logits = torch.full((len(studies), len(network.tokenizer.words)), -3.0)
    logits[:, 5], logits[:, 9] = 0.0, -1.0
    chosen = [
        network.decoder.wording(logits, torch.randn(len(studies), network.decoder.embed.embedding_dim), visual)
        for _ in range(20)
    ]
    numbers = torch.cat([moved.argmax(1) for moved in chosen])
    assert set(numbers.tolist()) == {5, 9}
    assert 0.1 < (numbers == 9).float().mean() < 0.45


def test_speech_that_comes_to_no_end_is_none(network, studies):
    network.decoder.wording.on.zero_()
    visual = visual_tokens(network, studies[:1]).detach()
    with torch.no_grad():
        network.decoder.to_words.bias[network.tokenizer.number[END]] = -100.0
        silent = speak(network.decoder, network.tokenizer, [NODULE], visual, 5)
        network.decoder.to_words.bias[network.tokenizer.number[END]] = 100.0
        short = speak(network.decoder, network.tokenizer, [NODULE], visual, 5)
        network.decoder.to_words.bias[network.tokenizer.number[END]] = 0.0
    assert silent == [None] and short == [""]


@pytest.mark.slow
def test_the_decoder_learns_to_say_what_its_prompt_licenses(studies):
    network = network_of(2000)
    assert train_decoder(network, studies) < 0.7
    found = fallbacks(network, studies)
    assert found.unlicensed < 0.15 and found.endless == 0.0
    visual = visual_tokens(network, studies).detach()
    said = speak(network.decoder, network.tokenizer, [NODULE] * len(studies), visual, 40)
    licensed = {as_text(text.lower().split()) for text in dict(every_prompt())[NODULE]}
    assert sum(text in licensed for text in said) >= 0.9 * len(said)
    assert len(set(said)) > 3


def test_training_moves_resampler_and_decoder_alone(studies, tmp_path):
    network = network_of(2)
    before = {name: value.clone() for name, value in network.reader.state_dict().items()}
    train_decoder(network, studies, tmp_path)
    for name, value in network.reader.state_dict().items():
        assert torch.equal(value, before[name]) != name.startswith("resampler"), name
    assert (tmp_path / "decoder.jsonl").is_file()
    assert network.decoder.wording.on.item() == 1.0
    assert tag("present", "lung_nodule") == NODULE[0]
