"""Segmentations and parametric maps of a study, by others and by the agent, laid over its images by one press."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from tests.e2e.browser import Browser
from tests.e2e.derived import (
    MAP,
    OUR_MAP,
    OURS,
    PATCH_PX,
    SEGMENT,
    map_of_ours,
    parametric_map,
    segmentation,
    segmentation_of_ours,
)
from tests.e2e.phantoms import PhantomStudy
from tests.e2e.pixels import Placement, change
from tests.e2e.site import ADA, Site
from tests.e2e.studies import copy_of

FINDING = "pleural_effusion"
SEEN = {"segmentation": 20, "map": 6}
"""Least change of a grey value, of 255, where an overlay lies; OHIF draws maps faintly over thick slices."""
FURNITURE_PX = 48
"""At the edges of the viewport OHIF and we write; nothing is compared there."""


@dataclass(frozen=True)
class Drawn:
    """A study in which an effusion was drawn by hand; `masks` by SOP Instance UID."""

    study: str
    masks: dict[str, NDArray[np.bool_]]


@pytest.fixture
def drawn(site: Site, effusion: PhantomStudy, tmp_path: Path) -> Drawn:
    """A copy of the phantom with a segmentation and a map of its effusion, stored by STOW-RS."""
    files, study = copy_of(effusion.files, tmp_path / "drawn", "drawn by hand")
    masks = [mask_of(effusion, file) for file in effusion.files]
    site.read(files, study)
    site.dicomweb.store_instances([make(files, masks) for make in (segmentation, parametric_map)], study)
    return Drawn(study, dict(zip(map(uid_of, files), masks, strict=True)))


@pytest.fixture
def outlined(site: Site, effusion: PhantomStudy, tmp_path: Path) -> Drawn:
    """A copy of the phantom with the segmentation that the agent writes of such regions."""
    files, study = copy_of(effusion.files, tmp_path / "outlined", "outlined by the agent")
    masks = [mask_of(effusion, file) for file in effusion.files]
    site.read(files, study)
    site.dicomweb.store_instances([segmentation_of_ours(files, masks)], study)
    return Drawn(study, dict(zip(map(uid_of, files), masks, strict=True)))


@pytest.fixture
def explained(site: Site, effusion: PhantomStudy, tmp_path: Path) -> Drawn:
    """A copy of the phantom with the saliency maps that the agent writes of such activations, in both forms."""
    files, study = copy_of(effusion.files, tmp_path / "explained", "explained by the agent")
    masks = [mask_of(effusion, file) for file in effusion.files]
    site.read(files, study)
    site.dicomweb.store_instances([map_of_ours(files, masks, form) for form in ("patches", "images")], study)
    return Drawn(study, dict(zip(map(uid_of, files), masks, strict=True)))


def uid_of(file: Path) -> str:
    return str(pydicom.dcmread(file, specific_tags=["SOPInstanceUID"]).SOPInstanceUID)


def mask_of(study: PhantomStudy, file: Path) -> NDArray[np.bool_]:
    """Where the effusion lies in an image; nowhere where the truth has no mask of it."""
    with np.load(study.folder / f"{FINDING}.npz") as masks:
        uid = uid_of(file)
        mask: NDArray[np.bool_] = masks[uid] if uid in masks else np.zeros((512, 512), bool)
    return mask


def test_overlays_lie_on_what_they_mark(browser: Browser, site: Site, drawn: Drawn, tmp_path: Path) -> None:
    finding = next(one for one in site.result(drawn.study)["result"]["findings"] if one["key"] == FINDING)
    best = max(finding["evidence"], key=lambda one: float(one["weight"]))["sop_instance_uid"]
    seen = browser.play(
        "overlays",
        site.address,
        account=ADA.given(),
        study=drawn.study,
        finding=FINDING,
        slice=best,
        folder=str(tmp_path),
        overlays=[{"kind": "segmentation", "name": SEGMENT}, {"kind": "map", "name": MAP}],
    )
    placement = Placement.of_corners(seen["corners"])
    for kind, name in (("segmentation", SEGMENT), ("map", MAP)):
        assert name in seen["seen"][kind]["words"]
        check_lies_on(drawn.masks[best], placement, seen["seen"][kind], SEEN[kind])


def test_the_agents_own_segmentation_lies_on_what_it_marks(
    browser: Browser, site: Site, outlined: Drawn, tmp_path: Path
) -> None:
    finding = next(one for one in site.result(outlined.study)["result"]["findings"] if one["key"] == FINDING)
    best = max(finding["evidence"], key=lambda one: float(one["weight"]))["sop_instance_uid"]
    seen = browser.play(
        "overlays",
        site.address,
        account=ADA.given(),
        study=outlined.study,
        finding=FINDING,
        slice=best,
        folder=str(tmp_path),
        overlays=[{"kind": "segmentation", "name": OURS}],
    )
    shown = seen["seen"]["segmentation"]
    check_lies_on(outlined.masks[best], Placement.of_corners(seen["corners"]), shown, SEEN["segmentation"])


def test_the_agents_own_map_lies_where_the_encoder_saw_it(
    browser: Browser, site: Site, explained: Drawn, tmp_path: Path
) -> None:
    """Though a map of patches is in the study too, which the viewer cannot lay over the images."""
    finding = next(one for one in site.result(explained.study)["result"]["findings"] if one["key"] == FINDING)
    best = max(finding["evidence"], key=lambda one: float(one["weight"]))["sop_instance_uid"]
    seen = browser.play(
        "overlays",
        site.address,
        account=ADA.given(),
        study=explained.study,
        finding=FINDING,
        slice=best,
        folder=str(tmp_path),
        overlays=[{"kind": "map", "name": OUR_MAP}],
    )
    placement, mask = Placement.of_corners(seen["corners"]), grow(explained.masks[best], PATCH_PX)
    check_lies_on(mask, placement, seen["seen"]["map"], SEEN["map"])


def check_lies_on(mask: NDArray[np.bool_], placement: Placement, seen: dict[str, Any], least: int) -> None:
    """What changed in the picture is where the mask is."""
    changed = change(Path(seen["off"]), Path(seen["on"]), [])
    inner = changed[FURNITURE_PX:-FURNITURE_PX, FURNITURE_PX:-FURNITURE_PX]
    y, x = np.nonzero(inner > least)
    assert len(x) > 100, "the overlay cannot be seen"
    places = [placement.in_slice(x_px + FURNITURE_PX, y_px + FURNITURE_PX) for x_px, y_px in zip(x, y, strict=True)]
    rows, columns = np.clip(np.round(np.array(places)).astype(int), 0, np.array(mask.shape) - 1).T
    grown = grow(mask, 8)
    assert grown[rows, columns].mean() > 0.9, "the overlay lies elsewhere"


def grow(mask: NDArray[np.bool_], by_px: int) -> NDArray[np.bool_]:
    """The mask and what is near it: lines around it and smoothed pictures reach beyond its pixels."""
    grown: NDArray[np.bool_] = ndimage.binary_dilation(mask, iterations=by_px)
    return grown
