"""Rebuilds an append-only index with some documents changed or left out, under its own name and beside running loads.

OpenSearch can neither change documents of an append-only index nor rename an index. So the index is copied, and the
copy becomes the index. No event is lost on the way, whatever a load does and whenever this ends:

1. The copy is made while loads go on: the changed documents first, then, on the server, all others.
2. Writes to the index are blocked. A load waits for that, up to its half minute, and then fails its try.
3. What came since step 1 is copied, and both are counted. The copy is sealed: from here on it holds everything.
4. The index is deleted, and the copy cloned under its name, with its aliases. A load that meets this second fails its
   try, because the alias that it writes through is gone. One that had written before finds another UUID at its end, and
   reads its window again (:mod:`oktalogger.pipeline.recorded_load`).

A load's next try may have made the month anew in step 4. Then the documents are copied into that index.
Ended before the index is deleted, the index is as it was, but for the block, and the next call begins anew. Ended after
that, the next call goes on from the sealed copy.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from oktalogger.opensearch.bulk import BulkWriter
from oktalogger.opensearch.documents import Document
from oktalogger.opensearch.errors import IndexConflictError, OpenSearchLoadError, OpenSearchRequestError
from oktalogger.opensearch.request import call, search
from oktalogger.window import format_instant

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opensearchpy import OpenSearch

log = logging.getLogger(__name__)

_PAGE: Final = 1000
_ALL: Final[dict[str, Any]] = {"match_all": {}}
_CLOCKS_DIFFER: Final = timedelta(minutes=10)
_MOST_WAITS: Final = 600
_ORIGIN: Final = "rebuilt_from"
_COPY: Final = "rebuilt-"
# Of an index, what OpenSearch gives to each by itself.
_NOT_COPIED: Final = ("uuid", "provided_name", "creation_date", "version", "resize", "routing", "blocks", "history")
_TAKEN: Final = "resource_already_exists_exception"


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild did.

    :param index: the index
    :param before: how many documents it held when writes were blocked
    :param after: how many it holds now; a load that made the month anew meanwhile may have added some
    :param changed: how many of them were changed
    """

    index: str
    before: int
    after: int
    changed: int


def copy_name(index: str) -> str:
    """Return the name of the copy of an index. No template, alias or role of ours covers it."""
    return f"{_COPY}{index}"


def count_of(client: OpenSearch, index: str, query: Mapping[str, Any] = _ALL) -> int:
    """Return how many documents an index holds, the newest included.

    :param client: the client
    :param index: the index
    :param query: which documents; by default all
    :raises OpenSearchLoadError: if it cannot be counted
    """
    call(client, "POST", f"/{index}/_refresh", doing=f"to refresh {index}", index=index)
    # Not `_count`, which leaves out what missing shards hold without a word: their documents would be deleted.
    body = {"size": 0, "track_total_hits": True, "query": query}
    return int(search(client, index, body, doing=f"to count {index}", may_be_absent=False)["hits"]["total"]["value"])


def unfinished(client: OpenSearch, pattern: str) -> tuple[str, ...]:
    """Return the indices that an earlier rebuild deleted, and whose sealed copies must be put in place.

    :param client: the client
    :param pattern: the pattern of their names
    :raises OpenSearchLoadError: if it cannot be asked
    """
    copies = _states(client, copy_name(pattern))
    names = {copy.removeprefix(_COPY): state for copy, state in copies.items() if _origin(state)}
    there = _states(client, pattern) if names else {}
    return tuple(sorted(index for index, state in names.items() if _is_orphan(state, there.get(index))))


def rebuild(
    client: OpenSearch,
    index: str,
    changed: Mapping[str, bytes],
    *,
    time_field: str,
    keep: Mapping[str, Any] = _ALL,
    sleep: Callable[[float], None] = time.sleep,
) -> Rebuilt:
    """Rebuild an index with some documents changed or left out.

    :param client: a client that may do everything with the index
    :param index: the index
    :param changed: the new JSON of the documents to change, by id
    :param time_field: the field that says when a document was stored
    :param keep: a query for the documents to keep; by default all
    :param sleep: waits that many seconds
    :raises IndexConflictError: if the copy does not come to hold what the index holds; the index is as it was
    :raises OpenSearchLoadError: if OpenSearch refuses
    """
    copy = copy_name(index)
    original = _states(client, index)[index]
    began = datetime.now(UTC) - _CLOCKS_DIFFER
    _remove(client, copy)
    _make_copy(client, copy, original)
    try:
        _write(client, copy, changed, sleep)
        _copy(client, index, copy, keep, sleep)
        _block(client, index, blocked=True)
        since = {"range": {time_field: {"gte": format_instant(began)}}}
        _copy(client, index, copy, {"bool": {"filter": [keep, since]}}, sleep)
        before = count_of(client, index, keep)
        if count_of(client, copy) != before:  # a clock that is far behind, or documents without a time
            _copy(client, index, copy, keep, sleep)
        if (there := count_of(client, copy)) != before:
            raise IndexConflictError(
                f"The copy of {index} holds {there:,} documents, and the index {before:,}: it was not replaced. "
                "Find out who deletes documents there, and try again.",
                index=index,
            )
        _wait_for_copies(client, index, copy, sleep)
        _block(client, copy, blocked=True)
    except BaseException:
        _block(client, index, blocked=False)
        _remove(client, copy)
        raise
    _remove(client, index)
    return finish(client, index, sleep=sleep, changed=len(changed))


