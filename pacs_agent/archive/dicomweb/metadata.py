"""WADO-RS metadata: the DICOM JSON Model (PS3.18 F) with bulk data by URI."""

import base64
import math
import re
from collections.abc import Iterator
from typing import Any

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from werkzeug.exceptions import NotFound

from pacs_agent.archive.archive import Archive
from pacs_agent.archive.header import UNREADABLE_VALUE
from pacs_agent.db import Instance

BULK_DATA_BYTES = 1024
"""Larger binary values are given by URI (PS3.18 F.2.7)."""
BULK_DATA_VRS = frozenset(("OB", "OD", "OF", "OL", "OV", "OW", "UN"))
PIXEL_DATA_TAGS = ("7FE00010", "7FE00008", "7FE00009")
_PATH = re.compile(r"[0-9A-F]{8}(/[0-9]{1,9}/[0-9A-F]{8})*")


def metadata_json(archive: Archive, instance: Instance, instance_url: str) -> dict[str, Any]:
    """The data set of an instance as DICOM JSON; large and pixel values as BulkDataURI below `instance_url`."""
    data_set = archive.read(instance.digest, stop_before_pixels=True)
    paths = {id(element): path for path, element in _bulk_elements(data_set, "")}

    def by_uri(element: DataElement) -> str:
        return f"{instance_url}/bulkdata/{paths[id(element)]}"

    model = data_set.to_json_dict(BULK_DATA_BYTES, by_uri, suppress_invalid_tags=True)
    if instance.rows:
        model["7FE00010"] = {"vr": "OW", "BulkDataURI": f"{instance_url}/bulkdata/7FE00010"}
    finite: dict[str, Any] = _finite(model)
    return finite


def bulk_value(archive: Archive, instance: Instance, path: str) -> bytes:
    """The bytes of one element, `path` being its tag, or TAG/ITEM/TAG inside sequences. Raises NotFound."""
    if not _PATH.fullmatch(path):
        raise NotFound("bulk data are named by a tag, or by TAG/ITEM/TAG inside a sequence")
    *parents, tag = path.split("/")
    data_set: Dataset = archive.read(instance.digest)
    try:
        for sequence, item in zip(parents[::2], parents[1::2], strict=True):
            data_set = data_set[int(sequence, 16)].value[int(item)]
        value = data_set[int(tag, 16)].value
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise NotFound(f"the instance has no element {path}") from error
    if not isinstance(value, bytes):
        raise NotFound(f"element {path} holds no bulk data")
    return value


def _bulk_elements(data_set: Dataset, prefix: str) -> Iterator[tuple[str, DataElement]]:
    """Every element that may become bulk data, with its path."""
    for key in data_set.keys():  # noqa: SIM118 (iterating a Dataset itself gives elements and stops at a broken one)
        path = f"{prefix}{key:08X}"
        try:
            element = data_set[key]
        except UNREADABLE_VALUE:
            continue
        if element.VR == "SQ":
            for number, item in enumerate(element.value):
                yield from _bulk_elements(item, f"{path}/{number}/")
        elif element.VR in BULK_DATA_VRS:
            yield path, element


def _finite(model: Any) -> Any:
    """NaN and infinity have no JSON number; the DICOM JSON Model writes them as strings (PS3.18 F.2.3)."""
    if isinstance(model, float) and not math.isfinite(model):
        return "NaN" if math.isnan(model) else ("inf" if model > 0 else "-inf")
    if isinstance(model, dict):
        return {key: _finite(value) for key, value in model.items()}
    if isinstance(model, list):
        return [_finite(value) for value in model]
    return base64.b64encode(model).decode() if isinstance(model, bytes) else model
