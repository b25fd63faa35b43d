"""``check`` on a real OpenSearch with the security plugin and a simulated org: when all is well, and when it is not.

The table of wrong set-ups in docs/check.md is held against what ``check`` says of them here.
"""

from __future__ import annotations

import json
import logging
import re
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from local.simulator.process import Simulator, running
from oktalogger.cli import main
from oktalogger.opensearch.request import call
from oktalogger.opensearch.schema import ensure_matches_index
from oktalogger.opensearch.setup.apply import apply_setup, plan_setup
from oktalogger.window import format_instant
from tests.integration.conftest import ROOT
from tests.integration.people import People, people
from tests.integration.wrong_set_ups import LOADER, WRONG_SET_UPS, World, WrongSetUp

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.opensearch

DOCS = ROOT / "docs" / "check.md"


@pytest.fixture(scope="module")
def org() -> Iterator[Simulator]:
    with running("--seed", "check", "--rate", "30", "--rhythm", "flat") as simulator:
        yield simulator


@pytest.fixture(scope="module")
def team(opensearch_secure: Any, org: Simulator) -> Iterator[People]:
    with people(opensearch_secure) as found:
        apply_setup(found.admin, plan_setup(found.admin, found.names, found.documents(), retention_days=365))
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environ(found, org).items():
                patch.setenv(name, value)
            until = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=1)
            since = format_instant(until - timedelta(minutes=5))
            assert main(["load", "--from", since, "--to", format_instant(until)]) == 0
        client = found.client(found.users[LOADER])
        ensure_matches_index(client, found.names)
        client.close()
        yield found


def environ(team: People, org: Simulator) -> dict[str, str]:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return {
        **team.environ(team.users[LOADER]),
        "OKTALOGGER_OKTA_URL": org.url,
        "OKTALOGGER_OKTA_TOKEN": org.token,
        "OKTALOGGER_START_DATE": format_instant(today),
        # It would note each check: one that leaves no trace could not be told from others.
        "OKTALOGGER_AUDIT": "off",
    }


@pytest.fixture
def world(team: People, org: Simulator, tmp_path: Path) -> World:
    return World(team, org, tmp_path, environ(team, org))


@pytest.fixture
def check(world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*arguments: str) -> tuple[int, dict[str, dict[str, Any]]]:
        with monkeypatch.context() as patch:
            for name, value in world.environ.items():
                patch.setenv(name, value)
            capsys.readouterr()
            code = main(["check", "--json", *world.arguments, *arguments])
        # The command shows errors only; tests after this one look at warnings.
        logging.getLogger("oktalogger").setLevel(logging.NOTSET)
        report = json.loads(capsys.readouterr().out)
        assert report["ok"] is (code == 0)
        return code, {line["check"]: line for line in report["lines"]}

    return run


def states(lines: dict[str, dict[str, Any]], state: str) -> list[str]:
    return [name for name, line in lines.items() if line["state"] == state]


def traces(team: People) -> dict[str, Any]:
    """Return every index with what each of its shards has written, deletions included, and with its settings."""
    call(team.admin, "POST", "/_refresh", doing="to count what was stored before")
    stats = call(team.admin, "GET", "/_all/_stats", doing="to look for traces",
                 params={"level": "shards", "expand_wildcards": "all"})  # fmt: skip
    settings = call(team.admin, "GET", "/_all/_settings", doing="to look for traces")
    return {
        name: {
            "documents": entry["primaries"]["docs"],
            "written": [copy["seq_no"] for copies in entry["shards"].values() for copy in copies],
            "settings": settings.get(name),
        }
        for name, entry in stats["indices"].items()
    }


def test_nothing_is_wrong_where_all_is_well(check: Any) -> None:
    code, lines = check()
    assert (code, states(lines, "wrong")) == (0, [])
    # Only Airflow knows its pools, and only an administrator how full the disks are, and the roles.
    assert states(lines, "not asked") == ["pool", "disks", "roles"]


