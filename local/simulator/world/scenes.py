"""Plays scenes: a few events that belong together, within less than a minute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.simulator.world.bodies import (
    CALM,
    CALM_LOG_ONLY,
    Body,
    authentication,
    hex_id,
    job,
    outcome,
    risk_debug,
    target,
    web,
    web_debug,
)
from local.simulator.world.places import ABROAD, raw, seat

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

    from local.simulator.world.company import Company, Named, Person
    from local.simulator.world.places import Seat

_PUSH_METHOD = {
    "methodTypeUsed": "Get a push notification",
    "methodUsedVerifiedProperties": "[DEVICE_BOUND, USER_PRESENCE]",
}
Timed = tuple[int, Body]
"""Milliseconds after the scene's begin, and what happened."""


@dataclass(slots=True)
class Stage:
    """What a scene plays on."""

    rng: random.Random
    company: Company
    person: Person
    seat: Seat
    session: str
    """The session that the person has on this seat for these hours."""


def session_id(rng: random.Random) -> str:
    """A session id in the Identity Engine's form."""
    return f"idx{hex_id(rng)[:22]}"


def _policy(stage: Stage, policy: Named, rule: Named, kind: str) -> list[Body]:
    return [target("PolicyEntity", policy, {"policyType": kind}), target("PolicyRule", rule)]


def evaluate(stage: Stage, result: str, transaction: str, session: str | None, debug: Body) -> Body:
    """The org's sign-on policy is evaluated."""
    at_office = result == "ALLOW"
    return web(
        "policy.evaluate_sign_on", "Evaluation of sign-on policy", stage.person, stage.seat,
        session=session, transaction=transaction, debug=debug,
        result=outcome(result, f"Sign-on policy evaluation resulted in {result}"),
        targets=_policy(
            stage, stage.company.sign_on_policy, stage.company.sign_on_rules[0 if at_office else 1], "OktaSignOn"
        ),
    )  # fmt: skip


def verify_factor(stage: Stage, transaction: str, session: str | None, *, result: str = "SUCCESS",
                  reason: str | None = None, debug: Body | None = None) -> Body:  # fmt: skip
    """The second factor is answered."""
    more = {"factor": "OKTA_VERIFY_PUSH", "factorIntent": "AUTHENTICATION", "pushOnlyResponseType": "OV_RESPONSE_ALLOW"}
    return web(
        "user.authentication.auth_via_mfa", "Authentication of user via MFA", stage.person, stage.seat,
        session=session, transaction=transaction, legacy="core.user.factor.attempt_success",
        debug=debug or web_debug(stage.rng, stage.seat, "/idp/idx/authenticators/poll", transaction, **more),
        result=outcome(result, reason), severity="INFO" if result == "SUCCESS" else "WARN",
        context=authentication(session, provider="FACTOR_PROVIDER", credential="OTP"),
        targets=[stage.person.target, target("AuthenticatorEnrollment", stage.person.token, _PUSH_METHOD)],
    )  # fmt: skip


def start_session(stage: Stage, transaction: str, session: str | None, *, result: str = "SUCCESS",
                  reason: str | None = None, debug: Body | None = None) -> Body:  # fmt: skip
    """Okta gives somebody a session, or refuses it."""
    won = result == "SUCCESS"
    return web(
        "user.session.start", "User login to Okta", stage.person, stage.seat,
        session=session, transaction=transaction, result=outcome(result, reason),
        severity="INFO" if won else "WARN",
        legacy="core.user_auth.login_success" if won else "core.user_auth.login_failed",
        debug=debug or web_debug(stage.rng, stage.seat, "/idp/idx/identify", transaction, **CALM),
        context=authentication(session, provider="OKTA_AUTHENTICATION_PROVIDER", credential="PASSWORD"),
        targets=[target("AppInstance", stage.company.apps[0])] if won else None,
    )  # fmt: skip


