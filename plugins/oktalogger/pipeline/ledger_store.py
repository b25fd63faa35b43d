"""The ledger in OpenSearch: one document per window, written so that no crash can make it say more than is true."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tenacity import (
    Retrying,
    retry_if_exception_type,
    retry_if_result,
    stop_after_delay,
    wait_random,
    wait_random_exponential,
)

from oktalogger.opensearch.errors import IndexMissingError, OpenSearchLoadError, OpenSearchUnavailableError
from oktalogger.opensearch.request import call, search
from oktalogger.pipeline.ledger import (
    LedgerEntry,
    LedgerEntryError,
    LedgerKey,
    advance,
    begin,
    from_the_start,
    read_entry,
)
from oktalogger.pipeline.load_result import LoadResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opensearchpy import OpenSearch

    from oktalogger.opensearch.names import IndexNames
    from oktalogger.pipeline.load_result import Progress
    from oktalogger.window import Window

log = logging.getLogger(__name__)

_PAGE = 1000
# One that cannot be read must not hide those before it.
_NEWEST = 20
_RACES = 5
# Another try of the same load changes its entry with every page until somebody takes it over.
_OPENING = timedelta(seconds=30)
# As long as a bulk request: a window whose end cannot be written down is read again, and its late events are no longer
# found to be late.
_COMPLETING = timedelta(seconds=120)


class LedgerStore:
    """Reads and writes the entries of a deployment.

    :param client: the client
    :param names: the names of the deployment; the store's ``prepare`` makes the index
    :param clock: tells the time, in UTC
    """

    def __init__(
        self, client: OpenSearch, names: IndexNames, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._client = client
        self._names = names
        self._clock = clock

    def open(self, key: LedgerKey, *, run_id: str, run_url: str | None = None) -> StoredEntry:
        """Begin a try of a load, and write that down.

        :param key: which entry
        :param run_id: name of the run that loads
        :param run_url: where Airflow shows that run
        :raises OpenSearchLoadError: if the ledger cannot be read or written
        """
        tries = Retrying(
            retry=retry_if_result(lambda opened: opened is None),
            wait=wait_random(0, 0.1),
            stop=stop_after_delay(_OPENING),
            retry_error_callback=lambda _: None,
        )
        opened = tries(self._open, key, run_id=run_id, run_url=run_url)
        if opened is None:
            raise OpenSearchUnavailableError(
                f"Others kept changing the entry of {key.window} in {self._names.ledger} for "
                f"{_OPENING.total_seconds():.0f} seconds: try again.",
                index=self._names.ledger,
            )
        return opened

    def _open(self, key: LedgerKey, *, run_id: str, run_url: str | None) -> StoredEntry | None:
        """Begin a try once; ``None`` where somebody changed the entry meanwhile."""
        before, version = self.read(key.id)
        entry = begin(key, before, run_id=run_id, run_url=run_url, now=self._clock())
        written = self.write(key.id, entry, version)
        return None if written is None else StoredEntry(self, key, entry, written)

    def now(self) -> datetime:
        """Return the time, in UTC."""
        return self._clock()

    def read(self, entry_id: str) -> tuple[LedgerEntry | None, dict[str, str]]:
        """Return an entry and what a write must carry so as not to overwrite somebody else's."""
        answer = call(
            self._client,
            "GET",
            f"/{self._names.ledger}/_doc/{quote(entry_id, safe='')}",
            doing=f"while reading the entry {entry_id} of the ledger",
            index=self._names.ledger,
            ignore=(404,),
        )
        if not answer.get("found"):
            if "error" in answer:
                raise OpenSearchLoadError(
                    f"The index {self._names.ledger} is not there. The store's prepare() makes it: call that first.",
                    index=self._names.ledger,
                )
            return None, {"op_type": "create"}
        version = {"if_seq_no": str(answer["_seq_no"]), "if_primary_term": str(answer["_primary_term"])}
        return _entry_of(entry_id, answer["_source"]), version

    def write(self, entry_id: str, entry: LedgerEntry, version: dict[str, str]) -> dict[str, str] | None:
        """Write an entry; return what the next write must carry, or ``None`` where somebody else was faster."""
        alias = self._names.write_alias(self._names.ledger)
        answer = call(
            self._client,
            "PUT",
            f"/{alias}/_doc/{quote(entry_id, safe='')}",
            doing=f"while writing the entry {entry_id} of the ledger",
            index=self._names.ledger,
            params={"require_alias": "true", **version},
            body=entry,
            ignore=(409,),
        )
        if "_seq_no" not in answer:
            return None
        return {"if_seq_no": str(answer["_seq_no"]), "if_primary_term": str(answer["_primary_term"])}

    def newest_complete(self, org: str) -> datetime | None:
        """Return the end of an org's newest complete window, None if there is none.

        What was written within the last second may be missing; windows that were read through a filter do not count.

        :raises OpenSearchLoadError: if the ledger cannot be read
        """
        query = {
            "filter": [{"term": {"org": org}}, {"exists": {"field": "completed_at"}}],
            "must_not": [{"exists": {"field": "filter"}}, {"exists": {"field": "q"}}],
        }
        answer = search(
            self._client,
            self._names.ledger,
            {"size": _NEWEST, "query": {"bool": query}, "sort": [{"window_end": "desc"}]},
            doing="while reading the newest entry of the ledger",
            may_be_absent=False,
        )
        read = (_entry_of(hit["_id"], hit["_source"]) for hit in answer["hits"]["hits"])
        return next((entry.window_end for entry in read if entry is not None), None)

    def entries(self, org: str, within: Window, *, kinds: tuple[str, ...] = ()) -> Iterator[LedgerEntry]:
        """Yield the entries of all windows that share a moment with a range, in order of their start.

        What was written within the last second may be missing.

        :param org: the Okta org's host name
        :param within: the range
        :param kinds: kinds of load; all where none is named
        :raises OpenSearchLoadError: if the ledger cannot be read
        """
        filters: list[dict[str, Any]] = [
            {"term": {"org": org}},
            {"range": {"window_start": {"lt": within.end.isoformat()}}},
            {"range": {"window_end": {"gt": within.start.isoformat()}}},
        ]
        if kinds:
            filters.append({"terms": {"kind": list(kinds)}})
        body: dict[str, Any] = {
            "size": _PAGE,
            "query": {"bool": {"filter": filters}},
            "sort": [{"window_start": "asc"}, {"id": "asc"}],
        }
        while True:
            answer = search(self._client, self._names.ledger, body, doing=f"while reading the ledger of {within}")
            hits = answer["hits"]["hits"]
            for hit in hits:
                entry = _entry_of(hit["_id"], hit["_source"])
                if entry is not None:
                    yield entry
            if len(hits) < _PAGE:
                return
            body["search_after"] = hits[-1]["sort"]


