"""What each role may do, on a real OpenSearch with the security plugin, as users who have that role and no other.

docs/opensearch-setup.md says the same in a table, and a test holds the two together. Alerting is not among the
published plugins: whether the sync's role allows the sync is decided by the role as the security plugin stored it, in
front of a stand-in of the Alerting API, with the plugin's names of actions and its rule for wildcards.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from local.simulator.process import Simulator, running
from local.standins.alerting import AlertingStandIn
from local.standins.alerting_answers import Answer
from local.standins.monitors import rendered
from local.standins.transport import in_process_client
from oktalogger.detections.model import CompiledDetection
from oktalogger.detections.monitors.api import AlertingClient
from oktalogger.detections.monitors.channels import read_channels
from oktalogger.detections.monitors.stored import Owner
from oktalogger.detections.monitors.sync import SyncOptions, apply_sync, plan_sync
from oktalogger.detections.replay.alerts import Alert, mark_notified
from oktalogger.detections.replay.matches import Match, store_matches
from oktalogger.okta.auth import SswsAuth
from oktalogger.okta.client import OktaClient
from oktalogger.okta.system_log import SystemLogClient
from oktalogger.opensearch.client import OpenSearchSettings, make_client
from oktalogger.opensearch.errors import OpenSearchLoadError, OpenSearchPermissionError
from oktalogger.opensearch.inventory import OpenSearchCensus
from oktalogger.opensearch.mapping import newest_mapping
from oktalogger.opensearch.request import call, send
from oktalogger.opensearch.schema import ensure_matches_index
from oktalogger.opensearch.setup.apply import apply_setup, plan_setup
from oktalogger.opensearch.setup.security import ROLES_API
from oktalogger.opensearch.store import OpenSearchStore
from oktalogger.opensearch.templates import matches_template, month_template
from oktalogger.pipeline.document import Stamp
from oktalogger.pipeline.ledger import LedgerKey
from oktalogger.pipeline.ledger_store import LedgerStore
from oktalogger.pipeline.load import LoadPlan
from oktalogger.pipeline.recorded_load import load_and_record
from oktalogger.pipeline.stop import LoadStoppedError, StopSignal
from oktalogger.window import Window
from tests.integration.conftest import ROOT
from tests.integration.people import People, people
from tests.integration.permissions import ANALYST, CASES, LOADER, SYNC, Case, name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opensearchpy import OpenSearch

    from oktalogger.detections.model import RenderedMonitor
    from oktalogger.pipeline.document import LoadKind

pytestmark = pytest.mark.opensearch

NOW = "2026-11-16T14:00:00Z"
HOUR = Window(datetime(2026, 11, 16, 10, tzinfo=UTC), datetime(2026, 11, 16, 11, tzinfo=UTC))


@pytest.fixture(scope="module")
def team(opensearch_secure: Any) -> Iterator[People]:
    with people(opensearch_secure) as found:
        plan = plan_setup(found.admin, found.names, found.documents(), retention_days=365)
        apply_setup(found.admin, plan)
        call(found.admin, "PUT", "/payroll/_doc/1", doing="to have something foreign", body={"salary": 1})
        yield found
        found.admin.indices.delete(index="payroll,payroll-*", ignore_unavailable=True)


@pytest.fixture(scope="module")
def clients(team: People) -> Iterator[dict[str, OpenSearch]]:
    made = {role: team.client(user) for role, user in team.users.items()}
    yield made
    for client in made.values():
        client.close()


@pytest.fixture(scope="module")
def org() -> Iterator[Simulator]:
    with running("--seed", "roles", "--rate", "3", "--clock", NOW, "--rate-limit", "100000") as simulator:
        event = {"@timestamp": "now"}
        simulator.control.post("/events", event=event, published="2026-11-16T10:10:00Z")
        yield simulator


def host(org: Simulator) -> str:
    """Return what documents of the org are stamped with."""
    return urlsplit(org.url).netloc


def load(
    client: OpenSearch, team: People, org: Simulator, kind: LoadKind, *, stop_after: int | None = None
) -> dict[str, Any]:
    """Load the hour as the load does, twenty events a page."""
    stop = StopSignal()
    store = OpenSearchStore(client, team.names)
    store.prepare()
    stamp = Stamp(host(org), HOUR, f"{kind}-run", kind, timedelta(hours=24))

    def count(progress: Any) -> None:
        if stop_after is not None and progress.result.pages >= stop_after:
            stop.set()

    with SystemLogClient(OktaClient(org.url, SswsAuth(org.token), allow_http=True)) as okta:
        return load_and_record(
            okta,
            store,
            LedgerStore(client, team.names),
            LoadPlan(stamp, page_limit=20, threads=1),
            on_stored=count,
            stop=stop,
        ).as_dict()


@pytest.fixture(scope="module")
def loaded(team: People, clients: dict[str, OpenSearch], org: Simulator) -> dict[str, Any]:
    """The hour, loaded as the loader's user: stopped half-way and taken up again."""
    with pytest.raises(LoadStoppedError):
        load(clients[LOADER], team, org, "scheduled", stop_after=2)
    return load(clients[LOADER], team, org, "scheduled")


