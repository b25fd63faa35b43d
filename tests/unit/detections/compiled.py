"""Compiled detections for tests that need no compiler."""

from __future__ import annotations

from oktalogger.detections.criteria import Threshold
from oktalogger.detections.model import CompiledDetection

EVENT = CompiledDetection(
    id="11111111-1111-4111-8111-111111111111",
    name="okta_api_token_created",
    title="An API token was made",
    description="Somebody made one {{of them}}.",
    severity="medium",
    attack=("T1098.001",),
    tactics=("persistence",),
    false_positives=("A new integration.",),
    runbook="1. Ask whoever did it.",
    references=("https://example.com/tokens",),
    selection="eventType:system.api_token.create",
    fields=("eventType",),
    file="okta_api_token_created.yml",
)
THRESHOLD = CompiledDetection(
    id="22222222-2222-4222-8222-222222222222",
    name="okta_password_spray",
    title="One address tried passwords on many accounts",
    description="Many sign-ins failed.",
    severity="high",
    throttle_minutes=60,
    selection="(eventType:user.session.start AND outcome.result:FAILURE)",
    fields=("actor.alternateId", "client.ipAddress", "eventType", "outcome.result"),
    threshold=Threshold(counted="actor.alternateId", group_by=("client.ipAddress",), seconds=600, at_least=10),
    file="okta_password_spray.yml",
)
