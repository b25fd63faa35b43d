"""The examples of docs/extending.md, run as they stand there, with a server in Okta's place and a real OpenSearch."""

from __future__ import annotations

import importlib
import json
import re
import runpy
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from oktalogger.compat import AirflowFailException
from tests.airflow.task import Search
from tests.unit.okta.server import Answer, Asked, ScriptedServer, error, page

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).resolve().parents[2] / "docs" / "extending.md"
PAGE_SIZE = 2
USERS: list[dict[str, Any]] = [
    {
        "id": f"00u{number}",
        "status": "ACTIVE",
        "lastUpdated": "2026-11-23T10:00:00.000Z",
        "profile": {"login": f"user{number}@example.com", "shoeSize": number},
    }
    for number in range(5)
]


@pytest.fixture
def examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with each example of the page that names its file, on the Python path."""
    blocks = re.findall(r"```python\n# (\S+\.py)\n(.*?)```", PAGE.read_text(), re.DOTALL)
    for name, code in blocks:
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name, _ in blocks:
        sys.modules.pop(Path(name).stem, None)


@pytest.fixture
def org(okta_server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> ScriptedServer:
    """Lists the users, a few a page, whatever limit it is asked for."""
    connection = {"conn_type": "okta", "host": okta_server.url, "password": "00-a-token"}
    monkeypatch.setenv("AIRFLOW_CONN_OKTA_DEFAULT", json.dumps(connection))

    def users(asked: Asked) -> Answer:
        after = parse_qs(urlsplit(asked.target).query).get("after", ["0"])[0]
        end = int(after) + PAGE_SIZE
        link = f"{okta_server.url}/api/v1/users?after={end}" if end < len(USERS) else None
        return page(json.dumps(USERS[int(after) : end]).encode(), next_url=link)

    okta_server.answers(users)
    return okta_server


@pytest.fixture
def index(opensearch_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    where = urlsplit(opensearch_url)
    connection = {
        "conn_type": "opensearch",
        "host": where.hostname,
        "port": where.port,
        "extra": {"use_ssl": False},
    }
    monkeypatch.setenv("AIRFLOW_CONN_OPENSEARCH_DEFAULT", json.dumps(connection))
    name = f"test-users-{uuid.uuid4().hex[:12]}"
    yield name
    Search(opensearch_url).call("DELETE", f"/{name}?ignore_unavailable=true")


def run(index: str) -> Any:
    kind = importlib.import_module("okta_users_to_opensearch").OktaUsersToOpenSearchOperator
    operator = kind(task_id="t", index=index)
    method = kind.execute  # Airflow wraps it, to complain of a call that is not its own
    return getattr(method, "__wrapped__", method)(operator, {})


@pytest.mark.usefixtures("examples")
def test_the_operator_loads_every_user_once(org: ScriptedServer, index: str, opensearch_url: str) -> None:
    assert run(index) == {"read": 5, "created": 5, "updated": 0}
    search = Search(opensearch_url)
    assert sorted(search.documents(index), key=lambda user: str(user["id"])) == USERS
    assert {urlsplit(asked.target).path for asked in org.asked} == {"/api/v1/users"}
    assert parse_qs(urlsplit(org.asked[0].target).query) == {"limit": ["200"]}
    assert len(org.asked) == 3

    USERS[0]["status"] = "SUSPENDED"
    try:
        assert run(index) == {"read": 5, "created": 0, "updated": 5}
        assert sorted(search.documents(index), key=lambda user: str(user["id"])) == USERS
    finally:
        USERS[0]["status"] = "ACTIVE"
    mapping = search.call("GET", f"/{index}/_mapping")[index]["mappings"]
    assert "shoeSize" not in mapping["properties"]["profile"]["properties"]


@pytest.mark.usefixtures("examples")
def test_a_refusal_names_the_scope_and_role_of_the_endpoint(org: ScriptedServer, index: str) -> None:
    org.answers(error(403, "E0000006", "You do not have permission to perform the requested action"))
    with pytest.raises(AirflowFailException, match=r"role that may view users \(Read-only Administrator is enough\)"):
        run(index)


def test_the_short_example_prints_each_login(
    examples: Path, org: ScriptedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    importlib.import_module("print_logins")
    lines = capsys.readouterr().out.splitlines()  # Airflow 2.11 writes its log there as well
    assert [line for line in lines if line.endswith("@example.com")] == [user["profile"]["login"] for user in USERS]
    assert parse_qs(urlsplit(org.asked[0].target).query) == {"search": ['status eq "ACTIVE"']}


def test_the_dag_of_the_page_has_the_task_in_oktas_pool(examples: Path) -> None:
    dag = runpy.run_path(str(examples / "dags" / "okta_users_daily.py"))["dag"]
    task = dag.get_task("load_users")
    assert type(task).__name__ == "OktaUsersToOpenSearchOperator"
    assert (task.pool, task.index, task.retries) == ("okta_api", "okta-users", 3)
