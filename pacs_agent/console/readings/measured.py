"""What a segmenter measured in a study, as the panel and the study's page show it."""

from sqlalchemy.orm import Session

from pacs_agent.console.readings.models import Measurements, Model, RegionMeasured
from pacs_agent.console.readings.stored import reading_jobs, stored_reading
from pacs_agent.inference import StudyReading
from pacs_agent.inference.reading import MeasuredRegion
from pacs_agent.results import stated_regions


def newest_measurements(session: Session, study_pk: int) -> Measurements | None:
    """The measurements of the newest result of a study; None where there is none, or no segmenter looked."""
    told = next((job for job in reading_jobs(session, study_pk) if job.told), None)
    reading = stored_reading(session, told.id) if told else None
    return measurements_shown(reading) if reading else None


def measurements_shown(reading: StudyReading) -> Measurements | None:
    """What was measured, on the wire; None where no segmenter looked."""
    measurements = reading.measurements
    if measurements is None:
        return None
    stated = {each.segment_number for finding in reading.findings for each in stated_regions(finding, measurements)}
    regions = tuple(_region(each, each.segment_number in stated) for each in measurements.regions)
    return Measurements(model=Model(**measurements.model.model_dump()), regions=regions)


def _region(region: MeasuredRegion, is_stated_of_finding: bool) -> RegionMeasured:
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
        diameter_ends_mm=measured.diameter_ends_mm,
        mean_hu=measured.mean_hu,
        sd_hu=measured.sd_hu,
    )
