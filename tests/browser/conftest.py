"""A real Chromium, and pages that note whatever a browser complains of."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tools.chromium import find_chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
VIEW = {"width": 1240, "height": 900}


@dataclass
class Watched:
    """A page, and what it asked for and complained of.

    :param page: the page
    :param requests: addresses that it asked for
    :param complaints: errors of its scripts, refused resources, and dialogs
    """

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, page: Page) -> Watched:
        watched = cls(page)
        page.on("request", lambda request: watched.requests.append(request.url))
        page.on("pageerror", lambda error: watched.complaints.append(str(error)))
        page.on("dialog", lambda dialog: watched.complaints.append(f"dialog: {dialog.message}"))
        page.on("console", lambda said: watched.complaints.append(said.text) if said.type == "error" else None)
        return watched


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = find_chromium()
    if path is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("There is no Chromium: apt install chromium.")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def context(chromium: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Makes a browser that knows nothing of the others: Playwright's options of a context."""
    with ExitStack() as contexts:

        def make(**options: Any) -> BrowserContext:
            made = chromium.new_context(**{"viewport": VIEW, **options})
            contexts.callback(made.close)
            return made

        yield make
