"""What servers say reaches logs and terminals as text, and as nothing else."""

from __future__ import annotations

import re
import traceback

import pytest

from oktalogger.frames import forgetting_locals
from oktalogger.okta.errors import OktaApiError, OktaConfigurationError
from oktalogger.opensearch.errors import OpenSearchUnavailableError
from oktalogger.text import MARKUPS, counted, harmless, is_harmful, printable, written_for


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("a\rb\x00c\x7fd\x9be", r"a\rb\x00c\x7fd\x9be"),
        ("moc\u202e.live", r"moc\u202e.live"),
        ("two\nlines\tand Grüße, 日本", "two\nlines\tand Grüße, 日本"),
    ],
)
def test_control_characters_are_written_out(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize("error", [OktaApiError, OktaConfigurationError, OpenSearchUnavailableError])
def test_no_error_carries_them(error: type[Exception]) -> None:
    raised = error("Okta says: \x1b]0;owned\x07.")
    assert str(raised) == repr(raised.args[0])[1:-1].replace("\\\\", "\\") == r"Okta says: \x1b]0;owned\x07."


HOSTILE = {
    "everybody in Slack": "<!channel>",
    "a link in Slack": "<https://evil.example|Okta: confirm>",
    "a link in Teams": "[Okta: confirm](https://evil.example)",
    "a reference in Teams": "[Okta][1]",
    "an element of a page": "<img src=x onerror=alert(1)>",
    "everybody in Mattermost": "@channel",
    "everybody in the middle": "hi @all",
    "an address": "https://evil.example/login",
    "an address without a scheme": "go to WWW.evil.example",
    "a mail": "MAILTO:evil@example.com",
    "a forged line": "Alice\nOutcome: SUCCESS",
    "a forged line of Windows": "Alice\r\nOutcome: SUCCESS",
    "a separator of lines": "Alice\u2028Outcome: SUCCESS",
    "a terminal": "\x1b]0;owned\x07",
    "a terminal of eight bits": "\x9b31m",
    "a turn of direction": "moc.elpmaxe\u202e",
    "nothing to see": "ad\u200bmin",
    "tags": "a\U000e0041",
    "half a character": "a\ud800",
    "mustache": "{{ctx.monitor.name}}",
    "Jinja": "{{ conn.okta_default.password }}",
}
ACTS = re.compile(
    r"[<>\x00-\x1f\x7f-\x9f\u2028-\u202e\u200b\ud800-\udfff\U000e0000-\U000e007f]|://|\]\(|\]\[|\{\{|www\.|mailto:|^@|\s@",
    re.IGNORECASE,
)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_value_acts_nowhere(name: str) -> None:
    value = HOSTILE[name]
    assert ACTS.search(value), "the test knows what acts"
    assert is_harmful(value)
    made = harmless(value)
    assert not ACTS.search(made)
    assert harmless(made) == made
    for markup in MARKUPS:
        assert "\n" not in written_for(markup, made)


@pytest.mark.parametrize(
    "value", ["alice@example.com", "Zoë O'Brien & Sons", "Okta Admin Console", "日本", "a_b*c", "👩‍💻", "C:\\x [y]"]
)
def test_usual_values_stay_as_they_are(value: str) -> None:
    assert not is_harmful(value)
    assert harmless(value) == value


def test_a_whole_text_is_written_for_its_target() -> None:
    text = "One & two\nIf a < b: see https://runbook.example/x_y\n# [not] a *heading*"
    assert written_for("plain", text) == text
    assert written_for("slack", text).startswith("One &amp; two\nIf a &lt; b: see https://runbook.example/x_y\n")
    assert written_for("html", "<b>\"'&") == "&lt;b&gt;&quot;&#x27;&amp;"
    assert written_for("markdown", text).endswith("see https://runbook.example/x_y\n\\# \\[not\\] a \\*heading\\*")
    assert written_for("plain", "red \x1b[31m") == r"red \x1b[31m"


def test_an_error_forgets_the_local_variables_of_those_that_it_passed() -> None:
    def log_in(password: str) -> None:
        header = f"Basic {password}"
        try:
            raise KeyError(header[:3])
        except KeyError as cause:
            raise ValueError("refused") from cause

    with pytest.raises(ValueError, match="refused") as caught, forgetting_locals():
        log_in("PLANTED")
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert "in log_in" in "".join(shown.format())
    assert "PLANTED" not in "".join(line for line in shown.format() if "log_in(" not in line)


def test_a_number_fits_its_word() -> None:
    assert counted(0, "event") == "0 events"
    assert counted(1, "event") == "1 event"
    assert counted(2_000, "event was", "events were") == "2,000 events were"
