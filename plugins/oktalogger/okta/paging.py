"""Decides when the pages of a bounded query end. Its rules are fed one page after the other, without any I/O.

Okta documents that the last page of a bounded query has no ``next``, and that one follows ``next`` until then. Both
have been seen to fail, each way silently: a ``next`` that leads back to the same page for ever, and clients that take
a missing one for the end. So every doubtful end is verified once, by a query that begins at the last event known.

Okta says that a bounded query is in order of ``published``, and no end is decided by that: a page makes progress by
events that were not seen before, whatever their times. Where events came out of order, verifying begins earlier by the
greatest step back that was seen.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import msgspec

from oktalogger.okta.errors import OktaForeignLinkError, OktaPagingStuckError
from oktalogger.okta.origin import same_origin, without_user
from oktalogger.okta.seen import SeenIdentities

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
    :raises OktaForeignLinkError: if the link is of another origin.
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
    :param max_pages_without_progress: pages in a row without a new event of the window that are followed before
        verifying.
    """

    max_pages: int = 10_000
    max_pages_without_progress: int = 3


@dataclass(frozen=True, slots=True)
class PageResult:
    """What follows from a page.

    :param events: the events to hand on.
    :param next_url: where to go on; None: nowhere.
    :param note: why, if it is unusual.
    :param repeated: positions of those events that came before.
    """

    events: Sequence[msgspec.Raw]
    next_url: str | None
    note: str | None = None
    repeated: frozenset[int] = frozenset()


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
    :param seen: events that queries of the same reading have brought; this one's are added.
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
        seen: SeenIdentities | None = None,
    ) -> None:
        self._origin = origin
        self._since = _to_millisecond(since)
        self._until = until
        self._limit = limit
        self._query_url = query_url
        self._settings = settings or PagingSettings()
        self._requested: set[str] = set()
        self._seen = SeenIdentities() if seen is None else seen
        self._known = 0  # different events that this query brought first
        # The newest millisecond of the window that held an event, and how many: `published` has milliseconds, and many
        # events share one, so a query from there brings known events again.
        self._newest = self._since
        self._in_newest = 0
        self._step_back = timedelta(0)  # the furthest that an event came behind a newer one; 0: all came in order
        self._without_progress = 0
        self._verifying: str | None = None  # why, while a verifying query is under way
        self._verifying_full = 0
        self._verifying_short = 0  # pages in a row
        self._verifying_met = False  # whether an event came that was known: where this query begins there must be one

    @property
    def reached(self) -> datetime:
        """The instant up to which everything has been read, as far as that can be told: a query may begin there."""
        return max(self._since, self._newest - self._step_back)

    def feed(self, url: str, events: Sequence[msgspec.Raw], next_url: str | None) -> PageResult:
        """Take one page and return what follows from it.

        :param url: what was requested.
        :param next_url: the page's ``next``, exactly as given.
        :raises OktaForeignLinkError: if ``next`` leads to another origin.
        :raises OktaPagingStuckError: if nothing but known events come, in full pages, or if verifying does not
            even bring the events that are known.
        """
        self._requested.add(url)
        if next_url is not None:
            refuse_foreign_link(next_url, self._origin)
        full = len(events) >= _limit_of(url, self._limit)
        taken = self._take(events)
        if taken.progress:
            self._without_progress = 0
        else:
            self._without_progress += 1
        if self._verifying is None:
            return replace(self._decide(events, next_url, full), repeated=taken.repeated)
        if taken.progress:
            self._verifying = None
            return self._decide(taken.unseen, next_url, full)
        self._verifying_met = self._verifying_met or len(taken.unseen) < len(events)
        return self._go_on_verifying(taken, next_url, full and not taken.past_end, len(events))

    def _decide(self, events: Sequence[msgspec.Raw], next_url: str | None, full: bool) -> PageResult:
        if next_url is None:
            return self._verify(events, "a full page came without a next link") if full else self._end(events)
        if next_url in self._requested:
            return self._verify(events, "the next link leads to a page already read")
        if self._without_progress >= self._settings.max_pages_without_progress:
            return self._verify(events, f"{self._without_progress} pages in a row held nothing new of the window")
        return PageResult(events, next_url)

    def _verify(self, events: Sequence[msgspec.Raw], reason: str) -> PageResult:
        self._verifying = reason
        self._verifying_full = self._verifying_short = 0
        self._verifying_met = not self._known
        return PageResult(events, self._query_url(self.reached), f"{reason}: asking again from {self._where()}")

    def _go_on_verifying(self, taken: _Taken, next_url: str | None, full: bool, size: int) -> PageResult:
        """Judge a page of a verifying query that held nothing new of the window."""
        followable = next_url is not None and next_url not in self._requested
        if self._is_patient(full, size) and followable:
            return PageResult(taken.unseen, next_url)
        reason = self._verifying
        if not self._verifying_met:
            raise OktaPagingStuckError(
                f"Paging ends at {self._newest.isoformat()}: {reason}, and asking again from there does not even bring "
                "the event that was read there before. What follows may be missing.",
                advice="Try again later; if it stays so, tell Okta's support.",
            )
        if not full:
            return self._end(taken.unseen, f"{reason}; asked again from {self._where()}: nothing is missing")
        if self._step_back and next_url is None:
            return self._end(taken.unseen, f"{reason}, twice: the window's end is believed to be there")
        # Full of what is known: more events than a page holds share one millisecond.
        raise OktaPagingStuckError(
            f"Paging is stuck at {self._newest.isoformat()}: {reason}, and asking again from {self._where()} brings a "
            f"full page of {size} events that are all known. What follows cannot be reached.",
            advice="Try again later; if it stays so, narrow the request with a filter and tell Okta's support.",
        )

    def _is_patient(self, full: bool, size: int) -> bool:
        """Count a page of a verifying query that held nothing new, and tell whether the next may be asked for."""
        if not full:
            self._verifying_short += 1
            return self._known > 0 and self._verifying_short < self._settings.max_pages_without_progress
        self._verifying_short = 0
        self._verifying_full += 1
        # All that is known from there on may come once more.
        known = self._known if self._step_back else self._in_newest
        return self._verifying_full <= known // size + 1

    def _end(self, events: Sequence[msgspec.Raw], note: str | None = None) -> PageResult:
        if self._step_back:
            disorder = f"events came out of order, by up to {self._step_back.total_seconds():g} s"
            note = f"{note} ({disorder})" if note else disorder
        return PageResult(events, None, note)

    def _where(self) -> str:
        if not self._step_back:
            return "the last event"
        return f"{self._step_back.total_seconds():g} s before the last event, because events came out of order"

    def _take(self, events: Sequence[msgspec.Raw]) -> _Taken:
        """Remember the events of a page, and how far it has come."""
        unseen: list[msgspec.Raw] = []
        repeated: list[int] = []
        progress = past_end = False
        for position, event in enumerate(events):
            published, identity = _key_of(event)
            is_past = published is not None and published >= self._until
            past_end = past_end or is_past
            if not self._seen.add(identity):
                repeated.append(position)
                continue
            self._known += 1
            unseen.append(event)
            # A server that goes on behind the end for ever must not be followed for ever.
            progress = progress or not is_past
            if published is None or published == self._newest:
                self._in_newest += 1
            elif published > self._newest and not is_past:
                self._newest, self._in_newest = published, 1
            elif self._since <= published < self._newest:
                self._step_back = max(self._step_back, self._newest - published)
        return _Taken(unseen, frozenset(repeated), progress, past_end)


@dataclass(frozen=True, slots=True)
class _Taken:
    """What a page held.

    :param unseen: events that no page before it had.
    :param repeated: positions of the others.
    :param progress: whether one of them is not past the window's end.
    :param past_end: whether any event of the page is.
    """

    unseen: Sequence[msgspec.Raw]
    repeated: frozenset[int]
    progress: bool
    past_end: bool


def _key_of(event: msgspec.Raw) -> tuple[datetime | None, bytes]:
    """Return an event's millisecond, None when it names none, and what identifies it."""
    try:
        key = _key_decoder.decode(event)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None, bytes(event)
    published = key.published if key.published.tzinfo else key.published.replace(tzinfo=UTC)
    return _to_millisecond(published), key.uuid.encode()


def _to_millisecond(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _limit_of(url: str, default: int) -> int:
    """Return the page size that a URL asks for: a saved ``next`` may stem from other settings."""
    values = parse_qs(urlsplit(url).query).get("limit", [])
    return int(values[-1]) if values and values[-1].isdecimal() and int(values[-1]) > 0 else default