def test_an_administrator_is_told_the_rest(check: Any, world: World) -> None:
    world.environ |= world.team.environ()
    code, lines = check()
    assert (code, states(lines, "wrong"), states(lines, "not asked")) == (0, [], ["pool"])


def test_it_leaves_no_trace(check: Any, world: World) -> None:
    before = traces(world.team)
    for role in ("loader", "sync", "analyst"):
        check("--role", role)
    world.environ |= world.team.environ()
    check()
    assert traces(world.team) == before


@pytest.mark.parametrize("role", ["loader", "sync", "analyst"])
def test_each_role_has_the_rights_that_are_asked_for(check: Any, world: World, role: str) -> None:
    world.environ["OKTALOGGER_OPENSEARCH_USERNAME"] = world.team.users[f"oktalogger_{role}"]
    _, lines = check("--role", role)
    assert lines[f"rights of the {role}"]["state"] == "ok", lines[f"rights of the {role}"]


def test_before_the_first_load_the_right_to_write_is_left_open(check: Any, world: World) -> None:
    world.environ |= world.team.environ() | {"OKTALOGGER_INDEX_PREFIX": f"{world.team.names.prefix}-new"}
    _, lines = check()
    assert lines["rights of the loader"]["state"] == "not asked"
    assert "check again after the first load" in lines["rights of the loader"]["sentence"]


def test_loads_that_are_behind(check: Any, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oktalogger.checks.loads._PATIENCE", timedelta(minutes=-60))
    code, lines = check()
    assert (code, states(lines, "wrong")) == (1, ["loads"])
    assert "minutes behind" in lines["loads"]["sentence"]


def documented() -> dict[str, str]:
    rows = re.findall(r"^\| (.+?) \| `(.+?)`: (.+) \|$", DOCS.read_text().partition("\n## Wrong set-ups\n")[2], re.M)
    return {what: f"`{name}`: {sentence}" for what, name, sentence in rows}


def as_documented(world: World, sentence: str) -> str:
    """Put the docs' names in place of the test's."""
    names = {
        world.okta.url: "https://company.okta.com",
        world.team.server.url: "https://opensearch.example.com",
        world.team.names.prefix: "okta-system-log",
        f"{world.team.users[LOADER]}-new": "loader",
        world.team.users[LOADER]: "loader",
        str(world.folder): "/opt/airflow/rules",
        **{
            world.environ[name]: f"https://{server}.example.com"
            for name, server in (("OKTALOGGER_OKTA_URL", "www"), ("OKTALOGGER_OPENSEARCH_URL", "search"),
                                 ("OKTALOGGER_DASHBOARDS_URL", "dashboards"))
            if urlsplit(world.environ.get(name, "")).hostname == "127.0.0.1"
        },
    }  # fmt: skip
    for found, shown in names.items():
        sentence = sentence.replace(found, shown)
    sentence = re.sub(r"is \d+ s (ahead of|behind)", r"is 600 s \1", sentence)
    sentence = re.sub(r"of the node \S+ is \d+ % full", "of the node node-1 is 93 % full", sentence)
    return sentence.replace("(0 %)", "(90 %)").replace("|", "\\|")


@pytest.mark.parametrize("case", WRONG_SET_UPS, ids=lambda case: case.what)
def test_a_wrong_set_up_is_named_in_one_sentence(check: Any, world: World, case: WrongSetUp) -> None:
    with ExitStack() as undo:
        case.spoil(world, undo)
        code, lines = check()
    assert code == 1
    line = lines[case.check]
    assert line["state"] == "wrong", line
    sentence = line["sentence"]
    assert sentence.endswith(".")
    assert not re.search(r"[.?!] [A-Z]", sentence), "that is more than one sentence"
    # Nothing else is called wrong, and what depends on it is left out.
    assert states(lines, "wrong") == [case.check]
    assert f"`{case.check}`: {as_documented(world, sentence)}" == documented().get(case.what), "the row in the docs"


def test_the_docs_name_no_other_set_ups() -> None:
    assert list(documented()) == [case.what for case in WRONG_SET_UPS]