def open_app(stage: Stage, app: Named, transaction: str, session: str) -> Body:
    """Single sign-on to an application."""
    slug = app.name.split(" ")[0].lower().replace(".", "_")
    uri = f"/app/{slug}/{app.id}/sso/saml"
    return web(
        "user.authentication.sso", "User single sign on to app", stage.person, stage.seat,
        session=session, transaction=transaction, legacy="app.auth.sso",
        debug=web_debug(stage.rng, stage.seat, uri, transaction, signOnMode="SAML 2.0", initiationType="IDP_INITIATED",
                        redirectUri=f"https://{slug}.example/saml/acs", **CALM_LOG_ONLY),
        targets=[target("AppInstance", app, {"signOnModeType": "SAML_2_0"}),
                 target("AppUser", app, {"signOnModeType": "SAML_2_0"})],
    )  # fmt: skip


def sign_in(stage: Stage) -> Iterator[Timed]:
    """A working day begins: policy, factor, session, an application or two."""
    rng, transaction, session = stage.rng, hex_id(stage.rng), session_id(stage.rng)
    office = stage.seat is stage.person.seats[0]
    assessed = web_debug(rng, stage.seat, "/idp/idx/identify", transaction, **CALM)
    yield 0, evaluate(stage, "ALLOW" if office else "CHALLENGE", transaction, session, assessed)
    at = 900
    if not office:
        at = rng.randrange(4_000, 15_000)
        yield at, verify_factor(stage, transaction, session)
    yield at + 120, start_session(stage, transaction, session)
    for app in stage.person.apps[: rng.randrange(1, 4)]:
        at += rng.randrange(900, 9_000)
        yield at, open_app(stage, app, hex_id(rng), session)


def use_app(stage: Stage) -> Iterator[Timed]:
    """Somebody opens an application in a session they have."""
    rng, transaction = stage.rng, hex_id(stage.rng)
    app = rng.choice(stage.person.apps)
    rule = stage.company.app_rules[0 if stage.seat is stage.person.seats[0] else 1]
    uri = f"/app/{app.id}/sso/saml"
    yield 0, web(
        "policy.evaluate_sign_on", "Evaluation of sign-on policy", stage.person, stage.seat, session=stage.session,
        transaction=transaction, debug=web_debug(rng, stage.seat, uri, transaction, **CALM_LOG_ONLY),
        result=outcome("ALLOW", "Sign-on policy evaluation resulted in ALLOW"),
        targets=[*_policy(stage, stage.company.app_policy, rule, "Okta:SignOn"), target("AppInstance", app)],
    )  # fmt: skip
    yield rng.randrange(60, 400), open_app(stage, app, transaction, stage.session)


def use_token(stage: Stage) -> Iterator[Timed]:
    """A mobile application fetches tokens."""
    rng, transaction, company = stage.rng, hex_id(stage.rng), stage.company
    app, server = company.oauth_client, company.authorization_server
    debug = web_debug(rng, stage.seat, f"/oauth2/{server.id}/v1/token", transaction, grantType="refresh_token",
                      requestedScopes="openid,offline_access", grantedScopes="openid,offline_access",
                      clientAuthType="none")  # fmt: skip
    for kind, label in (("access_token", "access token"), ("id_token", "id token")):
        yield rng.randrange(2, 30), web(
            f"app.oauth2.as.token.grant.{kind}", f"OAuth2 {label} is granted", _client_actor(app), stage.seat,
            session=None, transaction=transaction, debug=debug, legacy=f"app.oauth2.as.token.grant.{kind}_success",
            targets=[stage.person.target, target(kind, app, {"subject": stage.person.id, "expires_in": "3600"}),
                     target("AuthorizationServer", server)],
        )  # fmt: skip


def _client_actor(app: Named) -> Any:
    return raw({"id": app.id, "type": "PublicClientApp", "alternateId": app.id, "displayName": app.name,
                "detailEntry": None})  # fmt: skip


