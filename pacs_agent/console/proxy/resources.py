"""Which paths are resources of DICOMweb that may be read: the Studies Service of PS3.18 10.4 and 10.6."""

import re

from pacs_agent.receive.identity import is_uid

LEVELS = ("studies", "series", "instances")
_LONGEST_PATH = 1024
_SEGMENT = re.compile(r"[A-Za-z0-9._~,:@+-]{1,128}")


class NoResource(Exception):
    """The path names nothing that may be asked for. The text says why."""


def readable_path(path: str) -> str:
    """The path, when it stays below the service's address whatever the PACS makes of it. Raises NoResource.

    `path` is decoded. Every segment is checked by itself: none is `..`, none holds a slash, a percent sign or a
    backslash that another decoding could bring to life. UIDs follow their level; beyond them each PACS has addresses of
    its own for bulk data.
    """
    segments = path.split("/")
    if segments[0] not in LEVELS or len(path) > _LONGEST_PATH:
        raise NoResource(f"only {', '.join(LEVELS)} can be asked for")
    for segment in segments:
        if not _SEGMENT.fullmatch(segment) or not segment.strip("."):
            raise NoResource("a part of the path is not one of DICOMweb")
    for level, uid in zip(segments[:-1:2], segments[1::2], strict=False):
        if level not in LEVELS:
            break
        if not is_uid(uid):
            raise NoResource(f"what follows {level} in the path is not a UID")
    return path
