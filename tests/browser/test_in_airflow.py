"""The page in the UI of a real Airflow, clicked through by a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest

from local.stack.airflow import USER
from oktalogger.ui.snapshot import PageState, Snapshot
from tests.browser.airflow_ui import NOBODY, AirflowUi, SeededRun, left_by_a_task, running_ui
from tests.browser.conftest import Watched
from tests.unit.ui.made_up import HOSTILE, made_up

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

NOW = datetime.now(UTC).replace(microsecond=0)
LOG_OF_AN_HOUR = "manual__of_the_damaged_hour"
LOG_OF_A_FINDING = "manual__of_a_finding"
# Playwright waits for that long, in milliseconds, on a machine that others use too.
PATIENCE = 90_000


def hour_of(snapshot: Snapshot, state: PageState) -> int:
    return next(place for place, hour in enumerate(snapshot.hours) if hour.state == state)


@pytest.fixture(scope="module")
def snapshot() -> Snapshot:
    return made_up(now=NOW, findings=60, finding_run=LOG_OF_A_FINDING)


@pytest.fixture(scope="module", params=["3.3", "2.11"])
def ui(
    request: pytest.FixtureRequest, snapshot: Snapshot, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AirflowUi]:
    """An Airflow under a URL prefix, with the runs that the page speaks of."""
    home: Path = tmp_path_factory.mktemp("airflow")
    with running_ui(request.param, home, prefix="/team") as ui:
        damaged = snapshot.hours[hour_of(snapshot, "damaged")].start
        ui.seed(
            SeededRun("okta_page", "manual__older", NOW - timedelta(minutes=9)),
            SeededRun("okta_page", "manual__newest", NOW, left_by_a_task("manual__newest", snapshot)),
            SeededRun("okta_system_log", LOG_OF_AN_HOUR, damaged + timedelta(minutes=5)),
            SeededRun("okta_detections_after_load", LOG_OF_A_FINDING, NOW),
        )
        yield ui


@pytest.fixture
def logged_in(ui: AirflowUi, context: Callable[..., BrowserContext]) -> Callable[..., Watched]:
    """Opens the page as somebody."""

    def open(user: str = USER, password: str = "", at: str = "", **options: Any) -> Watched:
        made = context(**options)
        made.set_default_timeout(PATIENCE)
        watched = Watched.of(made.new_page())
        page = watched.page
        page.goto(ui.page)
        page.fill("input[name='username']", user)
        page.fill("input[name='password']", password or ui.airflow.password)
        page.locator("button[type='submit'], input[type='submit']").first.click()
        page.wait_for_url(lambda url: "login" not in url)
        # What the login page itself complains of is not ours.
        watched.complaints.clear()
        page.goto(at or ui.page)
        (page if at else frame(page)).locator("main[data-ready]").wait_for()
        return watched

    return open


def ours(complaints: list[str]) -> list[str]:
    """Leave out what Airflow 2's own main.js stumbles over on each page, and runs that are not there."""
    return [said for said in complaints if "autocomplete" not in said and "404" not in said]


def frame(page: Page) -> Any:
    return page.frame_locator("iframe[title='Okta']")


def test_the_menu_leads_to_the_page_which_shows_the_newest_snapshot(
    ui: AirflowUi, logged_in: Callable[..., Watched], snapshot: Snapshot
) -> None:
    watched = logged_in()
    shown = frame(watched.page)
    missing = sum(hour.state == "missing" for hour in snapshot.hours)
    assert shown.locator("#verdict").inner_text().startswith(f"{missing} hours are missing, 2 hours are damaged")
    labels = shown.locator("[data-hour]").evaluate_all("cells => cells.map((cell) => cell.getAttribute('aria-label'))")
    counted = [int(re.sub(r".*, ([\d,]+) events?$", r"\1", label).replace(",", "")) for label in labels]
    by_start = sorted(zip([label[:16] for label in labels], counted, strict=True))
    assert [events for _, events in by_start] == [hour.events for hour in snapshot.hours]
    assert ours(watched.complaints) == []
    assert {url for url in watched.requests if not url.startswith((ui.base, "data:", "blob:"))} == set()
    watched.page.goto(ui.base)
    watched.page.get_by_role("link", name="Okta", exact=True).first.click()
    frame(watched.page).locator("#verdict").wait_for()


