"""The routes of DICOMweb: QIDO-RS, WADO-RS and STOW-RS (PS3.18 10) below `/dicom-web`."""

import json
from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, request
from werkzeug.exceptions import BadRequest, NotAcceptable

from pacs_agent.archive.archive import Archive
from pacs_agent.archive.dicomweb.accept import ANY, Wanted, accepts_json, wanted
from pacs_agent.archive.dicomweb.attributes import Level
from pacs_agent.archive.dicomweb.frames import Frame, decoded_frame, frame_numbers, stored_frame
from pacs_agent.archive.dicomweb.instances import DICOM, check_acceptable, dicom_part
from pacs_agent.archive.dicomweb.metadata import bulk_value, metadata_json
from pacs_agent.archive.dicomweb.multipart import Part, multipart_response
from pacs_agent.archive.dicomweb.query import parse_query
from pacs_agent.archive.dicomweb.rendered import FORMATS, parse_view, rendered_frame
from pacs_agent.archive.dicomweb.resources import instances_at
from pacs_agent.archive.dicomweb.search import search
from pacs_agent.archive.dicomweb.stow import store_parts
from pacs_agent.db import Instance
from pacs_agent.receive.identity import is_uid
from pacs_agent.receive.intake import Intake

PREFIX = "/dicom-web"
DICOM_JSON = "application/dicom+json"
OCTETS = "application/octet-stream"
_SERIES = "/studies/<study>/series/<series>"
_INSTANCE = f"{_SERIES}/instances/<instance>"


def dicomweb_blueprint(archive: Archive, intake: Intake) -> Blueprint:
    """The blueprint of one archive."""
    blueprint = Blueprint("dicomweb", __name__, url_prefix=PREFIX)
    blueprint.url_value_preprocessor(_check_uids)
    _add_searches(blueprint, archive)
    _add_store(blueprint, intake)
    _add_instances(blueprint, archive)
    _add_metadata(blueprint, archive)
    _add_frames(blueprint, archive)
    _add_rendered(blueprint, archive)
    return blueprint


def _check_uids(_endpoint: str | None, values: dict[str, Any] | None) -> None:
    """No path is ever made of a client's string, but a UID that is none shall not be asked for either."""
    for name in ("study", "series", "instance"):
        uid = (values or {}).get(name)
        if uid is not None and not is_uid(uid):
            raise BadRequest(f"the {name} in the path is not a UID")


def _add_searches(blueprint: Blueprint, archive: Archive) -> None:
    def answer(level: Level, *path_uids: str) -> Response:
        query = parse_query(request.args, level)
        matches = search(archive, query, PREFIX, path_uids)
        response = _json([match.to_json_dict(suppress_invalid_tags=True) for match in matches])
        if query.ignored:
            response.headers["Warning"] = '299 pacs-agent "some parameters are not supported and were ignored"'
        return response

    @blueprint.get("/studies")
    def search_studies() -> Response:
        return answer(Level.STUDY)

    @blueprint.get("/series")
    @blueprint.get("/studies/<study>/series")
    def search_series(study: str | None = None) -> Response:
        return answer(Level.SERIES, *filter(None, (study,)))

    @blueprint.get("/instances")
    @blueprint.get("/studies/<study>/instances")
    @blueprint.get(f"{_SERIES}/instances")
    def search_instances(study: str | None = None, series: str | None = None) -> Response:
        return answer(Level.INSTANCE, *filter(None, (study, series)))


def _add_store(blueprint: Blueprint, intake: Intake) -> None:
    @blueprint.post("/studies")
    @blueprint.post("/studies/<study>")
    def store(study: str | None = None) -> Response:
        answer = store_parts(intake, request, f"STOW-RS@{request.remote_addr}", study, PREFIX)
        return Response(answer.data_set.to_json(), status=answer.status, content_type=DICOM_JSON)


def _add_instances(blueprint: Blueprint, archive: Archive) -> None:
    @blueprint.get("/studies/<study>")
    @blueprint.get(_SERIES)
    @blueprint.get(_INSTANCE)
    def retrieve(study: str, series: str | None = None, instance: str | None = None) -> Response:
        found = list(instances_at(archive, study, series, instance))
        asked = next((each for each in wanted(request) if each.media_type in (DICOM, "application/*", ANY)), None)
        if asked is None or not (asked.multipart or len(found) == 1):
            raise NotAcceptable(f'several instances are given as multipart/related; type="{DICOM}" only')
        check_acceptable(found, asked)
        if asked.multipart:
            return multipart_response((dicom_part(archive, each, asked) for each in found), DICOM)
        part = dicom_part(archive, found[0], asked)
        return Response(part.body, content_type=part.content_type)


