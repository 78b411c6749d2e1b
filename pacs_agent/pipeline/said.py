"""The documents of a job: reports of a reading with what is wanted beside them, or why nothing can be said."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from pydicom.dataset import Dataset

from pacs_agent.config import Settings
from pacs_agent.imaging import Slice, UnusableImages, read_headers
from pacs_agent.inference import BundleIdentity, StudyReading
from pacs_agent.ops import get_log
from pacs_agent.pipeline.errors import JobFailed, NothingToSay
from pacs_agent.pipeline.saliency import with_saliency_maps
from pacs_agent.pipeline.segmenting import Told
from pacs_agent.pipeline.stages import Document, Documents, JobFacts
from pacs_agent.pipeline.summary import summary
from pacs_agent.results import (
    DocumentFacts,
    ObjectKind,
    Refusal,
    compose_ai_result,
    compose_draft_report,
    compose_key_objects,
    compose_no_result,
    write_bytes,
)

_log = get_log("pipeline")


def facts_of(job: JobFacts) -> DocumentFacts:
    """Dates and times are written in the hospital's zone, which is this machine's."""
    return DocumentFacts(job.created_at.astimezone(), job.input_digest, job.predecessors, lacks=job.not_come)


def source_files(job: JobFacts, slices: Iterable[Slice]) -> Sequence[Path]:
    """The files of the slices read, each once though it may hold many of them."""
    read = {one.path for one in slices}
    return [path for path in job.images if path in read]


def documents_of(settings: Settings, job: JobFacts, told: Told, evidence: Sequence[Dataset]) -> Documents:
    """AI result, draft report and what was told with them; key objects, maps and a summary where they are wanted."""
    facts = facts_of(job)
    shown = _with_saliency_maps(settings, job, told.reading, evidence)
    said = shown.reading
    files = (
        Document(ObjectKind.AI_RESULT, write_bytes(compose_ai_result(said, evidence, facts))),
        Document(ObjectKind.DRAFT_REPORT, write_bytes(compose_draft_report(said, evidence, facts))),
        *told.documents,
        *(_key_objects(said, evidence, facts) if settings.results.key_objects else ()),
        *shown.documents,
        *summary(settings.results, job, said, evidence, facts),
    )
    return Documents(files, said.model_dump(mode="json"), " ".join(filter(None, (told.lacks, shown.lacks))))


def _with_saliency_maps(settings: Settings, job: JobFacts, reading: StudyReading, evidence: Sequence[Dataset]) -> Told:
    """The reading with its maps, where they are wanted; not in a rehearsal, whose documents nobody keeps."""
    form = settings.results.saliency_maps
    if form == "off" or not job.job_id:
        return Told(reading)
    shown = with_saliency_maps(reading, evidence, facts_of(job), form, settings.data_dir / "tokens")
    if shown.lacks:
        _log.warning("no saliency maps", reason=shown.lacks)
    return shown


def _key_objects(reading: StudyReading, evidence: Sequence[Dataset], facts: DocumentFacts) -> Iterator[Document]:
    for document in compose_key_objects(reading, evidence, facts):
        yield Document(ObjectKind.KEY_OBJECTS, write_bytes(document))


def no_result_of(job: JobFacts, why: NothingToSay, asked: BundleIdentity | None) -> Documents:
    """The reason as a document, about all images whose headers can be read. Raises JobFailed where there are none."""
    evidence = list(_readable(job.images))
    if not evidence:
        raise JobFailed(f"no header of the study can be read: {why.reason}") from why
    document = compose_no_result(Refusal(why.code, why.reason), evidence, facts_of(job), asked)
    return Documents((Document(ObjectKind.NO_RESULT, write_bytes(document)),))


def _readable(images: Iterable[Path]) -> Iterator[Dataset]:
    """The headers that can be read: a broken one may be the very reason that nothing can be said."""
    for path in images:
        try:
            yield from (header.dataset for header in read_headers([path]))
        except UnusableImages:
            continue
