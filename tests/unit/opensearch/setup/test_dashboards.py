"""What the setup imports into Dashboards, what it leaves as it is, and what it says where that fails."""

from __future__ import annotations

import base64
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from local.standins.dashboards import DashboardsStandIn, serve_dashboards
from oktalogger.opensearch.client import OpenSearchSettings, make_client
from oktalogger.opensearch.errors import (
    OpenSearchAuthenticationError,
    OpenSearchLoadError,
    OpenSearchSettingsError,
    OpenSearchUnavailableError,
)
from oktalogger.opensearch.names import IndexNames
from oktalogger.opensearch.saved_objects import DashboardsClient, DashboardsError, SavedObject, connect
from oktalogger.opensearch.setup.apply import apply_setup
from oktalogger.opensearch.setup.dashboards import FieldLinks, field_links, plan_dashboards, shipped_objects
from oktalogger.resources import resource
from oktalogger.urls import okta_links

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = IndexNames()
FIELD = {"name": "eventType", "type": "string", "esTypes": ["keyword"], "searchable": True, "aggregatable": True}
PATTERN = ("index-pattern", NAMES.alias)


@contextmanager
def client_of(standin: DashboardsStandIn, *, tenant: str = "global", **login: Any) -> Iterator[DashboardsClient]:
    with serve_dashboards(standin) as url:
        client = DashboardsClient(
            make_client(OpenSearchSettings(url=url, **login)), url=url, tenant=tenant, sleep=lambda _: None
        )
        try:
            yield client
        finally:
            client.close()


def set_up(client: DashboardsClient, names: IndexNames = NAMES, links: FieldLinks | None = None) -> list[str]:
    """Plan and apply, and return what was to be done."""
    plan = plan_dashboards(client, names, links=links)
    apply_setup(None, plan)  # type: ignore[arg-type]
    return [f"{step.action} {step.kind} {step.name}" for step in plan.changes]


def test_everything_is_imported_at_once_and_a_second_time_nothing() -> None:
    standin = DashboardsStandIn(base="/_dashboards")
    with client_of(standin) as client:
        done = set_up(client)
        assert len(done) == len(shipped_objects(NAMES)) + 1
        assert "create dashboard Okta: Sign-ins and factors" in done
        assert standin.objects().keys() == {one.key for one in shipped_objects(NAMES)}
        assert standin.writes == [
            "POST /api/saved_objects/_import",
            "POST /api/opensearch-dashboards/settings/defaultIndex",
        ]
        assert standin.settings["global"]["defaultIndex"]["userValue"] == NAMES.alias
        assert set_up(client) == []


def test_planning_writes_nothing() -> None:
    standin = DashboardsStandIn()
    with client_of(standin) as client:
        assert plan_dashboards(client, NAMES).changes
    assert standin.writes == []
    assert standin.objects() == {}


def test_only_what_differs_is_imported_and_named() -> None:
    standin = DashboardsStandIn()
    with client_of(standin) as client:
        set_up(client)
        key = ("dashboard", "okta-system-log-dashboard-findings")
        ours = json.loads(json.dumps(standin.objects()[key]))
        standin.objects()[key]["attributes"]["timeFrom"] = "now-1y"
        del standin.objects()["search", "okta-system-log-search-findings"]
        plan = plan_dashboards(client, NAMES)
        assert [(step.action, step.name, step.changes) for step in plan.changes] == [
            ("create", "Okta: Findings", ("+ does not exist yet",)),
            ("change", "Okta: Findings", ("+ timeFrom",)),
        ]
        apply_setup(None, plan)  # type: ignore[arg-type]
        assert standin.objects()[key]["attributes"] == ours["attributes"]
        assert set_up(client) == []


