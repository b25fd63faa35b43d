"""Two tries of one load at one entry of the ledger, in a real OpenSearch."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from oktalogger.opensearch.errors import OpenSearchUnavailableError
from oktalogger.opensearch.store import OpenSearchStore
from oktalogger.pipeline import ledger_store as ledger_module
from oktalogger.pipeline.ledger import LedgerEntry, LedgerKey
from oktalogger.pipeline.ledger_store import LedgerStore, StoredEntry
from oktalogger.pipeline.load_result import LoadResult, Progress
from oktalogger.window import Window

if TYPE_CHECKING:
    from tests.integration.conftest import Deployment

pytestmark = pytest.mark.opensearch

HOUR = Window(datetime(2026, 11, 1, 9, tzinfo=UTC), datetime(2026, 11, 1, 10, tzinfo=UTC))
KEY = LedgerKey("org.example.com", "backfill", HOUR)


class Crossed(LedgerStore):
    """A ledger whose entry another try changes between each read and the write after it, so many times."""

    other: StoredEntry
    times = 0
    pages = 0

    def read(self, entry_id: str) -> tuple[LedgerEntry | None, dict[str, str]]:
        found = super().read(entry_id)
        if self.pages < self.times:
            self.pages += 1
            link = f"https://org.example.com/api/v1/logs?after={self.pages}"
            self.other.checkpoint(Progress(LoadResult(pages=self.pages), link, 0.5))
        return found


@pytest.fixture
def crossed(deployment: Deployment) -> Crossed:
    OpenSearchStore(deployment.client, deployment.names).prepare()
    ledger = Crossed(deployment.client, deployment.names)
    ledger.other = LedgerStore(deployment.client, deployment.names).open(KEY, run_id="first")
    return ledger


def test_a_try_takes_over_from_one_that_stores_page_after_page(crossed: Crossed) -> None:
    crossed.times = 40
    opened = crossed.open(KEY, run_id="second")
    assert crossed.pages == 40
    assert opened.entry.tries == 2
    assert opened.resume_from == "https://org.example.com/api/v1/logs?after=40", (
        "it goes on after the other's last page"
    )

    # The first one finds that out at its next page, and leaves the entry alone.
    crossed.other.checkpoint(Progress(LoadResult(pages=41), "https://org.example.com/api/v1/logs?after=41", 0.6))
    stored, _ = crossed.read(KEY.id)
    assert stored is not None
    assert (stored.run_id, stored.next_url) == ("second", opened.resume_from)


def test_it_gives_up_in_the_end(crossed: Crossed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "_OPENING", timedelta(seconds=1))
    crossed.times = 1_000_000
    with pytest.raises(OpenSearchUnavailableError, match=r"Others kept changing the entry of .* for 1 seconds"):
        crossed.open(KEY, run_id="second")
