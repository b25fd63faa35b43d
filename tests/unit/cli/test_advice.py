"""Advice fits the command line, where no Airflow connection is."""

from __future__ import annotations

import traceback

import pytest

from oktalogger.cli import _say
from oktalogger.cli.environment import EnvironmentConfigError, opensearch_client
from oktalogger.okta.errors import OktaAuthenticationError, OktaServerError
from oktalogger.opensearch.errors import OpenSearchAuthenticationError
from oktalogger.window import WindowError


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            OktaAuthenticationError("Okta refuses the login.", advice="Check the API token in the connection."),
            "in the connection. (Here the connection is the variables OKTALOGGER_OKTA_URL, OKTALOGGER_OKTA_TOKEN, ",
        ),
        (
            OpenSearchAuthenticationError("It does not know these credentials: check the connection's user."),
            "(Here the connection is the variables OKTALOGGER_OPENSEARCH_URL, OKTALOGGER_OPENSEARCH_USERNAME, ",
        ),
    ],
)
def test_what_stands_for_the_connection_is_named(
    error: Exception, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _say(error, 7) == 7
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("error", [OktaServerError("Okta is out of order."), WindowError("No connection to time.")])
def test_other_errors_stay_as_they_are(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    _say(error, 1)
    assert capsys.readouterr().err == f"error: {error}\n"


def test_no_secret_stands_in_the_local_variables_of_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"URL": "ftp://nowhere", "USERNAME": "me", "PASSWORD": "PLANTED"}.items():
        monkeypatch.setenv(f"OKTALOGGER_OPENSEARCH_{name}", value)
    with pytest.raises(EnvironmentConfigError) as caught:
        opensearch_client()
    frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)][1:]
    assert any(frame.f_code.co_name == "opensearch_client" for frame in frames)
    assert all("PLANTED" not in repr(frame.f_locals) for frame in frames)
