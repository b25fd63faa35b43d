"""Declares the dashboard of sign-ins and factors."""

from __future__ import annotations

from typing import Final

from tools.dashboards.aggregations import count, metric, over_time, places, queries, terms
from tools.dashboards.charts import bars, numbers, table, world_map
from tools.dashboards.objects import Dashboard, Panel, Search
from tools.dashboards.patterns import EVENTS

SIGN_INS: Final = "eventType:(user.session.start OR user.authentication.auth_via_IDP)"
CHECKS: Final = "eventType:user.authentication.auth_via_mfa"
CHANGES: Final = "eventType:user.mfa.factor.*"
FAILED: Final = f"({SIGN_INS} OR {CHECKS}) AND outcome.result:FAILURE"
RISKY: Final = f"{SIGN_INS} AND oktalogger.risk.level:*"

_EVENTS: Final = count("Events")
_PEOPLE: Final = metric("cardinality", "actor.alternateId", "People")
_ADDRESSES: Final = metric("cardinality", "client.ipAddress", "Addresses")
_TIME: Final = over_time("published")
_OUTCOME: Final = terms("outcome.result", "Outcome")

FAILURES: Final = Search(
    "Failed sign-ins and factor checks",
    EVENTS,
    FAILED,
    (
        "eventType",
        "outcome.reason",
        "actor.alternateId",
        "client.ipAddress",
        "client.geographicalContext.country",
        "securityContext.asOrg",
        "displayMessage",
    ),
    "Passwords and factors that did not fit, newest first.",
)

DASHBOARD: Final = Dashboard(
    "Sign-ins and factors",
    "Who signs in from where, with which factors, and who fails.",
    "now-24h",
    (
        (
            Panel(
                numbers(
                    "Sign-ins in numbers",
                    EVENTS,
                    "",
                    (_EVENTS, _PEOPLE),
                    queries(
                        {
                            "Sign-ins": f"{SIGN_INS} AND outcome.result:SUCCESS",
                            "Failed sign-ins": f"{SIGN_INS} AND outcome.result:FAILURE",
                            "Failed factor checks": f"{CHECKS} AND outcome.result:FAILURE",
                            "Locked accounts": "eventType:user.account.lock*",
                            "Pushes refused": "eventType:user.mfa.okta_verify.deny_push",
                        }
                    ),
                ),
                48,
                9,
            ),
        ),
        (
            Panel(bars("Sign-ins by outcome", EVENTS, SIGN_INS, (_EVENTS,), _TIME, _OUTCOME), height=15),
            Panel(
                world_map(
                    "Where people sign in",
                    EVENTS,
                    SIGN_INS,
                    _EVENTS,
                    places("client.geographicalContext.geolocation"),
                ),
                height=15,
            ),
        ),
        (
            Panel(
                table(
                    "Who fails to sign in",
                    EVENTS,
                    FAILED,
                    (_EVENTS, _ADDRESSES),
                    (terms("actor.alternateId", "Who"), terms("outcome.reason", "Why", size=3)),
                )
            ),
            Panel(
                table(
                    "Addresses that fail to sign in",
                    EVENTS,
                    FAILED,
                    (_EVENTS, _PEOPLE),
                    (terms("client.ipAddress", "Address"), terms("securityContext.asOrg", "Network", size=1)),
                )
            ),
        ),
        (
            Panel(
                table(
                    "Countries of sign-ins",
                    EVENTS,
                    SIGN_INS,
                    (_EVENTS, _PEOPLE),
                    (terms("client.geographicalContext.country", "Country", size=25),),
                ),
                16,
            ),
            Panel(
                table(
                    "Sign-ins through proxies",
                    EVENTS,
                    f"{SIGN_INS} AND securityContext.isProxy:true",
                    (_EVENTS, _PEOPLE),
                    (terms("securityContext.asOrg", "Network"),),
                ),
                16,
            ),
            Panel(
                bars("Risk of sign-ins", EVENTS, RISKY, (_EVENTS,), _TIME, terms("oktalogger.risk.level", "Risk")), 16
            ),
        ),
        (
            Panel(bars("Factor checks by outcome", EVENTS, CHECKS, (_EVENTS,), _TIME, _OUTCOME)),
            Panel(
                table(
                    "Factors in use",
                    EVENTS,
                    CHECKS,
                    (_EVENTS, _PEOPLE),
                    (terms("oktalogger.debug.factor", "Factor"), _OUTCOME),
                )
            ),
        ),
        (
            Panel(
                table(
                    "Factors enrolled, reset and removed",
                    EVENTS,
                    CHANGES,
                    (_EVENTS,),
                    (
                        terms("eventType", "What"),
                        terms("oktalogger.target.user.alternate_id", "Whose"),
                        terms("actor.alternateId", "By", size=1),
                    ),
                ),
                48,
            ),
        ),
        (Panel(FAILURES, 48, 20),),
    ),
)
