"""The query parameters of ``GET /api/v1/logs``, read and refused as Okta does.

What Okta leaves unsaid and this file settles: a limit outside 0..1000, an unknown order and ``since`` after ``until``
are validation errors (E0000001), a ``since`` in the future is E0000053, both ends of a bounded query are inclusive.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from local.simulator.errors import bad_request, invalid
from local.simulator.query import cursor, keywords
from local.simulator.query import filter as filters
from local.simulator.world.event import DAY, microseconds

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_LIMIT = 100
MOST = 1000
_WEEK = 7 * DAY
_OLDEST = 180 * DAY


@dataclass(frozen=True, slots=True)
class Query:
    """A query that holds. Instants are microseconds since 1970."""

    polling: bool
    since_us: int
    until_us: int
    limit: int
    descending: bool
    after: cursor.Bounded | cursor.Polling | None
    filter: filters.Expression | None
    keywords: tuple[str, ...]

    @property
    def selection(self) -> object | None:
        """What picks events, as a key of caches; ``None`` if every event is wanted."""
        return (self.filter, self.keywords) if self.filter or self.keywords else None


def _moment(name: str, text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise invalid(
            name,
            "The date format in your query is not recognized. Please enter dates using ISO8601 string format.",
            "must be a valid date-time or empty.",
        ) from None
    return microseconds(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _limit(text: str) -> int:
    try:
        limit = int(text)
    except ValueError:
        raise invalid("limit", "must be a number.") from None
    if not 0 <= limit <= MOST:
        raise invalid("limit", f"must be between 0 and {MOST}.")
    return limit


def read(given: Mapping[str, str], now_us: int, key: bytes) -> Query:
    """Read the parameters.

    :param given: the decoded query string; parameters that are not known are ignored
    :param key: signs cursors
    :raises ApiError: as Okta refuses
    """
    order = given.get("sortOrder") or "ASCENDING"
    if order.upper() not in ("ASCENDING", "DESCENDING"):
        raise invalid("sortOrder", "must be ASCENDING or DESCENDING.")
    descending = order.upper() == "DESCENDING"
    limit = _limit(given.get("limit") or str(DEFAULT_LIMIT))
    polling = not given.get("until") and not descending
    until = _moment("until", given["until"]) if given.get("until") else now_us
    after = cursor.read(given["after"], key) if given.get("after") else None
    if after is not None and isinstance(after, cursor.Polling) != polling:
        raise invalid("after", "is not a cursor of this query.")
    if isinstance(after, cursor.Polling) and given.get("since"):
        raise invalid("since", "cannot be combined with 'after'.")
    since = _moment("since", given["since"]) if given.get("since") else until - _WEEK
    if since < now_us // DAY * DAY - _OLDEST:
        raise bad_request("Invalid parameter: The since parameter is over 180 days prior to the current day.")
    if given.get("since") and since > now_us:
        raise bad_request("Invalid parameter: The since parameter is in the future.")
    if since > until:
        raise invalid("since", "must not be after 'until'.")
    return Query(
        polling=polling,
        since_us=since,
        until_us=until,
        limit=limit,
        descending=descending,
        after=after,
        filter=filters.parse(given["filter"]) if given.get("filter") else None,
        keywords=keywords.read(given["q"]) if given.get("q") else (),
    )
