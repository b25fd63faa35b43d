"""The webhook notifier: what it posts, and what it never says."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
import requests
import responses

from oktalogger.compat import AirflowException
from oktalogger.detections.replay.alerts import Alert
from oktalogger.notifications.channels import make_notifier, markup_of, notify
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
@pytest.mark.parametrize(
    ("markup", "group"),
    [
        ("plain", "\u2039!channel\u203a \u2039https[:]//evil.example|Okta: confirm\u203a \\n- forged"),
        ("slack", "\u2039!channel\u203a \u2039https[:]//evil.example|Okta: confirm\u203a \\n- forged"),
    ],
)
def test_no_value_of_an_event_acts_where_it_is_posted(markup: str, group: str) -> None:
    responses.post(f"https://hooks.example.com/{SECRET}")
    hostile = "<!channel> <https://evil.example|Okta: confirm> \n- forged"
    found = match(1, group={"actor.alternateId": hostile}, example=f"by {hostile}", events=2)
    rule = replace(detection(1), description="a < b & c")
    context: Any = {"dag": None}
    notify(Alert(rule, "soc", (found,)), {"soc": {**NOTIFIERS["soc"], "markup": markup}}, context)
    [call] = responses.calls
    text = json.loads(call.request.body or "")["text"]
    assert f"[actor.alternateId={group}]" in text
    assert f"by {group}" in text
    assert ("a &lt; b &amp; c" if markup == "slack" else "a < b & c") in text


@pytest.mark.parametrize(
    ("path", "markup"),
    [
        ("airflow.providers.slack.notifications.slack_webhook.SlackWebhookNotifier", "slack"),
        ("airflow.providers.smtp.notifications.smtp.SmtpNotifier", "html"),
        ("company.Notifier", "plain"),
    ],
)
def test_the_markup_of_a_target_follows_from_its_provider(path: str, markup: str) -> None:
    assert markup_of({"class": path}) == markup
    assert markup_of({"class": path, "markup": "markdown"}) == "markdown"


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
