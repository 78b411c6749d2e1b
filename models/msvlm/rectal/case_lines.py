"""The real cases in the card, as they are and with tumours implanted."""

from collections.abc import Mapping
from typing import Any

INTRO = (
    "What the bundle says of single open-licence MR studies, read from DICOM as the agent reads them. Case studies:"
    " they measure nothing, and a model that has seen only phantoms is expected to be wrong on them."
)
ATTRIBUTION = "PROSTATEx (TCIA, CC BY 3.0); a rectal cancer with its outline (MIT). De-identified."


def case_lines(cases: Mapping[str, Any]) -> list[str]:
    """What is said of each case, and where the evidence lies of the one that is outlined."""
    lines = [line for name, case in cases.items() for line in _case(name, case)]
    if not lines:
        return ["## Real cases", "", "None were at hand when this card was written.", ""]
    return ["## Real cases", "", f"{INTRO} {ATTRIBUTION}", "", *lines, ""]


def implant_lines(found: Mapping[str, Any] | None) -> list[str]:
    """What is said of tumours implanted into real patients; nothing where that was not measured."""
    if not found:
        return []
    tumour, controls = found["tumour"], found["tumour"]["controls"]
    never = ", ".join(f"{name} {probability:.2f}" for name, probability in controls.items())
    agreed = ", ".join(f"{key.replace('_', ' ')} {_of(found[key])}" for key in ("location", "t_stage", "crm"))
    margin = found["margin"]
    error = margin["mean_absolute_error_mm"]
    measured = "none of them was measured" if error is None else f"measured in {margin['n']}, off by {error:.1f} mm"
    return [
        f"## Tumours implanted into {found['patients']} real patients",
        "",
        f"{found['data']} Without an implant the probability of a tumour is {never}: only what is more than that is of"
        " the implant.",
        "",
        f"- {found['implants']} implants: area under the ROC curve of a tumour {_number(tumour['auroc'])}; more"
        f" probable than in the same patient without one {_of(tumour['over_own_control'])}.",
        f"- The strongest slice shows the implant: {_of(found['evidence_within'])}.",
        f"- Level as implanted: {agreed}.",
        f"- Distance to the fascia, known of {margin['known']}: {measured}.",
        "",
    ]


def _of(share: Mapping[str, Any]) -> str:
    return f"{_number(share['value'])} of {share['n']}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _case(name: str, case: Mapping[str, Any]) -> list[str]:
    head = f"- **{name}** (n = 1; {case['known']})."
    if "refused" in case:
        return [f"{head} Not read: {case['refused']}."]
    margin = case["measured_margin_mm"]
    return [
        f"{head} {case['slices']} slices of {len(case['series'])} series.",
        f"  Tumour: probability {case['tumour']:.2f}, said {case['presence']['tumour']}. T stage, were there one:"
        f" {', '.join(f'{level} {share:.2f}' for level, share in case['levels']['t_stage'].items())}.",
        f"  Measured margin: {'none, no tumour is marked beside the fascia' if margin is None else f'{margin} mm'}.",
        *(_evidence(key, row, case) for key, row in case.get("evidence", {}).items()),
        f"  Text: “{' '.join(case['report'])}”",
    ]


def _evidence(key: str, row: Mapping[str, Any], case: Mapping[str, Any]) -> str:
    inside = "is" if row["strongest_slice_outlined"] else "is **not**"
    away = row["strongest_patch_mm_from_outline"]
    patch = f"; its strongest patch lies {away:.0f} mm from the outline" if away is not None else ""
    return (
        f"  Evidence for `{key}`: the strongest slice ({row['strongest_slice']}) {inside} outlined{patch};"
        f" {row['named_slices_outlined']} of {len(row['named_slices'])} strongest slices are;"
        f" {row['weight_share_outlined']:.0%} of the weight lies on outlined slices, which are"
        f" {case['share_outlined']:.0%} of all ({case['slices_outlined']})."
    )
