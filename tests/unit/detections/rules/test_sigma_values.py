"""Sigma's rarer ways to compare: what each is written as, and which line a value that cannot be used stands in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("sigma")

from tests.unit.detections.rule_texts import compile_texts, detecting, query_of

if TYPE_CHECKING:
    from pathlib import Path


def test_a_value_that_stands_for_several_is_each_of_them(tmp_path: Path) -> None:
    written = query_of(tmp_path, "actor.id|base64offset|contains: foo")
    assert written == "actor.id:(/.*Zm9v.*/ OR /.*Zvb.*/ OR /.*mb2.*/)"


def test_another_number_is_the_opposite_of_that_number(tmp_path: Path) -> None:
    assert query_of(tmp_path, "oktalogger.published_hour|neq: 5") == "(*:* AND NOT oktalogger.published_hour:5)"


def test_a_part_of_a_time_is_refused_with_what_there_is_instead(tmp_path: Path) -> None:
    (problem,) = compile_texts(tmp_path, rule=detecting("published|hour: 5")).errors
    assert "`oktalogger.published_hour` and `oktalogger.published_weekday` (UTC) only" in problem.message


@pytest.mark.parametrize(
    ("name", "first", "second", "words"),
    [
        ("client.ipAddress", "10.0.0.1", "home", "is an IP address"),
        ("actor.displayName|re", "^a$", "(?!b)", "negative look-ahead"),
        ("client.ipAddress|cidr", "10.0.0.0/8", "10.0.0.0/33", "Sigma does not accept"),
    ],
)
def test_of_several_values_the_line_of_the_wrong_one_is_told(
    tmp_path: Path, name: str, first: str, second: str, words: str
) -> None:
    lines = (f"{name}:", f"  - '{first}'", f"  - '{second}'")
    (problem,) = compile_texts(tmp_path, rule=detecting(*lines)).errors
    assert words in problem.message
    # pySigma tells of no line.
    assert problem.line == (11 if "Sigma" in words else 15)