def _add_metadata(blueprint: Blueprint, archive: Archive) -> None:
    @blueprint.get("/studies/<study>/metadata")
    @blueprint.get(f"{_SERIES}/metadata")
    @blueprint.get(f"{_INSTANCE}/metadata")
    def metadata(study: str, series: str | None = None, instance: str | None = None) -> Response:
        found = instances_at(archive, study, series, instance)
        return _json([metadata_json(archive, each, _url(study, each)) for each in found])

    @blueprint.get(f"{_INSTANCE}/bulkdata/<path:path>")
    def bulk_data(study: str, series: str, instance: str, path: str) -> Response:
        (found,) = instances_at(archive, study, series, instance)
        return _pieces(iter([Part(OCTETS, bulk_value(archive, found, path))]), OCTETS, count=1)


def _add_frames(blueprint: Blueprint, archive: Archive) -> None:
    @blueprint.get(f"{_INSTANCE}/frames/<numbers>")
    def frames(study: str, series: str, instance: str, numbers: str) -> Response:
        (found,) = instances_at(archive, study, series, instance)
        listed = frame_numbers(numbers, found)
        give = decoded_frame if _wants_decoded(found) else stored_frame
        first = give(archive, found, listed[0])  # so that a frame that cannot be given is an error, not half a message
        rest = (give(archive, found, number) for number in listed[1:])
        parts = (Part(frame.content_type, frame.pixels) for frame in _chained(first, rest))
        return _pieces(parts, first.content_type.partition(";")[0], count=len(listed))


def _add_rendered(blueprint: Blueprint, archive: Archive) -> None:
    @blueprint.get(f"{_SERIES}/rendered")
    @blueprint.get(f"{_INSTANCE}/rendered")
    @blueprint.get(f"{_INSTANCE}/frames/<numbers>/rendered")
    @blueprint.get(f"{_SERIES}/thumbnail")
    @blueprint.get(f"{_INSTANCE}/thumbnail")
    def rendered(study: str, series: str, instance: str | None = None, numbers: str = "") -> Response:
        found = instances_at(archive, study, series, instance)
        middle = found[len(found) // 2]  # of a series, the slice that most likely shows something
        number = frame_numbers(numbers, middle)[0] if numbers else (middle.frames + 1) // 2
        media_type = _image_type()
        image = rendered_frame(archive, middle, number, parse_view(request.args), media_type)
        return Response(image, content_type=media_type)


def _wants_decoded(instance: Instance) -> bool:
    """Whether frames are to be decoded: for octets of no other transfer syntax than Explicit VR Little Endian.

    Raises NotAcceptable when the stored frames are in none of the forms asked for.
    """
    stored = Frame(b"", instance.transfer_syntax_uid)
    for each in wanted(request):
        any_octets = each.media_type in (OCTETS, "application/*", ANY)
        if any_octets and each.transfer_syntax_uid in (None, "1.2.840.10008.1.2.1"):
            return True
        if _is_stored_form(each, stored, any_octets=any_octets):
            return False
    raise NotAcceptable(f"frames are given as {OCTETS} or as stored, {stored.content_type}")


def _is_stored_form(asked: Wanted, stored: Frame, *, any_octets: bool) -> bool:
    media_type = stored.content_type.partition(";")[0]
    fits = any_octets or asked.media_type in (media_type, "image/*")
    return fits and asked.transfer_syntax_uid in (None, "*", stored.transfer_syntax_uid)


def _image_type() -> str:
    for each in wanted(request):
        if each.media_type in FORMATS:
            return each.media_type
        if each.media_type in ("image/*", ANY):
            return "image/jpeg"
    raise NotAcceptable("images are rendered as image/jpeg or image/png")


def _pieces(parts: Iterator[Part], media_type: str, count: int) -> Response:
    """Parts as multipart, or the only part by itself where the client asks for that."""
    if count == 1 and not wanted(request)[0].multipart:
        part = next(parts)
        return Response(part.body, content_type=part.content_type)
    return multipart_response(parts, media_type)


def _chained(first: Frame, rest: Iterator[Frame]) -> Iterator[Frame]:
    yield first
    yield from rest


def _json(model: list[dict[str, Any]]) -> Response:
    if not accepts_json(request):
        raise NotAcceptable(f"this is given as {DICOM_JSON} only")
    if not model:
        return Response(status=204)
    return Response(json.dumps(model, allow_nan=False), content_type=DICOM_JSON)


def _url(study: str, instance: Instance) -> str:
    return (
        f"{PREFIX}/studies/{study}/series/{instance.series.series_instance_uid}/instances/{instance.sop_instance_uid}"
    )
