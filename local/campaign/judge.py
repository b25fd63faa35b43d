"""Judges whether OpenSearch holds exactly what Okta sent: every event, once, unchanged. Uses no code of the product."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_SHOWN: Final = 10
_decode = msgspec.json.Decoder().decode
_canonical = msgspec.json.Encoder(order="deterministic").encode


@dataclass(slots=True)
class Verdict:
    """What was found.

    :param events: different events that Okta has
    :param lost: of these, how many are neither among the documents nor among the rejected
    :param doubled: documents too many: second ones of an event, in whatever index
    :param wrong: documents that differ from what Okta sent, or lie where they do not belong
    :param rejected: events that could not be documents, and that are kept whole
    :param examples: the first of each, for a person
    """

    events: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    rejected: int = 0
    examples: list[str] = field(default_factory=list)

    def note(self, what: str) -> None:
        """Keep an example."""
        if len(self.examples) < _SHOWN:
            self.examples.append(what)


@dataclass(slots=True)
class _Copy:
    index: str
    digest: bytes


class Judge:
    """Takes all that is stored, then all that was sent.

    :param prefix: how the indices' names begin
    :param org: the org's host name, with its port if that is unusual
    """

    def __init__(self, prefix: str, org: str) -> None:
        self._prefix = prefix
        self._org = org
        self._rejected_index = f"{prefix}-rejected"
        self._copies: dict[str, _Copy] = {}
        self._parts: dict[str, dict[int, bytes]] = {}
        self._unreadable: Counter[bytes] = Counter()
        self._verdict = Verdict()

    def document(self, index: str, identity: str, source: dict[str, Any]) -> None:
        """Take one document of a month's index."""
        added = source.pop("oktalogger", {})
        uuid = str(source.get("uuid"))
        if identity != uuid or added.get("org") != self._org:
            self._wrong(uuid, f"its document {identity} in {index} says org {added.get('org')!r}")
        elif added.get("historical") and added.get("load_kind") != "backfill":
            self._wrong(uuid, f"a load of kind {added.get('load_kind')} marked it historical")
        self._add(uuid, index, _whole(source, added))

    def rejection(self, identity: str, source: Mapping[str, Any]) -> None:
        """Take one document of the index of rejected events, which may hold a part of one.

        :param identity: the document's id; those of the parts of an event begin alike
        """
        number = int(source.get("part") or 1)
        whole = identity.removesuffix(f"-{number}")
        parts = self._parts.setdefault(whole, {})
        text = source.get("event_base64")
        parts[number] = str(source.get("event")).encode() if text is None else base64.b64decode(text)
        if len(parts) < int(source.get("parts") or 1):
            return
        del self._parts[whole]
        if not source.get("reason"):
            self._wrong(whole, "it was rejected without a reason")
        body = b"".join(parts[number] for number in sorted(parts))
        event = read(body)
        if event is None:
            self._unreadable[_hash(body)] += 1
            return
        event.pop("oktalogger", None)
        self._add(str(event.get("uuid")), self._rejected_index, event)

    def _add(self, uuid: str, index: str, event: Mapping[str, Any]) -> None:
        if uuid in self._copies:
            self._verdict.doubled += 1
            self._verdict.note(f"{uuid} is in {self._copies[uuid].index} and once more in {index}")
            return
        self._copies[uuid] = _Copy(index, digest(event))

    def sent(self, bodies: Iterable[bytes], poison: set[str]) -> None:
        """Take events as Okta sends them.

        :param poison: uuids of those that cannot be documents; what cannot even be read is among them anyway
        """
        for body in bodies:
            event = read(body)
            if event is None:
                self._sent_unreadable(body)
                continue
            uuid = event["uuid"]
            self._verdict.events += 1
            copy = self._copies.pop(uuid, None)
            if copy is None:
                self._verdict.lost += 1
                self._verdict.note(f"{uuid} of {event['published']} is nowhere")
                continue
            wanted = self._rejected_index if uuid in poison else f"{self._prefix}-{event['published'][:7]}"
            self._verdict.rejected += copy.index == self._rejected_index
            if copy.index != wanted:
                self._wrong(uuid, f"it is in {copy.index} and belongs into {wanted}")
            elif copy.digest != digest(event):
                self._wrong(uuid, f"its document in {copy.index} is not what Okta sent")

    def _sent_unreadable(self, body: bytes) -> None:
        self._verdict.events += 1
        kept = self._unreadable.pop(_hash(body), 0)
        if kept:
            self._verdict.rejected += 1
            self._verdict.doubled += kept - 1
        else:
            self._verdict.lost += 1
            self._verdict.note(f"it cannot be read and is nowhere: {body[:200]!r}")

    def strays(self, visible: Mapping[Any, Mapping[str, int]]) -> None:
        """Take what a search on the alias finds; whatever is in no month of ours is there twice.

        :param visible: numbers of documents by the index, in any number of groups
        """
        for group, indices in visible.items():
            for index, number in indices.items():
                if not re.fullmatch(rf"{re.escape(self._prefix)}-20\d\d-\d\d", index):
                    self._verdict.doubled += number
                    self._verdict.note(f"a search finds {number} documents of {group} in {index}")

    def verdict(self) -> Verdict:
        """Say what was found; what is stored and was never sent is wrong."""
        for _ in range(self._unreadable.total()):
            self._wrong("an event that cannot be read", "it was rejected, and Okta never sent it like that")
        for uuid, copy in self._copies.items():
            self._wrong(uuid, f"Okta never sent it, and it is in {copy.index}")
        for uuid in self._parts:
            self._wrong(uuid, "parts of it are missing among the rejected events")
        self._copies.clear()
        self._parts.clear()
        return self._verdict

    def _wrong(self, uuid: str, why: str) -> None:
        self._verdict.wrong += 1
        self._verdict.note(f"{uuid}: {why}")


def read(body: bytes) -> dict[str, Any] | None:
    """Read an event; None where no parser can."""
    try:
        event: dict[str, Any] = _decode(body)
    except (msgspec.DecodeError, RecursionError):
        return None
    return event


def _hash(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=16).digest()


def digest(event: Mapping[str, Any]) -> bytes:
    """Return a hash that two events share only if they say the same."""
    return _hash(_canonical(event))


def _whole(source: dict[str, Any], added: Mapping[str, Any]) -> dict[str, Any]:
    """Put back what a document keeps as text, because the mapping does not take it (JSON pointers, RFC 6901)."""
    for part in added.get("unmapped", ()):
        *above, last = (key.replace("~1", "/").replace("~0", "~") for key in part["path"].split("/")[1:])
        holder: Any = source
        for key in above:
            holder = holder[int(key) if isinstance(holder, list) else key]
        holder[int(last) if isinstance(holder, list) else last] = _decode(part["text"])
    return source


def tally(oddities: Iterable[str | None]) -> dict[str, int]:
    """Count the events of each odd kind."""
    return dict(sorted(Counter(kind for kind in oddities if kind).items()))
