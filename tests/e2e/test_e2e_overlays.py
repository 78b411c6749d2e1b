"""Segmentations and parametric maps of a study, by others and by the agent, laid over its images by one press."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset
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


Make = Callable[[Sequence[Path], list[NDArray[np.bool_]]], Dataset]
"""Makes an object of files and the masks of their images."""


@dataclass(frozen=True)
class Drawn:
    """A study in which an effusion was marked; `masks` by SOP Instance UID."""

    study: str
    masks: dict[str, NDArray[np.bool_]]


@dataclass(frozen=True)
class Seen:
    """What an overlay changed on the slice on which the finding rests most, and where it was marked there."""

    overlays: dict[str, Any]
    placement: Placement
    mask: NDArray[np.bool_]


@pytest.fixture
def draw(site: Site, effusion: PhantomStudy, tmp_path: Path) -> Callable[..., Drawn]:
    """Copies the phantom, has it read, and stores by STOW-RS what marks its effusion."""

    def drawn(how: str, *makes: Make) -> Drawn:
        files, study = copy_of(effusion.files, tmp_path / "drawn", how)
        masks = [mask_of(effusion, file) for file in effusion.files]
        site.read(files, study)
        site.dicomweb.store_instances([make(files, masks) for make in makes], study)
        return Drawn(study, dict(zip(map(uid_of, files), masks, strict=True)))

    return drawn


@pytest.fixture
def see(browser: Browser, site: Site, tmp_path: Path) -> Callable[..., Seen]:
    """Opens a study and lays overlays (kind and name) over its images, one after the other."""

    def seen(drawn: Drawn, **names: str) -> Seen:
        finding = next(one for one in site.result(drawn.study)["result"]["findings"] if one["key"] == FINDING)
        best = max(finding["evidence"], key=lambda one: float(one["weight"]))["sop_instance_uid"]
        played = browser.play(
            "overlays",
            site.address,
            account=ADA.given(),
            study=drawn.study,
            finding=FINDING,
            slice=best,
            folder=str(tmp_path),
            overlays=[{"kind": kind, "name": name} for kind, name in names.items()],
        )
        return Seen(played["seen"], Placement.of_corners(played["corners"]), drawn.masks[best])

    return seen


def uid_of(file: Path) -> str:
    return str(pydicom.dcmread(file, specific_tags=["SOPInstanceUID"]).SOPInstanceUID)


def mask_of(study: PhantomStudy, file: Path) -> NDArray[np.bool_]:
    """Where the effusion lies in an image; nowhere where the truth has no mask of it."""
    with np.load(study.folder / f"{FINDING}.npz") as masks:
        uid = uid_of(file)
        mask: NDArray[np.bool_] = masks[uid] if uid in masks else np.zeros((512, 512), bool)
    return mask


def test_overlays_lie_on_what_they_mark(draw: Callable[..., Drawn], see: Callable[..., Seen]) -> None:
    names = {"segmentation": SEGMENT, "map": MAP}
    seen = see(draw("drawn by hand", segmentation, parametric_map), **names)
    for kind, name in names.items():
        assert name in seen.overlays[kind]["words"]
        check_lies_on(seen.mask, seen.placement, seen.overlays[kind], SEEN[kind])


def test_the_agents_own_segmentation_lies_on_what_it_marks(
    draw: Callable[..., Drawn], see: Callable[..., Seen]
) -> None:
    seen = see(draw("outlined by the agent", segmentation_of_ours), segmentation=OURS)
    check_lies_on(seen.mask, seen.placement, seen.overlays["segmentation"], SEEN["segmentation"])


def test_the_agents_own_map_lies_where_the_encoder_saw_it(draw: Callable[..., Drawn], see: Callable[..., Seen]) -> None:
    """Though a map of patches is in the study too, which the viewer cannot lay over the images."""
    of_patches, of_images = (partial(map_of_ours, form=form) for form in ("patches", "images"))
    seen = see(draw("explained by the agent", of_patches, of_images), map=OUR_MAP)
    check_lies_on(grow(seen.mask, PATCH_PX), seen.placement, seen.overlays["map"], SEEN["map"])


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
