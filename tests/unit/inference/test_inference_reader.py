"""From slices to a reading, reckoned by hand with the tiny bundle."""

import json
import math
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_bundle import ATTRIBUTES, KEYS, SENTENCES, MakeSeries, entry, load, settings_of, write_bundle

from pacs_agent.config import InferenceSettings
from pacs_agent.imaging import UnusableSlice
from pacs_agent.inference import (
    BundleRefused,
    Encoding,
    EvidenceMethod,
    EvidenceWeights,
    HeatGone,
    ModelFailed,
    Presence,
    RawReading,
    Reader,
    StudyReading,
    heat_of_reading,
)
from pacs_agent.inference.attributes import Attributes
from pacs_agent.inference.describe import presence_of, probability
from pacs_agent.inference.manifest import FindingEntry
from pacs_agent.inference.report import NOTHING_PRESENT


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def read_all(reader: Reader, series, method: EvidenceMethod = EvidenceMethod.SLICE_WEIGHTS) -> StudyReading:
    encoding = reader.encode_missing(series)
    evidence = reader.weigh_evidence(series, encoding, method)
    return reader.describe(series, encoding, reader.read(series, encoding), evidence)


def test_slices_are_encoded_once(reader: Reader, make_series: MakeSeries) -> None:
    series = make_series([0, 100, 200, 300, 400, 500, 600])
    seen: list[tuple[int, int]] = []
    first = reader.encode_missing(series, lambda done, total: seen.append((done, total)))
    again = reader.encode_missing(series)
    assert (first.encoded, first.cached, again.encoded, again.cached) == (7, 0, 0, 7)
    assert first.keys == again.keys
    assert seen[-1] == (7, 7)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_only_what_is_new_is_encoded(reader: Reader, make_series: MakeSeries) -> None:
    reader.encode_missing(make_series([0, 100]))
    late = reader.encode_missing(make_series([0, 100, 200]))
    assert (late.encoded, late.cached) == (1, 2)


def test_tokens_are_those_of_their_slices(reader: Reader, make_series: MakeSeries) -> None:
    series = make_series([0, 1000, 2000, 3000], corners=[500, 1000, 2000, 3000])
    tokens = reader.slice_tokens(series, reader.encode_missing(series))
    expected = [[500 / 24000, 0.5, 1, 1], [1, 1, 1, 1], [2, 2, 1, 1], [3, 3, 1, 1]]
    np.testing.assert_allclose([token.token for token in tokens], expected, rtol=1e-6)
    assert tokens[1].patch_grid.shape == (2, 2, 2)


def test_lost_or_damaged_tokens_are_made_again(reader: Reader, make_series: MakeSeries, tmp_path: Path) -> None:
    series = make_series([0, 1000, 2000])
    encoding = reader.encode_missing(series)
    expected = reader.read(series, encoding)
    first, second, _ = sorted((tmp_path / "tokens").rglob("*.npz"))
    first.unlink()
    second.write_bytes(b"damaged")
    assert reader.read(series, encoding) == expected
    assert reader.encode_missing(series).cached == 3


def test_an_encoding_of_another_series_is_noticed(reader: Reader, make_series: MakeSeries) -> None:
    series = make_series([0, 1000, 2000])
    encoding = reader.encode_missing(series)
    with pytest.raises(ModelFailed, match="the series changed"):
        reader.read(series, encoding.model_copy(update={"keys": encoding.keys[:2]}))


def test_the_reading(reader: Reader, make_series: MakeSeries) -> None:
    series = make_series([0, 1000, 0, 0], corners=[0, 1000, 0, 4000])
    reading = read_all(reader, series)
    nodule, effusion = reading.findings
    assert nodule.probability == pytest.approx(sigmoid(1.0), rel=1e-5)
    assert effusion.probability == pytest.approx(sigmoid(4.0), rel=1e-5)
    assert [nodule.presence, effusion.presence] == [Presence.PRESENT, Presence.PRESENT]
    assert [one.index for one in effusion.evidence] == [3, 1, 0]
    assert effusion.evidence[0].weight == pytest.approx(sigmoid(4.0), rel=1e-5)
    assert effusion.evidence[0].sop_instance_uid == series.slices[3].sop_instance_uid
    assert [sentence.text for sentence in reading.sentences] == ["There is a nodule.", "There is an effusion, small."]
    assert [sentence.text for sentence in reading.impression] == ["Nodule.", "Effusion."]
    assert [sentence.findings for sentence in reading.sentences] == [("nodule",), ("effusion",)]


