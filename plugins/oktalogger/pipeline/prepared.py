"""A page whose events have become documents, so that the bytes which Okta sent need no longer be held."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from oktalogger.pipeline.document import Built

if TYPE_CHECKING:
    from datetime import datetime

    from oktalogger.okta.client import Page
    from oktalogger.opensearch.bulk import Rejection
    from oktalogger.pipeline.document import DocumentBuilder
    from oktalogger.pipeline.window import Window


@dataclass(frozen=True, slots=True)
class PreparedPage:
    """What one page holds for the store.

    :param page: the page, without its events
    :param read: how many events it held
    :param at: the time of loading that its documents bear
    :param inside: documents of the range that was asked for
    :param rejections: events that cannot become documents
    :param outside: how many events lie outside the range
    :param span: the earliest and the latest ``published`` among the documents
    """

    page: Page
    read: int
    at: datetime
    inside: list[Built]
    rejections: list[Rejection]
    outside: int
    span: tuple[datetime, datetime] | None


def prepare(page: Page, builder: DocumentBuilder, reads: Window, *, at: datetime) -> PreparedPage:
    """Make a page's events into documents.

    :param reads: the range that was asked for
    :param at: the time of loading, in UTC
    """
    inside: list[Built] = []
    rejections: list[Rejection] = []
    outside = 0
    for raw in page.events:
        built = builder.build(bytes(raw), at)
        if not isinstance(built, Built):
            rejections.append(built)
        elif built.published not in reads:
            outside += 1
        else:
            inside.append(built)
    published = [built.published for built in inside]
    return PreparedPage(
        page=replace(page, events=[]),
        read=len(page.events),
        at=at,
        inside=inside,
        rejections=rejections,
        outside=outside,
        span=(min(published), max(published)) if published else None,
    )
