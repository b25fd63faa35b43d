from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oktalogger.okta.paging import Link, next_link, parse_links

ORIGIN = "https://company.okta.com"
SELF = f"{ORIGIN}/api/v1/logs?limit=20"
NEXT = f"{ORIGIN}/api/v1/logs?limit=20&after=1627500044869_1"


@pytest.mark.parametrize(
    "values",
    [
        [f'<{SELF}>; rel="self"', f'<{NEXT}>; rel="next"'],  # as Okta sends them
        [f'<{SELF}>; rel="self", <{NEXT}>; rel="next"'],  # as HTTP libraries join them
        [f"<{SELF}>;rel=self,<{NEXT}>;rel=next"],
        [f'<{NEXT}>; rel="next"'],
        [f'<{NEXT}>; title="a, <b>; rel=self"; rel="next"'],
        [f'<{NEXT}>; REL="Next"'],
        [f'<{NEXT}> ; rel = "prefetch next"'],
        [f'<{NEXT}>; rel="next"; rel="self"'],
        [f'</style.css>; rel=preload; as=style, <{NEXT}>; rel="next"'],
        [f',, <{NEXT}>; rel="next",'],
        ["nonsense", f'<{NEXT}>; rel="next"'],
    ],
)
def test_finds_next(values: list[str]) -> None:
    assert next_link(values, origin=ORIGIN) == NEXT


@pytest.mark.parametrize(
    "values",
    [
        [],
        [""],
        [f'<{SELF}>; rel="self"'],
        [f'<{SELF}>; rel="self"; title="<{NEXT}>; rel=next"'],
        [f"<{NEXT}>; rel=nextcloud"],
        [f"<{NEXT}>; xrel=next"],
        [f'<{NEXT}>; rel="self"; rel="next"'],
        [f"{NEXT}; rel=next"],
        [f"<{NEXT}; rel=next"],
    ],
)
def test_finds_none(values: list[str]) -> None:
    assert next_link(values, origin=ORIGIN) is None


def test_keeps_commas_semicolons_and_encoding() -> None:
    target = f'{ORIGIN}/api/v1/logs?filter=a%20eq%20%22x%22,b;c="d"&after=%2f%2F+=,;rel=self'
    assert next_link([f'<{SELF}>; rel="self", <{target}>; rel="next"'], origin=ORIGIN) == target


def test_a_path_belongs_to_the_org() -> None:
    assert next_link(["</api/v1/logs?after=1>; rel=next"], origin=ORIGIN) == f"{ORIGIN}/api/v1/logs?after=1"
    assert next_link(["<//evil.example/api>; rel=next"], origin=ORIGIN) == "//evil.example/api"  # refused later


targets = st.text(st.characters(codec="latin-1", exclude_characters="<>", exclude_categories=["Cc"]), min_size=1)
relations = st.sampled_from(["self", "next", "prev", "first"])
titles = st.text(st.characters(codec="ascii", exclude_characters='"\\', exclude_categories=["Cc"]))


@given(st.lists(st.tuples(targets, relations, titles), min_size=1, max_size=5), st.booleans())
def test_reads_back_what_was_written(links: list[tuple[str, str, str]], joined: bool) -> None:
    lines = [f'<{target}>; title="{title}"; rel="{relation}"' for target, relation, title in links]
    parsed = list(parse_links([", ".join(lines)] if joined else lines))
    assert parsed == [Link(target, frozenset([relation])) for target, relation, _ in links]


@given(st.lists(st.text('<>;,="\\ relnxt')))
def test_never_fails(values: list[str]) -> None:
    next_link(values, origin=ORIGIN)


def test_a_hostile_header_takes_no_long_time() -> None:
    for piece in ("<", "<a>;", '<a>;"', "<a>; rel=", '<a>; x="\\"', "<a>" + "; ;", "<a" * 2):
        next_link([piece * (65_000 // len(piece))], origin=ORIGIN)
