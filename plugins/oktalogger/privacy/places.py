"""Lists where an event holds personal data, and which of its fields are known to hold none.

What stands in neither list is free text: Okta adds fields without notice, and 1,600 known keys stand in the free-form
parts alone. Sources: Okta's OpenAPI description of LogEvent and its catalogue of event types, whose keys marked as
personal or sensitive are among the free ones.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

DataClass = Literal["names", "mail", "addresses", "user_agents", "locations", "device_ids", "free_text"]
CLASSES: Final[tuple[DataClass, ...]] = get_args(DataClass)

# An actor or target of another type counts as a person, so that a type which Okta adds is redacted from the first day.
NOT_PEOPLE: Final = frozenset(
    {
        *("AppInstance", "App", "UserGroup", "AppGroup", "PolicyEntity", "Policy", "PolicyRule", "Rule"),
        *("NetworkZone", "Zone", "IdentityProvider", "IDP", "ROLE", "Role", "CustomRole", "CUSTOM_ROLE"),
        *("PublicClientApp", "ConfidentialClient", "OAuth2Client", "AuthorizationServer", "LogStream"),
        *("SystemPrincipal", "Token", "ApiToken", "access_token", "refresh_token", "id_token"),
        *(
            "AuthenticatorEnrollment",
            "Authenticator",
            "Factor",
            "Bucket Uuid",
            "URL Pattern",
            "Scope",
            "AppUserProfile",
        ),
    }
)
DEVICES: Final = frozenset({"Device", "UDDevice"})

# What Okta writes where there is nobody.
NOBODY: Final = frozenset({"unknown", "null", "n/a", "-", "okta system", "system@okta.com"})

PERSON: Final[dict[str, DataClass]] = {"displayName": "names", "alternateId": "mail", "login": "mail"}
DEVICE: Final[dict[str, DataClass]] = {"id": "device_ids", "displayName": "device_ids", "alternateId": "device_ids"}
PLACE: Final = ("city", "state", "country", "postalCode", "geolocation")

# Further fields with personal data, by their path without positions in arrays.
PERSONAL: Final[dict[str, DataClass]] = {
    "client.ipAddress": "addresses",
    "client.userAgent.rawUserAgent": "user_agents",
    **{f"client.geographicalContext.{name}": "locations" for name in PLACE},
    "request.ipChain.ip": "addresses",
    **{f"request.ipChain.geographicalContext.{name}": "locations" for name in PLACE},
    "device.id": "device_ids",
    "device.name": "device_ids",
    "target.detailEntry.oktaDeviceId": "device_ids",
    "debugContext.debugData.dtHash": "device_ids",
    "debugContext.debugData.deviceFingerprint": "device_ids",
    "debugContext.debugData.newIpAddress": "addresses",
    "debugContext.debugData.previousIpAddress": "addresses",
    "debugContext.debugData.suspiciousActivityEventIp": "addresses",
    "debugContext.debugData.suspiciousActivityEventCity": "locations",
    "debugContext.debugData.suspiciousActivityEventState": "locations",
    "debugContext.debugData.suspiciousActivityEventCountry": "locations",
    "debugContext.debugData.suspiciousActivityEventLatitude": "locations",
    "debugContext.debugData.suspiciousActivityEventLongitude": "locations",
}

# Addresses whose path is Okta's vocabulary, and whose query is anybody's.
URLS: Final = frozenset(f"debugContext.debugData.{name}" for name in ("url", "requestUri", "redirectUri"))

_DEBUG: Final = (
    *("anonymizerStatus", "authnRequestId", "behaviors", "ja3", "ja4", "logOnlySecurityData", "partnerRisk"),
    *("proxyType", "risk", "riskChange", "securityConditions", "threatDetections", "threatSuspected", "tunnels"),
    *("appName", "audience", "changedAttributes", "clientAuthType", "errorCode", "externalSessionId", "factor"),
    *("factorIntent", "factorType", "grantType", "grantedScopes", "initiationType", "issuer", "loginResult"),
    *("methodTypeUsed", "methodUsedVerifiedProperties", "networkConnection", "operationRateLimitScopeType"),
    *("operationRateLimitType", "privilegeGranted", "privilegeRevoked", "promptingPolicyTypes"),
    *("pushOnlyResponseType", "pushWithNumberChallengeResponseType", "rateLimitBucketUuid", "rateLimitScopeType"),
    *("reason", "requestId", "requestedScopes", "signOnMode", "suspiciousActivityEventType", "threshold", "tokenId"),
    *("urlPattern", "warningPercent"),
)
_ADDRESS_DETAILS: Final = ("asNumber", "asOrg", "isp", "domain", "ipServiceCategories.*", "isProxy")

# Fields that hold none by themselves; `.*` stands for everything below. Names and addresses that stand in them are
# replaced all the same.
KNOWN: Final = frozenset(
    {
        *("uuid", "published", "eventType", "version", "severity", "legacyEventType", "displayMessage"),
        *("actor.id", "actor.type", "target.id", "target.type"),
        *("client.id", "client.zone", "client.device", "client.userAgent.os", "client.userAgent.browser"),
        *("request.ipChain.version", "request.ipChain.source"),
        *(f"request.ipChain.ipDetails.{name}" for name in _ADDRESS_DETAILS),
        *("device.os_platform", "device.os_version", "device.disk_encryption_type", "device.screen_lock_type"),
        *("device.managed", "device.registered", "device.jailbreak", "device.secure_hardware_present"),
        *("device.device_integrator.*", "outcome.result", "outcome.reason", "transaction.id", "transaction.type"),
        *("transaction.detail.requestApiTokenId", "transaction.detail.rootApiTokenId", "authenticationContext.*"),
        *(f"securityContext.{name}" for name in _ADDRESS_DETAILS),
        *(f"securityContext.ipDetails.{name}" for name in _ADDRESS_DETAILS),
        *("securityContext.risk.*", "securityContext.userBehaviors.*", "securityContext.botProtection.*"),
        *("target.detailEntry.methodTypeUsed", "target.detailEntry.methodUsedVerifiedProperties"),
        *(f"debugContext.debugData.{name}" for name in _DEBUG),
        *URLS,
        *PERSONAL,
        *(f"{who}.{name}" for who in ("actor", "target") for name in PERSON),
    }
)

# Without these an event has no place, or no rule could ever select it.
ALWAYS_KEPT: Final = frozenset({"uuid", "published", "eventType"})

# Never searched for names: these hold Okta's own words, and a person may be called as one of them.
OKTAS_WORDS: Final = frozenset(
    {
        *("uuid", "published", "eventType", "version", "severity", "legacyEventType", "outcome.result"),
        *("actor.type", "target.type", "actor.id", "target.id", "transaction.id", "transaction.type"),
        *("client.device", "client.userAgent.os", "client.userAgent.browser", "device.os_platform"),
    }
)