def test_nothing_present(reader: Reader, make_series: MakeSeries) -> None:
    reading = read_all(reader, make_series([-2000, -1500, -3000]))
    assert [finding.presence for finding in reading.findings] == [Presence.ABSENT] * 2
    assert [finding.evidence for finding in reading.findings] == [(), ()]
    assert [sentence.text for sentence in reading.sentences] == ["No nodule.", "No effusion."]
    assert [sentence.text for sentence in reading.impression] == [NOTHING_PRESENT]
    assert not any(sentence.positive for sentence in (*reading.sentences, *reading.impression))


def test_uncertain_is_said_so(reader: Reader, make_series: MakeSeries) -> None:
    uncertain = read_all(reader, make_series([400, 400]))
    assert [finding.presence for finding in uncertain.findings] == [Presence.UNCERTAIN] * 2
    assert uncertain.sentences[0].text == "Possible: There is a nodule."
    assert uncertain.sentences[0].positive
    assert uncertain.findings[0].evidence
    assert [sentence.text for sentence in uncertain.impression] == [
        NOTHING_PRESENT,
        "Possible: the nodule, the effusion.",
    ]
    assert uncertain.impression[1].findings == KEYS


def test_possible_is_put_only_before_what_asserts(
    tmp_path: Path, settings: InferenceSettings, make_series: MakeSeries
) -> None:
    folder = write_bundle(tmp_path / "denies", SENTENCES | {"<present:nodule>": "no nodule ."})
    reading = read_all(Reader(load(folder), settings, tmp_path / "tokens"), make_series([400, 400]))
    assert [sentence.text for sentence in reading.sentences] == [
        "The nodule: uncertain.",
        "Possible: There is an effusion, small.",
    ]


def test_a_bundle_with_words_for_uncertainty_uses_them(
    tmp_path: Path, settings: InferenceSettings, make_series: MakeSeries
) -> None:
    words = SENTENCES | {"<uncertain:nodule>": "a nodule cannot be excluded ."}
    folder = write_bundle(tmp_path / "words", words)
    reading = read_all(Reader(load(folder), settings, tmp_path / "tokens"), make_series([400, 400]))
    assert [sentence.text for sentence in reading.sentences] == [
        "A nodule cannot be excluded.",
        "Possible: There is an effusion, small.",
    ]


@pytest.mark.parametrize("spoilt", ["", "there " * 60])
def test_a_decoder_that_says_nothing_or_never_ends(
    tmp_path: Path, settings: InferenceSettings, make_series: MakeSeries, spoilt: str
) -> None:
    folder = write_bundle(tmp_path / "mute", SENTENCES | {"<present:nodule>": spoilt, "<impression:nodule>": spoilt})
    reading = read_all(Reader(load(folder), settings, tmp_path / "tokens"), make_series([4000, 4000]))
    assert [sentence.fixed for sentence in (*reading.sentences, *reading.impression)] == [True, False, True, False]
    assert reading.sentences[0].text == "The nodule: present."
    assert reading.impression[0].text == "The nodule."
    assert reading.sentences[1].text == "There is an effusion, small."


NODULE = {"applies": ["side", "lobe", "grade", "count"], "grades": ["small", "moderate", "large"], "concern": 1}
EFFUSION = {"applies": ["side"], "points": {"side": 0.5}, "concern": 2}


@pytest.fixture
def detailed(tmp_path: Path) -> Reader:
    """A reader that says left lower lobe, moderate, few of the nodule, and both sides of the effusion."""
    said = [{"lobe:left lower lobe", "grade:1", "count:few"}, {"side:right", "side:left"}]
    logits = np.array([[2.0 if name in of_finding else -2.0 for name in ATTRIBUTES] for of_finding in said], np.float32)
    sentences = SENTENCES | {"<present:nodule>": "there are a few moderate nodules in the left lower lobe ."}
    sentences |= {"<present:effusion>": "there is an effusion on the left .", "<impression:effusion>": "effusions ."}
    findings = [entry("nodule", **NODULE), entry("effusion", **EFFUSION)]
    folder = write_bundle(tmp_path / "detailed", sentences, logits, findings=findings, evidence_method="attention")
    return Reader(load(folder), settings_of(folder), tmp_path / "tokens")


def test_attributes_are_read_and_the_sentences_are_theirs(detailed: Reader, make_series: MakeSeries) -> None:
    reading = read_all(detailed, make_series([4000, 4000]))
    nodule, effusion = reading.findings
    assert nodule.attributes == Attributes(sides=("left",), lobes=("left lower lobe",), grade=1, count="few")
    assert nodule.grade == "moderate"
    assert (nodule.operating_point, nodule.uncertain_from) == (0.7, 0.55)
    assert effusion.attributes == Attributes(sides=("right", "left"))
    assert [sentence.text for sentence in reading.sentences] == [
        "There are a few moderate nodules in the left lower lobe.",
        "There is an effusion on the left.",
    ]
    assert [sentence.text for sentence in reading.impression] == ["Effusions.", "Nodule."]
    assert not any(sentence.fixed for sentence in (*reading.sentences, *reading.impression))


