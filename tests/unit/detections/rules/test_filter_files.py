"""Sigma filters and exceptions: what rules leave out, for good or for a while."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("sigma")

from oktalogger.cli import main
from oktalogger.detections.bundle import BUNDLE_FILE, load_detections, write_bundle
from oktalogger.detections.exclusions import ended, with_exclusions
from oktalogger.detections.rules.compiler import compile_folder
from oktalogger.detections.rules.folders import merge_folders
from oktalogger.detections.rules.yaml_source import EXCEPTIONS_FILE
from tests.unit.detections.rule_texts import COUNTING, GOOD

if TYPE_CHECKING:
    from pathlib import Path

    from oktalogger.detections.model import CompiledDetection

FILTER = """\
title: Our own automation
logsource:
  product: okta
  service: okta
filter:
  rules:
    - rule
  automation:
    actor.id: 00uRobot
  condition: not automation
"""
EXCEPTION = """\
exceptions:
  - rule: rule
    match:
      actor.id: 00uRobot
    owner: the platform team
    reason: Renews tokens until the new service is there.
    until: 2026-12-31
"""
ROBOT = "actor.id:00uRobot"


def rules(folder: Path, **files: str) -> dict[str, CompiledDetection]:
    for name, text in files.items():
        (folder / (EXCEPTIONS_FILE if name == "exceptions" else f"{name}.yml")).write_text(text, encoding="utf-8")
    write_bundle(folder, compile_folder(folder))
    return {detection.name: detection for detection in load_detections(folder)}


class TestFilter:
    def test_its_events_are_gone_for_the_rule_that_it_names(self, tmp_path: Path) -> None:
        other = GOOD.replace("1111-1111", "1111-9999")
        found = rules(tmp_path, rule=GOOD, other=other, filter=FILTER)
        kept = f"(*:* AND NOT {ROBOT})"
        assert found["rule"].selection == f"({found['other'].selection}) AND NOT (*:* AND NOT ({kept}))"
        assert ROBOT not in found["other"].query
        assert "actor.id" in found["rule"].fields

    @pytest.mark.parametrize("named", ["failed", "counting", "22222222-2222-4222-8222-222222222222"])
    def test_it_names_a_rule_by_name_or_id_and_a_correlation_by_what_it_counts(
        self, tmp_path: Path, named: str
    ) -> None:
        text = FILTER.replace("    - rule\n", f"    - {named}\n")
        assert ROBOT in rules(tmp_path, counting=COUNTING, filter=text)["counting"].query

    def test_any_means_every_rule(self, tmp_path: Path) -> None:
        text = FILTER.replace("  rules:\n    - rule\n", "  rules: any\n")
        found = rules(tmp_path, rule=GOOD, counting=COUNTING, filter=text)
        assert all(ROBOT in detection.query for detection in found.values())

    def test_it_may_stand_in_another_folder_than_the_rule(self, tmp_path: Path) -> None:
        pack, own = tmp_path / "pack", tmp_path / "own"
        for folder, name, text in ((pack, "rule", GOOD), (own, "filter", FILTER)):
            folder.mkdir()
            (folder / f"{name}.yml").write_text(text, encoding="utf-8")
            write_bundle(folder, compile_folder(folder))
        (detection,) = load_detections(pack, own)
        assert ROBOT in detection.query
        assert ROBOT not in load_detections(pack)[0].query

    def test_a_rule_that_is_nowhere_is_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "filter.yml").write_text(FILTER.replace("- rule", "- rul"), encoding="utf-8")
        (tmp_path / "rule.yml").write_text(GOOD, encoding="utf-8")
        (problem,) = merge_folders({tmp_path: compile_folder(tmp_path)}).errors
        assert (problem.file, problem.line) == ("filter.yml", 1)
        assert "names the rule 'rul', which is in no folder here" in problem.message


class TestException:
    def test_its_events_are_left_out_up_to_its_last_day_and_still_selected(self, tmp_path: Path) -> None:
        detection = rules(tmp_path, rule=GOOD, exceptions=EXCEPTION)["rule"]
        plain = "(eventType:system.api_token.create AND outcome.result:SUCCESS)"
        clause = f"(({ROBOT}) AND published:<2027-01-01)"
        assert detection.selection == plain
        assert detection.query == f"(({plain}) AND NOT {clause}) AND NOT oktalogger.historical:true"
        (exception,) = detection.exceptions
        assert (exception.owner, exception.until) == ("the platform team", "2026-12-31")
        assert detection.only_excepted(exception).selection == f"({plain}) AND {clause}"

    @pytest.mark.parametrize(
        ("old", "new", "line", "words"),
        [
            ("    owner: the platform team\n", "", 2, "needs `owner`"),
            ("reason: Renews tokens until the new service is there.", "reason: ''", 2, "needs `reason`"),
            ("until: 2026-12-31", "until: soon", 7, "needs `until`, its last day"),
            ("    until: 2026-12-31\n", "", 2, "needs `until`"),
            ("  - rule: rule\n", "  - rule: []\n", 2, "needs `rule`"),
            ("until:", "till:", 7, "has no key `till`"),
            ("actor.id:", "actor.idd:", 4, "`actor.idd` is not a field"),
            ("00uRobot", "'%robots%'", 4, "is looked for as it stands"),
            ("exceptions:", "except:", 1, "must hold one key, `exceptions`"),
        ],
    )
    def test_what_is_wrong_with_it_has_its_line(
        self, tmp_path: Path, old: str, new: str, line: int, words: str
    ) -> None:
        variables = "robots: [a]\n"
        (tmp_path / "variables.yml").write_text(variables, encoding="utf-8")
        (tmp_path / "rule.yml").write_text(GOOD, encoding="utf-8")
        assert old in EXCEPTION
        (tmp_path / EXCEPTIONS_FILE).write_text(EXCEPTION.replace(old, new), encoding="utf-8")
        (problem,) = compile_folder(tmp_path).errors
        assert (problem.file, problem.line) == (EXCEPTIONS_FILE, line)
        assert words in problem.message

    def test_it_ends_the_day_after_its_last_and_says_so(self, tmp_path: Path) -> None:
        detection = rules(tmp_path, rule=GOOD, exceptions=EXCEPTION)["rule"]
        assert ended([detection], date(2026, 12, 31)) == ()
        assert ended([detection], date(2027, 1, 1)) == detection.exceptions

    def test_an_edit_makes_the_bundle_old(self, tmp_path: Path) -> None:
        rules(tmp_path, rule=GOOD, exceptions=EXCEPTION)
        before = (tmp_path / BUNDLE_FILE).read_text(encoding="utf-8")
        found = rules(tmp_path, exceptions=EXCEPTION.replace("00uRobot", "00uOther"))
        assert "00uOther" in found["rule"].query
        assert before != (tmp_path / BUNDLE_FILE).read_text(encoding="utf-8")

    def test_a_rule_without_any_stays_as_it_is(self, tmp_path: Path) -> None:
        detection = rules(tmp_path, rule=GOOD)["rule"]
        assert with_exclusions([detection], []) == (detection,)
        assert detection.judged == detection.selection


class TestCommand:
    def run(self, folder: Path, *arguments: str) -> int:
        return main(["detections", "except", *arguments, "--folder", str(folder)])

    def days(self, number: int) -> str:
        return (datetime.now(UTC).date() + timedelta(days=number)).isoformat()

    def test_it_writes_one_that_can_be_used_and_keeps_the_others(self, tmp_path: Path) -> None:
        rules(tmp_path, rule=GOOD, exceptions=EXCEPTION)
        match = ["--match", "actor.id=00uA", "--match", "actor.id=00uB", "--match", "displayMessage|contains=a: b"]
        why = ["--reason", 'says "later": #7', "--owner", "me", "--until", self.days(3)]
        assert self.run(tmp_path, "rule", *match, *why) == 0
        assert (tmp_path / EXCEPTIONS_FILE).read_text(encoding="utf-8").startswith(EXCEPTION)
        _, added = rules(tmp_path)["rule"].exceptions
        assert (added.title, added.owner, added.until) == ('says "later": #7', "me", self.days(3))
        assert "actor.id:(00uA OR 00uB)" in added.query
        assert "displayMessage" in added.fields

    @pytest.mark.parametrize(
        ("arguments", "code", "words"),
        [
            (["rule", "--match", "actor.idd=x"], 1, "`actor.idd` is not a field"),
            (["rule", "--match", "x"], 2, "is not of the form FIELD=VALUE"),
            (["rule"], 2, "say which events"),
            (["nothing", "--match", "actor.id=x"], 2, "There is no rule"),
        ],
    )
    def test_what_cannot_be_used_is_not_written(
        self, tmp_path: Path, arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        rules(tmp_path, rule=GOOD, exceptions=EXCEPTION)
        assert self.run(tmp_path, *arguments, "--reason", "r", "--until", self.days(1)) == code
        said = capsys.readouterr()
        assert words in said.out + said.err
        assert (tmp_path / EXCEPTIONS_FILE).read_text(encoding="utf-8") == EXCEPTION

    def test_a_day_that_is_over_is_refused(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        rules(tmp_path, rule=GOOD)
        code = self.run(tmp_path, "rule", "--match", "actor.id=x", "--reason", "r", "--until", self.days(-1))
        assert code == 2
        assert "is over" in capsys.readouterr().err
        assert not (tmp_path / EXCEPTIONS_FILE).exists()
