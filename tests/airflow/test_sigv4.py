"""SigV4 from the hook to a server that verifies it, with a real OpenSearch behind."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from local.standins.notifier import RecordingNotifier
from local.standins.sigv4 import Aws, Key, in_front_of
from oktalogger.compat import AirflowFailException, AirflowSkipException
from oktalogger.hooks.opensearch import OpenSearchHook
from oktalogger.opensearch.documents import Document, Rejection
from oktalogger.opensearch.errors import CollectionTypeError, OpenSearchAuthenticationError
from oktalogger.opensearch.inventory import OpenSearchCensus
from oktalogger.opensearch.names import IndexNames
from oktalogger.opensearch.request import call
from oktalogger.opensearch.roles import shipped_roles
from oktalogger.opensearch.setup.apply import apply_setup, plan_setup
from oktalogger.opensearch.setup.security import shipped_documents
from oktalogger.operators.detection_replay import DetectionAlertOperator
from oktalogger.operators.detections import DetectionPlanOperator
from oktalogger.operators.setup import OpenSearchSetupOperator
from oktalogger.pipeline.ledger import LedgerKey
from oktalogger.pipeline.load_result import LoadResult
from oktalogger.window import Window
from tests.airflow.cluster import Cluster
from tests.indices import own_names
from tests.unit.detections.bundles import counting

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.opensearch

WORKER = Key("AKIAWORKER", "the-secret-key-of-the-worker")
ROLE = "arn:aws:iam::123456789012:role/loader"
HOUR = Window(datetime(2026, 11, 16, 10, tzinfo=UTC), datetime(2026, 11, 16, 11, tzinfo=UTC))
MONTH = datetime(2026, 11, 16, 10, tzinfo=UTC)


@pytest.fixture
def names(opensearch_url: str) -> Iterator[IndexNames]:
    from opensearchpy import OpenSearch

    client = OpenSearch(opensearch_url, timeout=60)
    with own_names(client) as names:
        yield names
    client.close()


@pytest.fixture
def aws(opensearch_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    with in_front_of(opensearch_url, Aws(WORKER, roles={ROLE})) as found:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", WORKER.id)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", WORKER.secret)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("AWS_DEFAULT_REGION", found.region)
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", found.url)
        yield found


def hook(aws: Aws, monkeypatch: pytest.MonkeyPatch, *, role_arn: str | None = None, **extra: Any) -> OpenSearchHook:
    sigv4 = {"auth": "sigv4", "region": aws.region, "service": aws.service, "use_ssl": False}
    connection = {"conn_type": "opensearch", "host": "127.0.0.1", "port": int(aws.url.rpartition(":")[2])}
    monkeypatch.setenv("AIRFLOW_CONN_OPENSEARCH_DEFAULT", json.dumps(connection | {"extra": sigv4 | extra}))
    return OpenSearchHook(role_arn=role_arn, sleep=lambda seconds: None)


def assumed(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> OpenSearchHook:
    """A hook whose AWS connection assumes a role, through the Amazon provider."""
    monkeypatch.setenv("AIRFLOW_CONN_AWS_LOADER", json.dumps({"conn_type": "aws", "extra": {"role_arn": ROLE}}))
    return hook(aws, monkeypatch, aws_conn_id="aws_loader")


def document(number: int) -> Document:
    event = {"uuid": f"ä {number}/%+", "published": "2026-11-16T10:00:00Z", "displayMessage": "größer ✓"}
    return Document(event["uuid"], "", json.dumps(event, ensure_ascii=False).encode())


def load(hook: OpenSearchHook, names: IndexNames, pages: int = 4) -> int:
    """Load a few pages with everything that a load does, and return how many documents are there afterwards."""
    store, ledger = hook.store(names), hook.ledger(names)
    store.prepare()
    store.ensure_month(MONTH)
    entry = ledger.open(LedgerKey("company.okta.com", "scheduled", HOUR, 'eventType eq "a b"', "q+ä"), run_id="r")
    index = names.month_index(MONTH)
    for page in range(pages):
        documents = [
            Document(one.id, index, one.source) for one in (document(page * 10 + number) for number in range(10))
        ]
        assert store.create(documents).created == 10
    store.reject([Rejection("r", "mapper_parsing_exception", "x", b"{}", None, index)], context={"org": "o"})
    entry.complete(LoadResult())
    census = OpenSearchCensus(hook.client, names)
    census.refresh()
    found = call(hook.client, "POST", f"/{index}/_count", doing="to count")["count"]
    hook.client.close()
    return int(found)


@pytest.mark.parametrize("compress", [False, True])
def test_a_load_with_the_workers_own_credentials(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, names: IndexNames, compress: bool
) -> None:
    assert load(hook(aws, monkeypatch, http_compress=compress), names) == 40
    assert aws.refused == []
    assert {asked.key.id for asked in aws.asked} == {WORKER.id}
    assert any("%" in asked.path for asked in aws.asked), "a path that is encoded twice in what is signed"


def test_with_another_secret_nothing_is_served(aws: Aws, monkeypatch: pytest.MonkeyPatch, names: IndexNames) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    with pytest.raises(OpenSearchAuthenticationError, match="signature we calculated does not match"):
        hook(aws, monkeypatch).store(names).prepare()
    assert aws.asked == []


def test_a_body_that_was_changed_on_the_way_is_not_stored(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, names: IndexNames
) -> None:
    store = hook(aws, monkeypatch).store(names)
    store.prepare()
    store.ensure_month(MONTH)
    aws.tamper = lambda body: body.replace(b"gr", b"GR")
    one = document(1)
    with pytest.raises(OpenSearchAuthenticationError, match="x-amz-content-sha256"):
        store.create([Document(one.id, names.month_index(MONTH), one.source)])
    store.client.close()


def test_another_region_or_service_is_refused(aws: Aws, monkeypatch: pytest.MonkeyPatch, names: IndexNames) -> None:
    for extra, words in (({"region": "us-east-1"}, "a valid region"), ({"service": "aoss"}, "correct service: 'es'")):
        with pytest.raises(OpenSearchAuthenticationError, match=f"scoped to {words}"):
            hook(aws, monkeypatch, **extra).store(names).prepare()


def test_a_role_that_the_aws_connection_assumes(aws: Aws, monkeypatch: pytest.MonkeyPatch, names: IndexNames) -> None:
    assert load(assumed(aws, monkeypatch), names) == 40
    assert aws.refused == []
    assert {asked.key.role for asked in aws.asked} == {ROLE}
    assert len(aws.issued) == 1


@pytest.mark.parametrize("how", ["connection", "hook"])
def test_credentials_that_end_half_way_are_renewed_before(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, names: IndexNames, how: str
) -> None:
    """A load that takes days, by the clock of whoever says when credentials end: 20 minutes pass at each request."""
    made = assumed(aws, monkeypatch) if how == "connection" else hook(aws, monkeypatch, role_arn=ROLE)
    credentials = made.settings.http_auth.signer.credentials
    monkeypatch.setattr(credentials, "_time_fetcher", aws.now)
    monkeypatch.setattr("botocore.credentials._local_now", aws.now)

    def later(aws: Aws) -> None:
        aws.offset += timedelta(minutes=20)

    # The clock moves after a request, so that the next one is signed by its new time.
    aws.after = later
    assert load(made, names, pages=20) == 200
    assert aws.refused == []
    assert len(aws.issued) > 5
    assert {asked.key.role for asked in aws.asked} == {ROLE}


def test_the_server_refuses_credentials_that_ended(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, names: IndexNames
) -> None:
    """What happens without renewal, so that the test above means something."""
    made = assumed(aws, monkeypatch)
    _ = made.settings
    aws.offset = timedelta(hours=2)
    with pytest.raises(OpenSearchAuthenticationError, match="expired"):
        made.store(names).prepare()


def test_the_setup_runs_as_the_domains_master_role(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, names: IndexNames
) -> None:
    document = {"version": 1, "roles": shipped_roles(names.prefix), "role_mappings": {}, "master_role_arn": ROLE}
    monkeypatch.setenv("AIRFLOW_VAR_OKTALOGGER_SECURITY", json.dumps(document))
    monkeypatch.setenv("OKTALOGGER_INDEX_PREFIX", names.prefix)
    hook(aws, monkeypatch)
    pushed: dict[str, Any] = {}
    task = SimpleNamespace(xcom_push=lambda key, value: pushed.__setitem__(key, value))
    operator = OpenSearchSetupOperator(task_id="set_up")
    execute = type(operator).execute
    context: Any = {"ti": task, "params": {"dry_run": False}}
    done = getattr(execute, "__wrapped__", execute)(operator, context)
    assert [step["kind"] for step in done["changed"]][:4] == ["index template"] * 4
    assert {step["kind"] for step in done["changed"][4:]} == {"index"}
    assert done["changed"] == pushed["plan"]["changes"]
    assert {asked.key.role for asked in aws.asked} == {ROLE}
    aws.roles.clear()
    with pytest.raises(AirflowFailException, match="credentials"):
        getattr(execute, "__wrapped__", execute)(operator, context)


def test_a_role_that_may_not_be_assumed_is_named(aws: Aws, monkeypatch: pytest.MonkeyPatch, names: IndexNames) -> None:
    master = "arn:aws:iam::123456789012:role/x-opensearch-master"
    made = hook(aws, monkeypatch, role_arn=master)
    with pytest.raises(OpenSearchAuthenticationError, match=re.escape(master)) as caught:
        plan_setup(made.client, names, shipped_documents(names), retention_days=0)
    assert not caught.value.retryable
    assert "trust policy" in str(caught.value)
    assert aws.asked == []


# docs.aws.amazon.com, OpenSearch Service developer guide, "Supported operations and plugins in Amazon OpenSearch
# Serverless", as far as anything here could need it. Not among them: `GET /`, _refresh, _simulate_index, _plugins/*.
INDEX, NAME = "/[^_/][^/]*", "/[^_/][^/]*"
SERVERLESS = re.compile(
    rf"(GET|HEAD|PUT|DELETE) {INDEX}|(GET|PUT) {INDEX}/(_mapping|_settings)|GET {INDEX}/_alias.*|GET /_cat/indices"
    rf"|POST ({INDEX})?/_bulk|(PUT|POST) {INDEX}/_(create|doc){NAME}|POST {INDEX}/_update{NAME}|GET {INDEX}/_doc{NAME}"
    rf"|(GET|POST) {INDEX}/(_search|_count|_mget|_field_caps)|POST /_aliases"
    rf"|(GET|PUT|POST|HEAD|DELETE) /_index_template({NAME})?"
)


@pytest.fixture
def collection(aws: Aws) -> Aws:
    """A collection: what AWS lists is served, all else is not found. Whether AWS does more cannot be tried here."""
    aws.service = "aoss"
    aws.allows = lambda method, path: SERVERLESS.fullmatch(f"{method} {path}") is not None
    return aws


def test_a_collection_of_serverless_is_loaded_by_what_it_offers(
    collection: Aws, monkeypatch: pytest.MonkeyPatch, names: IndexNames
) -> None:
    made = hook(collection, monkeypatch)
    assert made.serverless
    assert made.test_connection() == (True, f"OpenSearch Serverless answers at {collection.url}.")
    plan = plan_setup(made.client, names, shipped_documents(names), retention_days=365, serverless=made.serverless)
    assert {step.kind for step in plan.steps} == {"index template"}
    assert "Serverless" in plan.notices[0]
    apply_setup(made.client, plan)
    store = made.store(names)
    store.prepare()
    load(made, names)
    left_out = {re.sub(names.prefix + r"[^/]*", "X", refused.partition("?")[0]) for refused in collection.refused}
    # Asked for, not there, and done without.
    assert left_out == {"POST /_index_template/_simulate_index/X", "POST /X/_refresh"}


def test_a_collection_is_searched_after_a_load_once_it_has_refreshed_by_itself(
    collection: Aws, monkeypatch: pytest.MonkeyPatch, opensearch_url: str, tmp_path: Path
) -> None:
    cluster = Cluster(opensearch_url, tmp_path / "detections")
    cluster.rules(counting(1, 3, channels=("soc",), throttle_minutes=60))
    hook(collection, monkeypatch).client.close()
    notifiers = {"soc": {"class": "local.standins.notifier.RecordingNotifier", "name": "soc"}}
    monkeypatch.setenv("OKTALOGGER_INDEX_PREFIX", cluster.names.prefix)
    monkeypatch.setenv("OKTALOGGER_DETECTION_NOTIFIERS", json.dumps(notifiers))
    monkeypatch.setattr(RecordingNotifier, "told", [])
    # The index below refreshes by itself more often than one of Serverless.
    monkeypatch.setattr("oktalogger.detections.replay.search.REFRESHED_WITHIN", 2.0)
    try:
        cluster.load(1, ago=timedelta(minutes=30))
        everywhere = f"{cluster.names.prefix}*"
        cluster.client.indices.put_settings(index=everywhere, body={"index": {"refresh_interval": "500ms"}})
        cluster.load(1, 1, ago=timedelta(minutes=30))
        [found] = cluster.run(DetectionAlertOperator)
        assert (found["matches"], len(RecordingNotifier.told)) == (1, 1)
        cluster.load(1, 1, 1, ago=timedelta(minutes=10))
        [found] = cluster.run(DetectionAlertOperator)
        assert found["matches"] == 2
        assert len(RecordingNotifier.told) == 1, "that who heard of the group was remembered"
        asked = {refused.partition("?")[0].rpartition("/")[2] for refused in collection.refused}
        # The Alerting plugin, a refresh, and which template the index of matches would be made from.
        assert asked == {"_search", "_refresh", cluster.names.matches}, "asked for, and done without"
        with pytest.raises(AirflowSkipException):
            cluster.run(DetectionPlanOperator)
    finally:
        cluster.remove()


def test_a_collection_that_takes_no_ids_is_refused(
    collection: Aws, monkeypatch: pytest.MonkeyPatch, names: IndexNames
) -> None:
    """Collections of the types TIMESERIES and VECTORSEARCH answer so to whoever brings an id."""
    made = hook(collection, monkeypatch)
    store = made.store(names)
    store.prepare()
    store.ensure_month(MONTH)
    reason = "Document ID is not supported in create/index operation request"
    item = {"create": {"status": 400, "error": {"type": "illegal_argument_exception", "reason": reason}}}
    collection.answers = {"_bulk": json.dumps({"errors": True, "items": [item]})}
    one = document(1)
    with pytest.raises(CollectionTypeError, match="type SEARCH"):
        store.create([Document(one.id, names.month_index(MONTH), one.source)])
    made.client.close()
