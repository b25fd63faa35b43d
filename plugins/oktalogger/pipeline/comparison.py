"""Reads Okta again, or the archive, and compares every event, value by value, with what OpenSearch holds."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from oktalogger.opensearch.rejected import rejection_id
from oktalogger.pipeline.document import identity
from oktalogger.pipeline.drift import restored
from oktalogger.pipeline.erasure import is_erased
from oktalogger.window import Window, format_instant

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from oktalogger.okta.system_log import Page, SystemLogQuery
    from oktalogger.pipeline.document import Redacts


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a second reading of Okta, or of the archive, found in one window, event by event.

    :param window: what was compared
    :param in_okta: events that Okta, or the archive, has
    :param missing: uuids of events that are neither among the documents nor among the rejected events; of one without a
        uuid, the id under which it should be kept as rejected
    :param foreign: ids of documents that Okta does not have
    :param doubled: ids that stand in more than one document behind the alias
    :param altered: uuids of events whose document says something else than Okta
    :param rejected: how many events are kept as rejected, and in no document
    :param erased: how many events a person was taken out of, so that their documents say less than Okta
    :param unredacted: how many events are stored in full, though the policy redacts something of them
    """

    window: Window
    in_okta: int
    missing: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    doubled: tuple[str, ...] = ()
    altered: tuple[str, ...] = ()
    rejected: int = 0
    unredacted: int = 0
    erased: int = 0

    @property
    def exact(self) -> bool:
        """Whether OpenSearch holds exactly what Okta has, each event once, and in Okta's words."""
        return not (self.missing or self.foreign or self.doubled or self.altered)

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values; ``unknown`` is the former name of ``foreign``."""
        return {
            "start": format_instant(self.window.start),
            "end": format_instant(self.window.end),
            "in_okta": self.in_okta,
            "missing": list(self.missing),
            "foreign": list(self.foreign),
            "unknown": list(self.foreign),
            "doubled": list(self.doubled),
            "altered": list(self.altered),
            "rejected": self.rejected,
            "unredacted": self.unredacted,
            "erased": self.erased,
        }


class Source(Protocol):
    """What OpenSearch is compared with: Okta, or the archive."""

    def pages(self, query: SystemLogQuery) -> Iterator[Page]:
        """Yield the query's pages in order."""


class Documents(Protocol):
    """What OpenSearch holds, document by document."""

    def documents(self, org: str, within: Window) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield id and ``_source`` of every document behind the alias."""

    def rejected_among(self, uuids: set[str]) -> set[str]:
        """Return those uuids whose events are among the rejected."""

    def rejected_ids(self, ids: set[str]) -> set[str]:
        """Return those ids that are documents of the index of rejected events."""


def compare_with(
    source: Source, census: Documents, org: str, query: SystemLogQuery, redactor: Redacts | None = None
) -> Comparison:
    """Read a window again, and compare event by event, value by value, with what OpenSearch holds.

    A document is the same if it holds what Okta sent, less our own ``oktalogger``, with the parts that did not fit the
    mapping put back. The order of the keys of an object does not matter; everything else does.

    :param source: where to read
    :param census: what OpenSearch holds
    :param org: the Okta org's host name
    :param query: the window; a hash of each of its events is in memory, so take an hour at a time
    :param redactor: redacts each event as the load does, so that redacted is compared with redacted; an event that is
        stored in full, because it was loaded before anything was redacted, is the same as well
    :raises OktaError: if Okta cannot be read
    :raises ArchiveError: if the archive cannot be read
    :raises OpenSearchLoadError: if OpenSearch cannot be asked
    """
    window = Window(query.since, query.until)
    contents: dict[str, set[bytes]] = {}
    whole: dict[str, set[bytes]] = {}
    nameless: set[str] = set()
    for page in source.pages(query):
        for raw in page.events:
            sent = bytes(raw)
            body = sent if redactor is None else redactor.redact(sent).event
            uuid, published = identity(body)
            if uuid is None:
                nameless.add(rejection_id(org, body))
            elif published is None or published in window:
                contents.setdefault(uuid, set()).add(_content_of(body))
                if redactor is not None:
                    whole.setdefault(uuid, set()).add(_content_of(sent))
    seen: Counter[str] = Counter()
    altered: set[str] = set()
    unredacted: set[str] = set()
    erased: set[str] = set()
    for uuid, document in census.documents(org, window):
        seen[uuid] += 1
        if uuid in contents and (stored := _stored_content(document)) not in contents[uuid]:
            (erased if is_erased(document) else unredacted if stored in whole.get(uuid, ()) else altered).add(uuid)
    missing = contents.keys() - seen.keys()
    rejected = census.rejected_among(missing) if missing else set()
    kept = census.rejected_ids(nameless) if nameless else set()
    return Comparison(
        window,
        len(contents) + len(nameless),
        missing=tuple(sorted((missing - rejected) | (nameless - kept))),
        foreign=tuple(sorted(seen.keys() - contents.keys())),
        doubled=tuple(sorted(uuid for uuid, times in seen.items() if times > 1)),
        altered=tuple(sorted(altered)),
        rejected=len(rejected) + len(kept),
        unredacted=len(unredacted),
        erased=len(erased),
    )


def says_the_same(source: Mapping[str, Any], events: Iterable[bytes], redactor: Redacts | None = None) -> bool:
    """Say whether a document holds what one of some events says, value by value.

    :param source: the document
    :param events: the events, as JSON, redacted
    :param redactor: what redacted them; a document that was stored in full before that is the same as well
    """
    contents = {_content_of(event) for event in events}
    if _stored_content(source) in contents:
        return True
    return redactor is not None and _redacted_content(source, redactor) in contents


def _redacted_content(source: Mapping[str, Any], redactor: Redacts) -> bytes | None:
    try:
        return _content_of(redactor.redact(json.dumps(restored(dict(source))).encode()).event)
    except (LookupError, TypeError, ValueError, AttributeError):
        return None


def _stored_content(source: Mapping[str, Any]) -> bytes | None:
    """Return what a document says of Okta's event; None if it cannot have been made by oktalogger."""
    try:
        return _content(restored(dict(source)))
    except (LookupError, TypeError, ValueError, AttributeError):
        return None


def _content_of(body: bytes) -> bytes:
    try:
        return _content(json.loads(body))
    except (ValueError, RecursionError):
        # No document says the same: such an event is among the rejected ones, or it is missing.
        return body


def _content(event: Any) -> bytes:
    """Return a hash that two events share only if they say the same: 1, 1.0, true and "1" are four values."""
    try:
        text = msgspec.json.encode(event, order="sorted")
    except (OverflowError, UnicodeError):
        # A number of more than 64 bits, or half a surrogate pair: rare, and five times as slow.
        text = json.dumps(event, sort_keys=True, separators=(",", ":")).encode()
    return hashlib.blake2b(text, digest_size=16).digest()
