"""Reading Okta again: the same is only what is the same, value by value."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oktalogger.okta.system_log import SystemLogClient, SystemLogQuery
from oktalogger.opensearch.names import IndexNames
from oktalogger.opensearch.rejected import rejection_id
from oktalogger.opensearch.templates import month_template
from oktalogger.pipeline.comparison import Comparison, compare_with
from oktalogger.pipeline.document import Built, DocumentBuilder, Stamp
from oktalogger.pipeline.drift import fit
from oktalogger.pipeline.erasure import Person, without
from oktalogger.privacy.policy import read_policy
from oktalogger.privacy.redactor import Redactor
from oktalogger.window import Window
from tests.unit.pipeline.loading import ScriptedSource, event

TEN = datetime(2026, 11, 23, 10, tzinfo=UTC)
HOUR = Window(TEN, TEN + timedelta(hours=1))
QUERY = SystemLogQuery(since=HOUR.start, until=HOUR.end)


class Holding:
    """An OpenSearch that holds these documents, in this order."""

    def __init__(self, *documents: tuple[str, Any], rejected: frozenset[str] = frozenset()) -> None:
        self._documents = documents
        self._rejected = rejected

    def documents(self, org: str, within: Window) -> Iterator[tuple[str, Mapping[str, Any]]]:
        assert within == HOUR
        yield from self._documents

    def rejected_among(self, uuids: set[str]) -> set[str]:
        return uuids & self._rejected

    def rejected_ids(self, ids: set[str]) -> set[str]:
        return ids & self._rejected


def compare(census: Holding, *pages: list[bytes], redactor: Redactor | None = None) -> Comparison:
    source = ScriptedSource([[msgspec.Raw(raw) for raw in events] for events in pages])
    return compare_with(cast("SystemLogClient", source), census, "o", QUERY, redactor)


def okta(number: int, **more: Any) -> bytes:
    return json.dumps(json.loads(bytes(event(number))) | more).encode()


def stored(body: bytes, redactor: Redactor | None = None) -> tuple[str, Any]:
    built = DocumentBuilder(Stamp("o", HOUR, "run", "manual"), IndexNames(), redactor).build(body, TEN)
    assert isinstance(built, Built)
    return built.document.id, json.loads(built.document.source)


def test_where_both_hold_the_same_it_is_exact() -> None:
    found = compare(Holding(stored(okta(1)), stored(okta(2))), [okta(1)], [okta(2)])
    assert found == Comparison(HOUR, 2)
    assert found.exact


def test_what_is_missing_foreign_doubled_or_altered_is_named() -> None:
    altered = stored(okta(5, outcome={"result": "SUCCESS"}))
    census = Holding(stored(okta(2)), stored(okta(2)), stored(okta(9)), stored(okta(8)), altered)
    found = compare(census, [okta(n) for n in (3, 2, 1)], [okta(5, outcome={"result": "FAILURE"})])
    assert not found.exact
    assert found.as_dict() == {
        "start": "2026-11-23T10:00:00Z",
        "end": "2026-11-23T11:00:00Z",
        "in_okta": 4,
        "missing": ["u-1", "u-3"],
        "foreign": ["u-8", "u-9"],
        "unknown": ["u-8", "u-9"],
        "doubled": ["u-2"],
        "altered": ["u-5"],
        "rejected": 0,
        "unredacted": 0,
        "erased": 0,
    }


@pytest.mark.parametrize(
    ("census", "pages"),
    [
        (Holding(), [[okta(1)]]),
        (Holding(stored(okta(1))), [[]]),
        (Holding(stored(okta(1)), stored(okta(1))), [[okta(1)]]),
        (Holding(stored(okta(1, a=1))), [[okta(1)]]),
    ],
    ids=["missing", "foreign", "doubled", "altered"],
)
def test_each_alone_is_not_exact(census: Holding, pages: list[list[bytes]]) -> None:
    assert not compare(census, *pages).exact


VALUES = [0, 1, 1.0, True, False, None, "1", "", "true", [], [1], [1, 1], {}, {"1": 1}, 2**70, 0.1, "\u00e9", "e"]


@pytest.mark.parametrize("one", VALUES, ids=repr)
def test_every_value_is_the_same_as_itself_only(one: Any) -> None:
    for other in VALUES:
        found = compare(Holding(stored(okta(1, client={"x": [one]}))), [okta(1, client={"x": [other]})])
        assert found.exact == (json.dumps(one) == json.dumps(other)), (one, other)


def test_redacted_is_compared_with_redacted() -> None:
    hashing = Redactor(read_policy("all=hash,free_text=drop"), "a key that nobody guesses")
    person = {"actor": {"type": "User", "displayName": "Ada Planted", "alternateId": "ada@corp.example"}}
    one, other = okta(1, **person), okta(2, **person, brandNew="x")
    found = compare(Holding(stored(one, hashing), stored(other, hashing)), [one, other], redactor=hashing)
    assert found == Comparison(HOUR, 2)
    changed = okta(1, actor={**person["actor"], "displayName": "Eve"})
    assert compare(Holding(stored(one, hashing)), [changed], redactor=hashing).altered == ("u-1",)
    later = Redactor(hashing.policy, "another key that nobody guesses")
    assert compare(Holding(stored(one, hashing)), [one], redactor=later).altered == ("u-1",)
    before = compare(Holding(stored(one)), [one], redactor=hashing)
    assert before.exact
    assert before.unredacted == 1
    unreadable = b"no json"
    kept = rejection_id("o", hashing.redact(unreadable).event)
    assert compare(Holding(rejected=frozenset({kept})), [unreadable], redactor=hashing).rejected == 1


def test_what_a_person_was_taken_out_of_is_counted() -> None:
    body = okta(1, actor={"id": "00u1", "type": "User", "alternateId": "ada@corp.example", "displayName": "Ada"})
    id_, source = stored(body)
    without_her = json.loads(without(Person("00u1", ("ada@corp.example",), ("Ada",)), source, TEN))
    found = compare(Holding((id_, without_her)), [body])
    assert found.exact
    assert found.erased == 1
    assert without_her["actor"]["alternateId"] == "erased"


def test_the_order_of_keys_says_nothing() -> None:
    id_, source = stored(okta(1, client={"a": 1, "b": 2}))
    again = (id_, dict(reversed(source.items())))
    assert compare(Holding(again), [okta(1, client={"b": 2, "a": 1})]).exact


def test_parts_that_did_not_fit_are_compared_as_well() -> None:
    body = okta(1, securityContext="no object", outcome={"reason": {"deep": 1}})
    built = DocumentBuilder(Stamp("o", HOUR, "run", "manual"), IndexNames()).build(body, TEN)
    assert isinstance(built, Built)
    fitted = fit(body, month_template(IndexNames()).mappings["properties"], "")
    assert fitted is not None
    document = built.with_event(fitted)
    source = json.loads(document.source)
    assert compare(Holding((document.id, source)), [body]).exact
    source["oktalogger"]["unmapped"][0]["text"] = '"another"'
    assert compare(Holding((document.id, source)), [body]).altered == ("u-1",)


@pytest.mark.parametrize("unmapped", [[{}], [{"path": "/a/b", "text": "1"}], ["x"], 7, [{"path": "/a", "text": "{"}]])
def test_a_document_that_somebody_made_up_is_altered(unmapped: Any) -> None:
    id_, source = stored(okta(1))
    source["oktalogger"]["unmapped"] = unmapped
    assert compare(Holding((id_, source)), [okta(1)]).altered == ("u-1",)


def test_what_was_rejected_is_not_missing_and_is_counted() -> None:
    found = compare(Holding(rejected=frozenset({"u-1"})), [okta(1), okta(2)])
    assert (found.missing, found.rejected) == (("u-2",), 1)


def test_one_without_an_id_has_to_be_kept_by_its_content() -> None:
    kept = rejection_id("o", b"{}")
    assert compare(Holding(), [b"{}"]).missing == (kept,)
    found = compare(Holding(rejected=frozenset({kept})), [b"{}"])
    assert (found.exact, found.in_okta, found.rejected) == (True, 1, 1)


def test_one_outside_the_window_does_not_count_and_one_without_a_time_does() -> None:
    outside = bytes(event(1, HOUR.end))
    found = compare(Holding(), [outside, b'{"uuid": "u-5", "published": "soon"}'])
    assert (found.in_okta, found.missing) == (1, ("u-5",))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(values, values)
def test_two_events_are_the_same_just_where_their_json_is(one: Any, other: Any) -> None:
    found = compare(Holding(stored(okta(1, actor=one))), [okta(1, actor=other)])
    assert found.exact == (json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True))