def mistype(stage: Stage) -> Iterator[Timed]:
    """A wrong password or two, then the right one."""
    rng, at = stage.rng, 0
    for _ in range(rng.choice((1, 1, 1, 2))):
        yield at, start_session(stage, hex_id(rng), None, result="FAILURE", reason="INVALID_CREDENTIALS")
        at += rng.randrange(4_000, 15_000)
    for later, body in sign_in(stage):
        yield at + later // 3, body


def push(stage: Stage) -> Iterator[Timed]:
    """Okta Verify asks, and the person answers."""
    rng, transaction = stage.rng, hex_id(stage.rng)
    debug = web_debug(rng, stage.seat, "/idp/idx/challenge", transaction, factor="OKTA_VERIFY_PUSH")
    yield 0, web("system.push.send_factor_verify_push", "Send Okta Verify push factor", stage.person, stage.seat,
                 session=stage.session, transaction=transaction, debug=debug,
                 targets=[stage.person.target])  # fmt: skip
    at = rng.randrange(3_000, 20_000)
    if rng.random() < 0.02:
        yield at, deny_push(stage, transaction)
    else:
        yield at, verify_factor(stage, transaction, stage.session)


def deny_push(stage: Stage, transaction: str) -> Body:
    """Somebody answers a push with no."""
    debug = web_debug(stage.rng, stage.seat, "/idp/idx/authenticators/poll", transaction, factor="OKTA_VERIFY_PUSH",
                      pushOnlyResponseType="OV_RESPONSE_DENY")  # fmt: skip
    return web("user.mfa.okta_verify.deny_push", "User rejected Okta push verify", stage.person, stage.seat,
               session=None, transaction=transaction, debug=debug, targets=[stage.person.target], severity="WARN",
               result=outcome("FAILURE", "User rejected Okta push verify"))  # fmt: skip


def leave(stage: Stage) -> Iterator[Timed]:
    """Somebody logs out."""
    transaction = hex_id(stage.rng)
    yield 0, web("user.session.end", "User logout from Okta", stage.person, stage.seat, session=stage.session,
                 transaction=transaction, legacy="core.user_auth.logout_success",
                 debug=web_debug(stage.rng, stage.seat, "/login/signout", transaction))  # fmt: skip


def forgot(stage: Stage) -> Iterator[Timed]:
    """A forgotten password, reset by mail."""
    rng = stage.rng
    for at, kind, message, uri in (
        (0, "user.account.reset_password", "Fired when the user's Okta password is reset", "/idp/idx/recover"),
        (700, "system.email.password_reset.sent_message", "Send self-service password reset email", "/idp/idx/recover"),
        (29_000, "user.account.update_password", "User update password for Okta", "/idp/idx/challenge/answer"),
    ):
        transaction = hex_id(rng)
        yield at, web(kind, message, stage.person, stage.seat, session=None, transaction=transaction,
                      debug=web_debug(rng, stage.seat, uri, transaction), targets=[stage.person.target])  # fmt: skip