def documents(team: People) -> dict[str, Any]:
    """Return every document of ours, whole, with its version."""
    team.admin.indices.refresh(index=f"{team.names.prefix}*")
    body = {"size": 5000, "version": True, "sort": ["_doc"]}
    found: dict[str, Any] = {}
    for index in (team.names.alias, team.names.rejected):
        for hit in team.admin.search(index=index, body=body)["hits"]["hits"]:
            # A rejected event has an id made of its content.
            found[hit["_source"]["uuid"]] = (hit["_index"], hit["_version"], hit["_source"])
    return found


class TestTheLoadersRoleIsEnough:
    """The whole pipeline, as a user with the role of the loader and no other."""

    def test_load_resume_and_ledger(self, team: People, org: Simulator, loaded: dict[str, Any]) -> None:
        expected = {event["uuid"] for event in org.control.events("2026-11-16T10:00:00Z", "2026-11-16T11:00:00Z")}
        assert len(expected) > 100
        assert set(documents(team)) == expected
        assert loaded["read"] < len(expected), "it went on where it had stopped"
        key = LedgerKey(host(org), "scheduled", HOUR, None, None)
        entry, _ = LedgerStore(team.admin, team.names).read(key.id)
        assert entry is not None
        assert (entry.state, entry.tries) == ("complete", 2)

    def test_a_rejected_event_is_kept(self, team: People, loaded: dict[str, Any]) -> None:
        kept = team.admin.search(index=team.names.rejected)["hits"]["hits"]
        assert [json.loads(one["_source"]["event"])["@timestamp"] for one in kept] == ["now"]

    def test_reconcile(
        self, team: People, clients: dict[str, OpenSearch], org: Simulator, loaded: dict[str, Any]
    ) -> None:
        before = documents(team)
        counts = load(clients[LOADER], team, org, "reconcile")
        assert (counts["created"], counts["late"]) == (0, 0)
        assert counts["existing"] + counts["rejected"] == counts["read"] == len(before)
        assert documents(team) == before

    def test_counting_and_comparing(
        self, team: People, clients: dict[str, OpenSearch], org: Simulator, loaded: dict[str, Any]
    ) -> None:
        census = OpenSearchCensus(clients[LOADER], team.names)
        census.refresh()
        assert sum(one.events for one in census.events_by_hour(host(org), HOUR).values()) + 1 == len(documents(team))
        assert len(census.ids(host(org), HOUR)) + 1 == len(documents(team))

    def test_the_command_line(self, team: People, org: Simulator, loaded: dict[str, Any]) -> None:
        environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT / "plugins"),
            "OKTALOGGER_OKTA_URL": org.url,
            "OKTALOGGER_OKTA_TOKEN": org.token,
            **team.environ(team.users[LOADER]),
        }
        window = ("--from", "2026-11-16T10:00:00Z", "--to", "2026-11-16T11:00:00Z", "--json")
        for command, code in (("load", 3), ("coverage", 0)):
            done = subprocess.run(
                [sys.executable, "-m", "oktalogger", command, *window],
                env=environ,
                capture_output=True,
                text=True,
                timeout=180,
                check=False,
            )
            assert done.returncode == code, done.stderr
            assert json.loads(done.stdout)["rejected"] == 1

    def test_the_matches_of_replay(self, team: People, clients: dict[str, OpenSearch]) -> None:
        index = team.names.matches
        for _ in range(2):
            ensure_matches_index(clients[LOADER], team.names)
        at = HOUR.start
        match = Match(
            id="m", org="o", first=at, last=at, events=1, values=None, group={}, event_id="e", example="example"
        )
        rule = CompiledDetection(
            id="11111111-1111-4111-8111-111111111111",
            name="rule",
            title="Rule",
            description="",
            severity="high",
            selection="eventType:x",
        )
        assert store_matches(clients[LOADER], index, rule, [match], run_id="r", found_at=at) == [match]
        mark_notified(clients[LOADER], index, Alert(rule, "soc", (match,)))
        assert call(clients[LOADER], "GET", f"/{index}/_doc/m", doing="to read it")["_source"]["notified"] == ["soc"]

    def test_a_new_mapping_of_the_matches(self, team: People, clients: dict[str, OpenSearch]) -> None:
        """A mapping of the index's version before, once the setup of the new version has put the template."""
        ensure_matches_index(clients[LOADER], team.names)
        older = {"_meta": {"managed_by": "oktalogger", "version": 1}}
        call(team.admin, "PUT", f"/{team.names.matches}/_mapping", doing="to make it older", body=older)
        ensure_matches_index(clients[LOADER], team.names)
        answer = call(clients[LOADER], "GET", f"/{team.names.matches}/_mapping", doing="to read it")
        assert answer[team.names.matches]["mappings"]["_meta"]["version"] == matches_template(team.names).version

    def test_matches_of_an_older_version_are_kept_before_the_setup_of_the_new_one_has_run(
        self, team: People, clients: dict[str, OpenSearch], caplog: pytest.LogCaptureFixture
    ) -> None:
        stored = call(team.admin, "GET", f"{ROLES_API}/{LOADER}", doing="to read the role")[LOADER]
        role = {key: stored[key] for key in ("description", "cluster_permissions", "index_permissions")}
        call(team.admin, "PUT", f"{ROLES_API}/{LOADER}", doing="to have the role of version 0.1", body=_of_0_1(role))
        older = {"_meta": {"managed_by": "oktalogger", "version": 1}}
        call(team.admin, "PUT", f"/{team.names.matches}/_mapping", doing="to make it older", body=older)
        try:
            ensure_matches_index(clients[LOADER], team.names)
        finally:
            call(team.admin, "PUT", f"{ROLES_API}/{LOADER}", doing="to put it back", body=role)
        assert f"{team.names.matches} keeps the mapping of version 1" in caplog.text
        assert "okta_opensearch_setup" in caplog.text
        ensure_matches_index(clients[LOADER], team.names)


