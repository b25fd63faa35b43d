"""Pictures of the page for README and docs: ``OKTALOGGER_TEST_PICTURES=docs/images`` writes them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from oktalogger.ui.html import report_page
from tests.unit.ui.company import company

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

FOLDER = "OKTALOGGER_TEST_PICTURES"
# Of a README, which shows them small.
LARGEST = 200_000


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_picture_shows_the_whole_page_and_is_small(
    context: Callable[..., BrowserContext], tmp_path: Path, scheme: str
) -> None:
    file = tmp_path / "report.html"
    snapshot = company()
    file.write_text(report_page([snapshot]), encoding="utf-8")
    page = context(color_scheme=scheme, viewport={"width": 1120, "height": 1000}).new_page()
    # The page says how long ago it was measured.
    page.clock.set_fixed_time(snapshot.made_at)
    page.goto(file.as_uri())
    page.wait_for_selector("main[data-ready]")
    page.locator("[data-hour].D").last.click()
    page.mouse.move(0, 0)
    picture = Path(os.environ.get(FOLDER) or tmp_path) / f"okta-page-{scheme}.png"
    page.screenshot(path=str(picture))
    assert 20_000 < picture.stat().st_size < LARGEST
