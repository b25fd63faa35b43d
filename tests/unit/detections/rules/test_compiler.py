"""Many rules at once: which count, which are counted, what each is called, and which fault belongs to which."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("sigma")

from oktalogger.detections.rules.correlation import LONGEST_TIMESPAN_SECONDS, SHORTEST_TIMESPAN_SECONDS
from tests.unit.detections.rule_texts import COUNTING, GOOD, changed, compile_texts, detecting

if TYPE_CHECKING:
    from pathlib import Path

    from oktalogger.detections.rules.compiler import Compiled

COUNTER, _, COUNTED = COUNTING.partition("---\n")
OTHER_ID = "33333333-3333-4333-8333-333333333333"


def messages(compiled: Compiled) -> list[str]:
    return [problem.message for problem in compiled.problems]


def named(compiled: Compiled) -> list[str]:
    return [detection.name for detection in compiled.detections]


class TestTimespan:
    @pytest.mark.parametrize(("timespan", "seconds"), [("10s", 10), ("7d", 7 * 86_400)])
    def test_the_shortest_and_the_longest_can_be_had(self, tmp_path: Path, timespan: str, seconds: int) -> None:
        text = changed(COUNTING, ("timespan: 10m", f"timespan: {timespan}"))
        (detection,) = compile_texts(tmp_path, counting=text).strictly()
        assert detection.threshold is not None
        assert detection.threshold.seconds == seconds

    @pytest.mark.parametrize("timespan", ["9s", f"{7 * 86_400 + 1}s"])
    def test_beyond_them_is_an_error(self, tmp_path: Path, timespan: str) -> None:
        (message,) = messages(compile_texts(tmp_path, counting=changed(COUNTING, ("10m", timespan))))
        assert "over 10s to 7d" in message
        assert (SHORTEST_TIMESPAN_SECONDS, LONGEST_TIMESPAN_SECONDS) == (10, 604_800)


class TestCondition:
    @pytest.mark.parametrize(("condition", "at_least"), [("gte: 1", 1), ("gt: 0", 1), ("gte: 2", 2)])
    def test_one_event_is_enough_to_count(self, tmp_path: Path, condition: str, at_least: int) -> None:
        (detection,) = compile_texts(tmp_path, counting=changed(COUNTING, ("gte: 10", condition))).strictly()
        assert detection.threshold is not None
        assert detection.threshold.at_least == at_least

    def test_none_is_not(self, tmp_path: Path) -> None:
        compiled = compile_texts(tmp_path, counting=changed(COUNTING, ("gte: 10", "gte: 0")))
        assert messages(compiled) == ["the correlation's condition holds without any event; count to 1 at least"]

    def test_a_field_has_no_meaning_where_events_are_counted(self, tmp_path: Path) -> None:
        text = changed(COUNTING, ("    gte: 10", "    field: actor.id\n    gte: 10"))
        (message,) = messages(compile_texts(tmp_path, counting=text))
        assert "`field` has no meaning" in message

    def test_the_values_of_several_fields_cannot_be_counted_together(self, tmp_path: Path) -> None:
        text = changed(
            COUNTING, ("event_count", "value_count"), ("    gte: 10", "    field: [actor.id, client.id]\n    gte: 10")
        )
        (message,) = messages(compile_texts(tmp_path, counting=text))
        assert "a monitor counts the values of one field, not of several" in message

    def test_a_type_that_there_is_not_is_named(self, tmp_path: Path) -> None:
        (message,) = messages(compile_texts(tmp_path, counting=changed(COUNTING, ("event_count", "sum"))))
        assert message.startswith("the correlation's `type` is 'sum'; it must be one of event_count, value_count,")


class TestAliases:
    def text(self, *fields: str) -> str:
        counted = "".join(
            f"---\n{changed(COUNTED, ('name: failed', f'name: failed_{number}'))}" for number in range(len(fields))
        )
        mapping = "".join(f"      failed_{number}: {field}\n" for number, field in enumerate(fields))
        rules = "".join(f"    - failed_{number}\n" for number in range(len(fields)))
        return (
            changed(
                COUNTER,
                ("    - failed\n", rules),
                ("    - client.ipAddress\n", "    - who\n"),
                ("  timespan", f"  aliases:\n    who:\n{mapping}  timespan"),
            )
            + counted
        )

    def test_one_that_means_the_same_field_everywhere_is_that_field(self, tmp_path: Path) -> None:
        (detection,) = compile_texts(tmp_path, counting=self.text("actor.id", "actor.ID")).strictly()
        assert detection.threshold is not None
        assert detection.threshold.group_by == ("actor.id",)

    def test_one_that_stands_for_several_is_an_error(self, tmp_path: Path) -> None:
        (message,) = messages(compile_texts(tmp_path, counting=self.text("actor.id", "client.id")))
        assert "the alias `who` stands for several fields" in message


class TestWhichRuleIsCounted:
    def test_one_in_the_same_file_comes_before_one_of_that_name_elsewhere(self, tmp_path: Path) -> None:
        elsewhere = changed(COUNTED, ("user.session.start", "user.session.end"))
        for other in ("a_first", "z_last"):
            compiled = compile_texts(tmp_path, counting=COUNTING, **{other: elsewhere})
            (detection,) = [one for one in compiled.detections if one.name == "counting"]
            assert detection.selection == "(eventType:user.session.start AND outcome.result:FAILURE)"

    def test_a_correlation_cannot_be_counted(self, tmp_path: Path) -> None:
        second = changed(
            COUNTER,
            ("22222222-2222", "44444444-4444"),
            ("    - failed\n", "    - 22222222-2222-4222-8222-222222222222\n"),
        )
        compiled = compile_texts(tmp_path, counting=COUNTING, second=second)
        assert any("itself a correlation; a monitor counts events only" in message for message in messages(compiled))
        assert "second" not in named(compiled)

    def test_one_that_nothing_counts_and_that_cannot_alert_itself_is_a_warning(self, tmp_path: Path) -> None:
        compiled = compile_texts(tmp_path, a_counted=COUNTED, b_good=GOOD)
        (problem,) = compiled.problems
        assert problem.is_warning
        assert "no correlation here counts the rule `failed`" in problem.message
        assert named(compiled) == ["b_good"], "and it does not hide those after it"

    def test_what_is_wrong_with_a_counted_rule_is_told_once(self, tmp_path: Path) -> None:
        broken = changed(COUNTED, ("outcome.result", "outcome.res"))
        twice = changed(COUNTER, ("22222222-2222", "44444444-4444"))
        compiled = compile_texts(tmp_path, a=COUNTER, b=twice, c=broken)
        assert [message for message in messages(compiled) if "is not a field" in message] == [
            message for message in messages(compiled) if message.startswith("`outcome.res`")
        ]
        assert len(compiled.errors) == 3

    def test_a_warning_about_a_counted_rule_is_told_though_its_correlation_is_broken(self, tmp_path: Path) -> None:
        counted = changed(COUNTED, ("user.session.start", "user.session.begun"))
        untitled = changed(COUNTER, ("title: Many failed sign-ins\n", ""))
        compiled = compile_texts(tmp_path, a=untitled, b=counted)
        assert [problem.file for problem in compiled.problems] == ["a.yml", "b.yml"]
        assert "is not an event type" in messages(compiled)[1]

    def test_what_is_no_correlation_at_all_is_told_once(self, tmp_path: Path) -> None:
        head, _, _ = COUNTER.partition("  type:")
        compiled = compile_texts(tmp_path, a=f"{head}  - failed\nlevel: high\n")
        assert [problem.file for problem in compiled.errors] == ["a.yml"]


class TestNames:
    def test_the_only_rule_of_a_file_is_called_like_the_file(self, tmp_path: Path) -> None:
        compiled = compile_texts(tmp_path, token=changed(GOOD, ("status: test\n", "status: test\nname: inside\n")))
        assert named(compiled) == ["token"]

    def test_of_several_each_adds_its_own(self, tmp_path: Path) -> None:
        second = changed(GOOD, ("11111111-1111-4111-8111-111111111111", OTHER_ID), ("status: test\n", "name: other\n"))
        assert named(compile_texts(tmp_path, token=f"{GOOD}---\n{second}")) == ["token", "token_other"]

    def test_the_same_id_three_times_is_told_twice(self, tmp_path: Path) -> None:
        compiled = compile_texts(
            tmp_path, a=changed(GOOD, ("id: 11111111-1111-4111-8111-111111111111\n", "")), b=GOOD, c=GOOD, d=GOOD
        )
        assert [problem.file for problem in compiled.errors] == ["a.yml", "c.yml", "d.yml"]


class TestFaults:
    def two(
        self, tmp_path: Path, *, first: tuple[str, str] | None = None, second: tuple[str, str] | None = None
    ) -> Compiled:
        """Compile two rules of one file, with a change in either."""
        other = changed(GOOD, ("11111111-1111-4111-8111-111111111111", OTHER_ID), ("status: test\n", "name: other\n"))
        texts = [changed(text, change) if change else text for text, change in ((GOOD, first), (other, second))]
        return compile_texts(tmp_path, token="---\n".join(texts))

    def test_one_in_a_file_with_two_rules_breaks_its_own_only(self, tmp_path: Path) -> None:
        wrong = ("outcome.result: SUCCESS\n  condition", "outcome.res: SUCCESS\n  condition")
        assert named(self.two(tmp_path, first=wrong)) == ["token_other"]
        assert named(self.two(tmp_path, second=wrong)) == ["token"]

    def test_one_in_a_rule_s_last_line_is_its_own(self, tmp_path: Path) -> None:
        last = ("event: {eventType: system.api_token.create, outcome: {result: FAILURE}}", "event: {actor: {id: x}}")
        assert named(self.two(tmp_path, first=last)) == ["token_other"]
        assert named(self.two(tmp_path, second=last)) == ["token"]

    def test_one_in_the_very_last_line_is_too(self, tmp_path: Path) -> None:
        text = changed(GOOD, ("level: medium\n", "")) + "level: severe\n"
        assert named(compile_texts(tmp_path, rule=text)) == []

    def test_a_rule_in_one_line_has_its_faults_in_it(self, tmp_path: Path) -> None:
        text = (
            "{title: A, id: 11111111-1111-4111-8111-111111111111, logsource: {product: okta, service: okta}, "
            "detection: {s: {actor.id: x}, condition: s}, level: severe}"
        )
        compiled = compile_texts(tmp_path, rule=text)
        assert len(compiled.errors) == 1
        assert named(compiled) == []

    def test_one_in_a_rule_s_first_line_is_its_own(self, tmp_path: Path) -> None:
        assert named(self.two(tmp_path, second=("title: An API token was made\n", "titel: x\n"))) == ["token"]

    def test_a_warning_breaks_none(self, tmp_path: Path) -> None:
        compiled = self.two(
            tmp_path, first=("eventType: system.api_token.create\n", "eventType: system.api_token.made\n")
        )
        assert len(compiled.problems) == 1
        assert named(compiled) == ["token", "token_other"]

    def test_what_is_worth_a_warning_is_no_error(self, tmp_path: Path) -> None:
        compiled = compile_texts(tmp_path, rule=detecting("eventType: system.api_token.made"))
        assert compiled.errors == ()
        assert len(compiled.strictly()) == 1
