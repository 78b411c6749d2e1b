"""What a segmenter measured in a study, as the panel and the study's page show it."""

from collections.abc import Mapping

from sqlalchemy.orm import Session

from pacs_agent.console.readings.models import Measurements, Model, RegionMeasured
from pacs_agent.console.readings.stored import instance_numbers, reading_jobs, stored_reading
from pacs_agent.imaging import Slice
from pacs_agent.inference import StudyReading, recall_of
from pacs_agent.inference.reading import MeasuredRegion
from pacs_agent.results import stated_regions


def newest_measurements(session: Session, study_pk: int) -> Measurements | None:
    """The measurements of the newest result of a study; None where there is none, or no segmenter looked."""
    told = next((job for job in reading_jobs(session, study_pk) if job.told), None)
    reading = stored_reading(session, told.id) if told else None
    if reading is None:
        return None
    numbers = instance_numbers(session, {reading.series.series_instance_uid})
    return measurements_shown(reading, numbers, recall_of_measurements(session, reading))


def recall_of_measurements(session: Session, reading: StudyReading) -> str | None:
    """Why the segmenter that measured for a reading was recalled; None where it was not, or none did."""
    if reading.measurements is None:
        return None
    model = reading.measurements.model
    recall = recall_of(session, model.name, model.version)
    return recall.reason if recall else None


def measurements_shown(
    reading: StudyReading, numbers: Mapping[str, int | None], recalled: str | None = None
) -> Measurements | None:
    """What was measured, on the wire; None where no segmenter looked.

    `numbers`: Instance Numbers by SOP Instance UID; `recalled`: why the segmenter was recalled.
    """
    measurements = reading.measurements
    if measurements is None:
        return None
    stated = {each.segment_number for finding in reading.findings for each in stated_regions(finding, measurements)}
    slices = reading.series.slices
    regions = tuple(
        _region(each, each.segment_number in stated, _image(slices[each.measured.diameter_slice], numbers))
        for each in measurements.regions
    )
    return Measurements(model=Model(**measurements.model.model_dump()), regions=regions, recalled=recalled)


def _image(one: Slice, numbers: Mapping[str, int | None]) -> int | None:
    return numbers.get(one.sop_instance_uid) if one.frame_number is None else one.frame_number


def _region(region: MeasuredRegion, is_stated_of_finding: bool, image: int | None) -> RegionMeasured:
    measured = region.measured
    return RegionMeasured(
        structure=region.structure,
        name=region.name,
        kind=region.kind,
        finding=region.finding,
        side=region.side,
        number=region.number,
        segment_number=region.segment_number,
        stated=is_stated_of_finding or (region.finding is None and region.kind == "organ"),
        volume_ml=measured.volume_ml,
        longest_diameter_mm=measured.longest_diameter_mm,
        short_diameter_mm=measured.short_diameter_mm,
        diameter_index=measured.diameter_slice,
        diameter_image=image,
        diameter_ends_mm=measured.diameter_ends_mm,
        mean_hu=measured.mean_hu,
        sd_hu=measured.sd_hu,
    )