def _of_0_1(role: dict[str, Any]) -> dict[str, Any]:
    """Return the loader's role without the right on the mapping of matches, which it has got since."""
    permissions = [
        one | {"allowed_actions": [action for action in one["allowed_actions"] if not action.endswith("mapping/put")]}
        for one in role["index_permissions"]
    ]
    return role | {"index_permissions": permissions}


@pytest.fixture(scope="module")
def held(team: People, loaded: dict[str, Any]) -> dict[str, str]:
    """What the words in the paths stand for: an event of each kind that is there."""
    rejected = team.admin.search(index=team.names.rejected, body={"size": 1})["hits"]["hits"][0]["_id"]
    event = team.admin.search(index=team.names.alias, body={"size": 1})["hits"]["hits"][0]["_id"]
    return {
        "ALIAS": team.names.alias,
        "MONTH": f"{team.names.prefix}-2026-11",
        "REJECTED": team.names.rejected,
        "LEDGER": team.names.ledger,
        "PREFIX": team.names.prefix,
        "KEPT": rejected,
        "ID": event,
    }


def outcome(client: OpenSearch, case: Case, held: dict[str, str]) -> str:
    """Send the request, and say what became of it in the words of :class:`Case`."""

    def filled(text: str) -> str:
        for word, value in held.items():
            text = text.replace(word, value)
        return text

    body = case.ndjson if case.ndjson else None if case.body is None else json.dumps(case.body)
    try:
        answer = send(
            client,
            case.method,
            filled(case.path),
            doing="to do that",
            body=None if body is None else filled(body).encode(),
            content_type="application/x-ndjson" if case.ndjson else "application/json",
        )
    except OpenSearchPermissionError:
        return "no"
    except OpenSearchLoadError as error:
        return "never" if "append_only" in str(error) else str(error)
    for item in answer.get("items", ()):
        (result,) = item.values()
        if result["status"] >= 300:
            return "no" if result["status"] == 403 else "never" if "append_only" in str(result) else str(result)
    return "yes"


