"""``detections plan`` and ``detections apply`` from the command line, against the stand-in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from local.standins.alerting import AlertingStandIn
from local.standins.monitors import detection_id
from local.standins.transport import serve
from oktalogger.cli import main
from oktalogger.cli.exit_codes import EXIT_CHANGES
from tests.unit.detections.bundles import detection, write_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Shell:
    """A folder of rules, a cluster, and a command line."""

    def __init__(self, standin: AlertingStandIn, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.standin = standin
        self.folder = folder
        self.capsys = capsys

    def rules(self, *numbers: int, **changes: Any) -> None:
        write_folder(self.folder, [detection(number, **changes) for number in numbers])

    def run(self, *arguments: str) -> tuple[int, str, str]:
        code = main(["detections", *arguments, "--folder", str(self.folder)])
        said = self.capsys.readouterr()
        return code, said.out, said.err


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    standin = AlertingStandIn(channels=[{"config_id": "c1", "name": "soc"}])
    with serve(standin) as url:
        monkeypatch.setenv("OKTALOGGER_OPENSEARCH_URL", url)
        yield Shell(standin, tmp_path / "detections", capsys)


def test_plan_says_what_apply_does_and_ends_with_a_code_for_ci(shell: Shell) -> None:
    shell.rules(1, 2)
    code, out, _ = shell.run("plan", "--check")
    assert (code, out.splitlines()[-1]) == (EXIT_CHANGES, "2 create")
    assert shell.standin.writes == []
    code, out, _ = shell.run("apply")
    assert code == 0
    assert "2 changed with 2 writes" in out
    code, out, _ = shell.run("plan", "--check")
    assert (code, out.splitlines()[-1]) == (0, "2 unchanged")
    assert "WARNING: Nobody is told of any alert" in out
    assert shell.run("plan")[0] == 0


def test_json_on_request(shell: Shell) -> None:
    shell.rules(1)
    assert json.loads(shell.run("plan", "--json")[1])["counts"]["create"] == 1
    assert json.loads(shell.run("apply", "--json")[1])["writes"] == 1


def test_deletions_need_a_confirmation(shell: Shell) -> None:
    shell.rules(1, 2)
    shell.run("apply")
    shell.rules(1)
    code, out, err = shell.run("plan")
    assert (code, "delete: oktalogger: Rule 2" in out) == (0, True)
    assert "apply would stop" in err
    code, _, err = shell.run("apply")
    assert (code, len(shell.standin.jobs)) == (1, 2)
    assert "confirm_deletions" in err
    assert shell.run("apply", "--confirm-deletions")[0] == 0
    assert len(shell.standin.jobs) == 1


def test_what_was_changed_by_hand_is_shown_and_put_back_when_asked(shell: Shell) -> None:
    shell.rules(1)
    shell.run("apply")
    (monitor_id,) = shell.standin.jobs
    shell.standin.edit(monitor_id, enabled=False)
    _, out, _ = shell.run("apply")
    assert "enabled: files True, server False" in out
    assert shell.run("apply", "--put-back", detection_id(2))[1].count("put back") == 0
    assert shell.run("apply", "--put-back", detection_id(1))[1].count("put back:") == 1


def test_a_failure_names_the_rule_and_does_the_others(shell: Shell) -> None:
    shell.rules(1)
    shell.standin.indices.clear()
    code, out, _ = shell.run("apply")
    assert code == 1
    assert f"FAILED {detection_id(1)}" in out


def test_a_channel_that_is_missing(shell: Shell) -> None:
    shell.rules(1, channels=("nobody",))
    for action in ("plan", "apply"):
        code, _, err = shell.run(action)
        assert (code, "'nobody' does not exist" in err) == (1, True)


def test_a_rule_with_a_field_that_the_cluster_lacks_writes_nothing(shell: Shell) -> None:
    shell.rules(1, fields=("oktalogger.debug.lifted_since",))
    shell.standin.mappings["okta-system-log-2026-11"] = {"_meta": {"version": 1}, "properties": {}}
    for action in ("plan", "apply"):
        code, out, _ = shell.run(action)
        assert (code, "is version 1, ours is" in out) == (1, True)
    assert shell.standin.writes == []


def test_a_cluster_without_the_plugin(shell: Shell) -> None:
    shell.rules(1, channels=("soc",))
    shell.standin.plugin = False
    code, _, err = shell.run("plan")
    assert (code, "no Alerting plugin" in err) == (1, True)


def test_nothing_is_deleted_while_broken_rules_are_left_out(shell: Shell) -> None:
    shell.rules(1, 2)
    shell.run("apply")
    shell.rules(1)
    code, out, _ = shell.run("apply", "--skip-broken")
    assert code == 0
    assert "kept: oktalogger: Rule 2" in out
    assert len(shell.standin.jobs) == 2


def test_plan_ends_with_a_code_where_a_monitor_is_not_at_work(shell: Shell) -> None:
    shell.rules(1, 2, channels=("soc",))
    shell.run("apply")
    first, second = shell.standin.jobs
    assert shell.run("plan", "--check")[:2] == (0, "2 unchanged\n")
    shell.standin.failing[second] = "no such index [lg-gone]"
    code, out, _ = shell.run("plan", "--check")
    assert (code, "no such index [lg-gone]" in out) == (EXIT_CHANGES, True)
    del shell.standin.failing[second]
    shell.standin.edit(first, enabled=False)
    code, out, _ = shell.run("plan", "--check")
    assert (code, "SWITCHED OFF by hand: oktalogger: Rule" in out) == (EXIT_CHANGES, True)
    assert json.loads(shell.run("plan", "--json")[1])["health"]["ailing"] == {}
