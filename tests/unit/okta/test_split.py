"""A page is split into its events whatever these hold."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oktalogger.okta.split import split_array

GOOD = b'{"uuid": "a", "text": "[}, \\\\\\" \\u005b"}'
POISON = [
    b'{"x": "\\ud83d"}',
    b'{"x": %b1%b}' % (b"[" * 1500, b"]" * 1500),
    b'{"x": "\0"}',
    b'{"x": "\xff\xfe"}',
    b'{"x": 1e999}',
    b'{"x": %b}' % (b"1" * 5000),
    b'{"x": 1, "x": 2}',
    b'{"x" 1}',
    b'{"x": "a\nb"}',
    b"nonsense",
]


@pytest.mark.parametrize("poison", POISON)
@pytest.mark.parametrize("gap", [b"", b" \r\n\t"])
def test_a_poisoned_event_leaves_its_neighbours_whole(poison: bytes, gap: bytes) -> None:
    body = gap.join([b"", b"[", GOOD, b",", poison, b",", GOOD, b"]", b""])
    assert split_array(body) == [GOOD, poison, GOOD]


@pytest.mark.parametrize("body", [b"[]", b" [ ] "])
def test_an_empty_page_has_no_event(body: bytes) -> None:
    assert split_array(body) == []


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"7", b"x[1]", b"[1]x", b"[1][2]", b"[,]", b"[1,]", b"[1,,2]", b'[{"a":]}', b"]", b"[1]]", b'"[1]"'],
)
def test_what_is_no_array_is_not_split(body: bytes) -> None:
    assert split_array(body) is None


def test_a_page_that_is_cut_off_anywhere_is_not_split() -> None:
    body = b"[%b, %b]" % (GOOD, POISON[0])
    assert all(split_array(body[:length]) is None for length in range(len(body)))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.lists(json_values), st.booleans())
def test_it_finds_what_a_parser_finds(items: list[object], escaped: bool) -> None:
    body = json.dumps(items, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    split = split_array(body)
    assert split is not None
    assert [json.loads(item.decode("utf-8", "surrogatepass")) for item in split] == items


def test_ten_megabytes_in_one_string_full_of_escapes_are_no_burden() -> None:
    event = b'{"x": "%b", "y": %b}' % (b"\\\\\\n" * 1_000_000, b"[" * 500_000 + b"]" * 500_000)
    assert split_array(b"[%b]" % event) == [event]


def test_a_page_that_a_parser_takes_is_split_alike() -> None:
    body = b"[%b, %b]" % (GOOD, GOOD)
    assert [bytes(raw) for raw in msgspec.json.decode(body, type=list[msgspec.Raw])] == split_array(body)
