"""Declares every field that the load adds to an event, all under ``oktalogger``.

The index template, the names that rules may use, and the tables of ``docs/document.md`` follow from here. After a
change raise the version of ``include/opensearch/index-template.json`` and run ``make generate``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

# A keyword term holds 32,766 bytes, and a character takes up to four.
LONGEST_KEYWORD: Final = 8191

_DEBUG_DATA: Final = "debugContext.debugData"
# Further settings of OpenSearch types: a value that does not fit must not keep the event from being stored.
_OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "keyword": {"ignore_above": LONGEST_KEYWORD},
    "date": {"format": "strict_date_optional_time||epoch_millis"},
    "boolean": {},
    **{kind: {"ignore_malformed": True} for kind in ("byte", "integer", "long", "ip")},
}


@dataclass(frozen=True, slots=True)
class AddedField:
    """A field below ``oktalogger``.

    :param path: its name below ``oktalogger``
    :param type: its OpenSearch type
    :param words: what it says, in Markdown, for the table of ``docs/document.md``; debug data and targets have none
    :param okta: the name in Okta's event that rules may use for it, without the positions in arrays
    :param countable: whether the index keeps its values for counting and grouping (``doc_values``), and not only for
        finding; a field whose values are not kept needs less disk
    """

    path: str
    type: str
    words: str = ""
    okta: str | None = None
    countable: bool = True

    def mapping(self) -> dict[str, Any]:
        """Return how the index template maps it."""
        mapping = {"type": self.type, **_OPTIONS[self.type]}
        return mapping if self.countable else {**mapping, "doc_values": False}


def snake_case(name: str) -> str:
    """Write a camelCase key of Okta in snake case: ``requestUri`` becomes ``request_uri``."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def _debug(key: str, *, countable: bool = True) -> AddedField:
    return AddedField(f"debug.{snake_case(key)}", "keyword", okta=f"{_DEBUG_DATA}.{key}", countable=countable)


# What the loader knows about the load: `pipeline/document.py` adds these.
STAMPED: Final = (
    AddedField("org", "keyword", "host name of the Okta org, with the port if it is unusual"),
    AddedField("ingested_at", "date", "when oktalogger loaded the event"),
    AddedField("lateness_ms", "long", "milliseconds from `published` to `ingested_at`"),
    AddedField("window_start", "date", "start of the window whose load created the document"),
    AddedField("window_end", "date", "end of that window, not included"),
    AddedField(
        "run_id",
        "keyword",
        "Airflow's run id: `scheduled__` and the start of the window on 2.11, and its end on Airflow 3. On the command "
        "line `cli__` and the time",
    ),
    AddedField("load_kind", "keyword", "`scheduled`, `manual`, `backfill`, `reconcile` or `restore`"),
    AddedField(
        "historical",
        "boolean",
        "true if a backfill or a manual run loaded the event more than [a day](settings.md#in-airflow) after it was "
        "published, or if it comes from [the archive](archive.md#restore). Rules do not alert on it",
    ),
    AddedField("document_version", "integer", "version of this layout: 1"),
    AddedField(
        "drifted",
        "keyword",
        "names of the fields that the document was stored without, because their type is not the mapping's",
    ),
    AddedField(
        "redacted",
        "keyword",
        "what was [taken out of the event](privacy.md): `field=drop`, `=hash` or `=network`, and `field=text` where "
        "something inside a text was replaced",
    ),
    AddedField("published_hour", "byte", "hour of `published`, UTC"),
    AddedField("published_weekday", "byte", "weekday of `published`, UTC; 1 is Monday"),
)

ANY_KIND: Final = "any"
OTHER_KIND: Final = "other"

# Okta's types of targets, and the kind under which each is lifted.
TARGET_KINDS: Final = {
    "User": "user",
    "AppInstance": "app",
    "App": "app",
    "AppUser": "app_user",
    "UserGroup": "group",
    "AppGroup": "group",
    "PolicyEntity": "policy",
    "Policy": "policy",
    "PolicyRule": "policy_rule",
    "Rule": "policy_rule",
    "NetworkZone": "zone",
    "Zone": "zone",
    "IdentityProvider": "idp",
    "IDP": "idp",
    "Device": "device",
    "UDDevice": "device",
    "Token": "token",
    "ApiToken": "token",
    "access_token": "token",
    "refresh_token": "token",
    "id_token": "token",
    "ROLE": "role",
    "Role": "role",
    "CustomRole": "role",
    "CUSTOM_ROLE": "role",
    "AuthenticatorEnrollment": "factor",
    "Authenticator": "factor",
    "Factor": "factor",
    "PublicClientApp": "client",
    "ConfidentialClient": "client",
    "OAuth2Client": "client",
    "AuthorizationServer": "authorization_server",
    "LogStream": "log_stream",
    "MobilePhone": "phone",
}

# Okta's keys of a target, and what they are called under each kind.
TARGET_FIELDS: Final = {
    "id": "id",
    "type": "type",
    "alternateId": "alternate_id",
    "displayName": "display_name",
}

TARGETS: Final = tuple(
    AddedField(f"target.{kind}.{name}", "keyword", okta=f"target.{key}" if kind == ANY_KIND else None)
    for kind in (ANY_KIND, *dict.fromkeys(TARGET_KINDS.values()), OTHER_KIND)
    for key, name in TARGET_FIELDS.items()
)