def test_a_damaged_hour_leads_to_its_run(ui: AirflowUi, logged_in: Callable[..., Watched], snapshot: Snapshot) -> None:
    page = logged_in().page
    frame(page).locator(f"[data-hour='{hour_of(snapshot, 'damaged')}']").click()
    frame(page).locator("#hour a", has_text=LOG_OF_AN_HOUR).click()
    page.wait_for_url(lambda url: "/team/dags/okta_system_log/" in url and LOG_OF_AN_HOUR in url)


def test_what_is_missing_leads_to_a_form_with_the_range_filled_in(
    ui: AirflowUi, logged_in: Callable[..., Watched], snapshot: Snapshot
) -> None:
    page = logged_in().page
    place = hour_of(snapshot, "missing")
    start = snapshot.hours[place].start
    since, until = (f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in (start, start + timedelta(hours=1)))
    frame(page).locator(f"[data-hour='{place}']").click()
    if ui.line == 2:
        frame(page).get_by_role("link", name="Open the form of the backfill, filled in").click()
        page.wait_for_url(lambda url: "/team/dags/okta_system_log_backfill/trigger" in url)
        assert page.input_value("[name='element_from']").startswith(since[:16])
        return
    assert (frame(page).locator("#again-from").input_value(), frame(page).locator("#again-to").input_value()) == (
        since,
        until,
    )
    frame(page).get_by_role("button", name="Start the backfill").click()
    started = frame(page).locator("#hour [role='status'] a")
    run_id = started.inner_text()
    run = ui.ask(f"/dags/okta_system_log_backfill/dagRuns/{run_id}")
    assert run["conf"]["from"] == since
    assert run["conf"]["to"] == until
    started.click()
    page.wait_for_url(lambda url: "/team/dags/okta_system_log_backfill/" in url and run_id in unquote(url))


def test_a_finding_leads_to_its_log(logged_in: Callable[..., Watched]) -> None:
    page = logged_in().page
    frame(page).locator("#findings tr.line .link").first.click()
    assert "Ask who it was." in frame(page).locator("#findings .panel").inner_text()
    frame(page).locator(".finding-log a", has_text=LOG_OF_A_FINDING).click()
    page.wait_for_url(lambda url: "/team/dags/okta_detections_after_load/" in url and LOG_OF_A_FINDING in url)


def test_who_may_not_read_the_dag_sees_nothing_of_it(
    ui: AirflowUi, logged_in: Callable[..., Watched], snapshot: Snapshot
) -> None:
    page = logged_in(NOBODY, ui.password_of(NOBODY), at=ui.static).page
    said = page.inner_text("main")
    assert "There is nothing that you may see here." in said
    assert snapshot.org not in said


def test_without_a_session_there_is_nothing_but_the_empty_page(
    ui: AirflowUi, context: Callable[..., BrowserContext], snapshot: Snapshot
) -> None:
    page = context().new_page()
    page.goto(ui.static)
    page.locator("main[data-ready]").wait_for()
    said = page.inner_text("main")
    # Airflow 2 tells a stranger what it tells somebody without rights.
    assert ("Log in again" if ui.line == 3 else "nothing that you may see") in said
    assert snapshot.org not in page.content()


def test_hostile_names_stay_text_in_airflow(ui: AirflowUi, logged_in: Callable[..., Watched]) -> None:
    at = NOW + timedelta(minutes=1)
    ui.seed(SeededRun("okta_page", "manual__hostile", at, left_by_a_task("manual__hostile", made_up(hostile=True))))
    watched = logged_in()
    shown = frame(watched.page)
    shown.locator("#findings tr.line .link").first.click()
    assert HOSTILE in shown.locator("#problems").inner_text()
    assert "owned" not in watched.page.title()
    assert shown.locator("img").count() == 0
    assert ours(watched.complaints) == []
