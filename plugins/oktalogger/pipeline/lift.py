"""What is lifted out of an event into the ``oktalogger`` object: typed scalars and arrays of scalars.

Okta's free-form parts cannot be mapped (they hold more keys than an index may have), and a document-level monitor of
OpenSearch Alerting sees neither arrays of objects nor unmapped fields. So what searches and detections need is copied,
and nothing is taken away: the event itself stays as Okta sent it.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any, Final, TypeAlias

from oktalogger.pipeline.added_fields import (
    ANY_KIND,
    DEBUG_NAMES,
    LONGEST_KEYWORD,
    OTHER_KIND,
    TARGET_FIELDS,
    TARGET_KINDS,
)
from oktalogger.pipeline.dialects import parse_behaviours, parse_json, parse_json_object, parse_pairs, what_changed

# Newer orgs call it Administration.
ADMIN_CONSOLES: Final = frozenset({"Okta Admin Console", "Okta Administration"})

_AUTHENTICATOR: Final = {
    "binaryIdentifier": "binary",
    "bindingMethod": "binding",
    "validationStatus": "validation",
}
_IP = re.compile(r"[0-9a-fA-F:.]{3,45}")
# As some proxies write a client: 203.0.113.5:443, [2001:db8::1]:443, [2001:db8::1].
_IP_WITH_PORT = re.compile(r"(\d+\.\d+\.\d+\.\d+):\d+|\[([0-9a-fA-F:.]+)\](?::\d+)?")


def lift(event: dict[str, Any]) -> dict[str, Any]:
    """Derive the ``oktalogger`` fields from an event.

    Whatever Okta leaves out, or sends in a form not known here, is left out: this never fails because of an odd value.

    :param event: a LogEvent as decoded from Okta's JSON
    :return: nested mapping with those fields of ``added_fields.LIFTED`` that have a value
    """
    lifted: dict[str, Any] = {}
    context = event.get("debugContext")
    data = context.get("debugData") if type(context) is dict else None
    if type(data) is not dict:
        data = {}
    security = event.get("securityContext")
    if type(security) is not dict:
        security = {}

    debug = {
        name: value if type(value) is str and len(value) <= LONGEST_KEYWORD else _text(value)
        for key, value in data.items()
        if value is not None and value != "" and (name := DEBUG_NAMES.get(key)) is not None
    }
    if debug:
        lifted["debug"] = debug
    suspected = str(data.get("threatSuspected", "")).lower()
    if suspected in ("true", "false"):
        lifted["threat_suspected"] = suspected == "true"
    _lift_targets(event, lifted)
    _lift_risk(security, data, lifted)
    _lift_behaviours(security, data, lifted)
    _lift_addresses(event, security, data, lifted)
    _lift_authenticator(event, lifted)
    transaction = event.get("transaction")
    detail = transaction.get("detail") if type(transaction) is dict else None
    if type(detail) is dict and detail.get("requestApiTokenId"):
        lifted["api_token_id"] = _text(detail["requestApiTokenId"])
    return lifted


def too_long(event: dict[str, Any]) -> list[str]:
    """Return the paths of texts that are longer than a mapped keyword may be, which OpenSearch leaves out in silence.

    Texts in arrays are not among them: what searches need of those is lifted, and cut.

    :param event: a LogEvent as decoded from Okta's JSON
    """
    found: list[str] = []
    open_objects: list[tuple[str, dict[str, Any]]] = [("", event)]
    while open_objects:
        prefix, holder = open_objects.pop()
        for key, value in holder.items():
            if type(value) is str and len(value) > LONGEST_KEYWORD:
                found.append(prefix + key)
            elif type(value) is dict:
                open_objects.append((f"{prefix}{key}.", value))
    return sorted(found)


def _text(value: Any) -> str:
    text = value if type(value) is str else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text if len(text) <= LONGEST_KEYWORD else text[:LONGEST_KEYWORD]


def _dicts(value: Any) -> list[dict[str, Any]]:
    if type(value) is list:
        return [item for item in value if type(item) is dict]
    return [value] if type(value) is dict else []


# Values in the order in which they came, each once: a list would be searched anew for each of ten thousand targets.
_Values: TypeAlias = dict[str, None]


def _put(holder: dict[str, _Values], name: str, value: str) -> None:
    values = holder.get(name)
    if values is None:
        holder[name] = {value: None}
    else:
        values[value] = None


def _lists(holder: dict[str, _Values]) -> dict[str, list[str]]:
    return {name: list(values) for name, values in holder.items()}


def _lift_targets(event: dict[str, Any], lifted: dict[str, Any]) -> None:
    actor = event.get("actor")
    actor_id = actor.get("id") if type(actor) is dict else None
    of_any: dict[str, _Values] = {}
    targets: dict[str, dict[str, _Values]] = {}
    details: list[str] = []
    found: dict[str, _Values] = {}
    methods: list[str] = []
    is_console = event.get("eventType") == "user.session.access_admin_app"
    actor_is_target = None
    for target in filter(None, _dicts(event.get("target"))):
        targets[ANY_KIND] = of_any
        kind = TARGET_KINDS.get(str(target.get("type")), OTHER_KIND)
        of_kind = targets.get(kind)
        if of_kind is None:
            of_kind = targets[kind] = {}
        for key, name in TARGET_FIELDS.items():
            value = target.get(key)
            if value is None or value == "":
                continue
            text = _text(value)
            # As `_put` does, without calling it: this runs a dozen times for each event.
            for holder in (of_kind, of_any):
                values = holder.get(name)
                if values is None:
                    holder[name] = {text: None}
                else:
                    values[text] = None
        if kind == "user" and actor_id:
            actor_is_target = actor_is_target or target.get("id") == actor_id
        elif kind == "app" and _is_admin_console(target):
            is_console = True
        if target.get("changeDetails"):
            details.append(_text(target["changeDetails"]))
            for change in what_changed(target["changeDetails"]):
                _put(found, "changes", change)
        detail = target.get("detailEntry")
        if type(detail) is dict:
            if detail.get("methodTypeUsed"):
                methods.append(_text(detail["methodTypeUsed"]))
            if detail.get("oktaDeviceId"):
                _put(found, "device_ids", _text(detail["oktaDeviceId"]))
    if targets:
        lifted["target"] = {kind: _lists(holder) for kind, holder in targets.items()}
        lifted["is_admin_console"] = is_console
    elif is_console:
        lifted["is_admin_console"] = True
    if actor_is_target is not None:
        lifted["actor_is_target"] = actor_is_target
    if details:
        lifted["change_details"] = details
    lifted.update(_lists(found))
    if methods:
        lifted["method_types"] = methods


def _is_admin_console(target: dict[str, Any]) -> bool:
    names = (target.get("displayName"), target.get("alternateId"))
    return any(type(name) is str and name in ADMIN_CONSOLES for name in names)


def _lift_authenticator(event: dict[str, Any], lifted: dict[str, Any]) -> None:
    context = event.get("authenticationContext")
    found = context.get("authenticatorContext") if type(context) is dict else None
    if type(found) is dict:
        texts = {name: _text(found[key]) for key, name in _AUTHENTICATOR.items() if found.get(key)}
        if texts:
            lifted["authenticator"] = texts


def _lift_risk(security: dict[str, Any], data: dict[str, Any], lifted: dict[str, Any]) -> None:
    stated = security.get("risk")
    if not stated and "risk" not in data and "logOnlySecurityData" not in data:
        return  # most events
    first = stated if type(stated) is dict else {}
    second = parse_pairs(data.get("risk"))
    third = parse_json_object(data.get("logOnlySecurityData")).get("risk")
    if type(third) is not dict:
        third = {}
    risk: dict[str, Any] = {}
    level = first.get("level") or second.get("level") or third.get("level")
    reasons = first.get("reasons") or second.get("reasons") or third.get("reasons")
    previous = first.get("previousLevel") or second.get("previousLevel")
    detection = first.get("detectionName") or second.get("detectionName")
    if level:
        risk["level"] = _text(level).upper()
    if reasons:
        parts = reasons if type(reasons) is list else str(reasons).split(", ")
        texts = [_text(part) for part in parts if part]
        if texts:
            risk["reasons"] = texts
    if previous:
        risk["previous_level"] = _text(previous).upper()
    if detection:
        risk["detection"] = _text(detection)
    if risk:
        lifted["risk"] = risk


def _lift_behaviours(security: dict[str, Any], data: dict[str, Any], lifted: dict[str, Any]) -> None:
    if not security.get("userBehaviors") and "behaviors" not in data and "logOnlySecurityData" not in data:
        return  # most events
    found: dict[str, _Values] = {}
    for name, result in parse_behaviours(data.get("behaviors")):
        _put(found, result, name)
    also = parse_json_object(data.get("logOnlySecurityData")).get("behaviors")
    if type(also) is dict:
        for name, result in also.items():
            _put(found, str(result), name)
    for behaviour in _dicts(security.get("userBehaviors")):
        if behaviour.get("name"):
            _put(found, str(behaviour.get("result")), _text(behaviour["name"]))
    if "POSITIVE" in found:
        lifted["behaviors_positive"] = list(found["POSITIVE"])
    if "NEGATIVE" in found:
        lifted["behaviors_negative"] = list(found["NEGATIVE"])


def _lift_addresses(
    event: dict[str, Any], security: dict[str, Any], data: dict[str, Any], lifted: dict[str, Any]
) -> None:
    client = event.get("client")
    address = client.get("ipAddress") if type(client) is dict else None
    if _address(address) is None and event.get("eventType") == "security.threat.detected":
        # ThreatInsight names the address as the actor.
        actor = event.get("actor")
        address = actor.get("displayName") if type(actor) is dict else None
    if (source := _address(address)) is not None:
        lifted["source_ip"] = source
    request = event.get("request")
    hops: list[str] = []
    all_details = [security.get("ipDetails")]
    for hop in _dicts(request.get("ipChain")) if type(request) is dict else ():
        if (ip := _address(hop.get("ip"))) is not None:
            hops.append(ip)
        all_details.append(hop.get("ipDetails"))
    if hops:
        lifted["request_ips"] = hops
    services: dict[str, _Values] = {}
    for details in all_details:
        if type(details) is dict:
            for service in _dicts(details.get("ipServiceCategories")):
                if service.get("type"):
                    _put(services, "ip_services", _text(service["type"]))
                    if service.get("isAnonymous") is True:
                        _put(services, "anonymizers", _text(service["type"]))
    if data.get("tunnels"):
        _put_tunnels(data["tunnels"], services)
    lifted.update(_lists(services))


def _put_tunnels(value: Any, services: dict[str, _Values]) -> None:
    for tunnel in _dicts(parse_json(value)):
        is_anonymous = str(tunnel.get("anonymous")).lower() == "true"
        for name in filter(None, (tunnel.get("type"), tunnel.get("operator"))):
            _put(services, "ip_services", _text(name))
            if is_anonymous:
                _put(services, "anonymizers", _text(name))


def _address(value: Any) -> str | None:
    return _without_port(value) if type(value) is str else None


@lru_cache(maxsize=1024)
def _without_port(text: str) -> str | None:
    found = _IP_WITH_PORT.fullmatch(text)
    address = (found[1] or found[2]) if found else text
    return address if _IP.fullmatch(address) else None
