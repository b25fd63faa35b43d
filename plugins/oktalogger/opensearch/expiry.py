"""Deletes what is older than it is to be kept from the indices beside the months.

Index State Management deletes whole indices. These are one index each, because the id of a rejected event, a match or a
window must be one over all time. So single documents are deleted here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from oktalogger.opensearch.errors import OpenSearchSettingsError
from oktalogger.opensearch.rebuild import count_of, rebuild
from oktalogger.opensearch.request import call
from oktalogger.window import format_instant

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from opensearchpy import OpenSearch

    from oktalogger.opensearch.names import IndexNames
    from oktalogger.settings import Settings

FEWEST_LEDGER_DAYS: Final = 100


@dataclass(frozen=True, slots=True)
class Expired:
    """What is too old in one index.

    :param index: the index
    :param days: for how many days documents are kept
    :param time_field: by which time
    :param older: how many documents are older
    :param append_only: whether they can only be left out of a rebuilt index
    """

    index: str
    days: int
    time_field: str
    older: int
    append_only: bool

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {"index": self.index, "days": self.days, "older": self.older}


def expired(client: OpenSearch, names: IndexNames, settings: Settings, *, now: datetime) -> tuple[Expired, ...]:
    """Count what is older than the settings keep it; an index that is kept for ever is left out.

    :param client: the client of an administrator
    :param names: the names of the deployment
    :param settings: how long to keep what
    :param now: the present
    :raises OpenSearchSettingsError: if the ledger is to be kept for less time than loads need it
    :raises OpenSearchLoadError: if it cannot be counted
    """
    if 0 < settings.ledger_days < FEWEST_LEDGER_DAYS:
        raise OpenSearchSettingsError(
            f"OKTALOGGER_LEDGER_DAYS={settings.ledger_days} is below {FEWEST_LEDGER_DAYS}: reconcile would read again "
            "what was loaded, because Okta keeps 90 days. Set it to 100 or more, or to 0."
        )
    kept = (
        (names.rejected, settings.rejected_days, "at", True),
        (names.matches, settings.matches_days, "found_at", False),
        (names.ledger, settings.ledger_days, "window_end", False),
    )
    there = {index for index, *_ in kept if client.indices.exists(index=index)}
    return tuple(
        Expired(index, days, field, count_of(client, index, _older(field, days, now)), append_only)
        for index, days, field, append_only in kept
        if days and index in there
    )


def delete_expired(client: OpenSearch, found: Iterable[Expired], *, now: datetime) -> None:
    """Delete what is too old. Loads may go on.

    :param client: the client of an administrator
    :param found: as :func:`expired` returns it
    :param now: the present, as it was given there
    :raises OpenSearchLoadError: if OpenSearch refuses; doing it again does the rest
    """
    for one in found:
        older = _older(one.time_field, one.days, now)
        if not one.older:
            continue
        if one.append_only:
            keep = {"bool": {"must_not": [older]}}
            rebuild(client, one.index, {}, time_field=one.time_field, keep=keep)
            continue
        call(
            client,
            "POST",
            f"/{one.index}/_delete_by_query",
            doing=f"to delete what is older than {one.days} days from {one.index}",
            index=one.index,
            params={"conflicts": "proceed", "refresh": "true"},
            body={"query": older},
        )


def _older(field: str, days: int, now: datetime) -> dict[str, Any]:
    return {"range": {field: {"lt": format_instant(now - timedelta(days=days))}}}