def finish(client: OpenSearch, index: str, *, sleep: Callable[[float], None] = time.sleep, changed: int = 0) -> Rebuilt:
    """Put the sealed copy of an index that was deleted in its place.

    :param client: a client that may do everything with the index
    :param index: the index
    :param sleep: waits that many seconds
    :param changed: how many of its documents were changed
    :raises OpenSearchLoadError: if OpenSearch refuses; the copy is kept, and this can be done again
    """
    copy = copy_name(index)
    held = count_of(client, copy)
    origin = _origin(_states(client, copy)[copy])
    body = {"settings": {"index.blocks.write": False}, "aliases": origin["aliases"]}
    doing = f"to put the copy of {index} in its place"
    try:
        call(client, "POST", f"/{copy}/_clone/{index}", doing=doing, index=index, body=body)
    except IndexConflictError as error:
        if error.error_type != _TAKEN:
            raise
        log.warning("A load made %s anew meanwhile: the documents are copied into it.", index)
        _copy(client, copy, index, _ALL, sleep)
    call(client, "PUT", f"/{index}/_mapping", doing=doing, index=index, body={"_meta": origin["meta"]})
    _block(client, index, blocked=False)
    after = count_of(client, index)
    if after < held:
        raise IndexConflictError(
            f"{index} holds {after:,} documents, and its copy {copy} {held:,}. The copy is kept: try again.",
            index=index,
        )
    _remove(client, copy)
    return Rebuilt(index, held, after, changed)


def _states(client: OpenSearch, pattern: str) -> dict[str, Any]:
    params = {"ignore_unavailable": "true", "allow_no_indices": "true"}
    found: dict[str, Any] = call(
        client, "GET", f"/{pattern}", doing=f"to read the state of {pattern}", index=pattern, params=params
    )
    return found


def _origin(copy: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a sealed copy says of the index that it was made from; nothing if it is not sealed."""
    sealed = copy["settings"]["index"].get("blocks", {}).get("write") == "true"
    found: dict[str, Any] = copy["mappings"].get("_meta", {}).get(_ORIGIN, {})
    return found if sealed else {}


def _is_orphan(copy: Mapping[str, Any], index: Mapping[str, Any] | None) -> bool:
    return index is None or index["settings"]["index"]["uuid"] != _origin(copy)["uuid"]


def _make_copy(client: OpenSearch, copy: str, original: Mapping[str, Any]) -> None:
    settings = {name: value for name, value in original["settings"]["index"].items() if name not in _NOT_COPIED}
    mappings = dict(original["mappings"])
    origin = {
        "uuid": original["settings"]["index"]["uuid"],
        "aliases": original["aliases"],
        "meta": mappings.get("_meta", {}),
    }
    mappings["_meta"] = {_ORIGIN: origin}
    body = {"settings": {"index": settings}, "mappings": mappings}
    call(client, "PUT", f"/{copy}", doing=f"to make {copy}", index=copy, body=body)


def _write(client: OpenSearch, copy: str, changed: Mapping[str, bytes], sleep: Callable[[float], None]) -> None:
    result = BulkWriter(client, sleep=sleep).write([Document(id, copy, source) for id, source in changed.items()])
    if result.rejected:
        first = result.rejected[0]
        raise OpenSearchRequestError(
            f"OpenSearch refused {len(result.rejected)} changed documents, the first with {first.reason_type}: "
            f"{first.reason}. Nothing was replaced.",
            error_type=first.reason_type,
            reason=first.reason,
            index=copy,
        )


def _copy(client: OpenSearch, source: str, to: str, query: Mapping[str, Any], sleep: Callable[[float], None]) -> None:
    """Copy the documents that are not there yet, on the server, however long it takes."""
    doing = f"to copy {source} to {to}"
    call(client, "POST", f"/{source}/_refresh", doing=doing, index=source)
    body = {
        "conflicts": "proceed",
        "source": {"index": source, "query": query, "size": _PAGE},
        "dest": {"index": to, "op_type": "create"},
    }
    params = {"wait_for_completion": "false"}
    task = call(client, "POST", "/_reindex", doing=doing, index=source, params=params, body=body)["task"]
    seconds = 0.1
    while not (state := call(client, "GET", f"/_tasks/{task}", doing=doing, index=source))["completed"]:
        sleep(seconds)
        seconds = min(2 * seconds, 5.0)
    failures = state.get("response", {}).get("failures") or ([state["error"]] if "error" in state else [])
    if failures:
        raise OpenSearchRequestError(
            f"OpenSearch failed {doing}: {str(failures[0])[:500]}", reason=str(failures[0]), index=source
        )


def _wait_for_copies(client: OpenSearch, index: str, copy: str, sleep: Callable[[float], None]) -> None:
    """Wait until the copy is kept as often as the index is, so that no node's end can lose it."""
    doing = f"to wait for the replicas of {copy}"
    wanted = call(client, "GET", f"/_cluster/health/{index}", doing=doing, index=index)["status"]
    for _ in range(_MOST_WAITS):
        found = call(client, "GET", f"/_cluster/health/{copy}", doing=doing, index=copy)["status"]
        if found in ("green", wanted):
            return
        sleep(1.0)
    raise OpenSearchLoadError(
        f"The replicas of {copy} were not there within {_MOST_WAITS} s, so {index} was not replaced."
    )


def _block(client: OpenSearch, index: str, *, blocked: bool) -> None:
    doing = f"to {'block' if blocked else 'allow'} writes to {index}"
    if blocked:  # it answers once every write that is under way has ended
        call(client, "PUT", f"/{index}/_block/write", doing=doing, index=index)
    else:
        body = {"index.blocks.write": None}
        call(client, "PUT", f"/{index}/_settings", doing=doing, index=index, body=body, ignore=(404,))


def _remove(client: OpenSearch, index: str) -> None:
    call(client, "DELETE", f"/{index}", doing=f"to delete {index}", index=index, ignore=(404,))
