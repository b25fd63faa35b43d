"""The filter language and keywords, on one event each."""

from __future__ import annotations

from typing import Any

import pytest

from local.simulator.errors import ApiError
from local.simulator.query import filter as filters
from local.simulator.query import keywords

EVENT: dict[str, Any] = {
    "uuid": "d3b6c0f0-1111-11f0-8000-000000000000",
    "eventType": "user.session.start",
    "severity": "WARN",
    "displayMessage": 'Say "hello"',
    "actor": {"id": "00u1", "alternateId": "someone@larchandco.example", "displayName": "Some One"},
    "client": {"ipAddress": "192.0.2.7", "geographicalContext": {"city": "San Francisco"}},
    "outcome": {"result": "FAILURE", "reason": None},
    "securityContext": {"asNumber": 64496, "isProxy": False},
    "debugContext": {"debugData": {"url": "/api/v1/authn?", "dtHash": "ab-CD-12"}},
    "transaction": {"id": "XOxBw-2JIRnCFd0gG0GjHAAABjY", "detail": {"requestApiTokenId": "00T1"}},
    "target": [{"id": "00u2", "type": "User"}, {"id": "0oa1", "type": "AppInstance"}],
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('eventType eq "user.session.start"', True),
        ('event_type eq "user.session.start"', True),
        ('display_message co "hello"', True),
        ('displayMessage eq "Say \\"hello\\""', True),
        ('eventType EQ "user.session.start"', True),
        ('eventType eq "USER.session.start"', False),
        ('eventType ne "user.session.start"', False),
        ('eventType sw "user."', True),
        ('eventType ew ".start"', True),
        ('eventType co "session"', True),
        ('severity ge "INFO"', True),
        ('severity gt "WARN"', False),
        ('severity le "WARN"', True),
        ("securityContext.asNumber gt 64495", True),
        ("securityContext.asNumber lt 64496", False),
        ("securityContext.isProxy eq false", True),
        ("outcome.reason pr", False),
        ("outcome.reason eq null", True),
        ("actor.id pr", True),
        ('target.id eq "0oa1"', True),
        ('target.id eq "00u2" and target.id eq "0oa1"', True),
        ('target.id eq "00u2" and target.type eq "AppInstance"', True),
        ('target.id ne "00u2"', False),
        ('target.id ne "00u9"', True),
        ('transaction.detail.requestApiTokenId eq "00T1"', True),
        ('debugContext.debugData.url sw "/api"', True),
        ('client.geographicalContext.city eq "San Francisco"', True),
        ('not (actor.id eq "00u1")', False),
        ('not(actor.id eq "00u9") and actor.id pr', True),
        # `and` binds closer than `or`.
        ('actor.id eq "00u1" or actor.id eq "x" and actor.id eq "y"', True),
        ('(actor.id eq "00u1" or actor.id eq "x") and actor.id eq "y"', False),
        ('actor.id eq "x" and actor.id eq "y" or actor.id eq "00u1"', True),
        ('actor.detailEntry.anything eq "x"', False),
    ],
)
def test_matching(text: str, expected: bool) -> None:
    assert filters.parse(text).matches(EVENT) is expected


@pytest.mark.parametrize(
    ("text", "code", "summary"),
    [
        (
            'display_message eqq "Create okta user"',
            "E0000053",
            "Invalid filter 'display_message eqq \"Create okta user\"': Unrecognized attribute operator 'eqq' at "
            "position 16. Expected: eq,co,sw,pr,gt,ge,lt,le",
        ),
        ('some_invalid_field eq "x"', "E0000053", "field is not valid: some_invalid_field"),
        ('EventType eq "x"', "E0000053", "field is not valid: EventType"),
        ("published pr", "E0000053", "field is not valid: published"),
        (
            'debugContext.debugData.url co "/oauth/"',
            "E0000031",
            "The supplied combination of operator and field is not currently supported. Operator: co, Field: "
            "debugContext.debugData.url",
        ),
        ('debugContext.debugData.requestUri co "x"', "E0000031", "The supplied combination"),
        ('target.changeDetails eq "x"', "E0000031", "The supplied combination"),
        ("eventType eq user", "E0000053", "Invalid filter 'eventType eq user': Invalid value user at position 13."),
        ("eventType eq", "E0000053", "Invalid filter 'eventType eq': Unexpected end of filter at position 12."),
        ('eventType eq "x', "E0000053", "Invalid filter"),
        ('(eventType eq "x"', "E0000053", "Invalid filter"),
        ('eventType eq "x")', "E0000053", "Invalid filter 'eventType eq \"x\")': Unexpected token ')' at position 16."),
        ('eventType eq "x" eventType eq "y"', "E0000053", "Invalid filter"),
        ('not eventType eq "x"', "E0000053", "Invalid filter"),
        ('eventType[type eq "x"]', "E0000053", "field is not valid: eventType[type"),
        ("and", "E0000053", "Invalid filter"),
        ("   ", "E0000053", "Invalid filter"),
    ],
)
def test_refusing(text: str, code: str, summary: str) -> None:
    with pytest.raises(ApiError) as caught:
        filters.parse(text)
    assert caught.value.code == code
    assert caught.value.summary.startswith(summary)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("San Francisco", True),
        ("san FRANCISCO", True),
        ("San Diego", False),
        ("Franc", False),
        ("XOxBw", True),
        ("2JIRnCFd0gG0GjHAAABjY", True),
        ("XOxBw-2JIRnCFd0gG0GjHAAABjY", True),
        ("someone@larchandco.example", True),
        ("192.0.2.7 WARN", True),
        ("hello", True),
    ],
)
def test_keywords(text: str, expected: bool) -> None:
    assert keywords.matches(keywords.read(text), EVENT) is expected
