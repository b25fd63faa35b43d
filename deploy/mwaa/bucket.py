"""Reads and writes a versioned bucket, and marks the objects that are ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from deploy.mwaa.aws import MwaaError, aws_errors

MARK: Final = "oktalogger"
"""Metadata key that marks objects that we have stored. It comes and goes with the object's content."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An object in the bucket.

    :param content: its bytes
    :param version: its version
    :param ours: whether we have stored it
    """

    content: bytes
    version: str
    ours: bool


class Bucket:
    """A bucket of an environment.

    :param s3: a client
    :param name: its name
    """

    def __init__(self, s3: Any, name: str) -> None:
        self._s3 = s3
        self.name = name

    def check(self) -> None:
        """Refuse a bucket without versions, which Amazon MWAA refuses as well.

        :raises MwaaError: with what to do
        """
        with self._errors("see whether it keeps versions"):
            versioning = self._s3.get_bucket_versioning(Bucket=self.name).get("Status")
        if versioning != "Enabled":
            raise MwaaError(
                f"The bucket {self.name} keeps no versions, and an environment names versions of its files. Turn them "
                f"on: aws s3api put-bucket-versioning --bucket {self.name} --versioning-configuration Status=Enabled"
            )

    def read(self, key: str) -> Stored | None:
        """Return an object, or None if there is none."""
        with self._errors(f"read {key}"):
            try:
                found = self._s3.get_object(Bucket=self.name, Key=key)
            except self._s3.exceptions.NoSuchKey:
                return None
            return Stored(found["Body"].read(), found.get("VersionId", ""), MARK in found["Metadata"])

    def put(self, key: str, content: bytes, mark: str) -> str:
        """Store an object as ours, and return its version.

        :param key: the object's key
        :param content: its bytes
        :param mark: the version of the package that it belongs to
        """
        with self._errors(f"store {key}"):
            # By the checksum, S3 refuses an object damaged on the way.
            made = self._s3.put_object(
                Bucket=self.name, Key=key, Body=content, Metadata={MARK: mark}, ChecksumAlgorithm="SHA256"
            )
            return str(made["VersionId"])

    def ours(self, prefix: str) -> list[str]:
        """Return the keys of our objects directly under a prefix."""
        with self._errors(f"list {prefix}*"):
            pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix, Delimiter="/")
            keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
            return [key for key in keys if MARK in self._s3.head_object(Bucket=self.name, Key=key)["Metadata"]]

    def delete(self, key: str) -> None:
        """Remove an object; its versions stay."""
        with self._errors(f"delete {key}"):
            self._s3.delete_object(Bucket=self.name, Key=key)

    def _errors(self, doing: str) -> Any:
        return aws_errors(f"{doing} (bucket {self.name})")
