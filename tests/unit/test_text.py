"""What servers say reaches logs and terminals as text, and as nothing else."""

from __future__ import annotations

import pytest

from oktalogger.okta.errors import OktaApiError, OktaConfigurationError
from oktalogger.opensearch.errors import OpenSearchUnavailableError
from oktalogger.text import printable


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
