"""What may go wrong in the archive."""


class ArchiveError(Exception):
    """An instance was not archived. The message says why and what to do."""


class ContentConflict(ArchiveError):
    """Another instance with the same SOP Instance UID is archived already; UIDs are never reused (PS3.5 9)."""


class StorageFailure(ArchiveError):
    """Disk or database did not take the instance; nothing of it is indexed, and it may be sent again."""


class NotArchived(ArchiveError, LookupError):
    """There is no such instance."""
