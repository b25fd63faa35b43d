"""Anchors in groups, repeats and the other case of letters: what an expression still means once Lucene has it."""

from __future__ import annotations

import pytest

from oktalogger.detections.rules.lucene_regex import RegexError, escape, to_lucene


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("", ".*.*"),
        ("^", ".*"),
        ("$", ".*"),
        ("^$", "()"),
        ("(^)a", "a.*"),
        ("((^a|b))c", "(ac.*|.*bc.*)"),
        ("((^a|b)c)d", "(acd.*|.*bcd.*)"),
        ("((^a)|b)c", "(ac.*|.*bc.*)"),
        ("a(b|c$)", "(.*ab.*|.*ac)"),
    ],
)
def test_anchors_are_taken_out_of_the_groups_that_hold_them(pattern: str, expected: str) -> None:
    assert to_lucene(pattern) == expected


@pytest.mark.parametrize("pattern", ["(?i:^a)b", "(?i-s:^a)b", "a(^b)c"])
def test_one_that_cannot_be_taken_out_is_refused(pattern: str) -> None:
    with pytest.raises(RegexError, match="an anchor or a word boundary in the middle"):
        to_lucene(pattern)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("^a{1000}$", "a{1000}"),
        ("^a{1,1000}$", "a{1,1000}"),
        ("^a{2,}$", "a{2,}"),
        ("^a*$", "a*"),
        ("^a{0,3}$", "a{0,3}"),
        ("^(?:ab)+$", "(ab)+"),
        ("^(?:a{2}){3}$", "(a{2}){3}"),
        ("^[^a]+$", "[^a]+"),
    ],
)
def test_repeats_repeat_the_same(pattern: str, expected: str) -> None:
    assert to_lucene(pattern) == expected


@pytest.mark.parametrize("pattern", ["^a{1001}$", "^a{1,1001}$", "^a{1001,}$"])
def test_more_than_a_thousand_are_refused(pattern: str) -> None:
    with pytest.raises(RegexError, match="repeats something more than 1000 times"):
        to_lucene(pattern)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("[a-z]", "[a-zA-Z]"),
        ("[A-Z]", "[A-Za-z]"),
        ("[b-y]", "[b-yB-Y]"),
        ("[B-Y]", "[B-Yb-y]"),
        ("[0-9]", "[0-9]"),
        ("[ab]", "[aAbB]"),
        ("[^a]", "[^aA]"),
        ("[Y-b]", "[Y-bA-By-z]"),
        ("[y-|]", r"[y-\|Y-Z]"),
        (r"[X-\]]", r"[X-\]x-z]"),
        ("[Z-^]", r"[Z-\^z]"),
        ("é", "[Éé]"),
    ],
)
def test_where_case_does_not_matter_a_class_has_both(pattern: str, expected: str) -> None:
    assert to_lucene(f"^{pattern}$", ignore_case=True) == expected
    assert to_lucene(f"(?i)^{pattern}$") == expected


def test_literal_text_keeps_its_case_unless_said_otherwise() -> None:
    assert escape("B.o") == r"B\.o"
    assert escape("Bo", ignore_case=True) == "[Bb][Oo]"