def administer(stage: Stage) -> Iterator[Timed]:
    """An administrator does something ordinary in the Admin Console."""
    rng, company = stage.rng, stage.company
    boss = rng.choice(company.admins)
    stage = Stage(rng, company, boss, boss.seats[0], session_id(rng))
    transaction = hex_id(rng)
    yield 0, web("user.session.access_admin_app", "User accessing Okta admin app", boss, stage.seat,
                 session=stage.session, transaction=transaction, legacy="app.admin.sso.login.success",
                 debug=web_debug(rng, stage.seat, "/admin/sso/request", transaction, **CALM_LOG_ONLY),
                 targets=[target("AppInstance", company.admin_console), boss.target])  # fmt: skip
    transaction = hex_id(rng)
    other, app, group = rng.choice(company.everybody), rng.choice(company.apps), rng.choice(company.groups[1:-1])
    kind, message, targets = rng.choice((
        ("application.user_membership.add", "Add user to application membership",
         [target("AppUser", app), target("AppInstance", app), other.target]),
        ("application.user_membership.remove", "Remove user's application membership",
         [target("AppUser", app), target("AppInstance", app), other.target]),
        ("group.user_membership.add", "Add user to group membership", [other.target, target("UserGroup", group)]),
        ("group.user_membership.remove", "Remove user from group membership",
         [other.target, target("UserGroup", group)]),
        ("user.account.update_profile", "Update user profile for Okta", [other.target]),
        ("policy.rule.update", "Update policy rule", [
            target("PolicyRule", company.sign_on_rules[1], None, changeDetails={
                "from": {"priority": 1, "conditions": {"network": {"connection": "ANYWHERE"}}},
                "to": {"priority": 2, "conditions": {"network": {"connection": "ZONE"}}}}),
            target("PolicyEntity", company.sign_on_policy)]),
    ))  # fmt: skip
    yield rng.randrange(5_000, 25_000), web(
        kind, message, boss, stage.seat, session=stage.session, transaction=transaction, targets=targets,
        debug=web_debug(rng, stage.seat, "/api/internal/admin/change", transaction), legacy=f"core.{kind}",
    )  # fmt: skip


def automate(stage: Stage) -> Iterator[Timed]:
    """A script with an API token adds somebody to a group."""
    rng, company, transaction = stage.rng, stage.company, hex_id(stage.rng)
    boss = company.admins[0]
    group = rng.choice(company.groups[1:-1])
    yield 0, web("group.user_membership.add", "Add user to group membership", boss, boss.seats[0],
                 session=None, transaction=transaction, legacy="core.user_group_member.user_add",
                 transaction_detail={"requestApiTokenId": company.api_token.id},
                 debug=web_debug(rng, boss.seats[0], f"/api/v1/groups/{group.id}/users/{stage.person.id}", transaction),
                 targets=[stage.person.target, target("UserGroup", group)])  # fmt: skip


def join(stage: Stage) -> Iterator[Timed]:
    """Somebody new: account, groups, applications."""
    rng, company, boss = stage.rng, stage.company, stage.rng.choice(stage.company.admins)
    steps: list[tuple[str, str, list[Any]]] = [
        ("user.lifecycle.create", "Create Okta user", [stage.person.target]),
        ("user.lifecycle.activate", "Activate Okta user", [stage.person.target]),
    ]
    for group in rng.sample(company.groups[:-1], 3):
        steps.append(("group.user_membership.add", "Add user to group membership",
                      [stage.person.target, target("UserGroup", group)]))  # fmt: skip
    for app in stage.person.apps[:4]:
        steps.append(("application.user_membership.add", "Add user to application membership",
                      [target("AppUser", app), target("AppInstance", app), stage.person.target]))  # fmt: skip
    at = 0
    for kind, message, targets in steps:
        transaction = hex_id(rng)
        yield at, web(kind, message, boss, boss.seats[0], session=stage.session, transaction=transaction,
                      debug=web_debug(rng, boss.seats[0], "/api/v1/users", transaction), targets=targets)  # fmt: skip
        at += rng.randrange(50, 900)


def go(stage: Stage) -> Iterator[Timed]:
    """Somebody leaves the company."""
    transaction, boss = hex_id(stage.rng), stage.rng.choice(stage.company.admins)
    uri = f"/api/v1/users/{stage.person.id}/lifecycle/deactivate"
    for at, kind, message in (
        (0, "user.lifecycle.deactivate", "Deactivate Okta user"),
        (900, "user.session.clear", "Clear user session"),
    ):
        debug = web_debug(stage.rng, boss.seats[0], uri, transaction)
        yield at, web(kind, message, boss, boss.seats[0], session=stage.session, transaction=transaction, debug=debug,
                      targets=[stage.person.target])  # fmt: skip


