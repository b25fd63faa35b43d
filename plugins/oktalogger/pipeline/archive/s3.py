"""Keeps an archive in Amazon S3, or in a server that speaks like it and knows conditional writes."""

from __future__ import annotations

import base64
import hashlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from oktalogger.pipeline.archive.errors import (
    ArchiveError,
    ArchiveMissingError,
    ArchiveRefusedError,
    ArchiveUnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_TAKEN: Final = frozenset({"PreconditionFailed", "412"})
_ABSENT: Final = frozenset({"NoSuchKey", "404"})
# Somebody writes the same name at this moment: the next try finds it taken.
_RACES: Final = frozenset({"ConditionalRequestConflict", "OperationAborted", "409"})
_BUSY: Final = frozenset({"SlowDown", "Throttling", "ThrottlingException", "RequestTimeout", "RequestTimeTooSkewed"})


def s3_config() -> Any:
    """Return the time-outs with which a client of boto3 serves an archive; retries are left to the archive."""
    from botocore.config import Config

    return Config(connect_timeout=10, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 1})


class S3Store:
    """Writes each object by one conditional ``PutObject``, for which that right is enough.

    :param client: S3 client of boto3, made with :func:`s3_config`
    :param bucket: the bucket
    :param prefix: what all names in it begin with; empty, or without a slash at its end
    """

    def __init__(self, client: Any, bucket: str, prefix: str = "") -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""

    @property
    def where(self) -> str:
        """The bucket and the prefix, as an address."""
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def put(self, name: str, body: bytes, *, by_content: bool = True) -> bool:
        """Write an object, unless its name is taken. What is there already is not read: that would take a right more.

        :raises ArchiveUnavailableError: if S3 is out of reach or busy
        :raises ArchiveRefusedError: if there is no such bucket, or the right to write is missing
        """
        # S3 refuses what was damaged on the way, and a bucket with Object Lock wants a checksum.
        checksum = base64.b64encode(hashlib.sha256(body).digest()).decode()
        with self._errors(f"writing {name}", ignore=_TAKEN) as answered:
            self._client.put_object(
                Bucket=self._bucket, Key=self._prefix + name, Body=body, IfNoneMatch="*", ChecksumSHA256=checksum
            )
            answered.append(True)
        return bool(answered)

    def get(self, name: str) -> bytes:
        """Read an object."""
        with self._errors(f"reading {name}"):
            answer = self._client.get_object(Bucket=self._bucket, Key=self._prefix + name)
            body: bytes = answer["Body"].read()
            return body

    def names(self, prefix: str) -> Iterator[str]:
        """Yield the names that begin so, in order."""
        with self._errors(f"listing {prefix}"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._prefix + prefix
            )
            for page in pages:
                for found in page.get("Contents", ()):
                    yield found["Key"].removeprefix(self._prefix)

    def overwritten(self, prefix: str) -> Iterator[str]:
        """Yield the names that begin so and have several versions, or a marker of deletion."""
        with self._errors(f"listing the versions of {prefix}"):
            pages = self._client.get_paginator("list_object_versions").paginate(
                Bucket=self._bucket, Prefix=self._prefix + prefix
            )
            seen = None
            for page in pages:
                for found in sorted(
                    [*page.get("Versions", ()), *page.get("DeleteMarkers", ())], key=lambda one: str(one["Key"])
                ):
                    if found["Key"] == seen or "ETag" not in found:
                        yield found["Key"].removeprefix(self._prefix)
                    seen = found["Key"]

    @contextmanager
    def _errors(self, doing: str, *, ignore: frozenset[str] = frozenset()) -> Iterator[list[bool]]:
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError
        from urllib3.exceptions import HTTPError

        said = f"The archive {self.where} failed while {doing}"
        answered: list[bool] = []
        try:
            yield answered
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code not in ignore:
                raise self._error(error, code, said, doing) from error
        except (NoCredentialsError, PartialCredentialsError) as error:
            raise ArchiveRefusedError(
                f"{said}: there are no AWS credentials. Give the worker a role, or name an Airflow connection in "
                "OKTALOGGER_ARCHIVE_CONN_ID."
            ) from error
        except (BotoCoreError, HTTPError, OSError) as error:
            raise ArchiveUnavailableError(f"{said}: {type(error).__name__}: {error}.") from error

    def _error(self, error: Any, code: str, said: str, doing: str) -> ArchiveError:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        said = f"{said}: {code or status}, {error.response.get('Error', {}).get('Message') or 'without a reason'}"
        if code in _ABSENT and doing.startswith("reading"):
            return ArchiveMissingError(f"{doing.removeprefix('reading ')} is not in the archive {self.where}.")
        if status == 501:
            return ArchiveRefusedError(
                f"{said}. Whatever answers there does not know conditional writes (If-None-Match), without which it "
                "could overwrite evidence. Use Amazon S3, another server, or a folder."
            )
        if status >= 500 or status == 429 or code in _RACES | _BUSY:
            return ArchiveUnavailableError(f"{said}.")
        if code == "NoSuchBucket":
            return ArchiveRefusedError(f"{said}. Make the bucket, or correct OKTALOGGER_ARCHIVE.")
        if code == "InvalidObjectState":
            return ArchiveRefusedError(f"{said}. The object is in a storage class that must be restored first.")
        return ArchiveRefusedError(
            f"{said}. Loads need s3:PutObject; restore, check and reconcile also s3:GetObject and s3:ListBucket, and "
            "the key of the bucket has to allow the same (docs/archive.md)."
        )
