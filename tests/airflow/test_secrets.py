"""No secret of any connection is seen where it has no business: planted, used in every way, and looked for."""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import httpx
import pytest

from local.simulator.oauth.keys import make_key, public
from oktalogger.hooks.okta import OktaHook
from oktalogger.hooks.opensearch import OpenSearchHook
from oktalogger.okta.dpop import DpopKey
from oktalogger.okta.retry import RetrySettings
from oktalogger.opensearch.bulk import BulkRetry
from oktalogger.opensearch.request import RequestRetry
from oktalogger.window import format_instant
from tests.airflow.conftest import ROOT, run_airflow
from tests.airflow.planted import Planted, Seen, listening
from tests.airflow.task import Search, Task, five_minutes
from tests.airflow.world import World
from tests.unit.okta.server import Answer, ScriptedServer, error, page, scripted_server
from tests.unit.okta.test_keys import pem as as_pem

if TYPE_CHECKING:
    from local.simulator.process import Simulator

pytestmark = [pytest.mark.opensearch, pytest.mark.timeout(600)]
OURS = "oktalogger-secrets"
# One pair for all tests: Airflow's masker forgets nothing, and grows slower with each part of a key.
OLD_PEM, OLD = make_key("RSA")
_, NEW = make_key("RSA")
OLD["kid"] = "old"


def made_up(what: str) -> str:
    return f"PLANTED-{what}-{secrets.token_urlsafe(18)}"


@pytest.fixture
def world(okta: Simulator, opensearch_url: str, monkeypatch: pytest.MonkeyPatch, search_prefix: str) -> Iterator[World]:
    planted = Planted()
    token = planted.add("Okta token", "00" + made_up("okta-token"))
    okta.control.post("/tokens", token=token)
    planted.add("private key", OLD_PEM)
    for key in (OLD, NEW):
        for number in ("d", "p", "q", "dp", "dq", "qi"):
            planted.add("private key", key[number])
    app = okta.control.post("/oauth-clients", dpop=True, jwks={"keys": [public(OLD), public(NEW)]})

    generate = DpopKey.generate.__func__  # type: ignore[attr-defined]

    def kept(cls: type[DpopKey]) -> DpopKey:
        key: DpopKey = generate(cls)
        planted.add("DPoP key", as_pem(key._key))
        return key

    monkeypatch.setattr(DpopKey, "generate", classmethod(kept))
    monkeypatch.setattr(
        "oktalogger.okta.client.RetrySettings", partial(RetrySettings, max_attempts=2, backoff_seconds=0.01)
    )
    monkeypatch.setattr("oktalogger.opensearch.request.RequestRetry", partial(RequestRetry, attempts=1))
    monkeypatch.setattr(
        "oktalogger.opensearch.bulk.BulkRetry", partial(BulkRetry, total_seconds=0.1, blocked_seconds=0.1)
    )
    task = Task(search_prefix)
    made = World(
        planted,
        okta,
        opensearch_url,
        task,
        monkeypatch,
        token,
        app,
        NEW,
        OLD_PEM,
        planted.add("OpenSearch password", made_up("opensearch-ä"), user="loader"),
        planted.add("proxy password", made_up("proxy"), user="me"),
    )
    yield made
    okta.control.post("/reset")


@pytest.fixture
def search_prefix(opensearch_url: str) -> Iterator[str]:
    prefix = f"{OURS}-{uuid.uuid4().hex[:8]}"
    yield prefix
    for path in (f"/{prefix}*?expand_wildcards=all", f"/_index_template/{prefix}*"):
        with suppress(httpx.HTTPStatusError):  # a test may have made none
            Search(opensearch_url).call("DELETE", path)


