"""From slices to a reading, reckoned by hand with the tiny bundle."""

import json
import math
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_bundle import SENTENCES, MakeSeries, entry, write_bundle

from pacs_agent.config import InferenceSettings
from pacs_agent.imaging import UnusableSlice
from pacs_agent.inference import (
    Encoding,
    EvidenceMethod,
    EvidenceWeights,
    ModelFailed,
    Presence,
    RawReading,
    Reader,
    StudyReading,
    load_bundle,
)
from pacs_agent.inference.describe import NOTHING_PRESENT, presence_of, probability
from pacs_agent.inference.manifest import FindingEntry


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
    assert uncertain.impression[0].text == NOTHING_PRESENT


def test_a_bundle_with_words_for_uncertainty_uses_them(
    tmp_path: Path, settings: InferenceSettings, make_series: MakeSeries
) -> None:
    words = SENTENCES | {"<uncertain:nodule>": "a nodule cannot be excluded ."}
    folder = write_bundle(tmp_path / "words", words)
    reading = read_all(Reader(load_bundle(folder), settings, tmp_path / "tokens"), make_series([400, 400]))
    assert [sentence.text for sentence in reading.sentences] == [
        "A nodule cannot be excluded.",
        "Possible: There is an effusion, small.",
    ]


@pytest.mark.parametrize("spoilt", ["", "there " * 60])
def test_a_decoder_that_says_nothing_or_never_ends(
    tmp_path: Path, settings: InferenceSettings, make_series: MakeSeries, spoilt: str
) -> None:
    folder = write_bundle(tmp_path / "mute", SENTENCES | {"<present:nodule>": spoilt, "<impression:nodule>": spoilt})
    reading = read_all(Reader(load_bundle(folder), settings, tmp_path / "tokens"), make_series([4000, 4000]))
    assert reading.sentences[0].text == "The nodule: present."
    assert reading.impression[0].text == "The nodule."
    assert reading.sentences[1].text == "There is an effusion, small."


def test_leaving_slices_out_finds_the_slice_that_decides(reader: Reader, make_series: MakeSeries) -> None:
    series = make_series([0] * 30, corners=[0] * 20 + [4000] + [0] * 9)
    encoding = reader.encode_missing(series)
    evidence = reader.weigh_evidence(series, encoding, EvidenceMethod.LEAVE_SLICES_OUT)
    effusion = np.array(evidence.weights[1])
    assert np.flatnonzero(effusion > 0.9).tolist() == [19, 20, 21]
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