def test_an_index_pattern_gets_the_fields_of_its_index_and_keeps_what_others_put_into_it() -> None:
    standin = DashboardsStandIn(fields={NAMES.alias: [FIELD]})
    with client_of(standin) as client:
        set_up(client)
        stored = standin.objects()[PATTERN]["attributes"]
        assert json.loads(stored["fields"]) == [{"count": 0, "scripted": False, **FIELD}]
        # A user adds a scripted field, a format and a filter, and Dashboards counts how often a field was shown.
        scripted = {"name": "day", "scripted": True, "script": "1", "lang": "painless", "type": "number", "count": 0}
        stored["fields"] = json.dumps([{**FIELD, "count": 7, "scripted": False}, scripted])
        stored["fieldFormatMap"] = json.dumps({**json.loads(stored["fieldFormatMap"]), "severity": {"id": "color"}})
        stored["sourceFilters"] = '[{"value":"debugContext*"}]'
        assert set_up(client) == []
        # A new release maps one field more.
        standin.fields[NAMES.alias] = [FIELD, {**FIELD, "name": "added"}]
        [step] = plan_dashboards(client, NAMES).changes
        assert step.changes == ("+ 1 new or changed fields",)
        set_up(client)
    after = standin.objects()[PATTERN]["attributes"]
    fields = {one["name"]: one for one in json.loads(after["fields"])}
    assert fields.keys() == {"eventType", "added", "day"}
    assert (fields["eventType"]["count"], fields["day"]) == (7, scripted)
    assert json.loads(after["fieldFormatMap"])["severity"] == {"id": "color"}
    assert after["sourceFilters"] == '[{"value":"debugContext*"}]'


def test_ids_lead_to_okta_and_runs_to_airflow_where_the_addresses_are_known() -> None:
    standin = DashboardsStandIn()
    url = "https://company-admin.okta.com/admin/user/profile/view/{{value}}"
    with client_of(standin) as client:
        set_up(client, links=FieldLinks(events={"actor.id": url}))
        formats = json.loads(standin.objects()[PATTERN]["attributes"]["fieldFormatMap"])
        assert formats["actor.id"] == {"id": "url", "params": {"urlTemplate": url, "labelTemplate": "{{value}}"}}
        assert set_up(client) == [], "where nobody knows the addresses, those that are there stay"


def test_another_prefix_has_other_objects_beside_those_of_the_default() -> None:
    standin = DashboardsStandIn()
    other = IndexNames("other-log")
    with client_of(standin) as client:
        set_up(client)
        set_up(client, other)
        assert set_up(client) == set_up(client, other) == []
    assert len(standin.objects()) == 2 * len(shipped_objects(NAMES))
    titles = {one["attributes"]["title"] for one in standin.objects().values()}
    assert {"Okta: Findings", "Okta (other-log): Findings", "other-log-detection-matches"} <= titles
    text = json.dumps([one for key, one in standin.objects().items() if key[1].startswith("other-log")])
    assert "okta-system-log" not in text
    assert "okta-detection-matches" not in text


def test_a_tenant_is_written_and_no_other() -> None:
    standin = DashboardsStandIn()
    with client_of(standin, tenant="security") as client:
        set_up(client)
    assert set(standin.tenants) == {"security"}


def test_a_default_that_somebody_chose_stays() -> None:
    standin = DashboardsStandIn(settings={"global": {"defaultIndex": {"userValue": "theirs"}}})
    with client_of(standin) as client:
        set_up(client)
    assert standin.settings["global"]["defaultIndex"]["userValue"] == "theirs"


def test_it_logs_in_as_opensearch_does() -> None:
    pair = base64.b64encode("admin:geheim-ü".encode()).decode()
    standin = DashboardsStandIn(login=f"Basic {pair}")
    with client_of(standin, username="admin", password="geheim-ü") as client:
        assert set_up(client)


def test_a_dashboards_that_starts_is_asked_again() -> None:
    standin = DashboardsStandIn(down=2)
    with client_of(standin) as client:
        assert set_up(client)


