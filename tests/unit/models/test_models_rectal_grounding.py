"""Evidence against the slices that truly show an item, and text against heads, with weights and words made by hand."""

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")
import numpy as np  # noqa: E402

from models.msvlm.rectal import texts  # noqa: E402
from models.msvlm.rectal.grounding import EVIDENCE, RANDOM, SHUFFLED, Ground, grounding_figures, laid_over  # noqa: E402
from models.msvlm.rectal.held_out import HeldOut  # noqa: E402
from models.msvlm.rectal.items import SCALES  # noqa: E402
from models.msvlm.rectal.network import new_series_network  # noqa: E402
from models.msvlm.rectal.phantoms import on_field  # noqa: E402
from models.msvlm.rectal.preset import PRESETS, load_series_preset  # noqa: E402
from models.msvlm.rectal.shown import shown_of  # noqa: E402
from models.msvlm.rectal.speaker import Said  # noqa: E402
from models.msvlm.rectal.structures import FASCIA, NAMES, TUMOUR  # noqa: E402
from models.msvlm.rectal.studies import encode_study  # noqa: E402
from models.msvlm.rectal.verdict import reasons  # noqa: E402
from models.phantoms.pelvis import Item, generate_pelvis  # noqa: E402
from pacs_agent.inference.reading import (  # noqa: E402
    Code,
    Presence,
    Sentence,
)
from pacs_agent.inference.staging.describe import SaidItem  # noqa: E402
from pacs_agent.inference.staging.manifest import ItemEntry, StagingManifest, StepEntry  # noqa: E402

pytestmark = pytest.mark.train
PRESET = load_series_preset(PRESETS / "rectal-mr-tiny")


@pytest.fixture(scope="module")
def phantoms():
    return [generate_pelvis(seed, t_stage=3, fineness=0.25, voxel_mm=3.0) for seed in (9, 10)]


@pytest.fixture(scope="module")
def kept(phantoms):
    shape, encoder = PRESET.network, new_series_network(PRESET).encoder.eval()
    found = []
    for phantom in phantoms:
        field = on_field(phantom, shape, 10_000)
        right = np.where(field.slices.patches > 0, 4.0, -4.0).astype(np.float32)
        found.append(HeldOut(encode_study(encoder, shape, on_field(phantom, shape)), shown_of(phantom, shape, right)))
    return found


def entry(key, structure, item, sentences=()):
    scale = next(scale for scale in SCALES if scale.item is item)
    return ItemEntry(
        key=key,
        name=scale.name,
        code=Code(value="1", scheme="SCT", meaning="any"),
        site=Code(value="1", scheme="SCT", meaning="any"),
        levels=scale.levels,
        steps=tuple(StepEntry(scale=1.0, bias=0.0) for _ in scale.levels[1:]),
        structure=structure,
        lowest_is_absence=item is not Item.T_STAGE,
        sentences=sentences,
    )


TUMOUR_ENTRY, CRM_ENTRY = entry("tumour", "tumour", Item.TUMOUR), entry("crm", "fascia", Item.CRM)
T_ENTRY = entry("t_stage", "tumour", Item.T_STAGE)
MANIFEST = StagingManifest.model_construct(items=(TUMOUR_ENTRY, CRM_ENTRY), margin=None)


def said_item(number, one, level):
    levels = tuple(float(place == level) for place in range(len(one.levels)))
    return SaidItem(number, one, levels, Presence.PRESENT if level else Presence.ABSENT, level)


def said(weights, items=(), spoken=(), sentences=()):
    items = items or (said_item(0, TUMOUR_ENTRY, 1), said_item(1, CRM_ENTRY, 1))
    texts = tuple(
        Sentence(text=text, findings=(one.entry.key,), positive=True, fixed=False)
        for one, text in zip(items, sentences, strict=False)
    )
    return Said(items, weights, np.zeros((1, 1), np.float32), tuple(spoken), texts, (), None)


def weighed(one, right):
    """All weight on slices that show the tumour beside the fascia, or all on the others."""
    both = (one.shown.area_mm2[:, TUMOUR] > 0) & (one.shown.area_mm2[:, FASCIA] > 0)
    return np.tile(np.where(both if right else ~both, 1.0, 0.0).astype(np.float32), (2, 1))


def test_slices_show_what_is_painted(phantoms, kept):
    phantom, shown = phantoms[0], kept[0].shown
    assert shown.area_mm2.shape == (sum(len(series.pixels) for series in phantom.series), len(NAMES))
    volumes = {}
    for place, series in enumerate(phantom.series):
        of_series = shown.area_mm2[kept[0].study.series.numpy() == place, TUMOUR]
        volumes[series.sequence.key] = float(of_series.sum()) * series.geometry.distance_mm
    assert volumes["t2_axial"] == pytest.approx(phantom.truth.tumour.volume_mm3, rel=0.35)
    there = shown.area_mm2[:, TUMOUR] > 200.0
    assert shown.hits[there, TUMOUR].all() and not shown.hits[shown.near[:, TUMOUR] == 0.0, TUMOUR].any()
    assert 0.0 < shown.near[there, TUMOUR].mean() < 0.5