def _entry_of(entry_id: str, source: object) -> LedgerEntry | None:
    """Read a document of the ledger; None, with a warning, where it cannot be an entry of ours."""
    try:
        return read_entry(entry_id, source)
    except LedgerEntryError as error:
        log.warning(
            "The document %s of the ledger was not written by oktalogger, or was changed since (%s): its window counts "
            "as not loaded.",
            entry_id,
            error,
        )
        return None


class StoredEntry:
    """The entry of a load that is under way.

    :param ledger: where it is kept
    :param key: which entry
    :param entry: the entry as this try began it
    :param version: what the next write must carry
    """

    def __init__(self, ledger: LedgerStore, key: LedgerKey, entry: LedgerEntry, version: dict[str, str]) -> None:
        self._ledger = ledger
        self._key = key
        self._version = version
        self._superseded = False
        self._next_url = entry.next_url
        self._result = LoadResult()
        self.entry = entry

    @property
    def resume_from(self) -> str | None:
        """The link of the page to go on with, from an earlier try."""
        return self.entry.next_url

    @property
    def indices(self) -> dict[str, str]:
        """UUID of each index that the tries wrote to on which this one builds."""
        return self.entry.indices

    def restart(self) -> None:
        """Begin at the window's start after all. It is written down with the next page."""
        self.entry = from_the_start(self.entry)
        self._next_url = None

    def checkpoint(self, progress: Progress) -> None:
        """Write down that everything up to a page is stored; the last page is left to ``complete``.

        A ledger that cannot be reached for the moment does not stop a load: the next page's entry says more anyway.
        """
        self._result = progress.result
        if progress.next_url is None:
            return
        self._next_url = progress.next_url
        entry = advance(
            self.entry, progress.result, next_url=progress.next_url, state="running", now=self._ledger.now()
        )
        try:
            self._write(entry)
        except OpenSearchUnavailableError as error:
            log.warning("The ledger was not told of page %d of %s: %s", progress.result.pages, self._key.window, error)

    def complete(self, result: LoadResult) -> LedgerEntry:
        """Write down that the whole window is stored, for two minutes until OpenSearch takes it.

        :raises OpenSearchLoadError: if that cannot be written; the load is then to be tried again
        """
        entry = advance(self.entry, result, next_url=None, state="complete", now=self._ledger.now())
        tries = Retrying(
            retry=retry_if_exception_type(OpenSearchUnavailableError),
            wait=wait_random_exponential(multiplier=0.5, max=20),
            stop=stop_after_delay(_COMPLETING),
            reraise=True,
        )
        tries(self._write, entry)
        return entry

    def fail(self, error: BaseException) -> None:
        """Write down what ended this try. Where even that fails, the log says so: the error itself is what counts.

        Where an index is gone, so is what was stored in it: the next try begins at the window's start.
        """
        gone = isinstance(error, IndexMissingError)
        entry = advance(
            self.entry,
            self._result,
            next_url=None if gone else self._next_url,
            state="failed",
            now=self._ledger.now(),
            error=f"{type(error).__name__}: {error}"[:2000],
        )
        try:
            self._write(entry)
        except OpenSearchLoadError as second:
            log.warning("The ledger was not told that %s failed: %s", self._key.window, second)

    def _write(self, entry: LedgerEntry) -> None:
        for _ in range(_RACES):
            if self._superseded:
                return
            written = self._ledger.write(self._key.id, entry, self._version)
            if written is not None:
                self._version = written
                return
            stored, self._version = self._ledger.read(self._key.id)
            if stored is not None and stored.tries != self.entry.tries:
                # Its documents are the same as ours, and so is what it will write here.
                log.warning(
                    "Another try of %s (%s) has begun: this one leaves the ledger to it.",
                    self._key.window,
                    stored.run_id,
                )
                self._superseded = True
        if not self._superseded:
            raise OpenSearchUnavailableError(f"The ledger entry of {self._key.window} kept changing: try again.")