def test_a_side_that_the_scores_do_not_have_is_not_written(detailed: Reader, make_series: MakeSeries) -> None:
    series = make_series([4000, 4000])
    encoding = detailed.encode_missing(series)
    raw, evidence = detailed.read(series, encoding), detailed.weigh_evidence(series, encoding)
    turned = [[-value for value in row] for row in raw.attribute_logits]
    reading = detailed.describe(series, encoding, raw.model_copy(update={"attribute_logits": turned}), evidence)
    assert reading.findings[0].attributes.lobes != ("left lower lobe",)
    assert all(sentence.fixed for sentence in reading.sentences)
    assert reading.sentences[1].text == "The effusion: present, right."


def test_an_absent_finding_has_no_attributes(detailed: Reader, make_series: MakeSeries) -> None:
    reading = read_all(detailed, make_series([-2000, -2000]))
    assert [finding.attributes for finding in reading.findings] == [Attributes(), Attributes()]
    assert [finding.grade for finding in reading.findings] == ["", ""]


def test_the_bundle_says_how_evidence_is_found(detailed: Reader, reader: Reader, make_series: MakeSeries) -> None:
    series = make_series([0, 4000, 0])
    encoding = detailed.encode_missing(series)
    assert detailed.weigh_evidence(series, encoding).method is EvidenceMethod.ATTENTION
    reading = read_all(reader, series, EvidenceMethod.LEAVE_SLICES_OUT)
    assert reading.evidence_method is EvidenceMethod.LEAVE_SLICES_OUT
    assert reader.weigh_evidence(series, encoding).method is EvidenceMethod.SLICE_WEIGHTS


def test_evidence_points_into_the_slice(reader: Reader, make_series: MakeSeries, tmp_path: Path) -> None:
    """A field of 4 × 4 pixels of 2 mm about the centre of 4 × 6 pixels of 1 mm: patches of 4 mm."""
    reading = read_all(reader, make_series([4000, 4000]))
    heat = heat_of_reading(reading, "effusion", 1, tmp_path / "tokens")
    assert heat.values.shape == (2, 2)
    assert heat.step_px == (4.0, 4.0)
    assert heat.origin_px == (1.5 - 2, 2.5 - 2)
    strongest = reading.finding("effusion").evidence[0]
    assert strongest.peak_px == heat.peak_px
    assert strongest.peak_mm == (strongest.peak_px[1], strongest.peak_px[0], 2.0 * strongest.index)
    with pytest.raises(KeyError, match="tumour"):
        heat_of_reading(reading, "tumour", 0, tmp_path / "tokens")
    with pytest.raises(IndexError):
        heat_of_reading(reading, "effusion", 2, tmp_path / "tokens")


def test_heat_that_is_not_kept_is_said_to_be_gone(reader: Reader, make_series: MakeSeries, tmp_path: Path) -> None:
    reading = read_all(reader, make_series([4000, 4000]))
    with pytest.raises(HeatGone, match="before"):
        heat_of_reading(reading.model_copy(update={"tokens": None}), "effusion", 0, tmp_path / "tokens")
    for token in (tmp_path / "tokens").rglob("*.npz"):
        token.unlink()
    with pytest.raises(HeatGone, match="not kept any more"):
        heat_of_reading(reading, "effusion", 0, tmp_path / "tokens")


def test_a_reading_from_before_the_panel_can_still_be_read(reader: Reader, make_series: MakeSeries) -> None:
    reading = read_all(reader, make_series([4000, 4000]))
    kept = json.loads(reading.model_dump_json())
    del kept["tokens"]
    for finding in kept["findings"]:
        del finding["concern"]
    old = StudyReading.model_validate(kept)
    assert old.tokens is None
    assert {finding.concern for finding in old.findings} == {0}


def test_a_reading_from_before_attributes_is_described(detailed: Reader, make_series: MakeSeries) -> None:
    """A job that was interrupted by an update of the agent goes on with what it had kept."""
    series = make_series([4000, 4000])
    encoding = detailed.encode_missing(series)
    old = RawReading.model_validate({"finding_logits": detailed.read(series, encoding).finding_logits})
    reading = detailed.describe(series, encoding, old, detailed.weigh_evidence(series, encoding))
    assert reading.findings[0].attributes == Attributes()
    assert [sentence.text for sentence in reading.sentences] == ["The nodule: present.", "The effusion: present."]


