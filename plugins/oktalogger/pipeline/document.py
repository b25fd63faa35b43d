"""Makes the document to store from an event as Okta sent it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

import msgspec

from oktalogger.opensearch.bulk import Document, Rejection
from oktalogger.pipeline.added_fields import LONGEST_KEYWORD
from oktalogger.pipeline.lift import lift, too_long
from oktalogger.pipeline.shown import shown
from oktalogger.window import Window, format_instant

if TYPE_CHECKING:
    from oktalogger.okta.system_log import Page
    from oktalogger.opensearch.names import IndexNames
    from oktalogger.pipeline.drift import Fitted
    from oktalogger.privacy.redactor import Redacted


@dataclass(frozen=True, slots=True)
class PreparedPage:
    """What one page holds for the store.

    :param page: the page, without its events
    :param read: how many events it held
    :param at: the time of loading that its documents bear
    :param documents: the documents, also of events that lie outside the range that was asked for
    :param rejections: events that cannot become documents
    :param outside: how many of the documents lie outside the range that was asked for
    :param repeated: positions of those documents whose event an earlier one of the reading was
    :param span: the earliest and the latest ``published`` among the others
    :param sent: the events as Okta sent them, each with its ``published`` if it has a possible one; None if the
        documents hold the same
    """

    page: Page
    read: int
    at: datetime
    documents: list[Built]
    rejections: list[Rejection]
    outside: int
    repeated: frozenset[int]
    span: tuple[datetime, datetime] | None
    sent: list[tuple[datetime | None, bytes]] | None = None


class Redacts(Protocol):
    """Takes out of events what must not be stored."""

    def redact(self, raw: bytes) -> Redacted:
        """Return what is left of an event, and what was done."""


def prepare(
    page: Page, builder: DocumentBuilder, reads: Window, *, at: datetime, keep_sent: bool = False
) -> PreparedPage:
    """Make a page's events into documents.

    :param reads: the range that was asked for
    :param at: the time of loading, in UTC
    :param keep_sent: whether to keep the events as Okta sent them, beside documents from which something is taken out
    """
    # The request asks from a millisecond before the range on, and up to its end rounded up to one.
    asked = Window(reads.start - _MILLISECOND, reads.end + _MILLISECOND)
    # A clock here that is days behind must not reject what Okta says of today.
    latest = max(at, page.answered_at or at) + _FURTHEST_AHEAD
    documents: list[Built] = []
    rejections: list[Rejection] = []
    outside = 0
    repeated: set[int] = set()
    published: list[datetime] = []
    sent: list[tuple[datetime | None, bytes]] = []
    for position, raw in enumerate(page.events):
        built = builder.build(bytes(raw), at, latest)
        if keep_sent:
            sent.append((built.published if isinstance(built, Built) else None, bytes(raw)))
        if not isinstance(built, Built):
            rejections.append(built)
            continue
        if position in page.repeated:
            repeated.add(len(documents))
        documents.append(built)
        if built.published not in asked:
            outside += 1
        else:
            published.append(built.published)
    return PreparedPage(
        page=replace(page, events=[]),
        read=len(page.events),
        at=at,
        documents=documents,
        rejections=rejections,
        outside=outside,
        repeated=frozenset(repeated),
        span=(min(published), max(published)) if published else None,
        sent=sent if keep_sent else None,
    )


LoadKind = Literal["scheduled", "manual", "backfill", "reconcile", "restore"]

# What these load long after it was published is history: nobody should be paged for it. A scheduled run that comes
# late, after an outage, is not among them, because the attack that it brings must still alert.
HISTORICAL_KINDS: Final[frozenset[LoadKind]] = frozenset({"manual", "backfill"})
# What comes back from the archive was loaded before, and somebody was paged for it then.
RESTORED: Final[LoadKind] = "restore"

DOCUMENT_VERSION: Final = 1

_OWN_KEYS: Final = ("oktalogger", "@timestamp")
_LONGEST_ID: Final = 512
_MILLISECOND: Final = timedelta(milliseconds=1)
# No event is older than Okta itself, and none is from a day that has yet to come, whatever the clocks.
_EARLIEST: Final = datetime(2009, 1, 1, tzinfo=UTC)
_FURTHEST_AHEAD: Final = timedelta(days=1)
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Stamp:
    """What every document of one load says about that load.

    :param org: the Okta org's host name
    :param window: the window that the load answers for
    :param run_id: Airflow's run id, or another name of the load
    :param kind: what kind of load it is
    :param horizon: age of an event beyond which a load of ``HISTORICAL_KINDS`` marks it historical
    """

    org: str
    window: Window
    run_id: str
    kind: LoadKind
    horizon: timedelta = timedelta(days=1)

    def fields(self) -> dict[str, Any]:
        """Return the fields that are the same in every document of the load."""
        return {
            "org": self.org,
            "window_start": format_instant(self.window.start),
            "window_end": format_instant(self.window.end),
            "run_id": self.run_id,
            "load_kind": self.kind,
            "document_version": DOCUMENT_VERSION,
        }


class Built(msgspec.Struct, frozen=True):
    """An event made ready to store.

    :param document: what to store
    :param published: when Okta says that the event happened, in UTC
    :param length: bytes of the event at the beginning of the document's JSON, its last brace included
    :param raw: the event as Okta sent it, where it is not these bytes
    :param redacted: what was taken out of the event before
    """

    document: Document
    published: datetime
    length: int
    raw: bytes | None = None
    redacted: tuple[str, ...] = ()

    @property
    def event(self) -> bytes:
        """The event, byte for byte as Okta sent it."""
        return self.document.source[: self.length - 1] + b"}" if self.raw is None else self.raw

    def with_event(self, fitted: Fitted) -> Document:
        """Return the document with what is left of the event, and with what was taken out of it as text."""
        noted = {
            "unmapped": [{"path": part.path, "text": part.text} for part in fitted.parts],
            "drifted": fitted.fields,
        }
        added = self.document.source[self.length - 1 : -2]
        source = b"%b%b,%b}" % (fitted.event[:-1], added, _encode(noted)[1:])
        return msgspec.structs.replace(self.document, source=source)


class EventError(ValueError):
    """An event cannot become a document; ``kind`` and the message become the reason of its rejection."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class DocumentBuilder:
    """Makes documents of events, for one load.

    Okta's bytes are kept as they came: the ``oktalogger`` object is put in before the last brace.

    :param stamp: what every document says about the load
    :param names: the index names to use
    :param redactor: takes out of each event what must not be stored, before anything else sees it; None for nothing
    """

    def __init__(self, stamp: Stamp, names: IndexNames, redactor: Redacts | None = None) -> None:
        self._stamp = stamp
        self._names = names
        self._redactor = redactor
        # The same in every document, so encoded once; what differs goes in behind it.
        self._stamp_json = _encode(stamp.fields())[:-1]
        self._marks_history = stamp.kind in HISTORICAL_KINDS
        self._restores = stamp.kind == RESTORED

    def build(self, raw: bytes, now: datetime, latest: datetime | None = None) -> Built | Rejection:
        """Make the document of one event, or the rejection that keeps it whole where that is impossible.

        :param raw: the event's JSON, as Okta sent it
        :param now: the time of loading, in UTC
        :param latest: the latest ``published`` that can be; by default a day after ``now``
        """
        event: Any = None
        done: tuple[str, ...] = ()
        if self._redactor is not None:
            redacted = self._redactor.redact(raw)
            raw, done = redacted.event, redacted.done
        try:
            event = _decode(raw)
            return self._build(raw, event, now, latest or now + _FURTHEST_AHEAD, done)
        except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
            return _rejection(raw, event, "unreadable_event", str(error))
        except EventError as error:
            return _rejection(raw, event, error.kind, str(error))

    def _build(self, raw: bytes, event: Any, now: datetime, latest: datetime, done: tuple[str, ...]) -> Built:
        if type(event) is not dict:
            raise EventError("unreadable_event", "The event is no JSON object.")
        uuid = event.get("uuid")
        if type(uuid) is not str or not 0 < len(uuid.encode()) <= _LONGEST_ID:
            raise EventError("no_uuid", "The event has no usable `uuid`, which is what keeps it from being doubled.")
        for key in event:
            # OpenSearch reads a dot in a key as a step into an object: `oktalogger.org` would change ours.
            if key.startswith(_OWN_KEYS) and key.partition(".")[0] in _OWN_KEYS:
                raise EventError("reserved_field", f"The event has a field `{key}`, a name that the document needs.")
        published = parse_published(event.get("published"))
        if not _EARLIEST <= published <= latest:
            raise EventError(
                "impossible_published",
                f"The event's `published` is {event['published']:.80}: before 2009, or more than a day ahead.",
            )
        lateness = now - published
        added = {
            "ingested_at": _format_now(now),
            "lateness_ms": lateness // _MILLISECOND,
            "historical": self._restores or (self._marks_history and lateness > self._stamp.horizon),
            "published_hour": published.hour,
            "published_weekday": published.isoweekday(),
            **_lifted(event),
        }
        # A shorter event has no such text, and most are shorter.
        if len(raw) > LONGEST_KEYWORD and (paths := too_long(event)):
            added["too_long"] = paths
        if done:
            added["redacted"] = done
        if copies := shown(event, added):
            added["shown"] = copies
        line = _one_line(raw)
        source = b'%b,"oktalogger":%b,%b}' % (line[:-1], self._stamp_json, _encode(added)[1:])
        document = Document(uuid, self._names.month_index(published), source)
        return Built(document, published, len(line), None if line == raw else raw, done)