def use(world: World, seen: Seen, okta: dict[str, Any], search: dict[str, Any]) -> list[str]:
    """Use connections in every way that there is in this process; return the kinds of what went wrong."""
    for name, value in world.connections(okta, search).items():
        world.monkeypatch.setenv(name, value)
    failures = []
    hooks = (OktaHook(), OpenSearchHook())
    for hook in hooks:
        good, said = hook.test_connection()
        seen.note("test_connection", said)
        if not good:
            failures.append(type(hook).__name__)
        try:
            seen.note("repr of settings", hook.settings)
            seen.note("repr of client", f"{hook.client!r} {vars(hook)!r}")
        except Exception as failure:
            seen.error("settings", failure)
    try:
        seen.note("XCom", json.dumps(world.task.run(five_minutes())))
    except Exception as failure:
        seen.error("task", failure)
        failures.append(type(failure.__cause__ or failure).__name__)
    seen.note("XComs", json.dumps(world.task.xcoms))
    seen.note("task's log", repr(world.task.log.lines))
    operator = world.task.make()
    seen.note("rendered fields", repr({name: getattr(operator, name) for name in operator.template_fields}))
    search_in = Search(world.opensearch)
    for indices, size in ((f"{world.task.prefix}-ledger,{world.task.prefix}-rejected", 1000), (world.task.prefix, 50)):
        search_in.call("POST", f"/{indices}/_refresh?ignore_unavailable=true")
        found = search_in.call("GET", f"/{indices}/_search?ignore_unavailable=true&size={size}")
        for document in found["hits"]["hits"]:
            seen.note(f"document in {document['_index']}", json.dumps(document["_source"]))
    return failures


def test_a_good_load(world: World) -> None:
    # No document may have a field of this name, so that there is a rejected one as well.
    # In the middle, because the window moves on with the clock while the test runs.
    published = format_instant(five_minutes().start + timedelta(minutes=3))
    world.okta.control.post("/events", event={"@timestamp": "now"}, published=published)
    with listening(world.planted) as seen:
        for okta in (world.ssws(), world.oauth()):
            assert use(world, seen, okta, world.search()) == []
    assert seen.leaks() == []
    assert seen.strays(world.allowed()) == []
    ours = f"document in {world.task.prefix}-"
    indices = {where.removeprefix(ours) for where, _ in seen.texts if where.startswith(ours)}
    assert {"ledger", "rejected", published[:7]} <= indices
    sent = "".join(text for _, text in seen.sent)
    assert {"Okta token", "a JWT", "OpenSearch password"} <= world.planted.seen(sent), "they were used"
    assert any("urllib3" in where for where, _ in seen.texts), "DEBUG was on"
    assert {"DPoP key", "private key", "proxy password"} <= set(world.planted.forms)


def test_an_aws_login(world: World) -> None:
    secret, session = made_up("aws-secret"), made_up("aws-session")
    world.planted.add("AWS secret", secret)
    world.planted.add("AWS session token", session)
    aws = {"conn_type": "aws", "login": "AKIAPLANTED", "password": secret, "extra": {"aws_session_token": session}}
    world.monkeypatch.setenv("AIRFLOW_CONN_AWS_PLANTED", json.dumps(aws))
    extra = {"use_ssl": False, "auth": "sigv4", "region": "eu-west-1", "aws_conn_id": "aws_planted"}
    with listening(world.planted) as seen:
        assert use(world, seen, world.ssws(), world.search(login=None, password=None, extra=extra)) == []
    assert seen.leaks() == []
    allowed = world.allowed()
    allowed[urlsplit(world.opensearch).netloc] = {"AWS session token"}
    assert seen.strays(allowed) == []


