"""Holds what operators share that read the ledger and do not load a window of their own."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from oktalogger.compat import BaseOperator
from oktalogger.hooks.okta import OktaHook
from oktalogger.hooks.opensearch import OpenSearchHook
from oktalogger.opensearch.inventory import OpenSearchCensus
from oktalogger.opensearch.names import IndexNames
from oktalogger.operators.errors import failing_at_once
from oktalogger.pipeline.backfill import name_of
from oktalogger.pipeline.checked import Checked, check
from oktalogger.pipeline.ledger import LedgerEntry, LedgerKey
from oktalogger.pipeline.reconcile import Ledgered
from oktalogger.settings import Settings, load_settings
from oktalogger.window import Window, format_instant, parse_instant

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from oktalogger.pipeline.document import LoadKind
    from oktalogger.pipeline.ledger_store import LedgerStore


@dataclass(frozen=True, slots=True)
class OrgLedger:
    """The ledger's entries of one org.

    :param ledger: where entries are
    :param census: counts what OpenSearch holds
    :param org: the org's host name
    :param filter: Okta's filter expression of the connection
    :param q: Okta's keyword search of the connection
    :param settings: of the deployment
    """

    ledger: LedgerStore
    census: OpenSearchCensus
    org: str
    filter: str | None
    q: str | None
    settings: Settings

    def within(self, window: Window) -> Ledgered:
        """Sum up the ledger's entries of a time range."""
        return Ledgered.of(self.ledger.entries(self.org, window), self.filter, self.q)

    def checked(self, window: Window) -> Checked:
        """Sum up what the ledger says of a range, and count in OpenSearch whether it is still there. One search."""
        return check(
            self.ledger,
            self.census,
            self.org,
            window,
            now=now(),
            kept=self.settings.retention,
            filter=self.filter,
            q=self.q,
        )

    def entry(self, kind: LoadKind, window: Window) -> LedgerEntry | None:
        """Return the current entry of one window."""
        key = LedgerKey(self.org, kind, window, self.filter, self.q)
        return self.ledger.read(key.id)[0]


class LedgerOperator(BaseOperator):
    """
    Base of the operators that read the ledger.

    :param okta_conn_id: Airflow connection to the org (templated); only its name and filter are read
    :param opensearch_conn_id: Airflow connection to OpenSearch (templated); None takes
        ``OKTALOGGER_OPENSEARCH_CONN_ID``
    :param index_prefix: name of the alias (templated); None takes ``OKTALOGGER_INDEX_PREFIX``
    """

    template_fields: Sequence[str] = ("okta_conn_id", "opensearch_conn_id", "index_prefix")
    ui_color = "#d5ffe8"

    def __init__(
        self,
        *,
        okta_conn_id: str = OktaHook.default_conn_name,
        opensearch_conn_id: str | None = None,
        index_prefix: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.okta_conn_id = okta_conn_id
        self.opensearch_conn_id = opensearch_conn_id
        self.index_prefix = index_prefix

    @contextmanager
    def org_ledger(self) -> Iterator[OrgLedger]:
        """Open the ledger. An error that no retry can mend fails the task at once.

        :raises AirflowFailException: in its place
        :raises OpenSearchLoadError: if OpenSearch was out of reach
        """
        with failing_at_once():
            settings = load_settings()
            names = IndexNames(self.index_prefix or settings.index_prefix)
            connection = OktaHook(self.okta_conn_id).settings
            hook = OpenSearchHook(self.opensearch_conn_id or settings.opensearch_conn_id)
            try:
                hook.store(names, shards=settings.shards, replicas=settings.replicas).prepare()
                yield OrgLedger(
                    hook.ledger(names),
                    OpenSearchCensus(hook.client, names),
                    connection.org,
                    connection.filter,
                    connection.q,
                    settings,
                )
            finally:
                hook.client.close()


def now() -> datetime:
    """Return the current time, in UTC."""
    return datetime.now(UTC)


def unit_of(window: Window) -> dict[str, str]:
    """Return the arguments of one mapped task: ``since``, ``until``, and ``unit``, its name in the UI."""
    return {"since": format_instant(window.start), "until": format_instant(window.end), "unit": name_of(window)}


def windows_of(units: Iterable[Mapping[str, str]] | None) -> tuple[Window, ...]:
    """Read the windows that a plan gave to mapped tasks.

    :param units: each with ``since`` and ``until``
    """
    return tuple(
        Window(parse_instant(unit["since"], name="since"), parse_instant(unit["until"], name="until"))
        for unit in units or ()
    )