@pytest.mark.parametrize("case", CASES, ids=name)
def test_each_thing_is_allowed_or_refused(
    team: People, clients: dict[str, OpenSearch], held: dict[str, str], case: Case
) -> None:
    before = documents(team)
    assert outcome(team.admin if case.role == "admin" else clients[case.role], case, held) == case.answer
    if case.answer != "yes":
        assert documents(team) == before


def test_the_table_in_the_docs_is_the_one_above() -> None:
    text = (ROOT / "docs" / "opensearch-setup.md").read_text().partition("\n## What each role may do\n")[2]
    lines = [line.strip("|").split(" | ") for line in text.partition("\n## ")[0].splitlines() if line.startswith("|")]
    header, _, *rows = [[cell.strip(" `") for cell in line] for line in lines]
    table = {(row[0], role): answer for row in rows for role, answer in zip(header[1:], row[1:], strict=True)}
    tried = {(case.what, case.role): case.answer for case in CASES if case.role != "admin"}
    assert {key: table.get(key) for key in tried} == tried
    untried = {key: answer for key, answer in table.items() if key not in tried and key[0] != "create monitors"}
    assert untried == {("delete from the ledger", SYNC): "no", ("delete from the ledger", ANALYST): "no"}


# opensearch-project/common-utils, AlertingActions.kt and NotificationsActions.kt; alerting, ExecuteMonitorAction.kt.
MONITOR = "cluster:admin/opendistro/alerting/monitor"
ACTIONS = {
    ("POST", "/_plugins/_alerting/monitors"): f"{MONITOR}/write",
    ("PUT", "/_plugins/_alerting/monitors/ID"): f"{MONITOR}/write",
    ("GET", "/_plugins/_alerting/monitors/ID"): f"{MONITOR}/get",
    ("DELETE", "/_plugins/_alerting/monitors/ID"): f"{MONITOR}/delete",
    ("POST", "/_plugins/_alerting/monitors/_search"): f"{MONITOR}/search",
    ("POST", "/_plugins/_alerting/monitors/_execute"): f"{MONITOR}/execute",
    ("POST", "/okta-system-log/_validate/query"): "indices:admin/validate/query",
    ("POST", "/okta-system-log/_search"): "indices:data/read/search",
    ("GET", "/_plugins/_notifications/channels"): "cluster:admin/opensearch/notifications/channels/get",
}


