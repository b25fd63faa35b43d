"""The lines that a long load writes into its log."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from oktalogger.pipeline.load_result import LoadResult, Progress
from oktalogger.pipeline.progress import EVERY_SECONDS, LoadReporter

TEN = datetime(2026, 11, 23, 10, tzinfo=UTC)


class Told:
    """A log that keeps its lines, a clock that is set, and the reporter of a load of an hour."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.seconds = 1000.0
        self.reporter = LoadReporter(self, monotonic=lambda: self.seconds)

    def info(self, text: str, *values: Any) -> None:
        self.lines.append(text % values)

    def page(
        self, after: float, done: float = 0.5, *, last: bool = False, published: datetime | None = TEN
    ) -> list[str]:
        """Report a page that was stored so many seconds after the load began, and return the lines it made."""
        self.seconds = 1000.0 + after
        before = len(self.lines)
        result = LoadResult(pages=3, read=12_000, last_published=published)
        self.reporter(Progress(result, None if last else "https://example.okta.com/2", done))
        return self.lines[before:]


def test_a_line_comes_every_ten_seconds_and_none_with_the_last_page() -> None:
    assert EVERY_SECONDS == 10
    told = Told()
    written = [after for after in (0, 9.9, 10, 19.9, 20, 25, 31, 40, 41) if told.page(after)]
    assert written == [10, 20, 31, 41]
    assert told.page(60, last=True) == []


def test_it_says_how_far_how_fast_and_how_long_still() -> None:
    [line] = Told().page(20, 0.25)
    assert line == (
        "25 % of the window (page 3, up to 2026-11-23T10:00:00Z): 12,000 events, 600 events/s, about 60 s left."
    )


def test_it_says_that_all_is_done_only_when_it_is() -> None:
    [line] = Told().page(20, 0.99)
    assert line.startswith("99 % of the window")


def test_before_the_first_event_nothing_is_known_of_the_rest() -> None:
    [line] = Told().page(20, 0.0, published=None)
    assert line == "0 % of the window (page 3, up to the beginning): 12,000 events, 600 events/s."


@pytest.mark.parametrize(
    ("done", "left"),
    [
        (0.0099, None),
        (0.01, "about 1.6 h"),
        (0.1, "about 9 min"),
        (0.4, "about 2 min"),
        (0.5, "about 60 s"),
        (60 / 149, "about 89 s"),
    ],
)
def test_the_rest_is_told_in_the_unit_that_fits(done: float, left: str | None) -> None:
    [line] = Told().page(60, done)
    assert line.endswith(f"events/s, {left} left." if left else "events/s.")


def test_an_hour_and_a_half_is_told_in_hours() -> None:
    [line] = Told().page(5400, 0.5)
    assert line.endswith("about 1.5 h left.")
    [line] = Told().page(5399, 0.5)
    assert line.endswith("about 90 min left.")
