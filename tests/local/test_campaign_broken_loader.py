"""The real load, killed and begun again, before the judge: a load that skips a page on its way back is found out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest

from local.campaign.judge import Judge
from local.simulator.world import events
from oktalogger.okta.system_log import Page, SystemLogQuery
from oktalogger.opensearch.documents import BulkResult, Document, Rejection
from oktalogger.opensearch.names import IndexNames
from oktalogger.pipeline.document import Stamp
from oktalogger.pipeline.load import LoadPlan, load_window
from oktalogger.pipeline.load_result import Progress
from oktalogger.window import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

WINDOW = Window(datetime(2026, 6, 30, 10, tzinfo=UTC), datetime(2026, 6, 30, 10, 10, tzinfo=UTC))
ORG = "acme.okta.com"
PAGE = 20
SENT = [event.body for event in events("broken", 60, WINDOW.start, WINDOW.end)]


class Okta:
    """Pages of the simulated company's events; a link is the number of a page."""

    def pages(self, query: SystemLogQuery, *, resume_from: str | None = None) -> Iterator[Page]:
        for number in range(int(resume_from or 0), -(-len(SENT) // PAGE)):
            some = [msgspec.Raw(body) for body in SENT[number * PAGE : (number + 1) * PAGE]]
            following = str(number + 1) if (number + 1) * PAGE < len(SENT) else None
            yield Page(number + 1, some, "u", following, None, None, 1, 1, 0.0)


class Memory:
    """Keeps documents by index and id."""

    def __init__(self) -> None:
        self.names = IndexNames()
        self.documents: dict[tuple[str, str], bytes] = {}

    def ensure_month(self, published: datetime) -> None:
        """Every month is there."""

    def identity(self, index: str) -> str:
        return index

    def identities(self, indices: Iterable[str]) -> dict[str, str]:
        return {index: index for index in indices}

    def create(self, documents: Sequence[Document]) -> BulkResult:
        new = {(document.index, document.id): document.source for document in documents}
        existing = tuple(identity for index, identity in new if (index, identity) in self.documents)
        self.documents = self.documents | new | self.documents
        return BulkResult(created=len(new) - len(existing), existing=len(existing), existing_ids=existing)

    def added_fields(self, documents: Sequence[Document]) -> dict[str, dict[str, str]]:
        """Nobody asks."""
        return {}

    def sources(self, documents: Sequence[Document]) -> dict[str, dict[str, str]]:
        """Keep no content that could be compared."""
        return {}

    def reject(self, rejections: Sequence[Rejection], *, context: Mapping[str, str]) -> int:
        raise AssertionError(rejections)


class KilledError(BaseException):
    """The worker is gone."""


def figures(way_back: Callable[[str], str]) -> tuple[int, int, int]:
    """Load, be killed after the third page, go on, and judge."""
    store = Memory()
    plan = LoadPlan(Stamp(ORG, WINDOW, "r", "scheduled"), page_limit=PAGE, threads=1)
    saved: list[str] = []

    def killed(progress: Progress) -> None:
        assert progress.next_url is not None
        saved.append(progress.next_url)
        if len(saved) == 3:
            raise KilledError

    def clock() -> datetime:
        return WINDOW.end + timedelta(minutes=1)

    with pytest.raises(KilledError):
        load_window(Okta(), store, plan, on_stored=killed, clock=clock)
    # What was under way beyond these pages died with the worker.
    store.documents = dict(list(store.documents.items())[: 3 * PAGE])
    load_window(Okta(), store, plan, resume_from=way_back(saved[-1]), clock=clock)
    judge = Judge(store.names.prefix, ORG)
    for (index, identity), source in store.documents.items():
        judge.document(index, identity, msgspec.json.decode(source))
    judge.sent(SENT, set())
    verdict = judge.verdict()
    return verdict.lost, verdict.doubled, verdict.wrong


def test_a_load_that_goes_on_where_it_was_loses_nothing() -> None:
    assert len(SENT) > 10 * PAGE
    assert figures(lambda link: link) == (0, 0, 0)


def test_a_load_that_skips_a_page_after_a_kill_is_found_out() -> None:
    assert figures(lambda link: str(int(link) + 1)) == (PAGE, 0, 0)
