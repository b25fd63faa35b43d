"""For each public Sigma rule about Okta an event that it must find, and one that it must not. The events are ours.

The rules themselves are not here: ``SIGMA_RULES`` names a checkout of them. Those are the rules as of August 2026; one
that is newer has no events here, and is tried without.
"""

from __future__ import annotations

from typing import Any, Final

_FASTPASS: Final = "FastPass declined phishing attempt"


def _kind(event_type: str, other: str = "user.session.end") -> tuple[dict[str, Any], dict[str, Any]]:
    return {"eventType": event_type}, {"eventType": other}


def _opened(console: str, behaviors: str) -> dict[str, Any]:
    return {
        "eventType": "policy.evaluate_sign_on",
        "target": [{"id": "0oa1", "type": "AppInstance", "displayName": console}],
        "debugContext": {"debugData": {"behaviors": behaviors}},
    }


def _failed(user_name: str) -> dict[str, Any]:
    return {
        "eventType": "user.session.start",
        "legacyEventType": "core.user_auth.login_failed",
        "outcome": {"result": "FAILURE", "reason": "INVALID_CREDENTIALS"},
        "actor": {"alternateId": user_name},
    }


def _made(name: str) -> dict[str, Any]:
    target = {"id": "00u1", "type": "User", "alternateId": "x@acme.example", "displayName": name}
    return {"eventType": "user.lifecycle.create", "target": [target]}


def _asked(uri: str, *, proxy: bool = False) -> dict[str, Any]:
    return {
        "eventType": "user.session.access_admin_app",
        "securityContext": {"isProxy": proxy},
        "debugContext": {"debugData": {"requestUri": uri}},
    }


def _declined(reason: str) -> dict[str, Any]:
    outcome = {"result": "FAILURE", "reason": reason}
    return {"eventType": "user.authentication.auth_via_mfa", "outcome": outcome}


def _said(message: str) -> dict[str, Any]:
    return {"eventType": "user.session.end", "displayMessage": message}


EVENTS: Final[dict[str, tuple[dict[str, Any], dict[str, Any]]]] = {
    "okta_admin_activity_from_proxy_query": (_asked("/ADMIN/users", proxy=True), _asked("/admin/users")),
    "okta_admin_role_assigned_to_user_or_group": _kind("group.privilege.grant", "group.privilege.revoke"),
    "okta_admin_role_assignment_created": _kind("iam.resourceset.bindings.add", "iam.resourceset.bindings.delete"),
    "okta_api_token_created": _kind("system.api_token.create", "system.api_token.update"),
    "okta_api_token_revoked": _kind("system.api_token.revoke", "system.api_token.create"),
    "okta_application_modified_or_deleted": _kind("application.lifecycle.delete", "application.lifecycle.create"),
    "okta_application_sign_on_policy_modified_or_deleted": _kind(
        "application.policy.sign_on.update", "application.policy.sign_on.rule.create"
    ),
    "okta_apt_suspicious_user_creation": (_made("x_SVC_network_backup"), _made("network backup")),
    "okta_fastpass_phishing_detection": (_declined(_FASTPASS), _declined("INVALID_CREDENTIALS")),
    "okta_identity_provider_created": _kind("system.idp.lifecycle.create", "system.idp.lifecycle.update"),
    "okta_mfa_reset_or_deactivated": _kind("user.mfa.factor.reset_all", "user.mfa.factor.activate"),
    "okta_network_zone_deactivated_or_deleted": _kind("zone.delete", "zone.update"),
    "okta_new_behaviours_admin_console": (
        _opened("Okta Admin Console", "{New Device=POSITIVE, New IP=NEGATIVE}"),
        _opened("Okta Admin Console", "{New Device=NEGATIVE, New IP=NEGATIVE}"),
    ),
    "okta_password_health_report_query": (
        _asked("/reports/password-health/async_csv_download_schedule"),
        _asked("/reports/user-app-usage"),
    ),
    "okta_password_in_alternateid_field": (_failed("Tr0ub4dor&3"), _failed("ada.example@acme.example")),
    "okta_policy_modified_or_deleted": _kind("policy.lifecycle.delete", "policy.lifecycle.create"),
    "okta_policy_rule_modified_or_deleted": _kind("policy.rule.update", "policy.rule.add"),
    "okta_security_threat_detected": _kind("security.threat.detected"),
    "okta_session_impersonation_granted": (
        {"eventType": "user.session.impersonation.grant", "actor": {"alternateId": "ada@acme.example"}},
        {"eventType": "user.session.impersonation.grant", "actor": {"alternateId": "system@okta.com"}},
    ),
    "okta_suspicious_activity_enduser_report": _kind("user.account.report_suspicious_activity_by_enduser"),
    "okta_unauthorized_access_to_app": (
        _said("User attempted unauthorized access to app"),
        _said("User single sign on to app"),
    ),
    "okta_user_account_locked_out": (_said("Max sign in attempts exceeded"), _said("User login to Okta")),
    "okta_user_created": _kind("user.lifecycle.create", "user.lifecycle.activate"),
    "okta_user_session_start_via_anonymised_proxy": (
        {"eventType": "user.session.start", "securityContext": {"isProxy": True}},
        {"eventType": "user.session.start", "securityContext": {"isProxy": False}},
    ),
}