def _lifted(event: dict[str, Any]) -> dict[str, Any]:
    try:
        return lift(event)
    except Exception as error:  # a mistake of ours: it costs this event its place, and not the window all that follow
        raise EventError(
            "unliftable_event", f"oktalogger could not read it ({type(error).__name__}: {error}). Report that."
        ) from error


@lru_cache(maxsize=16)
def _format_now(now: datetime) -> str:
    """Write the time of loading, which a page's events share."""
    return format_instant(now)


def identity(raw: bytes) -> tuple[str | None, datetime | None]:
    """Return an event's uuid and when it was published, ``None`` for what it does not say."""
    try:
        event = _decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return None, None
    if type(event) is not dict:
        return None, None
    uuid = event.get("uuid")
    try:
        published = parse_published(event.get("published"))
    except EventError:
        published = None
    return (uuid if type(uuid) is str and uuid else None), published


def parse_published(value: Any) -> datetime:
    """Read ``published`` with any number of fraction digits.

    :raises EventError: if it is not an instant with a time zone
    """
    if type(value) is str:
        try:
            published = datetime.fromisoformat(value)
        except ValueError:
            published = None
        if published is not None and published.tzinfo is not None:
            try:
                return published.astimezone(UTC)
            except OverflowError as error:
                raise EventError(
                    "impossible_published", f"The event's `published` is {value:.80}, at the end of all years."
                ) from error
    raise EventError("no_published", f"The event's `published` is {value!r:.80}, which is no instant with a time zone.")


def _one_line(raw: bytes) -> bytes:
    # JSON strings hold no raw line breaks, so any that is there stands between tokens.
    line = raw.strip()
    return line if b"\n" not in line and b"\r" not in line else line.replace(b"\n", b" ").replace(b"\r", b" ")


def _rejection(raw: bytes, event: Any, kind: str, message: str) -> Rejection:
    known = event if type(event) is dict else {}
    uuid, published = known.get("uuid"), known.get("published")
    return Rejection(
        id=uuid if type(uuid) is str and uuid else None,
        reason_type=kind,
        reason=message,
        event=raw,
        published=published if type(published) is str else None,
        index=None,
    )