# Keys of debugContext.debugData, copied as text. The first group stands in nearly every schema of Okta's event type
# catalogue, the second is what public detections look at.
DEBUG: Final = (
    _debug("anonymizerStatus"),
    _debug("authnRequestId", countable=False),
    _debug("behaviors", countable=False),
    _debug("deviceFingerprint"),
    _debug("dtHash"),
    _debug("ja3", countable=False),
    _debug("ja4", countable=False),
    _debug("logOnlySecurityData", countable=False),
    _debug("originalPrincipal", countable=False),
    _debug("partnerRisk", countable=False),
    _debug("proxyType"),
    _debug("redirectUri", countable=False),
    _debug("requestUri", countable=False),
    _debug("risk", countable=False),
    _debug("riskChange", countable=False),
    _debug("securityConditions", countable=False),
    _debug("threatDetections", countable=False),
    _debug("threatSuspected"),
    _debug("tunnels", countable=False),
    _debug("url", countable=False),
    _debug("appName"),
    _debug("audience"),
    _debug("changedAttributes"),
    _debug("clientAuthType"),
    _debug("errorCode"),
    _debug("errorMessage"),
    _debug("externalSessionId"),
    _debug("factor"),
    _debug("factorIntent"),
    _debug("factorType"),
    _debug("grantType"),
    _debug("grantedScopes"),
    _debug("initiationType"),
    _debug("issuer"),
    _debug("loginResult"),
    _debug("methodTypeUsed"),
    _debug("methodUsedVerifiedProperties"),
    _debug("networkConnection"),
    _debug("newIpAddress"),
    _debug("operationRateLimitScopeType"),
    _debug("operationRateLimitType"),
    _debug("previousIpAddress"),
    _debug("privilegeGranted"),
    _debug("privilegeRevoked"),
    _debug("promptingPolicyTypes"),
    _debug("pushOnlyResponseType"),
    _debug("pushWithNumberChallengeResponseType"),
    _debug("rateLimitBucketUuid"),
    _debug("rateLimitScopeType"),
    _debug("reason"),
    _debug("requestedScopes"),
    _debug("signOnMode"),
    _debug("suspiciousActivityEventIp"),
    _debug("suspiciousActivityEventType"),
    _debug("threshold"),
    _debug("tokenId"),
    _debug("urlPattern"),
    _debug("warningPercent"),
)

# What `pipeline/lift.py` derives, each by code of its own.
DERIVED: Final = (
    AddedField("actor_is_target", "boolean", "true if the actor is also a target of type `User`"),
    AddedField("is_admin_console", "boolean", "true if the target is the Okta Admin Console"),
    AddedField("change_details", "keyword", "`target[].changeDetails`, as JSON text", okta="target.changeDetails"),
    AddedField(
        "changes",
        "keyword",
        "what differs between the two sides of `target[].changeDetails`, such as `factorMode: 2FA -> 1FA`; JSON text "
        "inside is taken apart",
    ),
    AddedField("device_ids", "keyword", "`target[].detailEntry.oktaDeviceId`", okta="target.detailEntry.oktaDeviceId"),
    AddedField(
        "authenticator.binary",
        "keyword",
        "program that used Okta Verify",
        okta="authenticationContext.authenticatorContext.binaryIdentifier",
    ),
    AddedField(
        "authenticator.binding",
        "keyword",
        "how Okta Verify was reached",
        okta="authenticationContext.authenticatorContext.bindingMethod",
    ),
    AddedField(
        "authenticator.validation",
        "keyword",
        "whether that program is signed",
        okta="authenticationContext.authenticatorContext.validationStatus",
    ),
    AddedField(
        "method_types", "keyword", "`target[].detailEntry.methodTypeUsed`", okta="target.detailEntry.methodTypeUsed"
    ),
    AddedField("risk.level", "keyword", "risk level of the sign-in"),
    AddedField("risk.previous_level", "keyword", "the previous level, if the event is a change of risk"),
    AddedField("risk.reasons", "keyword", "reasons that Okta gives"),
    AddedField("risk.detection", "keyword", "the detection that changed the risk"),
    AddedField("behaviors_positive", "keyword", "behaviours that Okta saw as new, like `New Device`"),
    AddedField("behaviors_negative", "keyword", "behaviours that Okta checked and did not see as new"),
    AddedField("threat_suspected", "boolean", "ThreatInsight's verdict", okta=f"{_DEBUG_DATA}.threatSuspected"),
    AddedField(
        "api_token_id", "keyword", "id of the API token that was used", okta="transaction.detail.requestApiTokenId"
    ),
    AddedField(
        "too_long",
        "keyword",
        "fields of Okta's whose text is too long for the index, so that searches do not see it; the event has it whole",
    ),
    AddedField("source_ip", "ip", "`client.ipAddress`, if it is an IP address, without its port"),
    AddedField("request_ips", "ip", "addresses of `request.ipChain`, without their ports", okta="request.ipChain.ip"),
    AddedField(
        "ip_services",
        "keyword",
        "anonymizers, proxies and tunnels that Okta names for the address: their types, and whose tunnels they are",
        okta="securityContext.ipDetails.ipServiceCategories.type",
    ),
    AddedField("anonymizers", "keyword", "those of `ip_services` that Okta marks as anonymous"),
)

LIFTED: Final = (*TARGETS, *DEBUG, *DERIVED)
ADDED: Final = (*STAMPED, *LIFTED)

# The key of debugData, and the name of the field below `oktalogger.debug`.
DEBUG_NAMES: Final = {
    str(field.okta).removeprefix(f"{_DEBUG_DATA}."): field.path.removeprefix("debug.") for field in DEBUG
}


def mapped_properties() -> dict[str, Any]:
    """Return how the index template maps the object ``oktalogger``: its ``properties``."""
    properties: dict[str, Any] = {}
    for field in ADDED:
        *objects, name = field.path.split(".")
        holder = properties
        for above in objects:
            holder = holder.setdefault(above, {"properties": {}})["properties"]
        holder[name] = field.mapping()
    return properties
