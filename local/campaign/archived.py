"""Judges whether the archive holds every event that Okta sent, unchanged. Uses no code of the product."""

from __future__ import annotations

import base64
import gzip
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from local.campaign.judge import digest, read

if TYPE_CHECKING:
    from collections.abc import Iterable

    from local.standins.s3 import Bucket

_SHOWN: Final = 10
_WRAPPED: Final = b'"base64:'


@dataclass(slots=True)
class ArchiveVerdict:
    """What was found.

    :param unarchived: events of Okta's that no manifest lists
    :param wrong: objects that are missing, were overwritten or cannot be read, and events that are not what Okta sent
    :param objects: objects of events that manifests list
    :param bytes: their size
    :param events: events in these, each as often as it was read
    """

    unarchived: int = 0
    wrong: int = 0
    objects: int = 0
    bytes: int = 0
    events: int = 0
    examples: list[str] = field(default_factory=list)

    def note(self, what: str) -> None:
        """Keep an example."""
        if len(self.examples) < _SHOWN:
            self.examples.append(what)


class ArchiveJudge:
    """Takes all that is in the bucket, then all that was sent.

    :param bucket: the bucket, when no load runs any more
    """

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._digests: dict[str, bytes] = {}
        self._verdict = ArchiveVerdict()
        for name, versions in bucket.versions.items():
            if len(versions) > 1:
                self._wrong(f"{name} was written {len(versions)} times")
        manifests = [name for name in bucket.versions if "/manifests/" in name and not name.endswith(".part.json")]
        for name in sorted({listed for manifest in manifests for listed in self._listed(manifest)}):
            self._take(name)

    def _listed(self, name: str) -> list[str]:
        manifest = self._json(name)
        parts = [self._json(self._prefixed(part)) for part in manifest.get("parts", ())]
        return [self._prefixed(one["name"]) for holder in (*parts, manifest) for one in holder.get("objects", ())]

    def _json(self, name: str) -> Any:
        body = self._bucket.versions.get(name)
        if body is None:
            self._wrong(f"{name} is missing")
            return {}
        return json.loads(body[0])

    @staticmethod
    def _prefixed(name: str) -> str:
        return f"okta/{name}"

    def _take(self, name: str) -> None:
        versions = self._bucket.versions.get(name)
        if versions is None:
            self._wrong(f"{name} is missing")
            return
        self._verdict.objects += 1
        self._verdict.bytes += len(versions[0])
        for line in gzip.decompress(versions[0]).splitlines():
            self._verdict.events += 1
            key, found = _identified(_unwrapped(line))
            if self._digests.setdefault(key, found) != found:
                self._wrong(f"{key} is there in two forms, one in {name}")

    def sent(self, bodies: Iterable[bytes]) -> None:
        """Take events as Okta sends them."""
        for body in bodies:
            key, wanted = _identified(body)
            found = self._digests.pop(key, None)
            if found is None:
                self._verdict.unarchived += 1
                self._verdict.note(f"not in the archive: {body[:200]!r}")
            elif found != wanted:
                self._wrong(f"{key} in the archive is not what Okta sent")

    def verdict(self) -> ArchiveVerdict:
        """Say what was found; what is archived and was never sent is wrong."""
        for uuid in self._digests:
            self._wrong(f"Okta never sent {uuid}, and it is in the archive")
        self._digests.clear()
        return self._verdict

    def _wrong(self, why: str) -> None:
        self._verdict.wrong += 1
        self._verdict.note(why)


def _unwrapped(line: bytes) -> bytes:
    """Return the event of a line; one that cannot be a line is there in base64."""
    return base64.b64decode(line[len(_WRAPPED) : -1]) if line.startswith(_WRAPPED) else line


def _identified(body: bytes) -> tuple[str, bytes]:
    """Return by what an event is known, and a hash of what it says; one that no parser reads is known by its bytes."""
    event = read(body)
    if event is None:
        return repr(body), body
    return str(event["uuid"]), digest(event)
