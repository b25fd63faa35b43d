"""The report, as a person with a browser and nothing else sees it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from oktalogger.ui.html import report_page
from oktalogger.ui.snapshot import Snapshot
from tests.browser.conftest import Watched
from tests.unit.ui.made_up import HOSTILE, made_up

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

NAMES = {
    "late": "whole after a late reading",
    "refused": "rejected or drifted events",
    "too old": "older than Okta keeps",
}


@pytest.fixture
def opened(context: Callable[..., BrowserContext], tmp_path: Path) -> Callable[..., Watched]:
    """Writes a report and opens it."""

    def open(*snapshots: Snapshot, **options: Any) -> Watched:
        file = tmp_path / "report.html"
        file.write_text(report_page(snapshots), encoding="utf-8")
        watched = Watched.of(context(**options).new_page())
        watched.page.goto(file.as_uri())
        if options.get("java_script_enabled", True):
            watched.page.wait_for_selector("main[data-ready]")
        return watched

    return open


def test_each_hour_says_what_the_snapshot_says(opened: Callable[..., Watched]) -> None:
    snapshot = made_up()
    watched = opened(snapshot)
    labels = watched.page.eval_on_selector_all(
        "[data-hour]", "cells => cells.map((cell) => [Number(cell.dataset.hour), cell.getAttribute('aria-label')])"
    )
    assert len(labels) == len(snapshot.hours)
    for place, label in labels:
        hour = snapshot.hours[place]
        assert label.startswith(f"{hour.start:%Y-%m-%d %H:%M} to ")
        state, events = re.fullmatch(r".* UTC: (.*), ([\d,]+) events?", label).groups()  # type: ignore[union-attr]
        assert (state, int(events.replace(",", ""))) == (NAMES.get(hour.state, hour.state), hour.events)
    assert watched.complaints == []
    assert [url for url in watched.requests if not url.startswith("file:")] == []


def test_a_damaged_hour_says_what_it_lost_and_how_to_load_it_again(opened: Callable[..., Watched]) -> None:
    snapshot = made_up()
    page = opened(snapshot).page
    place = next(at for at, hour in enumerate(snapshot.hours) if hour.state == "damaged")
    page.click(f"[data-hour='{place}']")
    said = page.inner_text("#hour")
    assert "2026-11-26 02:00 to 03:00 UTC: damaged" in said
    assert f"{snapshot.hours[place].expected:,}" in said
    assert "OktaError: Okta was out of reach." in said
    assert (
        "airflow dags trigger okta_system_log_backfill --conf "
        '\'{"from":"2026-11-26T02:00:00Z","to":"2026-11-26T03:00:00Z"}\''
    ) in re.sub(r"\s+", " ", said)


def test_the_calendar_works_with_the_keyboard(opened: Callable[..., Watched]) -> None:
    page = opened(made_up()).page
    assert page.eval_on_selector_all("[data-hour]", "cells => cells.filter((cell) => cell.tabIndex === 0).length") == 1
    page.focus("[data-hour][tabindex='0']")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    assert "2026-11-25 04:00" in page.inner_text("#hour")
    assert page.evaluate("document.activeElement.getAttribute('aria-selected')") == "true"


def test_findings_are_filtered_sorted_and_opened(opened: Callable[..., Watched]) -> None:
    snapshot = made_up(findings=400)
    page = opened(snapshot).page
    high = [one for one in snapshot.findings if snapshot.rules[one.rule].severity == "high"]
    page.select_option("#severity", "high")
    assert f"{len(high)} findings" in page.inner_text("#findings [role='status']")
    assert set(page.locator("#findings .severity").all_inner_texts()) == {"high"}

    page.select_option("#severity", "")
    page.get_by_role("button", name="events", exact=True).click()
    shown = [int(text) for text in page.locator("#findings tr.line td.number").all_inner_texts()]
    assert shown == sorted((one.events for one in snapshot.findings), reverse=True)[: len(shown)]

    wanted = snapshot.findings[7]
    page.fill("#who", wanted.who[0].partition("=")[2])
    page.locator("#findings tr.line .link").first.click()
    text = page.inner_text("#findings .panel")
    assert "Ask who it was." in text
    assert wanted.run_id in text
    events = page.locator("#findings .panel a", has_text="the events in Dashboards").get_attribute("href")
    assert events is not None
    assert events.startswith("https://dashboards.example.com/")
    assert f"from:'{wanted.first:%Y-%m-%dT%H}%3A" in events


def test_every_picture_has_its_numbers_beneath_it(opened: Callable[..., Watched]) -> None:
    snapshot = made_up()
    page = opened(snapshot).page
    assert page.get_attribute("#volume svg", "role") == "img"
    for place, columns in ((0, 6), (1, 7)):
        page.locator("summary", has_text="The same as a table").nth(place).click()
        rows = page.locator("details[open]").nth(place).locator("tbody tr")
        rows.first.wait_for()
        assert rows.count() == len(snapshot.hours)
        assert rows.first.locator("td").count() == columns
    newest = next(hour for hour in reversed(snapshot.hours) if hour.events)
    row = page.locator("details[open]").nth(1).locator("tr", has_text=f"{newest.start:%Y-%m-%d %H:%M}")
    assert [int(text.replace(",", "")) for text in row.locator("td.number").all_inner_texts()] == list(newest.kinds)


def test_hostile_names_stay_text(opened: Callable[..., Watched]) -> None:
    watched = opened(made_up(hostile=True))
    page = watched.page
    for at in range(3):
        page.locator("#findings tr.line .link").nth(at).click()
    page.locator("[data-hour].M").first.click()
    assert page.title() == "Okta System Log"
    assert HOSTILE in page.inner_text("#problems")
    assert HOSTILE in page.inner_text("#hour")
    assert page.locator("img, iframe, object").count() == 0
    assert page.locator("a[href^='javascript']").count() == 0
    assert watched.complaints == []


def test_without_javascript_the_calendar_and_the_findings_are_there(opened: Callable[..., Watched]) -> None:
    page = opened(made_up(), java_script_enabled=False).page
    said = page.inner_text("body")
    assert "2026-11-29" in said
    assert "Something that nobody should do" in said
    assert page.locator("table").first.locator("tr").count() == 92


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_is_the_browsers(opened: Callable[..., Watched], scheme: str) -> None:
    page = opened(made_up(), color_scheme=scheme).page
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(18, 22, 29)"}[scheme]


def test_five_thousand_findings_open_with_the_first_of_them(opened: Callable[..., Watched]) -> None:
    page = opened(made_up(findings=5_000)).page
    assert "5,000 findings" in page.inner_text("#findings [role='status']")
    first = page.locator("#findings tr.line").count()
    page.get_by_role("button", name="Show more").click()
    assert page.locator("#findings tr.line").count() > first


def test_each_org_has_its_own_page(opened: Callable[..., Watched]) -> None:
    page = opened(made_up(), made_up(org="other.okta.com", findings=0, seed=3)).page
    assert "40 findings" in page.inner_text("#findings")
    page.select_option("#orgs", label="other.okta.com")
    assert "No rule has found anything" in page.inner_text("#findings")
