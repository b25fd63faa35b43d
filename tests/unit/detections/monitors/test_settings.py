"""The settings of the detections."""

from __future__ import annotations

import traceback

import pytest

from oktalogger.detections.monitors.render import monitor_settings
from oktalogger.settings import SettingsError, load_settings


def test_reach_the_monitors() -> None:
    settings = load_settings(
        {
            "OKTALOGGER_DASHBOARDS_URL": "https://dashboards.example.com",
            "OKTALOGGER_OKTA_HOSTS": "Acme.okta.com, other.okta.com",
            "OKTALOGGER_DETECTION_CHANNELS": "soc, on call,soc",
            "OKTALOGGER_DETECTION_CHANNELS_FROM": "high",
            "OKTALOGGER_DETECTION_DELETE_PERCENT": "50",
            "OKTALOGGER_DETECTION_NOTIFIERS": '{"soc": {"class": "a.B", "to": "x"}}',
        }
    )
    common = monitor_settings(settings)
    assert common.default_channels == ("soc", "on call")
    assert common.default_channels_from == "high"
    assert common.dashboards_url == "https://dashboards.example.com"
    assert common.okta_orgs == ("acme.okta.com", "other.okta.com")
    assert settings.detection_delete_percent == 50
    assert settings.detection_notifiers == {"soc": {"class": "a.B", "to": "x"}}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CHANNELS_FROM", "loud"),
        ("DELETE_PERCENT", "101"),
        ("NOTIFIERS", "soc"),
        ("NOTIFIERS", '["soc"]'),
        ("NOTIFIERS", '{"soc": "a.B"}'),
        ("NOTIFIERS", '{"soc": {"class": "B"}}'),
    ],
)
def test_that_cannot_be_used_are_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"OKTALOGGER_DETECTION_{name}"):
        load_settings({f"OKTALOGGER_DETECTION_{name}": value})


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("DETECTION_NOTIFIERS", '{"soc":\n {"class": "a.B", "token": "hunter2"}', "line 2, column 38: Expecting"),
        ("DETECTION_NOTIFIERS", '{"soc": {"class": "B", "token": "hunter2"}}', "'soc' is not so"),
        ("DETECTION_NOTIFIERS", '["hunter2"]', "a JSON object"),
        ("DASHBOARDS_URL", "https://ada:hunter2@dashboards.example.com", "without a user name"),
    ],
)
def test_that_can_hold_a_secret_are_refused_without_their_value(name: str, value: str, says: str) -> None:
    with pytest.raises(SettingsError, match=f"^OKTALOGGER_{name} cannot be used: .*{says}") as caught:
        load_settings({f"OKTALOGGER_{name}": value})
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))
