"""The webhook notifier: what it posts, and what it never says."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import requests
import responses

from oktalogger.compat import AirflowException
from oktalogger.detections.replay.alerts import Alert
from oktalogger.notifications.channels import make_notifier, notify
from oktalogger.notifications.webhook import WebhookNotifier
from tests.airflow.conftest import ROOT
from tests.unit.detections.bundles import detection
from tests.unit.detections.replay.test_alerts import match

SECRET = "T000/B000/verysecret"
NOTIFIERS = {"soc": {"class": "oktalogger.notifications.webhook.WebhookNotifier", "http_conn_id": "soc_hook"}}


@pytest.fixture(autouse=True)
def _connection(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = {"conn_type": "http", "host": "hooks.example.com", "password": SECRET}
    monkeypatch.setenv("AIRFLOW_CONN_SOC_HOOK", json.dumps(connection))


def alert() -> Alert:
    return Alert(detection(1), "soc", (match(1),))


@responses.activate
def test_posts_the_alert_s_text() -> None:
    responses.post(f"https://hooks.example.com/{SECRET}")
    context: Any = {"dag": None}
    notify(alert(), NOTIFIERS, context)
    [call] = responses.calls
    assert json.loads(call.request.body or "") == {"text": alert().text}


@responses.activate
@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 302}, {"body": requests.Timeout()}], ids=str)
def test_a_failure_is_an_error_without_the_address(fault: dict[str, Any]) -> None:
    responses.post(f"https://hooks.example.com/{SECRET}", **fault)
    context: Any = {"dag": None}
    with pytest.raises(AirflowException) as raised:
        notify(alert(), NOTIFIERS, context)
    assert "soc_hook" in str(raised.value)
    assert "verysecret" not in repr(raised.value)
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


def test_its_text_may_be_a_template_of_one_s_own() -> None:
    assert "text" in WebhookNotifier.template_fields


def test_the_example_of_the_docs_is_one_that_can_be_made() -> None:
    text = (ROOT / "docs/detections.md").read_text()
    (example,) = re.findall(r"^export OKTALOGGER_DETECTION_NOTIFIERS='(.*)'$", text, re.MULTILINE)
    ((channel, definition),) = json.loads(example).items()
    assert isinstance(make_notifier(channel, definition), WebhookNotifier)
    assert f"OKTALOGGER_DETECTION_CHANNELS={channel}" in text
    assert f"airflow connections add {definition['http_conn_id']} --conn-type http" in text
