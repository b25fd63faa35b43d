from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from local.standins.alerting import AlertingStandIn
from oktalogger.ui.found import ReadFindings, merge_findings, read_alerts, rule_texts
from oktalogger.ui.snapshot import MOST_FINDINGS, PageFinding, RuleText
from oktalogger.window import Window
from tests.unit.detections.compiled import EVENT
from tests.unit.detections.faults import client_of

TEN = datetime(2026, 11, 23, 10, tzinfo=UTC)
WITHIN = Window(TEN - timedelta(days=1), TEN + timedelta(hours=1))
ORG = "company.okta.com"


def alert(id: str = "r1", **more: Any) -> dict[str, Any]:
    key = {"okta_org": ORG, "okta_actor": "(actor.alternateId:ada@example.com)", "okta_hour": 1}
    return {
        "id": "a",
        "monitor_id": "m",
        "monitor_name": f"oktalogger: A token was made [{id}]",
        "state": "ACTIVE",
        "severity": "2",
        "start_time": int(TEN.timestamp() * 1000),
        "last_notification_time": int(TEN.timestamp() * 1000) + 60_000,
        "agg_alert_content": {"bucket": {"doc_count": 58, "key": key}},
        **more,
    }


def read(*alerts: dict[str, Any]) -> ReadFindings:
    return read_alerts(client_of(AlertingStandIn(alerts=list(alerts))), ORG, WITHIN)


def test_an_alert_says_who_how_many_and_since_when() -> None:
    found = read(alert())
    assert found.findings == (
        PageFinding(
            rule="r1",
            who=("actor.alternateId=ada@example.com",),
            first=TEN,
            last=TEN + timedelta(minutes=1),
            events=58,
            found_at=TEN,
            state="active",
        ),
    )
    assert found.rules["r1"].title == "A token was made"
    assert found.rules["r1"].severity == "high"


def test_alerts_of_others_of_other_orgs_and_of_other_times_are_left_out() -> None:
    elsewhere = alert()
    elsewhere["agg_alert_content"]["bucket"]["key"]["okta_org"] = "other.okta.com"
    others = [
        alert(monitor_name="CPU is high"),
        alert(monitor_name="oktalogger: without an id"),
        alert(state="DELETED"),
        alert(state="ERROR"),
        alert(start_time=int((TEN - timedelta(days=2)).timestamp() * 1000)),
        elsewhere,
    ]
    assert read(*others).findings == ()


def test_an_alert_without_a_bucket_is_still_shown() -> None:
    [finding] = read(alert(agg_alert_content=None, last_notification_time=None)).findings
    assert (finding.who, finding.events, finding.last) == ((), 1, TEN)


def test_without_the_plugin_there_are_no_alerts() -> None:
    assert read_alerts(client_of(AlertingStandIn(plugin=False)), ORG, WITHIN).findings == ()


def test_matches_and_alerts_stand_together_the_newest_first_and_no_more_than_fit() -> None:
    one = PageFinding(rule="r", who=(), first=TEN, last=TEN, events=1, found_at=TEN)
    many = tuple(replace(one, last=TEN - timedelta(seconds=2 * at)) for at in range(MOST_FINDINGS))
    late = replace(one, last=TEN - timedelta(seconds=1))
    merged = merge_findings(
        ReadFindings(many, 7, {}), ReadFindings((late,), 0, {"r": RuleText(name="", title="", severity="")})
    )
    assert len(merged.findings) == MOST_FINDINGS
    assert merged.findings[1] == late
    assert merged.left_out == 8
    assert set(merged.rules) == {"r"}


def test_a_rule_that_is_still_there_speaks_for_itself() -> None:
    stored = {
        EVENT.id: RuleText(name="old", title="old", severity="low"),
        "gone": RuleText(name="g", title="g", severity="low"),
    }
    texts = rule_texts(stored, [EVENT])
    assert texts[EVENT.id].title == EVENT.title
    assert EVENT.description in texts[EVENT.id].about
    assert texts["gone"].title == "g"
