"""When a bounded query's pages end: rules fed with one page after the other, without any I/O.

Okta documents that the last page of a bounded query has no ``next``, and that one follows ``next`` until then. Both
have been seen to fail, each way silently: a ``next`` that leads back to the same page for ever, and clients that take
a missing one for the end. So every doubtful end is verified once, by a query that begins at the last event known.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import msgspec

from oktalogger.okta.errors import OktaForeignLinkError, OktaPagingStuckError
from oktalogger.okta.origin import same_origin, without_user

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence


_QUOTED = r'"(?:[^"\\]|\\.)*"'
# A target, then its parameters up to the comma that begins the next link; commas in quotes do not count.
_LINK = re.compile(rf'<([^<>]*)>((?:[^,"<]|{_QUOTED})*)')
_PARAMETER = re.compile(rf";\s*([^\s=;]+)\s*(?:=\s*({_QUOTED}|[^\s;]*))?")
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Link:
    """One link: its target exactly as sent, and its relation types in lower case."""

    target: str
    relations: frozenset[str]


def parse_links(header_values: Iterable[str]) -> Iterator[Link]:
    """Yield the links of any number of ``Link`` header values; what cannot be read as a link is passed over."""
    for value in header_values:
        for target, parameters in _LINK.findall(value):
            yield Link(target, _relations(parameters))


def next_link(header_values: Iterable[str], *, origin: str) -> str | None:
    """Return the first ``rel="next"`` target, exactly as sent, or None when there is none.

    :param header_values: each ``Link`` header line, or lines joined by commas.
    :param origin: ``scheme://host`` that a target without them (``/api/v1/logs?...``) belongs to.
    """
    for link in parse_links(header_values):
        if "next" in link.relations:
            relative = link.target.startswith("/") and not link.target.startswith("//")
            return origin + link.target if relative else link.target
    return None


def refuse_foreign_link(next_url: str, origin: str) -> None:
    """Raise if a ``next`` link leads away from the org.

    :param origin: the org's ``scheme://host[:port]``.
    :raises OktaForeignLinkError: when the link is of another origin.
    """
    if not same_origin(next_url, origin):
        raise OktaForeignLinkError(
            f"Okta's next link leads to {without_user(next_url).partition('?')[0]}, not to {origin}. It is not "
            "followed, because the token would go there.",
            advice="If that is your org's own address, set it as the org URL in the connection; if not, find out what "
            "answers in Okta's place.",
        )


def _relations(parameters: str) -> frozenset[str]:
    for name, value in _PARAMETER.findall(parameters):
        if name.lower() == "rel":  # the first one counts, RFC 8288 section 3.3
            if value.startswith('"'):
                value = _ESCAPED.sub(r"\1", value[1:-1])
            return frozenset(value.lower().split())
    return frozenset()


@dataclass(frozen=True, slots=True)
class PagingSettings:
    """Bounds of paging.

    :param max_pages: pages of one query at most; more raise OktaPageLimitError.
    :param max_pages_without_progress: pages in a row without a new event that are followed before verifying.
    """

    max_pages: int = 10_000
    max_pages_without_progress: int = 3


@dataclass(frozen=True, slots=True)
class PageResult:
    """What follows from a page: the events to hand on, where to go on (None: nowhere), and why, if it is unusual."""

    events: Sequence[msgspec.Raw]
    next_url: str | None
    note: str | None = None


class _Key(msgspec.Struct):
    """All that paging looks at in an event."""

    published: datetime
    uuid: str


_key_decoder = msgspec.json.Decoder(_Key)


class Pager:
    """The state between the pages of one bounded, ascending query.

    :param origin: the org's own; a ``next`` to any other is refused.
    :param since: the query's beginning, where verifying starts when no event is known.
    :param until: the query's end.
    :param limit: the page size asked for.
    :param query_url: makes the URL of the same query with another beginning.
    """

    def __init__(
        self,
        *,
        origin: str,
        since: datetime,
        until: datetime,
        limit: int,
        query_url: Callable[[datetime], str],
        settings: PagingSettings | None = None,
    ) -> None:
        self._origin = origin
        self._until = until
        self._limit = limit
        self._query_url = query_url
        self._settings = settings or PagingSettings()
        self._requested: set[str] = set()
        # The newest millisecond that held an event, and what it held: `published` has milliseconds, and many events
        # share one, so a query from there brings known events again.
        self._newest = _to_millisecond(since)
        self._newest_ids: set[str | bytes] = set()
        self._without_progress = 0
        self._verifying: str | None = None  # why, while a verifying query is under way
        self._verifying_pages = 0
        self._verifying_empty = 0
        self._verifying_met = False  # whether an event came that was known: where this query begins there must be one

    def feed(self, url: str, events: Sequence[msgspec.Raw], next_url: str | None) -> PageResult:
        """Take one page and return what follows from it.

        :param url: what was requested.
        :param next_url: the page's ``next``, exactly as given.
        :raises OktaForeignLinkError: when ``next`` leads to another origin.
        :raises OktaPagingStuckError: when nothing but known events come, in full pages, or when verifying does not
            even bring the events that are known.
        """
        self._requested.add(url)
        if next_url is not None:
            refuse_foreign_link(next_url, self._origin)
        full = len(events) >= _limit_of(url, self._limit)
        if self._verifying is not None:
            return self._feed_verifying(events, next_url, full)
        progress = self._take(events)
        self._without_progress = 0 if progress else self._without_progress + 1
        return self._decide(events, next_url, full)

    def _decide(self, events: Sequence[msgspec.Raw], next_url: str | None, full: bool) -> PageResult:
        if events and self._is_past_end(events):
            note = None if next_url is None else "a page held only events past the end"
            return PageResult(events, None, note)
        if next_url is None:
            return self._verify(events, "a full page came without a next link") if full else PageResult(events, None)
        if next_url in self._requested:
            return self._verify(events, "the next link leads to a page already read")
        if self._without_progress >= self._settings.max_pages_without_progress:
            return self._verify(events, f"{self._without_progress} pages in a row held nothing new")
        return PageResult(events, next_url)

    def _verify(self, events: Sequence[msgspec.Raw], reason: str) -> PageResult:
        if self._newest >= self._until:
            return PageResult(events, None, f"{reason}, at the end of what was asked for")
        self._verifying = reason
        self._verifying_pages = self._verifying_empty = 0
        self._verifying_met = not self._newest_ids
        return PageResult(events, self._query_url(self._newest), f"{reason}: asking again from the last event")

    def _feed_verifying(self, events: Sequence[msgspec.Raw], next_url: str | None, full: bool) -> PageResult:
        reason = self._verifying
        new = [event for event in events if self._is_new(event)]
        if new:
            self._take(new)
            self._verifying = None
            self._without_progress = 0
            return self._decide(new, next_url, full)
        self._verifying_met = self._verifying_met or bool(events)
        self._verifying_empty = 0 if events else self._verifying_empty + 1
        followable = next_url is not None and next_url not in self._requested
        hiccup = not events and self._verifying_empty < self._settings.max_pages_without_progress
        if hiccup and self._newest_ids and followable:
            return PageResult([], next_url)
        if not self._verifying_met:
            raise OktaPagingStuckError(
                f"Paging ends at {self._newest.isoformat()}: {reason}, and asking again from there does not even bring "
                "the event that was read there before. What follows may be missing.",
                advice="Try again later; if it stays so, tell Okta's support.",
            )
        if not full:
            return PageResult([], None, f"{reason}; asked again from the last event: nothing is missing")
        # Full of what is known: more events than a page holds share one millisecond. All of them may come once more.
        self._verifying_pages += 1
        known_pages = len(self._newest_ids) // len(events) + 1
        if not followable or self._verifying_pages > known_pages:
            raise OktaPagingStuckError(
                f"Paging is stuck at {self._newest.isoformat()}: {reason}, and asking again from there brings a full "
                f"page of {len(events)} events that are all known. What follows cannot be reached.",
                advice="Try again later; if it stays so, narrow the request with a filter and tell Okta's support.",
            )
        return PageResult([], next_url)

    def _take(self, events: Sequence[msgspec.Raw]) -> bool:
        """Note the page's last millisecond and what it held; return whether the page held anything new."""
        newest: datetime | None = None
        ids: set[str | bytes] = set()
        for event in reversed(events):
            published, identity = _key_of(event)
            if published is not None and newest is not None and published != newest:
                break
            newest = newest or published
            ids.add(identity)  # also of an event that names no time: it must not look new for ever
        if newest is not None and newest > self._newest:
            self._newest, self._newest_ids = newest, ids
            return True
        if newest is not None and newest < self._newest:
            return False
        progress = not ids <= self._newest_ids
        self._newest_ids |= ids
        return progress

    def _is_new(self, event: msgspec.Raw) -> bool:
        published, identity = _key_of(event)
        if published is not None and published != self._newest:
            return published > self._newest
        return identity not in self._newest_ids

    def _is_past_end(self, events: Sequence[msgspec.Raw]) -> bool:
        # Pages are in order, so the first event settles it nearly always; an out-of-order one must not.
        for event in events:
            published, _ = _key_of(event)
            if published is None or published < self._until:
                return False
        return True


def _key_of(event: msgspec.Raw) -> tuple[datetime | None, str | bytes]:
    """Return an event's millisecond, None when it names none, and what identifies it."""
    try:
        key = _key_decoder.decode(event)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None, bytes(event)
    published = key.published if key.published.tzinfo else key.published.replace(tzinfo=UTC)
    return _to_millisecond(published), key.uuid


def _to_millisecond(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _limit_of(url: str, default: int) -> int:
    """Return the page size that a URL asks for: a saved ``next`` may stem from other settings."""
    values = parse_qs(urlsplit(url).query).get("limit", [])
    return int(values[-1]) if values and values[-1].isdecimal() and int(values[-1]) > 0 else default
