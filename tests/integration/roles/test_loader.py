"""The loader's role is enough for the whole pipeline, on a real OpenSearch with the security plugin."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from oktalogger.detections.criteria import Absence, FirstSeen, RiskSum
from oktalogger.detections.model import CompiledDetection
from oktalogger.detections.replay.alerts import Alert, mark_notified
from oktalogger.detections.replay.matches import Match, store_matches
from oktalogger.detections.replay.search import replay
from oktalogger.detections.replay.span import Span
from oktalogger.opensearch.client import OpenSearchSettings, make_client
from oktalogger.opensearch.errors import OpenSearchPermissionError
from oktalogger.opensearch.inventory import OpenSearchCensus
from oktalogger.opensearch.request import call
from oktalogger.opensearch.schema import ensure_matches_index
from oktalogger.opensearch.setup.apply import apply_setup, plan_setup
from oktalogger.opensearch.store import OpenSearchStore
from oktalogger.opensearch.templates import matches_template
from oktalogger.pipeline.ledger import LedgerKey
from oktalogger.pipeline.ledger_store import LedgerStore
from oktalogger.window import Window
from tests.integration.conftest import ROOT
from tests.integration.people import People
from tests.integration.roles.loading import HOUR, documents, host, load
from tests.integration.roles.permissions import LOADER
from tests.unit.detections.bundles import detection

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from local.simulator.process import Simulator

pytestmark = pytest.mark.opensearch


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

    def test_every_kind_of_rule_after_a_load(
        self, team: People, clients: dict[str, OpenSearch], caplog: pytest.LogCaptureFixture
    ) -> None:
        rules = [
            detection(1),
            detection(2, first_seen=FirstSeen(fields=("eventType",), seconds=86_400)),
            detection(3, absence=Absence(seconds=3600, group_by=(), history_seconds=86_400)),
            detection(4, risk_sum=RiskSum(at_least=1, rules=1)),
        ]
        now = datetime.now(UTC)
        span = Span(Window(HOUR.start, now), by="loaded")
        found = replay(clients[LOADER], team.names, rules, span, run_id="r")
        assert len(found) == len(rules)
        assert "may miss" not in caplog.text

    def test_a_new_mapping_of_the_matches_comes_with_the_setup(
        self, team: People, clients: dict[str, OpenSearch], caplog: pytest.LogCaptureFixture
    ) -> None:
        """Until it has run, the index is used as it is: a detection that looks is worth more than a field."""
        ensure_matches_index(clients[LOADER], team.names)
        older = {"_meta": {"managed_by": "oktalogger", "version": 1}}
        call(team.admin, "PUT", f"/{team.names.matches}/_mapping", doing="to make it older", body=older)
        ensure_matches_index(clients[LOADER], team.names)
        assert f"{team.names.matches} keeps the mapping of version 1" in caplog.text
        assert "okta_opensearch_setup" in caplog.text
        apply_setup(team.admin, plan_setup(team.admin, team.names, team.documents(), retention_days=365))
        answer = call(clients[LOADER], "GET", f"/{team.names.matches}/_mapping", doing="to read it")
        assert answer[team.names.matches]["mappings"]["_meta"]["version"] == matches_template(team.names).version

    def test_months_of_an_older_version_are_loaded_into_before_the_setup_of_the_new_one_has_run(
        self, team: People, clients: dict[str, OpenSearch], org: Simulator, loaded: dict[str, Any]
    ) -> None:
        month = team.names.month_index(HOUR.start)
        older = {"_meta": {"managed_by": "oktalogger", "version": 1}}
        call(team.admin, "PUT", f"/{month}/_mapping", doing="to make it older", body=older)
        troubles = OpenSearchStore(clients[LOADER], team.names).prepare().troubles
        assert any(month in sentence and "okta_opensearch_setup" in sentence for sentence in troubles)
        assert load(clients[LOADER], team, org, "reconcile")["existing"] > 100
        apply_setup(team.admin, plan_setup(team.admin, team.names, team.documents(), retention_days=365))
        assert OpenSearchStore(clients[LOADER], team.names).prepare().troubles == ()


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
