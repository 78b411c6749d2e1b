"""DICOMweb over the archive: QIDO-RS, WADO-RS and STOW-RS (PS3.18 10) as a Flask blueprint.

In: HTTP requests below `/dicom-web`. Out: DICOM JSON, DICOM files, frames and images. What may fail: an HTTP error that
says what was wrong with the request; no stored instance is ever changed.
"""

from pacs_agent.archive.dicomweb.blueprint import PREFIX, dicomweb_blueprint
from pacs_agent.archive.dicomweb.multipart import boundary_of, read_parts

__all__ = ["PREFIX", "boundary_of", "dicomweb_blueprint", "read_parts"]
