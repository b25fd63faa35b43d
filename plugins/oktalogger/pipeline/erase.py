"""Finds everything that names one person in the indices of a deployment, and takes the person out of it."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from oktalogger.opensearch.bulk import BulkWriter
from oktalogger.opensearch.documents import Document, Revision
from oktalogger.opensearch.errors import IndexMissingError, OpenSearchPermissionError
from oktalogger.opensearch.existing import read_indices
from oktalogger.opensearch.rebuild import finish, rebuild, unfinished
from oktalogger.opensearch.request import call, refresh
from oktalogger.opensearch.scroll import scroll_hits
from oktalogger.pipeline.erasure import Erasure, Person, known_of, without, without_event, without_texts
from oktalogger.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from opensearchpy import OpenSearch

    from oktalogger.opensearch.names import IndexNames

log = logging.getLogger(__name__)

ALERTS: Final = ".opendistro-alerting-alert*"
_BATCH: Final = 1000


def erase(
    client: OpenSearch,
    names: IndexNames,
    user: str,
    *,
    logins: Iterable[str] = (),
    dry_run: bool = True,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Erasure:
    """Take a person out of all events, rejected events, matches, entries of the ledger and alerts.

    Every document is read, because a person may stand in a text that no search sees. Doing it again changes nothing.

    :param client: a client that may do everything with the indices
    :param names: the names of the deployment
    :param user: Okta's id of the person
    :param logins: logins and mail addresses besides those that the events tell
    :param dry_run: only find
    :param clock: tells the time
    :return: what was found and done
    :raises OpenSearchLoadError: if OpenSearch refuses; what was done so far stays, and the rest can be done again
    """
    refresh(client, f"{names.prefix}*,{names.matches}", doing="to see what was just stored")
    begun = [index for pattern in (names.month_pattern, names.rejected) for index in unfinished(client, pattern)]
    result = Erasure(Person(user), dry_run=dry_run)
    for index in begun:
        if dry_run:
            result.unseen.append(
                f"An earlier run ended while it replaced {index}: run this with --confirm to finish that."
            )
        else:
            finish(client, index)
    person = result.person = known_of(user, _of_the_id(client, names, user), logins)
    log.info("Looking for %s, known as: %s.", user, ", ".join(map(one_line, (*person.logins, *person.names))))
    # The months come last: whom they name tells what the person is called, to a run that goes on where this one ends.
    for index in (names.matches, names.ledger):
        _update(client, index, result)
    _alerts(client, result)
    _rebuild(client, names.rejected, result, lambda one: without_event(person, one, clock()), "at")
    for index in sorted(name for name in read_indices(client, [names.month_pattern]) if names.is_month(name)):
        _rebuild(client, index, result, lambda one: without(person, one, clock()), "oktalogger.ingested_at")
    return result


def _of_the_id(client: OpenSearch, names: IndexNames, user: str) -> Iterable[Mapping[str, Any]]:
    fields = ("actor.id", "oktalogger.target.any.id")
    query = {"bool": {"should": [{"term": {field: user}} for field in fields], "minimum_should_match": 1}}
    return (hit["_source"] for hit in _hits(client, names.alias, query))


def _hits(client: OpenSearch, index: str, query: Mapping[str, Any] | None = None) -> Iterator[dict[str, Any]]:
    """Yield the documents of an index; of one that does not exist, none."""
    try:
        for page in scroll_hits(client, index, query=query):
            yield from page
    except IndexMissingError:
        return


def _naming(client: OpenSearch, index: str, person: Person) -> list[dict[str, Any]]:
    marks = person.marks
    return [hit for hit in _hits(client, index) if marks.search(msgspec.json.encode(hit["_source"]).decode())]


def _rebuild(
    client: OpenSearch,
    index: str,
    result: Erasure,
    change: Callable[[Mapping[str, Any]], bytes],
    time_field: str,
) -> None:
    hits = _naming(client, index, result.person)
    parts = {str(hit["_source"].get("uuid")) for hit in hits if hit["_source"].get("parts", 1) > 1}
    if parts:  # a large rejected event is kept in several documents, and a name may be cut in two
        query = {"terms": {"uuid": sorted(parts)}}
        hits = list({hit["_id"]: hit for hit in (*hits, *_hits(client, index, query))}.values())
    result.found[index] = len(hits)
    log.info("%s: %d documents name the person.", index, len(hits))
    if not hits or result.dry_run:
        return
    done = rebuild(client, index, {hit["_id"]: change(hit["_source"]) for hit in hits}, time_field=time_field)
    result.before[index], result.after[index] = done.before, done.after
    log.info("%s was rebuilt: %d documents before, %d after.", index, done.before, done.after)
    if left := len(_naming(client, index, result.person)):
        result.left[index] = left


def _update(client: OpenSearch, index: str, result: Erasure) -> None:
    hits = _naming(client, index, result.person)
    result.found[index] = len(hits)
    log.info("%s: %d documents name the person.", index, len(hits))
    if not hits or result.dry_run:
        return
    updates = [
        Document(
            hit["_id"],
            index,
            msgspec.json.encode({"doc": without_texts(result.person, hit["_source"])}),
            action="update",
            read=Revision(hit["_seq_no"], hit["_primary_term"]),
        )
        for hit in hits
    ]
    BulkWriter(client).write(updates)
    refresh(client, index, doing="to see what was just changed")
    if left := len(_naming(client, index, result.person)):
        result.left[index] = left


def _alerts(client: OpenSearch, result: Erasure) -> None:
    """Delete the alerts that name the person; an alert is a copy of what its monitor found, and says nothing more."""
    try:
        hits = _naming(client, ALERTS, result.person)
        result.alerts = len(hits)
        if result.dry_run:
            return
        for start in range(0, len(hits), _BATCH):
            ids = [hit["_id"] for hit in hits[start : start + _BATCH]]
            call(
                client,
                "POST",
                f"/{ALERTS}/_delete_by_query",
                doing="to delete alerts",
                params={"refresh": "true", "conflicts": "proceed"},
                body={"query": {"ids": {"values": ids}}},
            )
    except OpenSearchPermissionError as error:
        result.unseen.append(
            f"The alerts of the Alerting plugin ({ALERTS}) could not be looked at ({error.reason}): they are system "
            "indices, so run this with the administrator's certificate."
        )
