"""Renders a snapshot as plain HTML, for a browser without JavaScript: the calendar, where the org stands, findings."""

from __future__ import annotations

from html import escape
from itertools import groupby
from typing import TYPE_CHECKING, Final

from oktalogger.ui.snapshot import STATES
from oktalogger.window import format_instant

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from oktalogger.ui.snapshot import PageFinding, PageHour, PageState, RuleText, Snapshot

_SHOWN: Final = 500
# One character an hour; a state that asks for somebody is a sign, and one that does not is a letter or a dot.
SIGNS: Final[Mapping[PageState, str]] = {
    "whole": "w",
    "late": "l",
    "refused": "!",
    "running": "r",
    "missing": "X",
    "damaged": "D",
    "doubled": "2",
    "too old": "o",
    "expired": "e",
    "not due": ".",
    "not asked for": "-",
}


def plain_text(snapshot: Snapshot) -> str:
    """Return the HTML of one org, everything in it escaped.

    :param snapshot: what to show
    """
    return "".join(_parts(snapshot))


def _parts(snapshot: Snapshot) -> Iterator[str]:
    yield f"<h1>Okta System Log of {escape(snapshot.org)}</h1>\n"
    yield f"<p>Measured at {format_instant(snapshot.made_at)}."
    newest = snapshot.standing.newest
    yield f" Complete up to {format_instant(newest)}.</p>\n" if newest else " Nothing is complete yet.</p>\n"
    if snapshot.problems:
        yield _list("Problems with rules and monitors", snapshot.problems)
    yield _calendar(snapshot.hours)
    troubled = [hour for hour in snapshot.hours if hour.missing]
    if troubled:
        yield _list("To be loaded again", (f"{gap}: {hour.state}" for hour in troubled for gap in hour.missing))
    if snapshot.findings:
        yield _findings(snapshot)


def _list(title: str, lines: Iterable[str]) -> str:
    items = "".join(f"<li>{escape(line)}</li>\n" for line in lines)
    return f"<h2>{title}</h2>\n<ul>\n{items}</ul>\n"


def _calendar(hours: Iterable[PageHour]) -> str:
    heads = "".join(f"<th>{hour:02}</th>" for hour in range(24))
    rows = []
    for day, of_day in groupby(hours, key=lambda hour: hour.start.date()):
        cells = dict.fromkeys(range(24), "<td></td>")
        for hour in of_day:
            cells[hour.start.hour] = f'<td title="{hour.state}, {hour.events} events">{SIGNS[hour.state]}</td>'
        rows.append(f"<tr><th>{day}</th>{''.join(cells.values())}</tr>\n")
    signs = ", ".join(f"{SIGNS[state]} {state}" for state in STATES)
    return (
        f"<h2>Coverage, hours of UTC</h2>\n<p>{signs}</p>\n<table>\n<tr><th>day</th>{heads}</tr>\n"
        f"{''.join(reversed(rows))}</table>\n"
    )


def _findings(snapshot: Snapshot) -> str:
    rows = "".join(_finding(one, snapshot.rules.get(one.rule)) for one in snapshot.findings[:_SHOWN])
    more = len(snapshot.findings) + snapshot.left_out - _SHOWN
    said = f"<p>{more:,} more are left out here.</p>\n" if more > 0 else ""
    return (
        "<h2>Findings</h2>\n<table>\n<tr><th>severity</th><th>rule</th><th>who</th><th>events</th><th>first</th>"
        f"<th>last</th><th>state, or who was told</th></tr>\n{rows}</table>\n{said}"
    )


def _finding(one: PageFinding, rule: RuleText | None) -> str:
    cells = (
        rule.severity if rule else "",
        rule.title if rule else one.rule,
        ", ".join(one.who),
        str(one.events),
        format_instant(one.first),
        format_instant(one.last),
        one.state or ", ".join(one.told),
    )
    return f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>\n"
