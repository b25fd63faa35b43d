"""A deployment on a cluster without the Alerting plugin: rules, events that were loaded, and runs of our tasks."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from opensearchpy import OpenSearch

from oktalogger.compat import AIRFLOW_3
from oktalogger.opensearch.names import IndexNames
from oktalogger.opensearch.store import OpenSearchStore
from oktalogger.pipeline.document import Built, DocumentBuilder, Stamp
from oktalogger.window import Window, format_instant
from tests.airflow.test_detection_operators import execute, logged
from tests.indices import remove
from tests.unit.detections.bundles import write_folder

if TYPE_CHECKING:
    from pathlib import Path

    from oktalogger.detections.model import CompiledDetection


class Cluster:
    """A deployment of its own on the cluster of the tests."""

    def __init__(self, url: str, folder: Path) -> None:
        self.client = OpenSearch(url, timeout=60)
        self.names = IndexNames(f"test-{uuid.uuid4().hex[:12]}")
        self.folder = folder
        self.store = OpenSearchStore(self.client, self.names, replicas=0)
        self.store.prepare()

    def remove(self) -> None:
        remove(self.client, self.names)
        self.client.close()

    def rules(self, *rules: CompiledDetection) -> None:
        write_folder(self.folder, rules)

    def load(
        self, *numbers: int, ago: timedelta = timedelta(minutes=10), historical: bool = False, **more: Any
    ) -> None:
        """Load an event of the type of each number, as the real loader does."""
        now = datetime.now(UTC)
        published = now - ago
        window = Window(published - timedelta(minutes=5), published + timedelta(minutes=5))
        horizon = timedelta(0) if historical else timedelta(days=1)
        stamp = Stamp("example.okta.com", window, "run", "backfill" if historical else "scheduled", horizon)
        builder = DocumentBuilder(stamp, self.names)
        documents = []
        for number in numbers:
            event = {
                "uuid": str(uuid.uuid4()),
                "published": format_instant(published),
                "eventType": f"test.rule.{number}",
                "actor": {"alternateId": "ada@example.com"},
                "outcome": {"result": "SUCCESS"},
                **more,
            }
            built = builder.build(json.dumps(event).encode(), now)
            assert isinstance(built, Built)
            documents.append(built.document)
        self.store.ensure_month(published)
        # No refresh: what a load has just stored has to be seen all the same.
        assert self.store.create(documents).created == len(numbers)

    def context(self, loads: tuple[datetime, ...] = (), **params: Any) -> Any:
        ti = SimpleNamespace(xcom_push=lambda **_: None)
        events = [SimpleNamespace(timestamp=at, extra={"seconds": 3.0}) for at in loads]
        key = "triggering_asset_events" if AIRFLOW_3 else "triggering_dataset_events"
        started_by = {key: {"asset": events} if events else {}}
        return {"run_id": "manual__1", "dag": None, "ti": ti, "params": params, **started_by}

    def run(self, operator: type[Any], context: Any = None, **arguments: Any) -> Any:
        task = logged(operator)(task_id="task", folder=str(self.folder), **arguments)
        return execute(task, context or self.context())

    def matches(self) -> list[dict[str, Any]]:
        self.client.indices.refresh(index=self.names.matches)
        return [
            hit["_source"] for hit in self.client.search(index=self.names.matches, body={"size": 100})["hits"]["hits"]
        ]