def import_users(stage: Stage) -> Iterator[Timed]:
    """The directory's import job: no client, no session."""
    rng, company, transaction = stage.rng, stage.company, f"job.{hex_id(stage.rng)}"
    directory, agent = company.directory, target("AgentInstance", company.agent)
    where = [target("AppInstance", directory), agent]
    debug = {"importType": "INCREMENTAL", "appInstanceId": directory.id, "agentVersion": "3.21.0", "jobId": transaction}
    yield 0, job("system.import.start", "Start import", transaction=transaction, debug=debug, targets=where)
    yield 1_500, job("system.agent.ad.read_dirsync", "Perform directory sync read by AD agent",
                     transaction=transaction, debug=debug, targets=where)  # fmt: skip
    for number in range(rng.randrange(0, 3)):
        other = rng.choice(company.everybody)
        yield 4_000 + 300 * number, job(
            "application.provision.user.sync", "Sync user in external application", transaction=transaction,
            debug=debug, targets=[other.target, target("AppUser", directory), *where],
        )  # fmt: skip
    counts = {"usersAdded": "0", "usersUpdated": str(rng.randrange(0, 3)), "usersRemoved": "0"}
    yield 9_000, job("system.import.complete", "Complete import", transaction=transaction, targets=where,
                     debug={**debug, **counts})  # fmt: skip


def provision(stage: Stage) -> Iterator[Timed]:
    """Okta pushes a profile to an application."""
    app, transaction = stage.rng.choice(stage.company.apps[1:]), f"job.{hex_id(stage.rng)}"
    failed = stage.rng.random() < 0.05
    result = (
        outcome("FAILURE", "Error occurred while trying to push profile update: 503") if failed else outcome("SUCCESS")
    )
    yield 0, job("application.provision.user.push_profile", "Push user's profile to external application",
                 transaction=transaction, result=result, severity="WARN" if failed else "INFO",
                 debug={"appname": app.name, "changedAttributes": "[department, title, manager]"},
                 targets=[stage.person.target, target("AppUser", app), target("AppInstance", app)])  # fmt: skip


def blocked(stage: Stage) -> Iterator[Timed]:
    """Somebody outside knocks and is turned away; the address stands where a name would."""
    rng, transaction = stage.rng, hex_id(stage.rng)
    place = rng.choice(ABROAD)
    machine = ("Unknown", "UNKNOWN", "python-requests/2.32.3", "", "", "")
    stranger = seat(rng, place, f"{place.network}{rng.randrange(2, 250)}", machine, managed=False, zone="null")
    actor = raw({"id": stranger.ip, "type": "IP address", "alternateId": "unknown", "displayName": stranger.ip,
                 "detailEntry": None})  # fmt: skip
    debug = web_debug(rng, stranger, "/api/v1/authn", transaction, **risk_debug("HIGH", ("Suspected Threat",)))
    debug["threatSuspected"] = "true"
    yield 0, web("security.request.blocked", "Request from suspicious actor", actor, stranger, session=None,
                 transaction=transaction, debug=debug, severity="WARN", result=outcome("DENY", "Blocked by zone"),
                 targets=[target("NetworkZone", stage.company.zone)])  # fmt: skip


SCENES: tuple[tuple[Callable[[Stage], Iterator[Timed]], float, float], ...] = (
    (use_app, 30, 2), (use_token, 12, 2), (sign_in, 10, 4.38), (push, 6, 2), (provision, 3, 1), (leave, 2, 1),
    (mistype, 1.2, 5.63), (import_users, 0.8, 4), (automate, 0.8, 1), (administer, 0.5, 2), (forgot, 0.25, 3),
    (blocked, 0.2, 1), (join, 0.06, 9), (go, 0.05, 2),
)  # fmt: skip
"""Each scene, how often it is played relative to the others, and how many events it has on average."""
