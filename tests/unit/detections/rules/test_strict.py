"""What Sigma or YAML lets pass and no engine matches is said with its line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("sigma")

from oktalogger.detections.rules.yaml_source import rule_files
from tests.unit.detections.rule_texts import COUNTING, GOOD, changed, compile_texts, detecting, query_of

if TYPE_CHECKING:
    from pathlib import Path

BODY = "    eventType: system.api_token.create\n    outcome.result: SUCCESS\n  condition: selection\n"

REFUSED = {
    "key_of_a_rule": (changed(GOOD, ("falsepositives:", "falsepositive:")), 16, "did you mean `falsepositives`?"),
    "key_of_the_log": (
        changed(GOOD, ("  service: okta\n", "  service: okta\n  vendor: okta\n")),
        11,
        "`logsource` has no",
    ),
    "key_of_a_correlation": (changed(COUNTING, ("group-by:", "group_by:")), 7, "`correlation` has no key `group_by`"),
    "key_of_a_condition": (changed(COUNTING, ("    gte: 10", "    gte: 10\n    than: 3")), 12, "has no key `than`"),
    "timeframe": (changed(GOOD, (BODY, BODY + "  timeframe: 5m\n")), 16, "`timeframe` has no effect"),
    "flag_m": (
        detecting("outcome.reason|re|m: '^second$'"),
        13,
        "lets ^ and $ match at each line",
    ),
    "list_without_expand": (detecting("actor.alternateId: '%friends%'"), 13, "write `actor.alternateId|expand`"),
    "expand_without_list": (detecting("actor.alternateId|expand: friends"), 13, "'friends' names none"),
    "octal": (detecting("client.geographicalContext.postalCode: 01234"), 13, "YAML reads 01234 as 668"),
    "country": (detecting("client.geographicalContext.country:", "  - DE", "  - NO"), 15, "YAML reads NO as false"),
    "clock": (detecting("outcome.reason: 10:30"), 13, "YAML reads 10:30 as 630"),
    "version": (detecting("outcome.reason: 1.10"), 13, "YAML reads 1.10 as 1.1"),
    "octal_in_a_test": (
        changed(GOOD, ("{eventType: system.api_token.create}", "{eventType: x.y, client: {zone: 01234}}")),
        24,
        "YAML reads 01234 as 668",
    ),
    "unseen_in_a_condition": (
        changed(GOOD, ("condition: selection", "condition: selection and\u00a0selection")),
        15,
        "NO-BREAK SPACE (U+00A0)",
    ),
    "unseen_in_a_value": (detecting("outcome.reason: 'New\u00a0Device'"), 13, "NO-BREAK SPACE (U+00A0)"),
    "longer_than_the_index_keeps": (
        detecting(f"actor.displayName|cased: '{'7' * 8192}'"),
        13,
        "texts of 8,191 at most",
    ),
    "more_than_a_long": (detecting("securityContext.asNumber|gt: 9223372036854775808"), 13, "more than the index"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_engine_matches_is_an_error_with_its_line(name: str, tmp_path: Path) -> None:
    text, line, words = REFUSED[name]
    compiled = compile_texts(tmp_path, **{name: text})
    found = [(problem.line, problem.message) for problem in compiled.errors]
    assert any(at == line and words in message for at, message in found), found
    assert compiled.detections == ()


def test_a_list_of_variables_is_held_to_the_same(tmp_path: Path) -> None:
    (tmp_path / "variables.yml").write_text("friends:\n  - a\n  - 01234\n")
    (problem,) = compile_texts(tmp_path, rule=GOOD).errors
    assert (problem.file, problem.line) == ("variables.yml", 3)


def test_a_key_that_is_like_none_of_sigmas_is_a_warning(tmp_path: Path) -> None:
    compiled = compile_texts(tmp_path, rule=changed(GOOD, ("status: test", "x_ticket: SEC-1")))
    (problem,) = compiled.problems
    assert (problem.is_warning, problem.line) == (True, 3)


def test_a_selection_that_is_never_used_is_a_warning(tmp_path: Path) -> None:
    text = changed(GOOD, ("  condition: selection", "  filter_admins:\n    actor.id: x\n  condition: selection"))
    (problem,) = compile_texts(tmp_path, rule=text).problems
    assert (problem.is_warning, problem.line) == (True, 15)
    assert "never uses the selection `filter_admins`" in problem.message
    for condition in ("selection and not 1 of filter_*", "all of them", "selection and not filter_admins"):
        used = changed(text, ("condition: selection", f"condition: {condition}"))
        assert compile_texts(tmp_path, rule=used).problems == ()


@pytest.mark.parametrize(
    ("condition", "query"),
    [
        ("gt: 1234567.5", ">=1234568"),
        ("gte: 1234567.5", ">=1234568"),
        ("lt: 1234567.5", "<=1234567"),
        ("lt: 12345678", "<12345678"),
        ("lt: -12345678", "[* TO -12345678}"),
        ("gte: 12345678", ">=12345678"),
    ],
)
def test_numbers_are_written_without_loss(tmp_path: Path, condition: str, query: str) -> None:
    assert query_of(tmp_path, f"securityContext.asNumber|{condition}") == f"securityContext.asNumber:{query}"


@pytest.mark.parametrize(
    ("field", "values", "fits"),
    [
        ("client.ipAddress", [f"10.{n // 256}.{n % 256}.7" for n in range(511)], True),
        ("client.ipAddress", [f"10.{n // 256}.{n % 256}.7" for n in range(512)], False),
        ("actor.id|cased", [f"u{n}" for n in range(1023)], True),
        ("actor.id|cased", [f"u{n}" for n in range(1024)], False),
        ("actor.alternateId", [f"person{n}@corp.example" for n in range(600)], False),
    ],
)
def test_more_values_than_opensearch_takes_are_refused(
    tmp_path: Path, field: str, values: list[str], fits: bool
) -> None:
    compiled = compile_texts(tmp_path, rule=detecting(f"{field}:", *(f"  - '{value}'" for value in values)))
    assert (compiled.errors == ()) is fits
    (tmp_path / "variables.yml").write_text("many:\n" + "".join(f"  - '{value}'\n" for value in values))
    compiled = compile_texts(
        tmp_path, rule=detecting(f"{field}|expand: '%many%'".replace("|cased|expand", "|expand|cased"))
    )
    assert (compiled.errors == ()) is fits, compiled.errors
    if not fits:
        assert "split the rule or its list in several" in compiled.errors[0].message


def test_a_files_ending_counts_in_either_case(tmp_path: Path) -> None:
    (tmp_path / "X.YML").write_text(GOOD)
    assert [path.name for path in rule_files(tmp_path)] == ["X.YML"]


@pytest.mark.parametrize(
    ("line", "query"),
    [
        ("eventType: USER.session.START", "eventType:user.session.start"),
        ("eventType|startswith: user.session.", "eventType:user.session.*"),
        ("eventType|startswith: User.Session.", r"eventType:/[Uu][Ss][Ee][Rr]\.[Ss][Ee][Ss][Ss][Ii][Oo][Nn]\..*/"),
        ("eventType|contains: createenroll", "eventType:/.*[Cc][Rr][Ee][Aa][Tt][Ee][Ee][Nn][Rr][Oo][Ll][Ll].*/"),
        ("eventType|re: ^User", "eventType:/[Uu][Ss][Ee][Rr].*/"),
        ("legacyEventType: Core", "legacyEventType:/[Cc][Oo][Rr][Ee]/"),
        ("outcome.result|startswith: fail", "outcome.result:/FAIL.*/"),
        ("outcome.result|re: ^fail", "outcome.result:/[Ff][Aa][Ii][Ll].*/"),
    ],
)
def test_codes_of_oktas_are_found_in_any_spelling(tmp_path: Path, line: str, query: str) -> None:
    assert query_of(tmp_path, line) == query


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["outcome.result: SUCESS"], "Okta has no `outcome.result` `SUCESS`"),
        (["severity: [WARN, CRITICAL]"], "Okta has no `severity` `CRITICAL`"),
        (["outcome.result: true"], "Okta has no `outcome.result` `True`"),
        (["eventType: 10"], "`10` is not an event type"),
        (["eventType: null"], "every event has `eventType`"),
        (["severity|exists: false"], "every event has `severity`"),
        (["actor.displayName: Ada 'x"], "a quote without its pair"),
        (["actor.displayName: Ada", "   Lovelace"], "goes on in the line below"),
    ],
)
def test_a_value_that_no_event_has_is_a_warning(tmp_path: Path, lines: list[str], said: str) -> None:
    compiled = compile_texts(tmp_path, rule=detecting(*lines))
    (problem,) = compiled.problems
    assert problem.is_warning
    assert problem.line == 13
    assert said in problem.message


@pytest.mark.parametrize(
    "line",
    [
        "outcome.result: deny",
        "outcome.result|startswith: F",
        "severity: '*'",
        "outcome.reason: null",
        "actor.displayName: O'Neil",
    ],
)
def test_a_value_that_events_have_is_none(tmp_path: Path, line: str) -> None:
    assert compile_texts(tmp_path, rule=detecting(line)).problems == ()
