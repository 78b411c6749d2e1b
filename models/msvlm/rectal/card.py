"""The tables of an evaluation and MODEL_CARD.md; no figure in them is typed by hand."""

from collections.abc import Mapping
from typing import Any, Literal

from models.msvlm.rectal.case_lines import case_lines, implant_lines
from models.msvlm.rectal.evidence_tables import evidence_lines, text_lines
from models.msvlm.rectal.items import SEVEN, scale_of
from models.msvlm.rectal.markdown import cell, markdown
from models.msvlm.rectal.verdict import reasons
from pacs_agent.inference.staging.manifest import StagingManifest

CARD = "MODEL_CARD.md"
Figures = Mapping[str, Any]
MEASURES: dict[Literal["accuracy", "balanced_accuracy", "auroc"], str] = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Accuracy, every level counted the same",
    "auroc": "Area under the ROC curve; of more than two levels the mean of `at least k`",
}


def item_table(figures: Figures, measure: str) -> list[str]:
    """A measure of every item by the series that were read, with 95 % intervals; the controls below."""
    rows = [["series", *(scale_of(item).name for item in SEVEN)]]
    for name in figures["items"][SEVEN[0].value]:
        rows.append([name, *(cell(figures["items"][item.value][name][measure]) for item in SEVEN)])
    return markdown(rows)


def prevalence_table(figures: Figures) -> list[str]:
    """How many of the studies have each level."""
    rows = [["item", "studies"]]
    for name, levels in figures["prevalence"].items():
        rows.append([name, ", ".join(f"{level} {count}" for level, count in levels.items())])
    return markdown(rows)


def card_text(manifest: StagingManifest, figures: Figures) -> str:
    """The card in Markdown."""
    margin = figures["margin"]
    lines = [
        f"# {manifest.name} {manifest.version}",
        "",
        f"**{manifest.intended_use}**",
        "",
        manifest.training_data,
        "",
        f"Measured on {figures['data']} 95 % intervals are over studies. Location and the items of the tumour are"
        " judged in studies that have one.",
        "",
        _verdict(figures),
        f"Mean area of the seven items {cell(figures['macro_auroc'])}; with another patient's study"
        f" {cell(figures['macro_auroc_shuffled'])}, with blank tokens {cell(figures['macro_auroc_blanked'])}.",
        "",
        f"The measured distance of tumour and fascia is off by {cell(margin['median_error_mm'])} mm (median), told in"
        f" {cell(margin['measured_share'])} of the studies that have one.",
        *archive_lines(figures.get("archive")),
    ]
    for measure, title in MEASURES.items():
        lines += ["", f"## {title}", "", *item_table(figures, measure)]
    lines += ["", *evidence_lines(figures["grounding"]), *text_lines(figures["text"])]
    lines += case_lines(figures["real_cases"])
    lines += implant_lines(figures.get("implanted"))
    lines += ["## Studies", "", *prevalence_table(figures)]
    return "\n".join([*lines, *archive_tables(figures.get("archive"))]) + "\n"


def _verdict(figures: Figures) -> str:
    why = reasons(*(figures[f"macro_auroc{control}"] for control in ("", "_shuffled", "_blanked")))
    if not why:
        return "The figures of the items fall when the image is another's or blank: the reading depends on the image."
    return f"**The reading does not depend on the image: {'; '.join(why)}. It must not be activated.**"


def archive_lines(own: Figures | None) -> list[str]:
    """What an archive's patients say of the bundle, in words; nothing where no archive was given."""
    if own is None:
        return []
    if not own["studies"]:
        return ["", "**No patient of the archive was left to test on: of patients nothing was measured.**"]
    verdict = {
        True: "Of patients too the reading depends on the image.",
        False: "**Of patients the reading does not depend on the image: do not use it.**",
        None: "**Too few patients to say whether the reading depends on the image.**",
    }[own["reads_the_image"]]
    area = {name: cell(measured["auroc"]) for name, measured in own["macro"].items()}
    return [
        "",
        f"Beside phantoms, measured on {own['studies']} studies of {own['patients']} patients of the archive, with all"
        " their series; no training has seen one of these patients. Intervals are over patients.",
        "",
        verdict,
        f"Mean area of the items that are known {area['all series']}; with another patient's study"
        f" {area['shuffled']}, with blank tokens {area['blanked']}.",
    ]


def archive_tables(own: Figures | None) -> list[str]:
    """The measures of every item on an archive's patients beside the controls, and how many have each level."""
    if not own or not own["studies"]:
        return []
    lines, known = [], {item: sum(own["prevalence"][item.value].values()) for item in SEVEN}
    counts = f"| n, known | {' | '.join(str(count) for count in known.values())} |"
    for measure, title in MEASURES.items():
        lines += [
            "",
            f"## The archive's patients: {title[0].lower()}{title[1:]}",
            "",
            *item_table(own, measure),
            counts,
        ]
    return [*lines, "", "## The archive's studies", "", *prevalence_table(own)]
