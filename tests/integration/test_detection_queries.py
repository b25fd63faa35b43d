"""Texts and expressions on a real OpenSearch: what Python says matches, OpenSearch matches."""

from __future__ import annotations

import json
import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from opensearchpy import OpenSearch, helpers

from oktalogger.detections.rules import lucene_query as query
from oktalogger.detections.rules.fields import Field, field_table
from oktalogger.detections.rules.lucene_query import Wildcard
from oktalogger.opensearch.store import OpenSearchStore
from oktalogger.pipeline.document import Built, DocumentBuilder, Stamp
from oktalogger.window import Window, format_instant
from tests.indices import own_names

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.opensearch

FIELD = Field("a", "keyword")
TEXTS = (
    "admin", "Admin", "ADMINISTRATOR", "x admin y", "a  b", "a b", "a:b", 'quote "q"', "back\\slash", "sl/ash", "st*r",
    "ques?ion", "AND", "OR", "NOT", "TO", "<tag>", "a<b", ">=5", "-5", "+1", "{a}", "{{a}}", "[a]", "(a)", "a^2", "a~1",
    "#hash", "@at", "a&b", "a&&b", "a||b", "!no", "50%", "ünï", "ÜNÏ", "ß", "ordinary.user@acme.example", "0oa1b2c3",
    "Summer2026!", "tab\there", "", " ", " lead", "trail ", "eventType:x", "_exists_:a", "*", "10.0.0.1", "a|b", "a.b",
    "two\nlines", "\u039f\u03a3", "\u03bf\u03c2",
)  # fmt: skip
PATTERNS = (
    "admin", "^admin$", "^a", "n$", "(?i)^admin", "a.b", r"a\.b", r"\d+", r"^\d", r"\W", r"^\w+$", r"\s", "[a-c]b",
    "[^a-z]", "^[^@]*@[^@]*$", "(a|b):", "^(a|b)(:|&)", "^$|^ $", "a{2}", "m{1,2}i", "x?admin", "(?:^| )b", "é|ï",
    r"^[A-Z]{2,3}$", "[.*+?^${}()|\\[\\]\\\\]", "~|#|&|<|>|@", '"', "/", ":", "-", "^$", "^(a|)b",
    r"^(0oa.*|[\w.]+@[\w.]+\.[a-z]{2,10})$",
    r"[\s,]h", r"a[^\s]", r"\S{12}", "(?i)\u03c3", "(?i)[à-ý]n",
)  # fmt: skip


@pytest.fixture(scope="module")
def client(opensearch_url: str) -> Iterator[OpenSearch]:
    client = OpenSearch(opensearch_url, timeout=60)
    yield client
    client.close()


@pytest.fixture(scope="module")
def index(client: OpenSearch) -> Iterator[str]:
    name = f"oktalogger-test-{uuid.uuid4().hex[:10]}"
    mapping = {"dynamic": False, "properties": {"a": {"type": "keyword", "ignore_above": 8191}}}
    client.indices.create(index=name, body={"settings": {"number_of_replicas": 0}, "mappings": mapping})
    helpers.bulk(client, ({"_index": name, "_id": str(n), "a": text} for n, text in enumerate(TEXTS)), refresh=True)
    yield name
    client.indices.delete(index=name)


def found(client: OpenSearch, index: str, text: str) -> set[str]:
    body = {"size": 1000, "query": {"query_string": {"query": text}}}
    answer = client.search(index=index, body=body)
    return {TEXTS[int(hit["_id"])] for hit in answer["hits"]["hits"]}


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_finds_itself_and_nothing_else(client: OpenSearch, index: str, text: str) -> None:
    assert found(client, index, query.text(FIELD, [text], cased=True).text) == {text}
    if not {"\t", "\n"} & set(text):
        anyhow = {other for other in TEXTS if other.lower() == text.lower()}
        # Letters with more than one capital form are left as they are.
        assert found(client, index, query.text(FIELD, [text]).text) == anyhow


@pytest.mark.parametrize("text", [text for text in TEXTS if text.strip() and not {"\t", "\n"} & set(text)])
def test_parts_are_found_in_either_case(client: OpenSearch, index: str, text: str) -> None:
    many = Wildcard.MANY
    lower = text.lower()
    contains = {other for other in TEXTS if lower in other.lower()}
    starts = {other for other in TEXTS if other.lower().startswith(lower)}
    ends = {other for other in TEXTS if other.lower().endswith(lower)}
    assert found(client, index, query.text(FIELD, [many, text, many]).text) == contains
    assert found(client, index, query.text(FIELD, [text, many]).text) == starts
    assert found(client, index, query.text(FIELD, [many, text]).text) == ends
    assert found(client, index, query.text(FIELD, [many, text, many], cased=True).text) == {
        other for other in TEXTS if text in other
    }


@pytest.mark.parametrize("pattern", PATTERNS)
def test_expressions_match_what_python_says(client: OpenSearch, index: str, pattern: str) -> None:
    # Without a flag, Sigma's letters, digits and blanks are those of ASCII; in either case, letters are all of them.
    flags = re.NOFLAG if "(?i)" in pattern else re.ASCII
    expected = {text for text in TEXTS if re.search(pattern, text, flags)}
    assert found(client, index, query.matches(FIELD, pattern).text) == expected


def test_not_and_exists(client: OpenSearch, index: str) -> None:
    admin = query.text(FIELD, ["admin"], cased=True)
    assert found(client, index, query.negate(admin).standing_alone) == set(TEXTS) - {"admin"}
    assert found(client, index, query.negate(query.negate(admin)).standing_alone) == {"admin"}
    other = query.text(FIELD, ["AND"], cased=True)
    assert found(client, index, query.either([query.negate(admin), admin]).text) == set(TEXTS)
    assert found(client, index, query.either([admin, other]).text) == {"admin", "AND"}
    assert found(client, index, query.both([query.negate(admin), query.negate(other)]).text) == set(TEXTS) - {
        "admin", "AND",
    }  # fmt: skip
    assert found(client, index, query.negate(query.exists(FIELD)).standing_alone) == set()
    assert found(client, index, query.exists(FIELD).text) == set(TEXTS)
    assert found(client, index, query.NOTHING.text) == set()


def test_a_text_too_long_for_the_index_is_there_all_the_same(client: OpenSearch) -> None:
    published = datetime(2026, 11, 20, 10, tzinfo=UTC)
    reason = field_table().resolve("outcome.reason")
    outcomes = {"long": {"reason": "x" * 9000}, "short": {"reason": "x"}, "none": {"result": "SUCCESS"}}
    with own_names(client) as names:
        store = OpenSearchStore(client, names)
        stamp = Stamp("acme.okta.com", Window(published, published + timedelta(minutes=5)), "test", "manual")
        builder = DocumentBuilder(stamp, names)
        store.prepare()
        store.ensure_month(published)
        for identity, outcome in outcomes.items():
            event = {"uuid": identity, "published": format_instant(published), "outcome": outcome}
            built = builder.build(json.dumps(event).encode(), published)
            assert isinstance(built, Built)
            assert store.create([built.document]).created == 1
        client.indices.refresh(index=names.alias)
        there = query.exists(reason)
        for clause, expected in ((there, {"long", "short"}), (query.negate(there), {"none"})):
            body = {"query": {"query_string": {"query": clause.standing_alone}}}
            hits = client.search(index=names.alias, body=body)["hits"]["hits"]
            assert {hit["_id"] for hit in hits} == expected