class GuardedAlerting:
    """The stand-in of the Alerting API behind a role."""

    def __init__(self, team: People, role: str) -> None:
        stored = call(team.admin, "GET", f"{ROLES_API}/{role}", doing="to read the role")[role]
        # The stand-in's index is not the deployment's: what the role may do in that one counts here.
        on_indices = [action for part in stored["index_permissions"] for action in part["allowed_actions"]]
        self._allowed = [*stored["cluster_permissions"], *on_indices]
        self._user = team.users[role]
        self.standin = AlertingStandIn()

    def __call__(self, method: str, target: str, body: Any, headers: dict[str, str]) -> Answer:
        path = target.partition("?")[0]
        last = path.rpartition("/")[2]
        if last not in ("query", "monitors", "_search", "_execute", "channels"):
            path = f"{path.rpartition('/')[0]}/ID"
        action = ACTIONS[(method, path)]
        if not any(fnmatchcase(action, pattern) for pattern in self._allowed):
            reason = (
                f"no permissions for [{action}] and User [name={self._user}, backend_roles=[], requestedTenant=null]"
            )
            return 403, {"error": {"type": "security_exception", "reason": reason}, "status": 403}
        return self.standin.handle(method, target, body, headers)

    def sync(self, monitors: list[RenderedMonitor]) -> None:
        """Plan and apply, as the DAG does."""
        client = AlertingClient(in_process_client(self), sleep=lambda _: None)
        read_channels(client)
        for monitor in monitors:
            client.dry_run(monitor.body)
        plan_sync(client, monitors, Owner(), SyncOptions())
        apply_sync(client, monitors, Owner(), SyncOptions(confirm_deletions=True), sleep=lambda _: None)


def test_the_syncs_role_is_enough_for_the_sync(team: People) -> None:
    guarded = GuardedAlerting(team, SYNC)
    guarded.sync([rendered(1), rendered(2)])
    guarded.sync([rendered(1, query="eventType:new")])
    assert len(guarded.standin.monitors()) == 1
    assert {method for method, _ in guarded.standin.writes} == {"POST", "PUT", "DELETE"}


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("role", [SYNC, LOADER, ANALYST])
def test_each_role_may_read_the_mapping_that_rules_are_held_against(
    team: People, clients: dict[str, OpenSearch], role: str
) -> None:
    found = newest_mapping(clients[role], team.names)
    assert found is not None
    assert found.version == month_template(team.names).version


@pytest.mark.parametrize("role", [LOADER, ANALYST])
def test_no_other_role_makes_monitors(team: People, role: str) -> None:
    guarded = GuardedAlerting(team, role)
    with pytest.raises(OpenSearchPermissionError, match="to the role oktalogger_sync"):
        guarded.sync([rendered(1)])
    assert guarded.standin.writes == []


def test_whoever_has_no_role_is_told_which_one_to_map_to_whom(team: People, opensearch_secure: Any) -> None:
    """The user of a certificate that nobody mapped, as an IAM role is that nobody mapped."""
    folder = opensearch_secure.certificates
    client = make_client(
        OpenSearchSettings(
            url=opensearch_secure.url,
            ca_certs=str(opensearch_secure.ca),
            client_cert=str(folder / "loader.pem"),
            client_key=str(folder / "loader-key.pem"),
        )
    )
    with pytest.raises(OpenSearchPermissionError, match="to the role oktalogger_loader") as caught:
        OpenSearchStore(client, team.names).prepare()
    user = caught.value.user
    assert user is not None
    assert f'PUT /_plugins/_security/api/rolesmapping/oktalogger_loader {{"users":["{user}"]}}' in str(caught.value)
    # Doing what it says is enough.
    members = {"users": [user, team.users[LOADER]]}
    call(team.admin, "PUT", "/_plugins/_security/api/rolesmapping/oktalogger_loader", doing="to map", body=members)
    OpenSearchStore(client, team.names).prepare()
    client.close()
