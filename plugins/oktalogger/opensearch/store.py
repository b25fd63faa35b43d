"""The one door of the load into OpenSearch: schema and bulk together, for one deployment's names."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from oktalogger.opensearch.bulk import BulkRetry, BulkStore
from oktalogger.opensearch.schema import ensure_month, ensure_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from opensearchpy import OpenSearch

    from oktalogger.opensearch.documents import BulkResult, Document, Rejection
    from oktalogger.opensearch.names import IndexNames
    from oktalogger.opensearch.schema import SchemaReport


class OpenSearchStore:
    """Where the documents of a deployment go. Several threads may use one store at once.

    :param client: the client
    :param names: the names of the deployment
    :param shards: primary shards of a month to come; None leaves what the template says
    :param replicas: copies of each shard of a month to come; None leaves what the template says
    :param retry: how often and how long refused documents are sent again
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
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.client = client
        self.names = names
        self._shards = shards
        self._replicas = replicas
        self._bulk = BulkStore(client, names, retry=retry, sleep=sleep)
        self._ready: set[str] = set()
        self._lock = threading.Lock()

    def prepare(self) -> SchemaReport:
        """Bring templates, existing months and the index of rejected events to our version.

        :raises IndexConflictError: where something that is not ours is in the way
        :raises OpenSearchLoadError: for all else
        """
        report = ensure_schema(self.client, self.names, shards=self._shards, replicas=self._replicas)
        self._ready |= report.ready_months
        return report

    def ensure_month(self, published: datetime) -> None:
        """Make sure that the index of this month is there and is ours; asks OpenSearch once for each month.

        :raises IndexConflictError: where something that is not ours is in the way
        :raises OpenSearchLoadError: for all else
        """
        index = self.names.month_index(published)
        with self._lock:
            if index not in self._ready:
                ensure_month(self.client, self.names, index)
                self._ready.add(index)

    def create(self, documents: Sequence[Document]) -> BulkResult:
        """Create documents; see :meth:`BulkStore.create`."""
        return self._bulk.create(documents)

    def reject(self, rejections: Sequence[Rejection], *, context: Mapping[str, str]) -> int:
        """Keep refused events whole; see :meth:`BulkStore.reject`."""
        return self._bulk.reject(rejections, context=context)
