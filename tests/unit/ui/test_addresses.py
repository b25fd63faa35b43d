from __future__ import annotations

import pytest

from oktalogger.ui.addresses import events_template, system_log_template


def test_the_address_of_events_has_a_gap_for_each_thing_that_differs() -> None:
    url = events_template("https://search.example.com/_dashboards/", "okta-system-log")
    assert url.startswith("https://search.example.com/_dashboards/app/data-explorer/discover#?")
    for gap in ("query:'{query}'", "from:'{since}'", "to:'{until}'"):
        assert gap in url
    assert events_template(None, "okta-system-log") == ""


@pytest.mark.parametrize(
    ("org", "console", "expected"),
    [
        ("company.okta.com", None, "https://company-admin.okta.com/report/system_log_2?"),
        ("login.company.com", "https://x-admin.okta.com", "https://x-admin.okta.com/report/system_log_2?"),
        ("login.company.com", None, ""),
        ("localhost:8090", None, ""),
        ("[::1]:8090", None, ""),
    ],
)
def test_the_address_of_the_system_log(org: str, console: str | None, expected: str) -> None:
    url = system_log_template(org, console)
    assert url.startswith(expected)
    assert bool(url) == bool(expected)
    for gap in ("search={search}", "fromTime={since}", "toTime={until}"):
        assert gap in url or not url
