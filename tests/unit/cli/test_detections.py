"""The command line of detections: what it prints, and the exit codes that CI relies on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("sigma")

from local.standins.alerting import AlertingStandIn
from local.standins.engine import TOO_COMPLEX_2
from local.standins.transport import serve
from oktalogger.cli import main
from oktalogger.detections.monitors import trial
from oktalogger.opensearch.errors import OpenSearchUnavailableError
from tests.unit.detections.rule_texts import COUNTING, GOOD, changed, detecting


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "token.yml").write_text(GOOD)
    (tmp_path / "sign_ins.yml").write_text(COUNTING)
    return tmp_path


def run(folder: Path, *arguments: str) -> int:
    return main(["detections", *arguments, "--folder", str(folder)])


def test_check_says_that_all_is_well(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, "bundle") == 0
    assert run(folder, "check", "--strict") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "2 rules can be used, 0 errors, 0 warnings"


def test_check_prints_a_line_for_each_problem_and_fails(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "token.yml").write_text(changed(GOOD, ("level: medium", "level: severe")))
    assert run(folder, "check") == 1
    out = capsys.readouterr().out
    assert out.startswith("token.yml:18: the `level` is 'severe'; it must be one of informational, low")
    assert out.splitlines()[-1] == "1 rules can be used, 1 errors, 0 warnings"


def test_warnings_fail_only_where_that_was_asked_for(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "token.yml").write_text(detecting("eventType: system.api_token.made"))
    run(folder, "bundle")
    assert run(folder, "check") == 0
    assert "warning: `system.api_token.made` is not an event type" in capsys.readouterr().out
    assert run(folder, "check", "--strict") == 1


def test_check_knows_a_bundle_that_is_not_up_to_date(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(folder, "bundle")
    (folder / "token.yml").write_text(changed(GOOD, ("title: An", "title: Another")))
    assert run(folder, "check") == 1
    assert "bundle.json:1: the bundle is not what the rules compile to now" in capsys.readouterr().out


def test_check_prints_json_for_programs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "token.yml").write_text(changed(GOOD, ("level: medium", "level: severe")))
    assert run(folder, "check", "--json") == 1
    report = json.loads(capsys.readouterr().out)
    assert report["rules"] == 1
    assert (report["problems"][0]["file"], report["problems"][0]["line"]) == ("token.yml", 18)


def test_check_reads_several_folders(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = tmp_path / "_own"
    own.mkdir()
    (own / "mine.yml").write_text(changed(GOOD, ("id: 1", "id: 4")))
    both = Path(f"{folder},{own}")
    assert run(both, "bundle") == 0
    assert run(both, "check", "--strict") == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("3 rules can be used")
    (own / "mine.yml").write_text(GOOD)
    assert run(both, "check") == 1
    assert f"already belongs to {folder / 'token.yml'}" in capsys.readouterr().out
    assert run(both, "new", "okta_new") == 0
    assert (own / "okta_new.yml").is_file()


def test_check_asks_the_cluster_that_the_environment_names(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(folder, "bundle") == 0
    standin = AlertingStandIn(mappings={"okta-system-log-2026-11": {"_meta": {"version": 1}, "properties": {}}})
    with serve(standin) as url:
        monkeypatch.setenv("OKTALOGGER_OPENSEARCH_URL", url)
        assert run(folder, "check") == 1
    assert "token uses a field that the cluster does not have" in capsys.readouterr().out


def test_bundle_refuses_broken_rules(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "token.yml").write_text("title: x\n")
    assert run(folder, "bundle") == 1
    assert "token.yml:1: " in capsys.readouterr().out
    assert not (folder / "bundle.json").exists()


@pytest.mark.parametrize("kind", [[], ["--threshold"]])
def test_new_writes_a_rule_that_passes_its_check(
    folder: Path, capsys: pytest.CaptureFixture[str], kind: list[str]
) -> None:
    assert run(folder, "new", "okta_my_rule", *kind, "--title", "Something happened") == 0
    # In the order of docs/detections.md, where only the last command minds that there was no bundle.
    assert run(folder, "check") == 0
    assert run(folder, "bundle") == 0
    assert run(folder, "check", "--strict") == 0
    assert run(folder, "new", "okta_my_rule") == 2
    assert run(folder, "new", "My Rule") == 2
    assert "is not a name for a rule" in capsys.readouterr().err


def test_show_prints_the_monitor(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, "show", "sign_ins") == 0
    (monitor,) = json.loads(capsys.readouterr().out)
    assert monitor["monitor_type"] == "bucket_level_monitor"


@pytest.mark.parametrize(
    "pattern", ["token", "tok*", "token.yml", "11111111-1111-4111-8111-111111111111", "x/token.yml"]
)
def test_rules_are_named_in_any_way(folder: Path, capsys: pytest.CaptureFixture[str], pattern: str) -> None:
    assert run(folder, "show", pattern) == 0
    (monitor,) = json.loads(capsys.readouterr().out)
    assert "An API token was made" in monitor["name"]


def test_wrong_use_says_what_is_wrong(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, "show", "nothing*") == 2
    assert "There is no rule 'nothing*' that can be used." in capsys.readouterr().err
    assert run(folder / "missing", "check") == 2
    assert "which is not a folder" in capsys.readouterr().err


def test_without_pysigma_the_reason_is_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("oktalogger.detections.rules.compiler.find_spec", lambda name: None)
    assert run(folder, "check") == 2
    assert "pip install pysigma" in capsys.readouterr().err


def test_check_says_that_no_engine_was_asked(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OKTALOGGER_OPENSEARCH_URL", raising=False)
    run(folder, "bundle")
    assert run(folder, "check") == 0
    assert "no engine was asked: OKTALOGGER_OPENSEARCH_URL is not set" in capsys.readouterr().out
    with serve(AlertingStandIn(indices=set())) as url:
        monkeypatch.setenv("OKTALOGGER_OPENSEARCH_URL", url)
        assert run(folder, "check") == 0
    assert "no engine was asked: OpenSearch has no okta-system-log yet" in capsys.readouterr().out


def test_check_prints_what_an_engine_says_with_the_rules_line(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    standin = AlertingStandIn(refused={"token": TOO_COMPLEX_2})
    run(folder, "bundle")
    with serve(standin) as url:
        monkeypatch.setenv("OKTALOGGER_OPENSEARCH_URL", url)
        assert run(folder, "check") == 1
        out = capsys.readouterr().out
        assert "token.yml:11: OpenSearch cannot run the rule as meant: the regular expression is too" in out
        assert "OpenSearch was asked about each rule" in out
        assert run(folder, "check", "--json") == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["engine_not_asked"], len(report["problems"])) == (None, 1)


def test_check_says_all_else_where_the_engine_cannot_be_asked(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "other.yml").write_text(changed(GOOD, ("level: medium", "level: severe"), ("id: 1", "id: 3")))

    def refuse(*_: object) -> None:
        raise OpenSearchUnavailableError("out of reach")

    monkeypatch.setenv("OKTALOGGER_OPENSEARCH_URL", "https://localhost:1")
    monkeypatch.setattr(trial, "refused_detections", refuse)
    assert run(folder, "check") == 1
    out = capsys.readouterr().out
    assert "other.yml:18: the `level` is 'severe'" in out
    assert "OKTALOGGER_OPENSEARCH_URL:1: OpenSearch could not be asked: out of reach" in out
    assert "no engine was asked: out of reach" in out
