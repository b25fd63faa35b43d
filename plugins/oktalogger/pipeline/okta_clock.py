"""Waits until a window is over by Okta's own clock, because this machine's clock may be wrong."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from oktalogger.window import format_instant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from oktalogger.okta.system_log import Page

# What two well-kept clocks may differ by: so much less than its hold-back is waited for without asking Okta anew.
CLOCK_SLACK: Final = timedelta(seconds=2)


class TooEarlyError(Exception):
    """By Okta's clock a window is not over for long: this machine's clock is wrong. A later try can succeed."""


def ripe_pages(
    read: Callable[[], Iterator[Page]],
    ripe: datetime,
    *,
    longest: timedelta,
    waiting: Callable[[Page, float], None],
) -> Iterator[Page]:
    """Yield the pages of a reading; if Okta's clock says that it began too early, wait and begin anew.

    A clock here that is ahead would else take a window for over whose last events have yet to happen. The first page
    tells: those after it are asked for later.

    :param read: begins the reading
    :param ripe: the instant from which on it may begin
    :param longest: the longest wait
    :param waiting: told of the page that came too early, and waits that many seconds
    :raises TooEarlyError: if a wait would be longer
    """
    while True:
        pages = read()
        first = next(pages, None)
        if first is None:
            return
        early = timedelta(0) if first.answered_at is None else ripe - first.answered_at
        if early <= timedelta(0):
            yield first
            del first  # a whole page, which would else be held until the last one
            yield from pages
            return
        if early > longest:
            raise TooEarlyError(
                f"By Okta's clock this can be read from {format_instant(ripe)} on, in {early.total_seconds():.0f} s: "
                "this machine's clock is ahead. Set it right (NTP). Nothing was loaded."
            )
        # Okta tells the time in whole seconds: a part of one more would only be told too early again.
        waiting(first, math.ceil(early.total_seconds()))
