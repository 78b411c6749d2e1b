"""A segmenter that runs: a series onto its grid, the network over it, regions back on the slices, measured."""

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from pacs_agent.config import InferenceSettings
from pacs_agent.imaging import (
    DecodingPool,
    Lattice,
    Measured,
    OrderedSeries,
    ReasonCode,
    UnusableSeries,
    decoded,
    grid_over,
    hounsfield_units,
    lattice_of,
    measure,
    onto_grid,
)
from pacs_agent.inference.bundle import SegmenterBundle
from pacs_agent.inference.on_disk import array_on_disk
from pacs_agent.inference.refusal import ModelFailed, TooLarge
from pacs_agent.inference.segment import Floats, Mask, Probabilities, Progress, body_of, box_around, planes_of
from pacs_agent.inference.segmented import Segmentation, SegmentedRegion
from pacs_agent.inference.segmented_regions import Grids, midline_of, regions_of_planes
from pacs_agent.inference.segmented_store import SegmentedStore
from pacs_agent.inference.sessions import open_segmenter
from pacs_agent.inference.turns import Turns

MOST_VOXELS = 512 << 20
"""Of a grid: a body from head to foot has as many at 1 mm. Images of a false spacing would fill the memory."""
_GRIDDED, _COMPUTED = 20, 80
"""How far it is, in hundredths, when the grid is filled, and when the network has answered for all of it."""


class Segmented(BaseModel):
    """Which segmenter outlined a series, and where its regions are kept: what the workflow keeps of the step."""

    model_config = ConfigDict(frozen=True)

    segmenter: str
    """Digest of its bundle."""
    regions: str
    """Digest under which they are kept."""


class Segmenter:
    """A bundle that runs. Holds the onnxruntime session; one instance serves many studies and threads."""

    def __init__(
        self,
        bundle: SegmenterBundle,
        settings: InferenceSettings,
        folder: Path,
        decoding: DecodingPool | None = None,
        turns: Turns | None = None,
    ) -> None:
        """`folder` holds regions between steps; `decoding` None: codecs run in this process; `turns` as of readers."""
        self.bundle = bundle
        self.opened = open_segmenter(bundle, settings)
        self.turns = turns or Turns()
        self._store = SegmentedStore(folder)
        self._decoding = decoding

    def segment(self, series: OrderedSeries, progress: Progress | None = None) -> Segmented:
        """Outlines and measures a series, and keeps the regions.

        Raises UnusableSeries for images too large, TooLarge for a model that is too large for them, UnusableSlice for a
        slice that cannot be decoded, ModelFailed when the network stops, OSError on a full disk, and whatever
        `progress` raises.
        """
        with self.turns.job():
            regions = self._regions(series, progress or _ignore)
        kept = self._store.keep(series.series_instance_uid, regions)
        return Segmented(segmenter=self.bundle.digest, regions=kept)

    def segmentation(self, series: OrderedSeries, done: Segmented) -> Segmentation:
        """What was outlined; outlined again where it is not kept any more. Raises as `segment` does."""
        structures = {entry.key: entry.structure() for entry in self.bundle.manifest.structures}
        regions = self._store.load(series.series_instance_uid, done.regions, structures)
        if regions is None:
            with self.turns.job():
                regions = self._regions(series, _ignore)
        return Segmentation(self.bundle.identity(), series, regions)

    def _regions(self, series: OrderedSeries, progress: Progress) -> tuple[SegmentedRegion, ...]:
        manifest = self.bundle.manifest
        source = lattice_of(series)
        grid = grid_over(source, manifest.grid.spacing_mm)
        if math.prod(grid.shape) > MOST_VOXELS:
            fault = f"a grid of {grid.shape} voxels would be needed; the spacing of these images is no body's"
            raise UnusableSeries(ReasonCode.NO_GEOMETRY, fault)
        with self._room(source, np.int16) as stored, self._room(source, np.uint8) as on_source:
            pixels = _Pixels(series, stored)
            values = onto_grid(pixels.taken(self._read(series), progress), source, grid)
            body = body_of(values) if series.modality == "CT" else np.ones(values.shape, np.bool_)
            planes, midline = self._planes(values, body, progress), midline_of(series, body)
            regions = regions_of_planes(planes, Grids(source, grid), manifest.structures, midline, on_source)
            return tuple(replace(one, measured=pixels.measured(one)) for one in regions)

    def _room(self, source: Lattice, kind: type[np.generic]) -> AbstractContextManager[NDArray[Any]]:
        return array_on_disk(self._store.folder, source.shape, kind)

    def _planes(self, values: Floats, body: Mask, progress: Progress) -> Iterator[Probabilities]:
        manifest = self.bundle.manifest
        box = box_around(body)
        if box is not None and (objection := manifest.objection(values[box].shape)):
            raise TooLarge(objection)

        def network(patches: Floats) -> Floats:
            answers = self.opened.graph.run({"patch": patches})["probabilities"]
            wanted = (len(patches), manifest.classes, *manifest.grid.patch)
            if answers.shape != wanted:
                raise ModelFailed("segmenter", f"probabilities of shape {answers.shape}, not {wanted}")
            return answers

        def told(done: int, total: int) -> None:
            progress(_GRIDDED + (_COMPUTED - _GRIDDED) * done // total, 100)

        return planes_of(values, network, manifest.classes, manifest.grid.windows, body, told)

    def _read(self, series: OrderedSeries) -> Iterator[NDArray[np.int16]]:
        return self._decoding.read(series.slices) if self._decoding else decoded(series.slices)


class _Pixels:
    """The stored values of a series while it is segmented, so that it is decoded once."""

    def __init__(self, series: OrderedSeries, stored: NDArray[np.int16]) -> None:
        """`stored` [slices, rows, columns] is room for them."""
        self._series = series
        self._stored = stored

    def taken(self, pixels: Iterator[NDArray[np.int16]], progress: Progress) -> Iterator[Floats]:
        """Keeps stored values as they come, and gives them on as HU or intensities."""
        count = len(self._series.slices)
        for index, (one, stored) in enumerate(zip(self._series.slices, pixels, strict=True)):
            self._stored[index] = stored
            yield hounsfield_units(stored, one.slope, one.intercept)
            progress(_GRIDDED * (index + 1) // count, 100)

    def measured(self, region: SegmentedRegion) -> Measured:
        """The measurements of a region."""
        planes = zip(self._stored[region.box], self._series.slices[region.box[0]], strict=True)
        hu = (hounsfield_units(stored, one.slope, one.intercept) for stored, one in planes)
        return measure(region.crop, region.box, hu, self._series)


def _ignore(done: int, total: int) -> None:
    """Nobody asked for the progress."""
