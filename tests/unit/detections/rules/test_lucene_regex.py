"""Expressions for Lucene mean what they meant to whoever wrote them; what Lucene cannot do is refused."""

from __future__ import annotations

import pytest

from oktalogger.detections.rules.lucene_regex import RegexError, to_lucene


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("^foo$", "foo"),
        ("foo", ".*foo.*"),
        ("^a|b$", "(a.*|.*b)"),
        ("(?:^|,)x(?:,|$)", "(x,.*|x|.*,x,.*|.*,x)"),
        (r"^\d{2,4}\w?\s+\S$", r"[0-9]{2,4}[0-9A-Z_a-z]?[\s]+[^\s]"),
        (r"^[^a-c\d]$", "[^a-c0-9]"),
        (r"^[\s,]$", r"[\s,]"),
        ("(?i)^[à-ý]$", "[à-ýÀ-ÖØ-Ý\u212b]"),
        ("(?i)^\u03c3$", "[\u03a3\u03c2\u03c3]"),
        ("(?i)^k[s-t]$", "[Kk][s-tS-T]"),
        ("^(?i)a".replace("^(?i)", "(?i)^"), "[Aa].*"),
        ("^a(?i:b)$", "a([Bb])"),
        (r"^a.b\.c~#@&<>$", r"a.b\.c\~\#\@\&\<\>"),
        ("^(ab)+?$", "(ab)+"),
    ],
)
def test_patterns_are_translated(pattern: str, expected: str) -> None:
    assert to_lucene(pattern) == expected


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("(?=a)b", "look-ahead"),
        ("(?<!a)b", "negative look-ahead or look-behind"),
        (r"(a)\1", "back reference"),
        (r"\bword\b", "word boundary"),
        ("a^b", "anchor"),
        ("(", "not valid"),
        ("a{5000}", "repeats"),
        (r"[\Dx]", "negated class"),
        ("a\tb", "TAB"),
        ("a\u00a0b", r"NO-BREAK SPACE \(U\+00A0\)"),
        ("(?m)^a$", "the flag m"),
        ("(a{1000}){1000}", "1,000,000 characters"),
        ("((ab|c){1,100}x){34}", "10,234 characters"),
    ],
)
def test_what_lucene_cannot_do_is_refused(pattern: str, words: str) -> None:
    with pytest.raises(RegexError, match=words):
        to_lucene(pattern)


def test_a_pattern_that_is_complex_is_for_opensearch_to_judge() -> None:
    for pattern in ("^.{0,60}!.{0,60}$", "x.{14}", "(abc|def){900}", "(a{100}){100}"):
        to_lucene(pattern)


def test_a_pattern_that_is_long_but_simple_is_not_too_complex() -> None:
    to_lucene("^https://[a-z0-9.-]+/(login|signin|auth)/[A-Za-z0-9_%/-]*$")
    to_lucene("(^0oa.*|[a-zA-Z0-9._%+-]+@[a-zA-Z0-9.-]+\\.[a-zA-Z]{2,10})")
    to_lucene("x" * 120)
