"""Holds the counts of a load, and where it stands after each page."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from oktalogger.pipeline.lateness import Lateness
from oktalogger.window import format_instant

if TYPE_CHECKING:
    from datetime import datetime

    from oktalogger.pipeline.archive.records import Listing


@dataclass(slots=True)
class LoadResult:
    """Counts of a load, or of one so far.

    :param pages: pages read and stored
    :param requests: requests to Okta that these cost, retries included
    :param read: events that Okta sent
    :param created: documents that were not in OpenSearch before
    :param existing: events that were already there, or came twice
    :param rejected: events kept in the index of rejected ones
    :param drifted: events stored without the parts that do not fit the mapping; these stand beside them as text
    :param altered: events that were already there and say something else than Okta, if that was compared
    :param outside: events that Okta sent although they lie outside the range that was asked for; stored all the same
    :param late: documents created although an earlier load of their time was complete
    :param retried: documents sent again because OpenSearch was overloaded or out of reach
    :param bytes_read: bytes of Okta's answers
    :param bytes_sent: bytes of bulk bodies
    :param waits: pages that had to wait for Okta's rate limit or between retries
    :param waited_seconds: time spent waiting for Okta's rate limit and between retries
    :param seconds: time of the whole load
    :param loading_since: since when tries that came to no end may have stored parts of this, as the ledger says
    :param rate_limit: requests a minute that Okta allows, as its last answer said
    :param rate_remaining: the fewest of them that an answer left for everybody
    :param late_max_seconds: greatest time between ``published`` and loading of a late document
    :param missed_seconds: longest time that a late document was not there though its window was complete
    :param lateness: time between ``published`` and loading of the documents that were created
    :param older_than_kept: whether a part of the window is older than Okta keeps, so that events may be missing
    :param restarted: whether a cursor failed, so that the window was read from its start after all
    :param first_published: earliest ``published`` that was stored
    :param last_published: latest ``published`` that was stored
    :param indices: UUID of each index that it wrote to
    :param stored: how many different events of the window, of each hour, are in the index by it
    :param counted_until: when the last page was made ready that is in these counts
    :param archived: what is in the archive by it and by the tries on which it builds; None without an archive
    :param notes: what was unusual, in sentences
    """

    pages: int = 0
    requests: int = 0
    read: int = 0
    created: int = 0
    existing: int = 0
    rejected: int = 0
    drifted: int = 0
    altered: int = 0
    outside: int = 0
    late: int = 0
    retried: int = 0
    bytes_read: int = 0
    bytes_sent: int = 0
    waits: int = 0
    waited_seconds: float = 0.0
    seconds: float = 0.0
    loading_since: datetime | None = None
    rate_limit: int | None = None
    rate_remaining: int | None = None
    late_max_seconds: float = 0.0
    missed_seconds: float = 0.0
    lateness: Lateness = field(default_factory=Lateness)
    older_than_kept: bool = False
    restarted: bool = False
    first_published: datetime | None = None
    last_published: datetime | None = None
    indices: dict[str, str] = field(default_factory=dict)
    stored: dict[str, int] = field(default_factory=dict)
    counted_until: datetime | None = None
    archived: Listing | None = None
    notes: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return the counts as plain JSON values; instants as text."""
        values = {name.name: getattr(self, name.name) for name in fields(self)}
        for name in ("loading_since", "first_published", "last_published"):
            if values[name] is not None:
                values[name] = format_instant(values[name])
        for name in ("waited_seconds", "seconds", "late_max_seconds", "missed_seconds"):
            values[name] = round(values[name], 3)
        values["lateness"] = self.lateness.as_dict()
        # For the ledger: it says what may be built upon.
        del values["indices"], values["stored"], values["counted_until"]
        values["archived"] = self.archived.events if self.archived else 0
        return values


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a load stands after one more page was safely stored.

    :param result: the counts so far; the same object throughout a load
    :param next_url: the link to resume from, ``None`` after the last page
    :param done: share of the window that lies behind, 0 to 1, by ``published``
    """

    result: LoadResult
    next_url: str | None
    done: float
