"""The span of time that a replay looks at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from oktalogger.detections.grouped_search import INGESTED
from oktalogger.detections.slots import PUBLISHED
from oktalogger.window import format_instant

if TYPE_CHECKING:
    from datetime import datetime

    from oktalogger.detections.model import CompiledDetection
    from oktalogger.window import Window


@dataclass(frozen=True, slots=True)
class Span:
    """What is looked at.

    :param window: a range of time
    :param by: of which time: ``published`` for history, ``loaded`` for what a load has just brought
    :param historical: whether events that a backfill loaded count
    """

    window: Window
    by: Literal["published", "loaded"] = "published"
    historical: bool = True

    @property
    def field(self) -> str:
        """The index field of that time."""
        return PUBLISHED if self.by == "published" else INGESTED

    @property
    def clause(self) -> dict[str, Any]:
        """The query clause for events within the window."""
        return time_range(self.field, self.window.start, self.window.end)

    def query(self, detection: CompiledDetection) -> str:
        """Return the query_string that selects the events of a rule which count."""
        return detection.judged if self.historical else detection.query


def time_range(field: str, start: datetime, end: datetime) -> dict[str, Any]:
    """Return the query clause for a half-open range of a time field."""
    return {"range": {field: {"gte": format_instant(start), "lt": format_instant(end)}}}
