"""Declares the dashboard of what administrators do."""

from __future__ import annotations

from typing import Final

from tools.dashboards.aggregations import count, metric, over_time, queries, terms
from tools.dashboards.charts import bars, numbers, table
from tools.dashboards.objects import Dashboard, Panel, Search
from tools.dashboards.patterns import EVENTS

PRIVILEGES: Final = (
    "eventType:(user.account.privilege.* OR group.privilege.* OR iam.* OR group.application_assignment.*)"
)
MEMBERS: Final = "eventType:group.user_membership.*"
PEOPLE: Final = "eventType:(user.lifecycle.* OR user.account.*)"
APPS: Final = (
    "eventType:(application.lifecycle.* OR application.user_membership.* OR application.policy.* OR app.oauth2.*)"
)
POLICIES: Final = "eventType:(policy.lifecycle.* OR policy.rule.*)"
ACCESS: Final = "eventType:(system.api_token.* OR zone.* OR system.idp.* OR system.log_stream.* OR org.*)"
CONSOLE: Final = "eventType:user.session.access_admin_app"
KINDS: Final = {
    "People": PEOPLE,
    "Group members": MEMBERS,
    "Privileges": PRIVILEGES,
    "Applications": APPS,
    "Policies": POLICIES,
    "Tokens, zones, identity providers": ACCESS,
}
EVERYTHING: Final = " OR ".join(f"({query})" for query in KINDS.values())

_EVENTS: Final = count("Events")
_WHO: Final = terms("actor.alternateId", "By")
_WHAT: Final = terms("eventType", "What")
_LAST: Final = metric("max", "published", "Last")


CHANGES: Final = Search(
    "What administrators did",
    EVENTS,
    EVERYTHING,
    (
        "eventType",
        "outcome.result",
        "actor.alternateId",
        "oktalogger.target.any.display_name",
        "oktalogger.changes",
        "client.ipAddress",
        "displayMessage",
    ),
    "Changes to people, groups, privileges, applications, policies and access to the org, newest first.",
)

DASHBOARD: Final = Dashboard(
    "Administration",
    "Who changes people, groups, privileges, applications, policies and access to the org.",
    "now-7d",
    (
        (Panel(numbers("Changes in numbers", EVENTS, "", (_EVENTS,), queries(KINDS)), 48, 9),),
        (
            Panel(
                bars("Changes over time", EVENTS, EVERYTHING, (_EVENTS,), over_time("published"), queries(KINDS)),
                32,
                14,
            ),
            Panel(
                table(
                    "Who makes changes",
                    EVENTS,
                    EVERYTHING,
                    (_EVENTS, metric("cardinality", "eventType", "Kinds"), _LAST),
                    (_WHO,),
                ),
                16,
                14,
            ),
        ),
        (
            Panel(
                table(
                    "Privileges granted and revoked",
                    EVENTS,
                    PRIVILEGES,
                    (_EVENTS, _LAST),
                    (_WHAT, terms("oktalogger.target.any.display_name", "What or whose"), _WHO),
                )
            ),
            Panel(
                table(
                    "Group members added and removed",
                    EVENTS,
                    MEMBERS,
                    (_EVENTS, metric("cardinality", "oktalogger.target.user.id", "People")),
                    (terms("oktalogger.target.group.display_name", "Group"), _WHAT, _WHO),
                )
            ),
        ),
        (
            Panel(
                table(
                    "Applications changed and assigned",
                    EVENTS,
                    APPS,
                    (_EVENTS, _LAST),
                    (terms("oktalogger.target.app.display_name", "Application"), _WHAT, _WHO),
                )
            ),
            Panel(
                table(
                    "Policies and rules changed",
                    EVENTS,
                    POLICIES,
                    (_EVENTS, _LAST),
                    (_WHAT, terms("oktalogger.target.any.display_name", "Policy or rule"), _WHO),
                )
            ),
        ),
        (
            Panel(
                table(
                    "Tokens, zones and identity providers",
                    EVENTS,
                    ACCESS,
                    (_EVENTS, _LAST),
                    (_WHAT, terms("oktalogger.target.any.display_name", "Which"), _WHO),
                )
            ),
            Panel(
                table(
                    "Admin Console opened",
                    EVENTS,
                    CONSOLE,
                    (_EVENTS, _LAST),
                    (_WHO, terms("client.ipAddress", "From", size=3), terms("outcome.result", "Outcome")),
                )
            ),
        ),
        (Panel(CHANGES, 48, 20),),
    ),
)
