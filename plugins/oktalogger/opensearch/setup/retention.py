"""Sets how long months are kept, by a policy of Index State Management (ISM).

Sources: https://docs.opensearch.org/latest/im-plugin/ism/api/ and the plugin's own code (opensearch-project/
index-management, package ``indexstatemanagement``): a policy applies by itself only to indices created later, an
index keeps the version of the policy that it was given, and a refusal for single indices comes with status 200.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from oktalogger.opensearch.diagnosis import plugin_missing
from oktalogger.opensearch.errors import (
    OpenSearchRequestError,
    OpenSearchUnavailableError,
    RetentionRefusedError,
    SetupConflictError,
)
from oktalogger.opensearch.request import call
from oktalogger.opensearch.roles import DESCRIPTION_MARK
from oktalogger.opensearch.setup.steps import SetupPlan, SetupStep
from oktalogger.resources import resource

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opensearchpy import OpenSearch

    from oktalogger.opensearch.names import IndexNames

ISM_API: Final = "/_plugins/_ism"
LONGEST_MONTH_DAYS: Final = 31
_POLICY_ID: Final = "index.plugins.index_state_management.policy_id"
_AT_ONCE: Final = 50  # indices in one URL


@dataclass(frozen=True, slots=True)
class _Stored:
    """A policy on the server, with the sequence number that an update must name."""

    policy: Mapping[str, Any]
    seq_no: int
    primary_term: int


def retention_policy(names: IndexNames, days: int) -> dict[str, Any]:
    """Return the policy in ISM's JSON.

    ISM counts from the day on which it created an index, but the last event of a month may be a month younger. So the
    policy keeps the index 31 days longer, and every event at least ``days``.

    :param names: the names of the deployment
    :param days: how many days to keep events; 0 keeps them for ever
    """
    policy: dict[str, Any] = msgspec.json.decode(resource("opensearch/ism-policy.json").read_bytes())["policy"]
    policy["ism_template"][0]["index_patterns"] = [names.month_pattern]
    kept = policy["states"][0]
    if days:
        policy["description"] = f"{DESCRIPTION_MARK} keeps each event of the Okta System Log for at least {days} days."
        kept["transitions"][0]["conditions"]["min_index_age"] = f"{days + LONGEST_MONTH_DAYS}d"
    else:
        policy["description"] = f"{DESCRIPTION_MARK} keeps the Okta System Log for ever."
        kept["transitions"] = []
        policy["states"] = [kept]
    return policy


def plan_retention(
    client: OpenSearch, names: IndexNames, days: int, *, confirmed: bool = False, now: datetime | None = None
) -> SetupPlan:
    """Return what a setup would change in the policy and in existing months; only reads.

    :param client: the client of an administrator
    :param names: the names of the deployment
    :param days: how many days to keep events; 0 keeps them for ever
    :param confirmed: whether months that are older than the retention may be deleted
    :param now: the current time
    :raises SetupConflictError: if a policy of our name is foreign
    :raises RetentionRefusedError: if months would be deleted at once and that was not confirmed
    :raises OpenSearchLoadError: if another request fails
    """
    try:
        stored = _read_policy(client, names)
    except OpenSearchRequestError as error:
        if not plugin_missing(error):
            raise
        kept = "for ever" if not days else "until somebody deletes them"
        return SetupPlan(
            notices=(
                "This cluster has no Index State Management plugin: the retention policy was left out, and months are "
                f"kept {kept}.",
            )
        )
    wanted = retention_policy(names, days)
    steps = [_plan_policy(names, stored, wanted)]
    missing, older, others = _months(client, names, stored, renewed=steps[0].action != "unchanged")
    if days and (missing or older):
        _check_age(client, [*missing, *older], days, confirmed=confirmed, now=now or datetime.now(UTC))
    steps += _plan_months(names, "add", missing, "given the policy")
    steps += _plan_months(names, "change_policy", older, "moved to this version of the policy")
    notices = [f"{month} has another retention policy, {policy}, and keeps it." for month, policy in others.items()]
    return SetupPlan(tuple(steps), tuple(notices))


def _read_policy(client: OpenSearch, names: IndexNames) -> _Stored | None:
    path = f"{ISM_API}/policies/{names.prefix}"
    answer = call(client, "GET", path, doing=f"to show the retention policy {names.prefix}", ignore=(404,))
    if "policy" not in answer:
        return None
    return _Stored(answer["policy"], int(answer["_seq_no"]), int(answer["_primary_term"]))


def _plan_policy(names: IndexNames, stored: _Stored | None, wanted: Mapping[str, Any]) -> SetupStep:
    kind, name = "retention policy", names.prefix
    if stored is None:
        do = partial(_put_policy, name, wanted, None)
        return SetupStep(kind=kind, name=name, action="create", changes=(f"+ {wanted['description']}",), do=do)
    described = str(stored.policy.get("description", ""))
    if not described.startswith(DESCRIPTION_MARK):
        raise SetupConflictError(
            f"There is an ISM policy {name} that oktalogger did not make (its description does not begin with "
            f"{DESCRIPTION_MARK!r}). Nothing was changed. Rename or delete it."
        )
    if _holds(stored.policy, wanted):
        return SetupStep(kind=kind, name=name, action="unchanged")
    changes = (f"+ {wanted['description']}", f"- {described}") if described != wanted["description"] else ()
    do = partial(_put_policy, name, wanted, stored)
    return SetupStep(kind=kind, name=name, action="change", changes=changes or ("+ the policy of this package",), do=do)


def _holds(stored: Any, wanted: Any) -> bool:
    """Say whether what is stored is what is wanted, apart from what the server adds."""
    if isinstance(wanted, dict):
        return isinstance(stored, dict) and all(
            key in stored and _holds(stored[key], value) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(stored, list) and len(stored) == len(wanted) and all(map(_holds, stored, wanted))
    return bool(stored == wanted)


def _put_policy(name: str, policy: Mapping[str, Any], stored: _Stored | None, client: OpenSearch) -> None:
    # Without these ISM creates only, and refuses to overwrite; with them it refuses what was changed since.
    version = {"if_seq_no": str(stored.seq_no), "if_primary_term": str(stored.primary_term)} if stored else None
    answer = call(
        client,
        "PUT",
        f"{ISM_API}/policies/{name}",
        doing=f"to put the retention policy {name}",
        params=version,
        body={"policy": policy},
        ignore=(409,),
    )
    if "_seq_no" not in answer:
        raise OpenSearchUnavailableError(f"Somebody changed the retention policy {name} just now: try again.")


def _months(
    client: OpenSearch, names: IndexNames, stored: _Stored | None, *, renewed: bool
) -> tuple[list[str], list[str], dict[str, str]]:
    """Sort the months: without a policy, with an older version of ours, with a foreign one."""
    path = f"{ISM_API}/explain/{names.month_pattern}"
    answer = call(client, "GET", path, doing="to show which policies the months have", ignore=(404,))
    newest = None if stored is None or renewed else stored.seq_no
    missing: list[str] = []
    older: list[str] = []
    others: dict[str, str] = {}
    for month, state in sorted(answer.items()):
        if not names.is_month(month) or not isinstance(state, dict):
            continue
        policy = state.get(_POLICY_ID)
        if policy is None:
            missing.append(month)
        elif policy != names.prefix:
            others[month] = str(policy)
        # One that ISM has not looked at yet has no version, and will take the newest.
        elif state.get("policy_seq_no") not in (None, newest):
            older.append(month)
    return missing, older, others


def _plan_months(names: IndexNames, what: str, months: Sequence[str], done: str) -> list[SetupStep]:
    return [
        SetupStep(
            kind="months",
            name=some[0] if len(some) == 1 else f"{some[0]} to {some[-1]}",
            action="change",
            changes=tuple(f"+ {month} is {done}" for month in some),
            do=partial(_send_months, what, names.prefix, some),
        )
        for some in (months[start : start + _AT_ONCE] for start in range(0, len(months), _AT_ONCE))
    ]


def _send_months(what: str, policy: str, months: Sequence[str], client: OpenSearch) -> None:
    path = f"{ISM_API}/{what}/{','.join(months)}"
    answer = call(client, "POST", path, doing="to give months the retention policy", body={"policy_id": policy})
    if answer.get("failures"):
        failed = "; ".join(f"{one.get('index_name')}: {one.get('reason')}" for one in answer.get("failed_indices", ()))
        raise OpenSearchUnavailableError(
            f"Index State Management did not give all months the retention policy {policy} ({failed}). Try again "
            "later; what is in the midst of being deleted or changed cannot be given another policy."
        )


def _check_age(client: OpenSearch, months: Sequence[str], days: int, *, confirmed: bool, now: datetime) -> None:
    """Refuse a retention that deletes months as soon as ISM looks at them: most likely it was mistyped."""
    answer = call(
        client,
        "GET",
        f"/{','.join(months)}",
        doing="to show when the months were made",
        params={"ignore_unavailable": "true"},
        only="*.settings.index.creation_date",
    )
    oldest = now - timedelta(days=days + LONGEST_MONTH_DAYS)
    gone = sorted(
        month
        for month, state in answer.items()
        if datetime.fromtimestamp(int(state["settings"]["index"]["creation_date"]) / 1000, UTC) < oldest
    )
    if gone and not confirmed:
        raise RetentionRefusedError(
            f"A retention of {days} days would delete {len(gone)} months at once: {', '.join(gone)}. Nothing was "
            "changed. Correct OKTALOGGER_RETENTION_DAYS, or confirm it (confirm_deletions)."
        )
