"""Whole LogEvent bodies as Okta sends them, from the parts that a scene names.

``debugData`` speaks Okta's three dialects: plain strings, ``{k=v, k=v}`` with commas inside values, and JSON text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from local.simulator.world.company import Person
from local.simulator.world.places import raw

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from local.simulator.world.company import Named
    from local.simulator.world.places import Seat

Body = dict[str, Any]
NULL = msgspec.Raw(b"null")
SUCCESS = raw({"result": "SUCCESS", "reason": None})
SYSTEM_ACTOR = raw(
    {"id": "00uSystemPrincipal01", "type": "SystemPrincipal", "alternateId": "system@okta.com",
     "displayName": "Okta System", "detailEntry": None}
)  # fmt: skip
_NO_CLIENT = raw(
    {"userAgent": None, "zone": None, "device": None, "id": None, "ipAddress": None, "geographicalContext": None}
)
_NO_SECURITY = raw({"asNumber": None, "asOrg": None, "isp": None, "domain": None, "isProxy": None, "userBehaviors": []})
_NO_REQUEST = raw({"ipChain": []})
BEHAVIORS = ("New Geo-Location", "New Device", "New IP", "New State", "New Country", "Velocity", "New City")


def outcome(result: str, reason: str | None = None) -> msgspec.Raw:
    """Okta's ``outcome``."""
    return SUCCESS if result == "SUCCESS" and reason is None else raw({"result": result, "reason": reason})


def target(kind: str, thing: Named, detail: dict[str, Any] | None = None, **more: Any) -> Body:
    """One member of ``target``.

    :param kind: Okta's type, such as ``AppInstance`` or ``UserGroup``
    :param more: further keys, such as ``changeDetails``
    """
    return {
        "id": thing.id,
        "type": kind,
        "alternateId": thing.alternate_id or "unknown",
        "displayName": thing.name,
        "detailEntry": detail,
        **more,
    }


def hex_id(rng: random.Random) -> str:
    """A request or trace id: 32 hexadecimal digits."""
    return f"{rng.getrandbits(128):032x}"


def uuid(rng: random.Random) -> str:
    """An event id. Real ones are often of version 1, so these look it; nobody may read time out of them."""
    text = f"{rng.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-11f0-8{text[13:16]}-{text[16:28]}"


def web_debug(rng: random.Random, seat: Seat, uri: str, request_id: str, **more: Any) -> Body:
    """The ``debugData`` that a browser's request leaves."""
    return {
        "authnRequestId": hex_id(rng),
        "deviceFingerprint": seat.fingerprint,
        "dtHash": seat.dt_hash,
        "oktaUserAgentExtended": "okta-auth-js/7.14.0 okta-signin-widget-7.38.1",
        "requestId": request_id,
        "requestUri": uri,
        "threatSuspected": "false",
        "traceId": hex_id(rng),
        "url": f"{uri}?",
        **more,
    }


def risk_debug(
    level: str = "LOW", reasons: Sequence[str] = (), positive: Sequence[str] = (), *, in_force: bool = True
) -> Body:
    """What a risk and behaviour assessment adds to ``debugData``.

    :param in_force: whether a policy uses the assessment; otherwise it is only in ``logOnlySecurityData``
    """
    behaviors = {name: "POSITIVE" if name in positive else "NEGATIVE" for name in BEHAVIORS}
    assessment: Body = {"level": level} if not reasons else {"reasons": ", ".join(reasons), "level": level}
    text = msgspec.json.encode({"risk": assessment, "behaviors": behaviors}).decode()
    if not in_force:
        return {"logOnlySecurityData": text}
    return {
        "behaviors": "{" + ", ".join(f"{name}={result}" for name, result in behaviors.items()) + "}",
        "risk": "{" + ", ".join(f"{name}={value}" for name, value in assessment.items()) + "}",
        "logOnlySecurityData": text,
        "tunnels": "[]",
    }


CALM = risk_debug()
CALM_LOG_ONLY = risk_debug(in_force=False)


def authentication(
    session: str | None, *, root: str | None = None, provider: str | None = None, credential: str | None = None
) -> Body:
    """Okta's ``authenticationContext``; the step is always 0."""
    return {
        "authenticationProvider": provider,
        "credentialProvider": "OKTA_CREDENTIAL_PROVIDER" if credential else None,
        "credentialType": credential,
        "issuer": None,
        "interface": None,
        "authenticationStep": 0,
        "rootSessionId": root or session,
        "externalSessionId": session,
    }


def web(
    event_type: str,
    message: str,
    person: Person | msgspec.Raw,
    seat: Seat,
    *,
    session: str | None,
    transaction: str,
    debug: Body,
    targets: list[Any] | None = None,
    result: msgspec.Raw = SUCCESS,
    severity: str = "INFO",
    legacy: str | None = None,
    context: Body | None = None,
    transaction_detail: Body | None = None,
    security: msgspec.Raw | None = None,
) -> Body:
    """An event of somebody's request from a seat.

    :param person: the actor
    :param debug: ``debugData``
    :param context: ``authenticationContext``, if it is not just the session
    :param security: ``securityContext``, if it is not the seat's
    """
    return {
        "actor": person.actor if isinstance(person, Person) else person,
        "client": seat.client,
        "device": seat.device,
        "authenticationContext": context or authentication(session),
        "displayMessage": message,
        "eventType": event_type,
        "outcome": result,
        "securityContext": security or seat.security,
        "severity": severity,
        "debugContext": {"debugData": debug},
        "legacyEventType": legacy,
        "transaction": {"type": "WEB", "id": transaction, "detail": transaction_detail or {}},
        "version": "0",
        "request": seat.request,
        "target": targets,
    }


def job(
    event_type: str,
    message: str,
    *,
    transaction: str,
    debug: Body | None = None,
    targets: list[Any] | None = None,
    result: msgspec.Raw = SUCCESS,
    severity: str = "INFO",
    legacy: str | None = None,
    actor: msgspec.Raw = SYSTEM_ACTOR,
) -> Body:
    """An event of Okta's own doing: no client, no address, no session."""
    return {
        "actor": actor,
        "client": _NO_CLIENT,
        "device": None,
        "authenticationContext": authentication(None, root=None),
        "displayMessage": message,
        "eventType": event_type,
        "outcome": result,
        "securityContext": _NO_SECURITY,
        "severity": severity,
        "debugContext": {"debugData": debug or {}},
        "legacyEventType": legacy,
        "transaction": {"type": "JOB", "id": transaction, "detail": {}},
        "version": "0",
        "request": _NO_REQUEST,
        "target": targets,
    }
