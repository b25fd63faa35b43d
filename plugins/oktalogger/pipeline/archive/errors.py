"""Defines what can go wrong with the archive."""

from __future__ import annotations


class ArchiveError(Exception):
    """The archive cannot be used; the message says what happened, to what, and what to do."""

    retryable = False
    """Whether a later try may succeed without anybody's help."""


class ArchiveUnavailableError(ArchiveError):
    """The archive is out of reach, slow or full at the moment."""

    retryable = True


class ArchiveRefusedError(ArchiveError):
    """The archive refuses us: there is no such bucket, or a permission is missing."""


class ArchiveMissingError(ArchiveError):
    """An object is not there."""


class ArchiveDamagedError(ArchiveError):
    """An object is missing or does not hold what it should."""