def test_weights_on_the_right_slices_have_every_point_and_on_others_none(kept):
    good = grounding_figures(MANIFEST, kept, [said(weighed(one, True)) for one in kept])
    bad = grounding_figures(MANIFEST, kept, [said(weighed(one, False)) for one in kept])
    for measure in ("strongest", "each_series", "named", "weight"):
        assert good["items"]["crm"][EVIDENCE][measure]["value"] == 1.0, measure
        assert bad["items"]["crm"][EVIDENCE][measure]["value"] < 0.05, measure
    assert good["items"]["crm"]["structure"] == "fascia beside the tumour"
    assert good["items"]["tumour"][EVIDENCE]["in_slice"]["value"] == 1.0
    chance = good["items"]["crm"][RANDOM]
    assert 0.0 < chance["strongest"]["value"] == chance["weight"]["value"] < 0.6
    assert chance["t2_axial"]["n"] == good["mean"][SHUFFLED]["strongest"]["n"] == 2


def test_named_slices_count_only_where_the_item_is_not_called_absent(kept):
    absent = (said_item(0, TUMOUR_ENTRY, 1), said_item(1, CRM_ENTRY, 0))
    figures = grounding_figures(MANIFEST, kept, [said(weighed(one, True), absent) for one in kept])
    assert (
        figures["items"]["crm"][EVIDENCE]["named"]["n"] == 0 and figures["items"]["crm"][EVIDENCE]["weight"]["n"] == 2
    )


def test_a_study_without_what_an_item_rests_on_is_not_judged(kept):
    empty = [replace(one, shown=replace(one.shown, area_mm2=0.0 * one.shown.area_mm2)) for one in kept]
    figures = grounding_figures(MANIFEST, empty, [said(weighed(one, True)) for one in kept])
    assert figures["items"]["tumour"][EVIDENCE]["strongest"] == figures["mean"][EVIDENCE]["strongest"]
    assert figures["mean"][EVIDENCE]["strongest"]["value"] is None


def test_weights_of_another_study_are_laid_over_series_by_series(kept):
    ours, theirs = kept[0].study, kept[1].study
    place = theirs.keys.index("t2_sagittal")
    weights = (theirs.series.numpy() == place).astype(np.float32)
    assert np.array_equal(laid_over(weights, theirs, ours) > 0, ours.series.numpy() == place)
    assert np.allclose(laid_over(weights, theirs, theirs), weights)
    assert Ground.of(0, TUMOUR_ENTRY).name == "tumour"


class Parrot:
    """A decoder that says the same after every prompt."""

    manifest = StagingManifest.model_construct(items=(T_ENTRY,), margin=None)

    def words_after(self, prompts, visual_tokens):
        return ["Extramural spread: T3." if prompt.endswith(":T3>") else None for prompt in prompts]


def test_what_contradicts_the_heads_is_counted_before_and_after_the_check():
    items = (said_item(0, T_ENTRY, 2),)
    weights = np.zeros((1, 1), np.float32)
    right = said(weights, items, ["Extramural spread: T3."], ["T stage: T3."])
    wrong = said(weights, items, ["It grows into adjacent structures (T4)."], ["T stage: T3."])
    garbled = said(weights, items, [None], ["EMVI positive."])
    figures = texts.text_figures(Parrot(), [right, wrong, right, garbled])
    assert figures["own_words"]["contradictions"]["value"] == 0.25 and figures["own_words"]["silent"]["value"] == 0.25
    assert figures["report"]["contradictions"]["value"] == figures["report"]["silent"]["value"] == 0.25
    assert not figures["reaches_the_goal"] and figures["contradictions_per_study"]["value"] == 0.25
    asked = figures["own_words_of_every_level"]
    assert asked["sentences"] == 16 and asked["contradictions"]["value"] == 0.0 and asked["silent"]["value"] == 0.75


def test_what_is_said_of_an_item_that_is_not_there_contradicts():
    none = {Item.TUMOUR: 0, Item.NODES: 0}
    assert texts.contradicted("MRF involved.", none) == {Item.CRM}
    assert texts.contradicted("T stage: T1.", none) == {Item.T_STAGE}
    assert not texts.contradicted("EMVI negative. No suspicious mesorectal lymph nodes.", none)
    assert texts.contradicted("There is a tumour of the rectum.", none) == {Item.TUMOUR}


def test_the_verdict_names_the_control_that_was_not_beaten():
    def area(value):
        return {"value": value, "low": None, "high": None, "n": 9}

    assert reasons(area(0.8), area(0.55), area(0.5)) == ()
    (why,) = reasons(area(0.8), area(0.75), area(0.5))
    assert why == "the mean area 0.80 does not exceed the 0.75 with another patient's study by 0.10"
    assert len(reasons(area(None), area(0.5), area(0.5))) == 2
