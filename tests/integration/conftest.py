from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from opensearchpy import OpenSearch, helpers

from oktalogger.opensearch.client import OpenSearchSettings, make_client
from oktalogger.opensearch.schema import ensure_month, ensure_schema
from tests.indices import own_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.simulator.process import Simulator
    from oktalogger.opensearch.names import IndexNames

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True, slots=True)
class Deployment:
    """Indices of one test, and the command line that fills them."""

    url: str
    names: IndexNames
    client: OpenSearch = field(repr=False)

    def documents(self, index: str | None = None) -> dict[str, dict[str, Any]]:
        """Return every document by its id."""
        index = index or self.names.alias
        self.client.indices.refresh(index=index)
        hits = helpers.scan(self.client, index=index, size=1000)
        return {hit["_id"]: hit["_source"] for hit in hits}

    def environ(self, okta: Simulator, **more: str) -> dict[str, str]:
        """Return the environment of a command."""
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT / "plugins"),
            "OKTALOGGER_OKTA_URL": okta.url,
            "OKTALOGGER_OKTA_TOKEN": okta.token,
            "OKTALOGGER_OPENSEARCH_URL": self.url,
            "OKTALOGGER_INDEX_PREFIX": self.names.prefix,
            **more,
        }

    def command(self, *arguments: str) -> list[str]:
        """Return a command line."""
        return [sys.executable, "-m", "oktalogger", *arguments]

    def load(self, okta: Simulator, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run ``python -m oktalogger load`` to its end."""
        return subprocess.run(
            self.command("load", *arguments),
            env=self.environ(okta, **environ),
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )


@pytest.fixture
def deployment(opensearch_url: str) -> Iterator[Deployment]:
    client = OpenSearch(opensearch_url, timeout=60)
    with own_names(client) as names:
        yield Deployment(opensearch_url, names, client)
    client.close()


@pytest.fixture
def client(opensearch_url: str) -> Iterator[OpenSearch]:
    client = make_client(OpenSearchSettings(url=opensearch_url, allow_http=True, verify_certs=False))
    yield client
    client.close()


@pytest.fixture
def names(client: OpenSearch) -> Iterator[IndexNames]:
    with own_names(client) as names:
        yield names


@pytest.fixture
def month(client: OpenSearch, names: IndexNames) -> str:
    index = f"{names.prefix}-2026-11"
    ensure_schema(client, names)
    ensure_month(client, names, index)
    return index
