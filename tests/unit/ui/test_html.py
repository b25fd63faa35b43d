from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

from oktalogger.ui.html import airflow_page, report_page
from oktalogger.ui.packing import unpack
from oktalogger.ui.plain import SIGNS, plain_text
from oktalogger.ui.snapshot import STATES
from tests.unit.ui.made_up import HOSTILE, made_up


class Tags(HTMLParser):
    """Collects what a browser without JavaScript would make of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def policy(page: str) -> dict[str, str]:
    [content] = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    return dict(directive.strip().split(" ", 1) for directive in content.split(";"))


def hash_of(page: str, tag: str) -> str:
    [text] = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_a_report_asks_nobody_for_anything() -> None:
    page = report_page([made_up()])
    rules = policy(page)
    assert rules["default-src"] == "'none'"
    assert rules["connect-src"] == "'none'"
    tags = Tags(page)
    assert not {"link", "iframe", "img", "object", "base", "form"} & set(tags.tags)
    assert not [name for name, _ in tags.attributes if name in ("src", "action", "style") or name.startswith("on")]


def test_no_script_runs_but_ours() -> None:
    for page in (report_page([made_up(hostile=True)]), airflow_page(api="../api/v2", line=3)):
        rules = policy(page)
        assert rules["script-src"] == hash_of(page, "script")
        assert rules["style-src"] == hash_of(page, "style")


def test_the_page_in_airflow_holds_no_data_and_asks_airflow_only() -> None:
    page = airflow_page(api="../api/v2", line=3)
    assert policy(page)["connect-src"] == "'self'"
    assert 'data-api="../api/v2" data-line="3"' in page
    assert "text/plain" not in page.partition("<script>")[0]


def test_a_report_holds_the_snapshot_of_each_org() -> None:
    snapshots = [made_up(), made_up(org="other.okta.com", seed=3)]
    texts = re.findall(r'<script type="text/plain">(.*?)</script>', report_page(snapshots))
    assert [unpack(text) for text in texts] == snapshots


def test_hostile_names_are_text_without_javascript() -> None:
    text = plain_text(made_up(hostile=True))
    tags = Tags(text)
    assert set(tags.tags) <= {"h1", "h2", "p", "ul", "li", "table", "tr", "th", "td"}
    assert any(HOSTILE in word for word in tags.words)


def test_the_calendar_is_readable_without_javascript() -> None:
    snapshot = made_up()
    rows = re.findall(r"<tr><th>(\d{4}-\d\d-\d\d)</th>(.*?)</tr>", plain_text(snapshot))
    assert rows[0][0] == "2026-11-29"
    assert len(rows) == 91
    signs = [sign for _, cells in reversed(rows) for sign in re.findall(r"<td[^>]*>(.?)</td>", cells) if sign]
    assert signs == [SIGNS[hour.state] for hour in snapshot.hours]
    assert len(set(SIGNS.values())) == len(STATES)


def test_what_is_to_be_loaded_again_and_what_was_found_stand_there_without_javascript() -> None:
    words = " ".join(Tags(plain_text(made_up())).words)
    assert "2026-11-26T02:00:00Z" in words
    assert "it names a field without a mapping" in words
    assert "Something that nobody should do" in words
