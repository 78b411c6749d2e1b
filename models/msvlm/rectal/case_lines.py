"""The real cases in the card."""

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
