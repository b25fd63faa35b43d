"""Defines the place of an archive: how it is opened, what it can do, and how long it is waited for."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Final, Protocol

from tenacity import Retrying, before_sleep_log, retry_if_exception_type, stop_after_delay, wait_random_exponential

from oktalogger.pipeline.archive.errors import ArchiveUnavailableError
from oktalogger.pipeline.archive.folder import FolderStore
from oktalogger.pipeline.archive.s3 import S3Store
from oktalogger.setting_readers import split_bucket

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

log = logging.getLogger(__name__)

# As long as a bulk request to OpenSearch. After that Airflow tries again.
PATIENCE_SECONDS: Final = 120.0


class ArchiveStore(Protocol):
    """A place for objects. Several threads may use one at once.

    A name never gets other bytes than its first: nothing is overwritten, and nothing is deleted.
    """

    @property
    def where(self) -> str:
        """The place, as the setting names it."""

    def put(self, name: str, body: bytes, *, by_content: bool = True) -> bool:
        """Write an object, unless its name is taken.

        :param name: its name
        :param body: its bytes
        :param by_content: whether the name holds their hash, so that what is there already must be the same
        :return: whether it was written
        :raises ArchiveError: if it could not be written
        """

    def get(self, name: str) -> bytes:
        """Read an object.

        :raises ArchiveMissingError: if it is not there
        :raises ArchiveError: if it cannot be read
        """

    def names(self, prefix: str) -> Iterator[str]:
        """Yield the names that begin so, in order.

        :param prefix: ends in a slash
        :raises ArchiveError: if they cannot be listed
        """

    def overwritten(self, prefix: str) -> Iterator[str]:
        """Yield the names that begin so and have had other bytes before, where the store knows.

        :raises ArchiveError: if they cannot be listed
        """


class PatientStore:
    """Tries again where a store is out of reach, for two minutes.

    :param store: the store
    :param sleep: waits that many seconds; a load gives a wait that ends when it is told to stop
    :param seconds: how long it tries
    """

    def __init__(
        self, store: ArchiveStore, sleep: Callable[[float], None], *, seconds: float = PATIENCE_SECONDS
    ) -> None:
        self._store = store
        self._tries = Retrying(
            retry=retry_if_exception_type(ArchiveUnavailableError),
            wait=wait_random_exponential(multiplier=0.5, max=20),
            stop=stop_after_delay(seconds),
            sleep=sleep,
            before_sleep=before_sleep_log(log, logging.WARNING),
            reraise=True,
        )

    @property
    def where(self) -> str:
        """The place, as the setting names it."""
        return self._store.where

    def put(self, name: str, body: bytes, *, by_content: bool = True) -> bool:
        """Write an object, unless its name is taken."""
        # An answer may have been lost: then the name is taken by this very call.
        return self._tries.copy()(self._store.put, name, body, by_content=by_content)

    def get(self, name: str) -> bytes:
        """Read an object."""
        return self._tries.copy()(self._store.get, name)

    def names(self, prefix: str) -> Iterator[str]:
        """Yield the names that begin so, in order."""
        return iter(self._tries.copy()(lambda: list(self._store.names(prefix))))

    def overwritten(self, prefix: str) -> Iterator[str]:
        """Yield the names that begin so and have had other bytes before, where the store knows."""
        return iter(self._tries.copy()(lambda: list(self._store.overwritten(prefix))))


def open_archive(
    place: str, s3_client: Callable[[], Any], *, sleep: Callable[[float], None] = time.sleep
) -> ArchiveStore:
    """Return the archive at a place. Nothing is read or written yet.

    :param place: ``s3://bucket/prefix``, or an absolute path of a folder, as ``OKTALOGGER_ARCHIVE`` has it
    :param s3_client: makes the S3 client, for a bucket
    :param sleep: waits that many seconds
    """
    bucket = split_bucket(place)
    store = FolderStore(place) if bucket is None else S3Store(s3_client(), *bucket)
    return PatientStore(store, sleep)