@pytest.mark.parametrize(
    ("standin", "error", "said"),
    [
        (DashboardsStandIn(login="Basic x"), OpenSearchAuthenticationError, "refuses the login"),
        (DashboardsStandIn(login="Basic x", login_page=True), OpenSearchAuthenticationError, "login page"),
        (DashboardsStandIn(forbidden={"global"}), DashboardsError, "tenant 'global'.*OKTALOGGER_DASH"),
        (DashboardsStandIn(down=99), OpenSearchUnavailableError, "does not answer.*OKTALOGGER_DASHBOARDS_API_URL"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    standin: DashboardsStandIn, error: type[OpenSearchLoadError], said: str
) -> None:
    with client_of(standin) as client, pytest.raises(error, match=said) as caught:
        set_up(client)
    assert client.url in str(caught.value)
    assert standin.writes == []


def test_what_is_not_dashboards_is_called_that() -> None:
    with (
        client_of(DashboardsStandIn(base="/elsewhere")) as client,
        serve_dashboards(DashboardsStandIn(base="/only-here")) as other,
    ):
        url = other.removesuffix("/only-here")
        wrong = DashboardsClient(make_client(OpenSearchSettings(url=url)), url=url, sleep=client._sleep)
        with pytest.raises(DashboardsError, match=r"is not OpenSearch Dashboards.*_dashboards"):
            set_up(wrong)
        wrong.close()


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ({"references": [{"name": "a", "type": "index-pattern", "id": "gone"}]}, "do not exist: index-pattern gone"),
        ({"attributes": {"title": "t", "colour": "red"}}, r"introduction of \[colour\]"),
        ({"type": "map"}, "unsupported_type"),
        ({"migrationVersion": {"search": "99.0.0"}}, "more recent version"),
    ],
)
def test_an_object_that_dashboards_refuses_is_named_with_the_reason(broken: dict[str, Any], said: str) -> None:
    one = {"type": "search", "id": "x", "attributes": {"title": "t"}, "references": [], "migrationVersion": {}} | broken
    standin = DashboardsStandIn()
    with client_of(standin) as client, pytest.raises(OpenSearchLoadError, match=said):
        client.import_objects(
            [SavedObject(one["type"], one["id"], one["attributes"], one["references"], one["migrationVersion"])]
        )
    assert standin.objects() == {}


OPENSEARCH = OpenSearchSettings(url="https://opensearch.example", username="admin", password="secret", ca_certs=None)


def test_without_an_address_there_is_no_client() -> None:
    assert connect(OPENSEARCH, api_url=None, browser_url=None, tenant=None) is None


def test_the_address_for_us_comes_before_that_of_browsers_and_the_tenant_is_the_global_one() -> None:
    client = connect(OPENSEARCH, api_url="http://inside:5601", browser_url="https://outside", tenant=None)
    assert client is not None
    assert (client.url, client.tenant) == ("http://inside:5601", "global")
    client.close()


def test_a_password_is_not_sent_in_the_clear_to_an_address_that_is_for_browsers() -> None:
    with pytest.raises(OpenSearchSettingsError, match=r"is not https.*OKTALOGGER_DASHBOARDS_API_URL"):
        connect(OPENSEARCH, api_url=None, browser_url="http://outside", tenant=None)


def test_a_client_certificate_is_no_login_for_dashboards() -> None:
    settings = OpenSearchSettings(url="https://opensearch.example", client_cert="/cert.pem")
    with pytest.raises(OpenSearchSettingsError, match="takes no client certificate"):
        connect(settings, api_url=None, browser_url="https://outside", tenant=None)


def test_links_lead_to_okta_where_there_is_one_org() -> None:
    okta = okta_links(("company.okta.com",))
    assert okta["actor.id"] == "https://company-admin.okta.com/admin/user/profile/view/{{value}}"
    assert okta["uuid"] == "https://company-admin.okta.com/report/system_log_2?search=uuid%20eq%20%22{{value}}%22"
    links = field_links(okta=okta, run_url="https://airflow/dag_runs?run_id_pattern={{value}}")
    assert links.matches == {
        "event_id": okta["uuid"],
        "run_id": "https://airflow/dag_runs?run_id_pattern={{value}}",
    }
    assert okta_links(("a.okta.com", "b.okta.com")) == okta_links(("login.company.com",)) == {}


@pytest.mark.parametrize("pattern", [NAMES.alias, NAMES.ledger, NAMES.rejected, NAMES.matches])
def test_every_field_with_a_link_is_in_its_index(pattern: str) -> None:
    links = field_links(okta=okta_links(("company.okta.com",)), run_url="https://airflow/{{value}}").of(NAMES)
    file = {
        NAMES.alias: "index-template",
        NAMES.ledger: "ledger-index-template",
        NAMES.rejected: "rejected-index-template",
        NAMES.matches: "detection-matches-index-template",
    }[pattern]
    properties = json.loads(resource(f"opensearch/{file}.json").read_text())["template"]["mappings"]["properties"]
    for name in links[pattern]:
        found = properties
        for part in name.split("."):
            found = found[part].get("properties", found[part])