HTML = Answer(200, b"<html><title>Log in</title></html>", content_type="text/html")
OKTA_ANSWERS = {
    "HTML": HTML,
    "HTML 403": Answer(403, b"<html><title>Forbidden</title></html>", content_type="text/html"),
    "JSON of another kind": Answer(200, b'{"hello": 1}'),
    "401": error(401, "E0000011", "Invalid token provided"),
    "403": error(403, "E0000006", "No permission"),
    "429": error(429, "E0000047", "API call exceeded rate limit"),
    "500": error(500, "E0000009", "Too long"),
    "a redirect": Answer(302, b"", [("Location", "https://elsewhere.example.com/?next=/api/v1/logs")]),
    "a foreign link": page(b'[{"uuid": "a", "published": "2026-11-23T10:00:00.000Z"}]', next_url="https://evil.test/x"),
    "a reset": Answer(reset="before"),
    "cut off": Answer(200, b"[]", announced_length=99),
}


@pytest.mark.parametrize("case", OKTA_ANSWERS)
def test_a_bad_answer_of_okta(world: World, okta_server: ScriptedServer, case: str) -> None:
    okta_server.answers(OKTA_ANSWERS[case])
    with listening(world.planted) as seen:
        failures = use(world, seen, world.ssws(host=okta_server.url), world.search())
        failures += use(world, seen, world.oauth(host=okta_server.url), world.search())
    assert len(failures) >= 3
    assert seen.leaks() == []
    assert seen.strays(world.allowed(okta=okta_server.url)) == []


SEARCH_ANSWERS = {
    "401": Answer(401, b"Unauthorized", content_type="text/plain"),
    "403": Answer(403, b'{"Message": "User: anonymous is not authorized to perform: es:ESHttpPost"}'),
    "500": Answer(500, b'{"error": {"type": "internal", "reason": "broken"}, "status": 500}'),
    "HTML": HTML,
    "a redirect": Answer(302, b"", [("Location", "https://elsewhere.example.com/")]),
    "a reset": Answer(reset="before"),
}


@pytest.mark.parametrize("case", SEARCH_ANSWERS)
def test_a_bad_answer_of_opensearch(world: World, okta_server: ScriptedServer, case: str) -> None:
    okta_server.answers(SEARCH_ANSWERS[case])
    with listening(world.planted) as seen:
        failures = use(world, seen, world.oauth(), world.search(url=okta_server.url))
    assert len(failures) == 2
    assert seen.leaks() == []
    assert seen.strays(world.allowed(okta_server.url)) == []