def test_readings_kept_by_older_versions_are_still_readings(reader: Reader, make_series: MakeSeries) -> None:
    kept = json.loads(read_all(reader, make_series([0, 1000, 4000])).model_dump_json())
    del kept["evidence_method"]
    for finding in kept["findings"]:
        for name in ("attributes", "grades", "uncertain_from"):
            del finding[name]
        for evidence in finding["evidence"]:
            del evidence["peak_px"], evidence["peak_mm"], evidence["peak_heat"]
    for sentence in (*kept["sentences"], *kept["impression"]):
        del sentence["fixed"]
    old = StudyReading.model_validate(kept)
    assert old.evidence_method is None
    assert old.findings[0].uncertain_from is None


def test_a_blank_token_takes_the_place_of_what_is_left_out(tmp_path: Path, make_series: MakeSeries) -> None:
    """Blank slices of high scores: without the others the score falls only to theirs."""
    folder = write_bundle(tmp_path / "blank", blank_token=[-3, -3, 1, 1], evidence_method="leave_slices_out")
    reader, series = Reader(load(folder), settings_of(folder), tmp_path / "tokens"), make_series([-4000, -4000, 4000])
    (row, _) = reader.weigh_evidence(series, reader.encode_missing(series)).weights
    assert row == (0, 0, 1)


def test_a_blank_token_of_another_width_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleRefused, match="blank_token has 3 numbers, a token has 4"):
        load(write_bundle(tmp_path / "blank", blank_token=[0, 0, 0]))


def test_attribute_logits_of_another_number_fail_the_step(tmp_path: Path, make_series: MakeSeries) -> None:
    folder = write_bundle(tmp_path / "other", attributes=ATTRIBUTES[:-1])
    reader, series = Reader(load(folder), settings_of(folder), tmp_path / "tokens"), make_series([0, 1000])
    with pytest.raises(ModelFailed, match="attribute logits of shape"):
        reader.read(series, reader.encode_missing(series))


def test_leaving_slices_out_finds_the_slice_that_decides(reader: Reader, make_series: MakeSeries) -> None:
    series = make_series([0] * 30, corners=[0] * 20 + [4000] + [0] * 9)
    encoding = reader.encode_missing(series)
    evidence = reader.weigh_evidence(series, encoding, EvidenceMethod.LEAVE_SLICES_OUT)
    effusion = np.array(evidence.weights[1])
    assert np.flatnonzero(effusion > 0.9).tolist() == [18, 19, 20, 21, 22]
    assert evidence.method is EvidenceMethod.LEAVE_SLICES_OUT
    assert len(evidence.weights) == 2
    assert all(0 <= weight <= 1 for row in evidence.weights for weight in row)


@pytest.mark.parametrize("count", [2, 3, 4])
def test_short_series_have_evidence_too(reader: Reader, make_series: MakeSeries, count: int) -> None:
    series = make_series([0] * (count - 1) + [2000])
    encoding = reader.encode_missing(series)
    evidence = reader.weigh_evidence(series, encoding, EvidenceMethod.LEAVE_SLICES_OUT)
    assert evidence.weights[0][-1] == 1.0


def test_every_step_can_be_kept_as_json_and_repeated(reader: Reader, make_series: MakeSeries) -> None:
    series = make_series([0, 1000, 4000])
    encoding = reader.encode_missing(series)
    raw, evidence = reader.read(series, encoding), reader.weigh_evidence(series, encoding)
    for fact, kind in ((encoding, Encoding), (raw, RawReading), (evidence, EvidenceWeights)):
        assert kind.model_validate(json.loads(fact.model_dump_json())) == fact
    reading = reader.describe(series, encoding, raw, evidence)
    assert StudyReading.model_validate_json(reading.model_dump_json()) == reading
    assert reader.describe(series, encoding, reader.read(series, encoding), evidence) == reading


def test_a_slice_that_cannot_be_decoded_is_named(reader: Reader, make_series: MakeSeries) -> None:
    series = make_series([0, 1000, 2000])
    path = series.slices[1].path
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UnusableSlice, match=series.slices[1].sop_instance_uid) as caught:
        reader.encode_missing(series)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_an_encoder_that_overflows_fails_the_step(reader: Reader, make_series: MakeSeries) -> None:
    with pytest.raises(ModelFailed, match="not finite") as caught:
        reader.encode_missing(make_series([30000, 30000], slope=1e38))
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


FINDING = FindingEntry.model_validate(entry("nodule", scale=2.0, bias=-1.0))


@given(st.floats(-1e6, 1e6))
def test_presence_follows_the_calibrated_probability(logit: float) -> None:
    p = probability(FINDING, logit)
    assert 0 <= p <= 1
    if abs(logit) < 100:
        assert p == pytest.approx(sigmoid(2 * logit - 1))
    order = [Presence.ABSENT, Presence.UNCERTAIN, Presence.PRESENT]
    assert order.index(presence_of(FINDING, p)) == (p >= 0.55) + (p >= 0.7)
