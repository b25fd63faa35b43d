"""What a worker process does with the chunks that it is given; started with ``spawn``, so it imports all it needs."""

from __future__ import annotations

import multiprocessing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from oktalogger.okta.auth import SswsAuth
from oktalogger.okta.client import OktaClient
from oktalogger.okta.rate_budget import RateBudget
from oktalogger.okta.system_log import SystemLogClient
from oktalogger.opensearch.names import IndexNames
from oktalogger.opensearch.store import OpenSearchStore
from oktalogger.pipeline.document import LoadKind, Stamp
from oktalogger.pipeline.ledger_store import LedgerStore
from oktalogger.pipeline.load import LoadPlan
from oktalogger.pipeline.recorded_load import load_and_record
from oktalogger.pipeline.share import share_of
from oktalogger.settings import Settings
from oktalogger.window import Window

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess


@dataclass(frozen=True)
class Work:
    """Everything that a worker has to know.

    :param number: which worker it is
    :param kind: of its loads
    :param tasks: how many workers share the backfill's share
    """

    number: int
    okta_url: str
    token: str
    opensearch_url: str
    prefix: str
    windows: tuple[tuple[datetime, datetime], ...]
    kind: LoadKind
    tasks: int
    page_limit: int = 50

    def start(self) -> SpawnProcess:
        """Start a process for it."""
        process = multiprocessing.get_context("spawn").Process(target=load_all, args=(self,))
        process.start()
        return process


def load_all(work: Work) -> None:
    """Load the windows one after the other, as mapped tasks on one worker do."""
    from opensearchpy import OpenSearch

    names = IndexNames(work.prefix)
    settings = Settings(backfill_tasks=work.tasks)
    for start, end in work.windows:
        budget = RateBudget(share_of(work.kind, settings))
        store = OpenSearchStore(OpenSearch(work.opensearch_url, timeout=60), names)
        stamp = Stamp("127.0.0.1", Window(start, end), f"worker-{work.number}", work.kind)
        with SystemLogClient(OktaClient(work.okta_url, SswsAuth(work.token), gate=budget)) as client:
            store.prepare()
            load_and_record(
                client,
                store,
                LedgerStore(store.client, names),
                LoadPlan(stamp, timedelta(0), page_limit=work.page_limit),
            )
            budget.rest()