def bad_connections(world: World) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Connections with a slip each, most of them such that the slip is next to the secret."""
    token, proxy = world.token, quote(world.proxy_password)
    yield world.ssws(password=world.planted.add("wrong token", "00" + made_up("wrong"))), world.search()
    yield world.ssws(password=f"{token} {token}"), world.search()
    yield world.ssws(host="https://acme.invalid"), world.search()
    yield world.ssws(host="http://127.0.0.1:1"), world.search()
    yield world.ssws(host=f"https://me:{token}@acme.invalid"), world.search()
    yield world.ssws(host=f"https://acme.invalid/{token}"), world.search()
    for address in (f"me:{proxy}@127.0.0.1:1", f"me:{proxy}@proxy.invalid:3128", f"me:{proxy}@[oops", f"me:{proxy}@"):
        yield world.ssws(extra={"proxy": f"http://{address}"}), world.search()
    yield world.ssws(extra={"proxy": f"me:{proxy}@127.0.0.1:1"}), world.search()
    for name in ("fliter", "page_limit", "timeout", "auth", "allow_http"):
        yield world.ssws(extra={name: token}), world.search()
    damaged = world.old_pem.replace("A", "B", 30)
    world.planted.add("damaged key", damaged)
    for key in (damaged, world.old_pem[:-60], json.dumps(world.jwk)[:-2], {**world.jwk, "n": 1}, [world.old_pem]):
        yield world.oauth(private_key=key), world.search()
    stranger = make_key("EC")[1]
    world.planted.add("unknown key", stranger["d"])
    yield world.oauth(private_key=stranger, fallback_private_key=None), world.search()
    yield world.ssws(), world.search(host=f"https://loader:{quote(world.password)}@search.invalid")
    yield world.ssws(), world.search(host="search.invalid")
    yield world.ssws(), world.search(port=1)
    yield world.ssws(), world.search(extra={"use_ssl": world.password})
    yield world.ssws(), world.search(extra={"use_ssl": True})
    yield world.ssws(), world.search(extra={"use_ssl": False, "ca_certs": "/nowhere.pem"})


def test_a_slip_in_a_connection(world: World) -> None:
    with listening(world.planted) as seen:
        for okta, search in bad_connections(world):
            assert use(world, seen, okta, search) != [], okta.get("extra", {}).keys()
    assert seen.leaks() == []
    allowed = world.allowed()
    allowed[urlsplit(world.okta.url).netloc] |= {"wrong token"}
    # Nobody listens there: an org, a proxy before an org without TLS, and a cluster are said to be.
    allowed |= {"127.0.0.1:1": {"Okta token", "proxy password"}, "localhost:1": {"OpenSearch password"}}
    allowed |= {"proxy.invalid:3128": {"Okta token", "proxy password"}}
    allowed |= {f"search.invalid:{urlsplit(world.opensearch).port}": {"OpenSearch password"}}
    assert seen.strays(allowed) == []


def test_a_proxy_is_told_its_own_password_and_no_other(world: World, okta_server: ScriptedServer) -> None:
    okta_server.answers(Answer(407, b"<html>who are you?</html>", content_type="text/html"))
    proxy = f"http://me:{quote(world.proxy_password)}@{urlsplit(okta_server.url).netloc}"
    okta = world.ssws(host="https://acme.invalid", extra={"proxy": proxy})
    with listening(world.planted) as seen:
        assert use(world, seen, okta, world.search()) != []
    assert seen.leaks() == []
    assert seen.strays(world.allowed() | {urlsplit(okta_server.url).netloc: {"proxy password"}}) == []
    assert okta_server.asked[0].method == "CONNECT"


def test_the_command_line(world: World, tmp_path: Path) -> None:
    key_file = tmp_path / "key.pem"
    key_file.write_text(world.old_pem)
    window = five_minutes()
    base = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "plugins"),
        "OKTALOGGER_OKTA_URL": world.okta.url,
        "OKTALOGGER_OPENSEARCH_URL": world.opensearch,
        "OKTALOGGER_OPENSEARCH_USERNAME": "loader",
        "OKTALOGGER_OPENSEARCH_PASSWORD": world.password,
        "OKTALOGGER_INDEX_PREFIX": world.task.prefix,
    }
    app = {
        "OKTALOGGER_OKTA_CLIENT_ID": world.app["client_id"],
        "OKTALOGGER_OKTA_PRIVATE_KEY_FILE": str(key_file),
        "OKTALOGGER_OKTA_KEY_ID": "old",
    }
    wrong = world.planted.add("wrong token", "00" + made_up("wrong"))
    with_password = f"https://loader:{quote(world.password)}@search.invalid"
    wanted = ("--from", format_instant(window.start), "--to", format_instant(window.end))
    seen = Seen(world.planted)
    for more, code in (
        ({"OKTALOGGER_OKTA_TOKEN": world.token}, 0),
        (app, 0),
        ({"OKTALOGGER_OKTA_TOKEN": wrong}, 1),
        ({"OKTALOGGER_OKTA_TOKEN": world.token, "OKTALOGGER_OPENSEARCH_URL": with_password}, 2),
        (app | {"OKTALOGGER_OKTA_PRIVATE_KEY": world.old_pem[:-60]}, 2),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "oktalogger", "--verbose", "load", "--json", *wanted],
            env=base | more,
            capture_output=True,
            text=True,
            timeout=120,
        )
        seen.note("command line", done.stdout + done.stderr)
        assert done.returncode == code, done.stderr
    assert seen.leaks() == []


def test_a_run_of_airflow(world: World, airflow_db: Path) -> None:
    """At DEBUG, with what Airflow writes, stores and renders; good, and failed for three reasons."""
    seen = Seen(world.planted)
    session = world.planted.add("AWS session token", made_up("aws-session"))
    secret = world.planted.add("AWS secret", made_up("aws-secret"))
    aws = {"conn_type": "aws", "login": "AKIAPLANTED", "password": secret, "extra": {"aws_session_token": session}}
    sigv4 = {"use_ssl": False, "auth": "sigv4", "region": "eu-west-1", "aws_conn_id": "aws_planted"}
    with scripted_server() as web_page:
        web_page.answers(HTML)
        runs = (
            (world.oauth(), world.search(login=None, password=None, extra=sigv4), True),
            (world.ssws(password=world.planted.add("wrong token", "00" + made_up("wrong"))), world.search(), False),
            (world.ssws(host=web_page.url), world.search(), False),
            (world.ssws(extra={"proxy": f"http://me:{quote(world.proxy_password)}@[oops"}), world.search(), False),
        )
        for number, (okta, search, good) in enumerate(runs):
            instant = format_instant(five_minutes(timedelta(hours=2 + number)).start)
            environment: dict[str, Any] = world.connections(okta, search) | {
                "AIRFLOW_CONN_AWS_PLANTED": json.dumps(aws),
                "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
                "OKTALOGGER_INDEX_PREFIX": world.task.prefix,
            }
            done = run_airflow("dags", "test", "okta_system_log", instant, check=False, **environment)
            output = done.stdout + done.stderr
            # Airflow 3's own supervisor prints at DEBUG what a task asks it to mask: see docs/security.md.
            ours = [line for line in output.splitlines() if not ("supervisor.py" in line and "=MaskSecret(" in line)]
            seen.note(f"output of run {number}", "\n".join(ours))
            assert bool(re.search(r"Loaded \d+ events", output)) is good, output[-3000:]
    for file in airflow_db.parent.rglob("*"):
        if file.is_file() and file.suffix in (".log", ".json", ".txt", ".cfg"):
            seen.note(str(file), file.read_text(errors="replace"))
    with sqlite3.connect(airflow_db) as database:
        tables = [name for (name,) in database.execute("select name from sqlite_master where type = 'table'")]
        for table in tables:
            for row in database.execute(f'select * from "{table}"'):  # noqa: S608
                seen.note(f"table {table}", repr(row))
    assert {"xcom", "rendered_task_instance_fields", "task_instance", "serialized_dag"} <= set(tables)
    assert [one for one in seen.leaks() if one[1] != {"a JWT"} or "simulator" in one[2]] == []


def test_the_search_finds_what_it_is_to_find(world: World) -> None:
    """Each way in which a secret could get out, let out once."""
    with listening(world.planted) as seen:
        logging.getLogger("urllib3.connectionpool").debug("Authorization: SSWS %s", world.token)
        logging.getLogger("oktalogger.anything").info("key %s", world.jwk["d"])
        seen.note("a line of PEM", world.old_pem.splitlines()[5])
        seen.note("a header", DpopKey.generate().proof("GET", "https://a.test/"))
        try:
            try:
                raise ValueError(world.password)
            except ValueError as cause:
                raise RuntimeError("clean") from cause
        except RuntimeError as failure:
            seen.error("chained", failure)
    found = [(where, names) for where, names, _ in seen.leaks()]
    assert ("log of urllib3.connectionpool", {"Okta token"}) in found
    assert ("log of oktalogger.anything", {"private key"}) in found
    assert ("a line of PEM", {"private key"}) in found
    assert ("a header", {"a JWT"}) in found
    assert found.count(("chained", {"OpenSearch password"})) >= 2
    with scripted_server() as elsewhere, listening(world.planted) as seen:
        elsewhere.answers(page(b"[]"))
        import requests

        requests.get(elsewhere.url, headers={"Authorization": f"SSWS {world.token}"}, timeout=5)
    assert seen.strays(world.allowed()) == [(urlsplit(elsewhere.url).netloc, {"Okta token"})]
