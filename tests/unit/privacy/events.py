"""One event in which a person stands in every way that Okta has."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

NAME = "Zoë Planted-Person"
OTHER = "Quentin Planted-Target"
MAIL = "zoe.planted@corp.example"
OTHER_MAIL = "quentin.planted@corp.example"
ADDRESS = "203.0.113.77"
ADDRESS6 = "2001:db8:77:1::99"
AGENT = "PlantedBrowser/9.9 (Planted OS) Chrome/117.0.0.0"
CITY = "Plantedville"
POSTCODE = "PL4NT"
DEVICE = "guoPlantedDevice1"
LAPTOP = "Zoë's planted laptop"
SECRET_NOTE = "planted words that nobody else knows"

PLANTED = {
    "names": (NAME, OTHER),
    "mail": (MAIL, OTHER_MAIL),
    "addresses": (ADDRESS, ADDRESS6),
    "user_agents": (AGENT,),
    "locations": (CITY, POSTCODE),
    "device_ids": (DEVICE, LAPTOP, "planted-fingerprint"),
    "free_text": (SECRET_NOTE,),
}


def event(**fields: Any) -> dict[str, Any]:
    """Return the event.

    :param fields: what is different
    """
    place = {
        "city": CITY,
        "state": "Plantedstate",
        "country": "Plantedland",
        "postalCode": POSTCODE,
        "geolocation": {"lat": 12.3456, "lon": -65.4321},
    }
    principal = {"id": "00u1", "type": "User", "alternateId": MAIL, "displayName": NAME}
    made: dict[str, Any] = {
        "uuid": "11111111-2222-3333-4444-555555555555",
        "published": "2026-11-23T10:01:02.003Z",
        "eventType": "user.session.start",
        "version": "0",
        "severity": "INFO",
        "displayMessage": f"User login to Okta by {NAME} from {ADDRESS}",
        "actor": {**principal, "detailEntry": {"nickname": SECRET_NOTE}},
        "client": {
            "id": None,
            "zone": "null",
            "device": "Computer",
            "ipAddress": ADDRESS,
            "userAgent": {"rawUserAgent": AGENT, "os": "Planted OS", "browser": "CHROME"},
            "geographicalContext": place,
        },
        "device": {"id": DEVICE, "name": LAPTOP, "os_platform": "OSX", "managed": True, "serial": SECRET_NOTE},
        "outcome": {"result": "FAILURE", "reason": f"Bad password of {MAIL.upper()}"},
        "request": {
            "ipChain": [
                {"ip": ADDRESS, "geographicalContext": place, "version": "V4", "source": None},
                {"ip": ADDRESS6, "geographicalContext": None, "version": "V6", "source": None},
            ]
        },
        "securityContext": {"asNumber": 64500, "isp": "an isp", "isProxy": False},
        "debugContext": {
            "debugData": {
                "requestUri": f"/api/v1/users/{quote(MAIL)}?q={quote(NAME)}",
                "url": f"/x?who={SECRET_NOTE}",
                "risk": "{level=HIGH}",
                "dtHash": "planted-fingerprint",
                "logOnlySecurityData": json.dumps({"who": NAME, "mail": MAIL, "ip": ADDRESS6}),
                "originalPrincipal": json.dumps(principal),
                "factor": "PASSWORD",
                "newKeyOfOkta": SECRET_NOTE,
                "errorMessage": f"{OTHER} {SECRET_NOTE}",
            }
        },
        "target": [
            {"id": "00u2", "type": "User", "alternateId": OTHER_MAIL, "displayName": OTHER, "detailEntry": None},
            {"id": "00g1", "type": "UserGroup", "alternateId": "unknown", "displayName": "Admins"},
            {"id": DEVICE, "type": "Device", "alternateId": "unknown", "displayName": LAPTOP},
            {
                "id": "rul1",
                "type": "PolicyRule",
                "displayName": f"Rule of {OTHER}",
                "changeDetails": {"from": {"firstName": SECRET_NOTE}, "to": {"mobile": 4915112345}},
                "detailEntry": {"methodTypeUsed": "Push", "oktaDeviceId": DEVICE},
            },
        ],
        "transaction": {"type": "WEB", "id": "T1", "detail": {"requestApiTokenId": "00T1", "more": SECRET_NOTE}},
        "brandNew": {"text": SECRET_NOTE},
    }
    return made | fields


def raw(**fields: Any) -> bytes:
    """Return the event as Okta sends it.

    :param fields: what is different
    """
    return json.dumps(event(**fields), ensure_ascii=False).encode()
