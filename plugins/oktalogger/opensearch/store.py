"""Stores the events of a deployment in OpenSearch: makes their indices, creates documents, keeps rejected events."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from oktalogger.opensearch.bulk import DEFAULT_MAX_BODY_BYTES, BulkRetry, BulkWriter
from oktalogger.opensearch.errors import RejectionNotStoredError
from oktalogger.opensearch.existing import read_indices
from oktalogger.opensearch.rejected import rejection_documents
from oktalogger.opensearch.request import AS_LONG_AS_A_BULK, call
from oktalogger.opensearch.schema import ensure_month, ensure_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from opensearchpy import OpenSearch

    from oktalogger.opensearch.documents import BulkResult, Document, Rejection
    from oktalogger.opensearch.names import IndexNames
    from oktalogger.opensearch.schema import SchemaReport

log = logging.getLogger(__name__)

_PROVENANCE = ("load_kind", "window_start", "window_end", "run_id", "ingested_at")


class OpenSearchStore:
    """Stores the documents of a deployment. Several threads may use one store at once.

    A document is written through the alias of its index that :func:`~oktalogger.opensearch.schema.ensure_month` made,
    so that nothing can be loaded into an index without our mapping, even if it was deleted a moment ago.

    :param client: the client
    :param names: the names of the deployment
    :param shards: primary shards of a month to come; None leaves what the template says
    :param replicas: copies of each shard of a month to come; None leaves what the template says
    :param retry: how often and how long refused documents are sent again
    :param max_body_bytes: the largest body of a bulk request; a document larger than that goes alone
    :param sleep: waits that many seconds
    """

    def __init__(
        self,
        client: OpenSearch,
        names: IndexNames,
        *,
        shards: int | None = None,
        replicas: int | None = None,
        retry: BulkRetry | None = None,
        max_body_bytes: int = DEFAULT_MAX_BODY_BYTES,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.client = client
        self.names = names
        self._shards = shards
        self._replicas = replicas
        self._writer = BulkWriter(client, max_body_bytes=max_body_bytes, retry=retry, sleep=sleep)
        self._ready: set[str] = set()
        self._uuids: dict[str, str] = {}
        self._lock = threading.Lock()

    def prepare(self) -> SchemaReport:
        """Bring templates, existing months and the index of rejected events to our version.

        :raises IndexConflictError: if a foreign object is in the way
        :raises OpenSearchLoadError: if another request fails
        """
        report = ensure_schema(self.client, self.names, shards=self._shards, replicas=self._replicas)
        self._ready |= report.ready_months
        self._uuids |= report.uuids
        for sentence in report.repaired:
            log.warning("Put right: %s", sentence)
        for sentence in report.troubles:
            log.warning("%s", sentence)
        return report

    def ensure_month(self, published: datetime) -> None:
        """Make sure that the index of this month is there and is ours; asks OpenSearch once for each month.

        :raises IndexConflictError: if a foreign object is in the way
        :raises OpenSearchLoadError: if another request fails
        """
        index = self.names.month_index(published)
        with self._lock:
            if index not in self._ready:
                ready = ensure_month(self.client, self.names, index)
                for sentence in ready.troubles:
                    log.warning("%s", sentence)
                self._uuids[index] = ready.state.uuid
                self._ready.add(index)

    def identity(self, index: str) -> str:
        """Return the UUID of an index as it was when it was made ready; empty if OpenSearch tells none."""
        return self._uuids.get(index, "")

    def identities(self, indices: Iterable[str]) -> dict[str, str]:
        """Read the UUIDs of some indices as they are now; those that are not there are left out.

        :raises OpenSearchLoadError: if OpenSearch cannot be asked
        """
        wanted = sorted(indices)
        found = read_indices(self.client, wanted) if wanted else {}
        return {name: found[name].uuid for name in wanted if name in found}

    def create(self, documents: Sequence[Document]) -> BulkResult:
        """Create documents; existing ones stay unchanged.

        :param documents: in any number and order, of one or several months; JSON, newlines only between its tokens
        :return: the counts, and what was refused for good; the caller hands that to :meth:`reject`
        :raises OpenSearchLoadError: if a document could be neither stored nor rejected. What was stored before
            stays: doing all of it again counts it as existing
        """
        return self._writer.write(documents, alias_of=self.names.write_alias)

    def added_fields(self, documents: Sequence[Document]) -> dict[str, dict[str, Any]]:
        """Return what documents that are there already say under ``oktalogger``, by id; also those not searchable yet.

        :param documents: with the ids and indices of those
        :raises OpenSearchLoadError: if OpenSearch cannot be asked
        """
        fields = ",".join(f"oktalogger.{field}" for field in _PROVENANCE)
        found = self._read(documents, "to read whose documents of {index} are that are there already", fields)
        return {identity: source.get("oktalogger", {}) for identity, source in found.items()}

    def sources(self, documents: Sequence[Document]) -> dict[str, dict[str, Any]]:
        """Return documents that are there already, whole, by id; also those not searchable yet.

        :param documents: with the ids and indices of those
        :raises OpenSearchLoadError: if OpenSearch cannot be asked
        """
        return self._read(documents, "to compare documents of {index} with Okta")

    def _read(self, documents: Sequence[Document], doing: str, fields: str | None = None) -> dict[str, dict[str, Any]]:
        sources: dict[str, dict[str, Any]] = {}
        by_index: dict[str, list[str]] = {}
        for document in documents:
            by_index.setdefault(document.index, []).append(document.id)
        # Amazon OpenSearch Serverless reads several documents of one index only.
        for index, ids in by_index.items():
            answer = call(
                self.client,
                "POST",
                f"/{index}/_mget",
                doing=doing.format(index=index),
                index=index,
                params={"_source_includes": fields} if fields else None,
                body={"ids": ids},
                retry=AS_LONG_AS_A_BULK,
            )
            sources |= {one["_id"]: one.get("_source", {}) for one in answer["docs"] if one.get("found")}
        return sources

    def reject(self, rejections: Sequence[Rejection], *, context: Mapping[str, str]) -> int:
        """Keep refused events whole, with the reasons, in the index of rejected events.

        :param rejections: what was refused, here or by whoever read the events
        :param context: what else to keep with each, as ``org``, ``window``, ``run_id``
        :return: how many documents were new there; one that was refused before, in an earlier run, is not
        :raises RejectionNotStoredError: if that index refuses one as well
        :raises OpenSearchLoadError: for all else that keeps them from being stored
        """
        part_bytes = max(1024, self._writer.max_body_bytes // 8)
        result = self.create(
            [
                document
                for rejection in rejections
                for document in rejection_documents(
                    rejection, index=self.names.rejected, context=context, part_bytes=part_bytes
                )
            ]
        )
        if result.rejected:
            first = result.rejected[0]
            raise RejectionNotStoredError(
                f"The index {self.names.rejected} refused {len(result.rejected)} of {len(rejections)} rejected "
                f"events, the first with {first.reason_type}: {first.reason}. The load stops, so that nothing is lost. "
                "Look at that index's mapping and settings, and load the window again.",
                error_type=first.reason_type,
                reason=first.reason,
                index=self.names.rejected,
            )
        return result.created
