"""Tables of the evidence and of the text for the card."""

from collections.abc import Mapping
from typing import Any

from models.evaluation.metrics import Figure
from models.msvlm.rectal.grounding import EVIDENCE, MEASURES, RANDOM, SHUFFLED
from models.msvlm.rectal.items import SCALES
from models.msvlm.rectal.markdown import cell, markdown
from models.msvlm.rectal.texts import GOAL

Figures = Mapping[str, Any]
WHOSE = {EVIDENCE: "evidence", RANDOM: "a random slice", SHUFFLED: "another patient's"}
_NAMES = {scale.item.value: scale.name for scale in SCALES}


def evidence_lines(grounding: Figures) -> list[str]:
    """What the evidence slices show, by item, and where the strongest slice of each series lies."""
    return [
        "## Evidence",
        "",
        "Do the slices that an item attends to show what it rests on? Judged in studies in which some slice does, by"
        " the phantom's truth: the tumour, a suspicious node, a vein with tumour; of fascia, peritoneum and sphincter"
        " where they stand beside the tumour in one slice. Controls: a random slice, and another patient's weights laid"
        " over the study. Named slices are those that the report shows, of items that it does not call absent.",
        "",
        *_by_item(grounding),
        "",
        "The strongest slice of each series shows it; in brackets the share of its slices that do:",
        "",
        *_by_series(grounding),
        "",
    ]


def _by_item(grounding: Figures) -> list[str]:
    rows = [["item", "rests on", "by", "n", *MEASURES.values()]]
    for name, item in grounding["items"].items():
        for whose, title in WHOSE.items():
            rows.append(
                [_NAMES[name], item["structure"], title, str(item[whose]["strongest"]["n"]), *_cells(item[whose])]
            )
    rows += [
        ["mean", "", title, str(_n(grounding["mean"][w])), *_cells(grounding["mean"][w])] for w, title in WHOSE.items()
    ]
    return markdown(rows)


def _by_series(grounding: Figures) -> list[str]:
    keys = list(
        dict.fromkeys(key for item in grounding["items"].values() for key in item[EVIDENCE] if key not in MEASURES)
    )
    rows = [["item", *keys]]
    for name, item in grounding["items"].items():
        rows.append([_NAMES[name], *(_beside(item[EVIDENCE].get(key), item[RANDOM].get(key)) for key in keys)])
    return markdown(rows)


def _beside(one: Figure | None, chance: Figure | None) -> str:
    if one is None or chance is None or one["value"] is None or chance["value"] is None:
        return "–"
    return f"{one['value']:.2f} ({chance['value']:.2f})"


def _cells(measured: Figures) -> list[str]:
    return [cell(measured[name]) for name in MEASURES]


def _n(measured: Figures) -> int:
    return int(measured["strongest"]["n"])


def text_lines(text: Figures) -> list[str]:
    """How the text stands to the heads, before and after the check."""
    report, distances = text["report_and_impression"], text["distances"]
    verdict = "reached" if text["reaches_the_goal"] else "**not reached**"
    return [
        "## Text and heads",
        "",
        "Read back by words of its own, a sentence contradicts the heads where it says another level. In the reports,"
        f" impressions included, {report['contradicting']} of {report['sentences']} sentences do; the goal of at most"
        f" {GOAL:.0%} is {verdict}. Own words are what the decoder says before sentences that its levels do not license"
        " give way to plain ones. Nothing read: of the sentence's own item; a decoder that comes to no end counts.",
        "",
        *_sentences(text),
        "",
        f"{distances['told']} distances stand in the reports; {distances['as_measured']} are those that were measured,"
        f" {distances['on_their_side']} lie on the side of the limit that the margin is said to be on.",
        "",
    ]


def _sentences(text: Figures) -> list[str]:
    rows = [["sentences", "n", "contradictions", "nothing read", "replaced by the plain one"]]
    report = text["report"]
    rows.append(_row("decoder's own words", text["own_words"]))
    rows.append(_row("decoder's own words, asked for every level", text["own_words_of_every_level"]))
    rows.append(_row("report", report, report["replaced"]))
    rows.append(_row("report and impression", text["report_and_impression"]))
    for key, item in text["items"].items():
        rows.append(_row(f"{_NAMES[key]}: own words", item["own_words"]))
        rows.append(_row(f"{_NAMES[key]}: report", item["report"], item["replaced"]))
    return markdown(rows)


def _row(name: str, rates: Figures, replaced: Figure | None = None) -> list[str]:
    cells = [_percent(rates["contradictions"]), _percent(rates["silent"]), _percent(replaced) if replaced else ""]
    return [name, str(rates["sentences"]), *cells]


def _percent(one: Figure) -> str:
    """A share in percent, with its interval."""
    if one["value"] is None:
        return "–"
    if one["low"] is None or one["high"] is None:
        return f"{one['value']:.1%}"
    return f"{one['value']:.1%} ({one['low']:.1%}–{one['high']:.1%})"
