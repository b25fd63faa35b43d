"""Whatever Okta sends ends in the index or, whole, among the rejected, and stops nothing.

A fixed number of cases each time; ``make fuzz`` tries many more, other ones each time.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import msgspec
import urllib3
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from oktalogger.okta.answers import items_of
from oktalogger.okta.client import ListPage
from oktalogger.okta.errors import OktaError
from oktalogger.okta.exchange import HttpRequest, Reply
from oktalogger.okta.system_log import SYSTEM_LOG, SystemLogClient
from oktalogger.pipeline.load import LoadPlan, load_window
from oktalogger.pipeline.load_result import LoadResult
from tests.unit.pipeline.loading import NOW, TEN, MemoryStore, plan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from oktalogger.okta.client import OktaClient
    from oktalogger.opensearch.bulk import BulkResult, Document, Rejection

ORIGIN = "https://example.okta.com"
MANY = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "60")),
    derandomize="FUZZ_EXAMPLES" not in os.environ,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


class Bodies:
    """An Okta that answers with these bodies, one a page."""

    def __init__(self, bodies: Sequence[bytes]) -> None:
        self.origin = ORIGIN
        self.bodies = bodies

    def page(self, endpoint: object, url: str, **_: object) -> ListPage:
        number = int(url.rpartition("after=")[2]) if "after=" in url else 0
        body = self.bodies[number] if number < len(self.bodies) else b"[]"
        reply = Reply(HttpRequest("GET", url), 200, urllib3.HTTPHeaderDict(), body)
        more = f"{ORIGIN}/api/v1/logs?limit=1000&after={number + 1}" if number + 1 < len(self.bodies) else None
        return ListPage(items_of(reply, SYSTEM_LOG, login_advice=""), url, more, None, None, len(body), 1, 0.0, None)


class Strict(MemoryStore):
    """Refuses, like OpenSearch, what is no JSON, has a field twice, or a value where an object is mapped."""

    def create(self, documents: Sequence[Document]) -> BulkResult:
        self._refuse = frozenset(document.id for document in documents if not _takes(document.source))
        return super().create(documents)

    def reject(self, rejections: Sequence[Rejection], *, context: Mapping[str, str]) -> int:
        assert all(rejection.reason for rejection in rejections)
        return super().reject(rejections, context=context)


def _takes(source: bytes) -> bool:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            raise ValueError("a field twice")
        return dict(pairs)

    try:
        event = json.loads(source, object_pairs_hook=once)
    except (ValueError, RecursionError):
        return False
    return all(isinstance(event.get(name), dict | None) for name in ("actor", "outcome", "securityContext"))


def load(bodies: Sequence[bytes]) -> tuple[LoadResult, Strict]:
    store = Strict()
    with_many: LoadPlan = plan(threads=1)
    source = SystemLogClient(cast("OktaClient", Bodies(bodies)))
    return load_window(source, store, with_many, clock=lambda: NOW), store


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=10,
)  # fmt: skip
names = st.sampled_from(
    ["actor", "outcome", "securityContext", "target", "debugContext", "client", "request", "eventType", "published",
     "uuid", "oktalogger", "@timestamp", "actor.id", "", "transaction", "new", "device"]
)  # fmt: skip
# What may stand in an event instead of a value that any parser takes: strings and brackets are whole, nothing else is.
poison = st.sampled_from(
    [b'"\\ud83d"', b'"\\udc00x"', b'"\0"', b'"\xff\xfe"', b'"\n"', b"1e999", b"-1e-999", b"9" * 5000, b"0x1", b"NaN",
     b"tru", b"'x'", b'"\\x41"', b"[" * 1500 + b"]" * 1500, b'{"a":' * 1100 + b"1" + b"}" * 1100, b'{"a":1,"a":2}', b"",
     b'"0001-01-01T00:00:00+14:00"', b'"9999-12-31T23:59:59.999999-14:00"', b'"2026-11-23"', b'"2026-11-23T24:00:00Z"']
)  # fmt: skip


@st.composite
def events(draw: st.DrawFn) -> bytes:
    uuid = draw(st.sampled_from("abcdef"))
    published = TEN + timedelta(milliseconds=draw(st.integers(-400_000, 400_000)))
    fields = {"uuid": uuid, "published": published.isoformat()}
    body = json.dumps({**fields, **draw(st.dictionaries(names, values, max_size=4))}, ensure_ascii=draw(st.booleans()))
    raw = body.encode()
    for _ in range(draw(st.integers(0, 2))):
        member = b"%b:%b" % (json.dumps(draw(names)).encode(), draw(poison))
        raw = draw(st.sampled_from([b"{%b,%b" % (member, raw[1:]), b"%b,%b}" % (raw[:-1], member)]))
    return raw


gaps = st.sampled_from([b"", b" ", b"\r\n", b"\t \n"])


@MANY
@given(st.lists(st.lists(events(), min_size=1, max_size=4), min_size=1, max_size=4), gaps)
@example([[b'{"uuid":"a","published":"2026-11-23T10:00:00Z","x":"\\ud83d"}']], b"")
def test_every_event_is_stored_or_kept_whole(pages: list[list[bytes]], gap: bytes) -> None:
    bodies = [b"[" + (gap + b"," + gap).join(page) + b"]" for page in pages]
    result, store = load(bodies)
    kept = {rejection.event for rejection in store.rejected}
    sources = {document.source for document in store.documents.values()}
    for raw in (raw for page in pages for raw in page):
        if raw in kept:
            continue
        # Stored, or there already under its uuid.
        uuid = msgspec.json.decode(raw)["uuid"]
        assert uuid in store.documents
    assert result.read == sum(map(len, pages)) == result.created + result.existing + result.rejected
    assert len(sources) == result.created
    assert all(_takes(source) for source in sources)


@MANY
@given(st.lists(st.binary(max_size=200) | events() | st.just(b"["), max_size=5), st.data())
def test_damage_is_an_error_about_okta_and_nothing_else(pieces: list[bytes], data: st.DataObject) -> None:
    body = bytearray(b"[" + b",".join(pieces) + b"]")
    for _ in range(data.draw(st.integers(0, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    with suppress(OktaError):
        load([bytes(body[: data.draw(st.integers(0, len(body)))])])
