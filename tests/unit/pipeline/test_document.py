from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from oktalogger.okta.system_log import Page
from oktalogger.opensearch.bulk import Rejection
from oktalogger.opensearch.names import IndexNames
from oktalogger.pipeline import document
from oktalogger.pipeline.added_fields import LONGEST_KEYWORD
from oktalogger.pipeline.document import Built, DocumentBuilder, LoadKind, Stamp, identity, prepare
from oktalogger.window import Window

TEN = datetime(2026, 11, 23, 10, tzinfo=UTC)
NOW = TEN + timedelta(minutes=6)
UUID = "7f7f2f2e-c8d1-11f0-9d2c-4b6a1e3f5a00"


def stamp(kind: LoadKind = "scheduled") -> Stamp:
    return Stamp(
        org="example.okta.com", window=Window(TEN, TEN + timedelta(minutes=5)), run_id="scheduled__x", kind=kind
    )


def build(raw: bytes, *, kind: LoadKind = "scheduled", now: datetime = NOW) -> Built | Rejection:
    return DocumentBuilder(stamp(kind), IndexNames()).build(raw, now)


def event(**fields: Any) -> bytes:
    return json.dumps({"uuid": UUID, "published": "2026-11-23T10:01:02.003Z", **fields}).encode()


def built(raw: bytes, **options: Any) -> Built:
    result = build(raw, **options)
    assert isinstance(result, Built), result
    return result


def rejected(raw: bytes) -> Rejection:
    result = build(raw)
    assert isinstance(result, Rejection), result
    return result


def test_okta_s_bytes_stay_as_they_came() -> None:
    raw = b'{"published":"2026-11-23T10:01:02Z", "uuid":"u","n":1.10,"big":12345678901234567890123,"s":"\\u00e9"}'
    source = built(raw).document.source
    assert source.startswith(raw[:-1] + b',"oktalogger":{')
    assert json.loads(source)["oktalogger"]["org"] == "example.okta.com"


def test_the_id_is_okta_s_and_the_index_that_of_the_month() -> None:
    document = built(event()).document
    assert document.id == UUID
    assert document.index == "okta-system-log-2026-11"


@pytest.mark.parametrize(
    ("published", "index"),
    [
        ("2026-10-31T23:59:59.999Z", "okta-system-log-2026-10"),
        ("2026-11-01T00:00:00Z", "okta-system-log-2026-11"),
        ("2026-11-01T00:30:00.123456+01:00", "okta-system-log-2026-10"),
    ],
)
def test_the_month_is_that_of_utc_with_any_number_of_digits(published: str, index: str) -> None:
    assert built(event(published=published)).document.index == index


def test_what_is_added_says_how_it_was_loaded() -> None:
    added = json.loads(built(event()).document.source)["oktalogger"]
    assert added == {
        "org": "example.okta.com",
        "window_start": "2026-11-23T10:00:00Z",
        "window_end": "2026-11-23T10:05:00Z",
        "run_id": "scheduled__x",
        "load_kind": "scheduled",
        "document_version": 1,
        "ingested_at": "2026-11-23T10:06:00Z",
        "lateness_ms": 297_997,
        "historical": False,
        "published_hour": 10,
        "published_weekday": 1,
    }


@pytest.mark.parametrize(
    ("kind", "age", "historical"),
    [
        ("backfill", timedelta(hours=25), True),
        ("backfill", timedelta(hours=23), False),
        ("manual", timedelta(days=30), True),
        ("scheduled", timedelta(days=30), False),
        ("reconcile", timedelta(days=30), False),
    ],
)
def test_only_what_was_asked_for_as_history_is_historical(kind: LoadKind, age: timedelta, historical: bool) -> None:
    document = built(event(), kind=kind, now=TEN + age).document
    assert json.loads(document.source)["oktalogger"]["historical"] is historical


@pytest.mark.parametrize(("more", "historical"), [(timedelta(0), False), (timedelta(milliseconds=1), True)])
def test_an_event_as_old_as_the_horizon_is_not_yet_historical(more: timedelta, historical: bool) -> None:
    published = datetime(2026, 11, 23, 10, 1, 2, 3000, tzinfo=UTC)
    document = built(event(), kind="backfill", now=published + timedelta(days=1) + more).document
    assert json.loads(document.source)["oktalogger"]["historical"] is historical


def test_line_breaks_between_tokens_do_not_end_the_bulk_line() -> None:
    source = built(b'{\n "uuid": "u",\r\n "published": "2026-11-23T10:01:02Z"\n}\n').document.source
    assert b"\n" not in source
    assert b"\r" not in source
    assert json.loads(source)["uuid"] == "u"


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"[1]", "unreadable_event"),
        (b'"text"', "unreadable_event"),
        (b'{"uuid": "u", "published": "2026-11-23T10:01:02Z", "x": "\xff"}', "unreadable_event"),
        (b"[" * 100_000 + b"]" * 100_000, "unreadable_event"),
        (b"{}", "no_uuid"),
        (b'{"uuid": "", "published": "2026-11-23T10:01:02Z"}', "no_uuid"),
        (b'{"uuid": 7, "published": "2026-11-23T10:01:02Z"}', "no_uuid"),
        (json.dumps({"uuid": "u" * 513, "published": "2026-11-23T10:01:02Z"}).encode(), "no_uuid"),
        (b'{"uuid": "u"}', "no_published"),
        (b'{"uuid": "u", "published": null}', "no_published"),
        (b'{"uuid": "u", "published": "soon"}', "no_published"),
        (b'{"uuid": "u", "published": "2026-11-23T10:01:02"}', "no_published"),
        (event(published="0001-01-01T00:00:00+14:00"), "impossible_published"),
        (event(published="9999-12-31T23:59:59-14:00"), "impossible_published"),
        (event(published="2008-12-31T23:59:59.999Z"), "impossible_published"),
        (event(published="2026-11-24T10:06:00.001Z"), "impossible_published"),
        (b'{"uuid": "u", "published": "2026-11-23T10:01:02Z", "x": "\\ud83d"}', "unreadable_event"),
        (b'{"uuid": "u", "published": "2026-11-23T10:01:02Z", "x": "\0"}', "unreadable_event"),
        (b'{"uuid": "u", "published": "2026-11-23T10:01:02Z", "x": 1e999}', "unreadable_event"),
        (event(oktalogger={}), "reserved_field"),
        (event(**{"@timestamp": "2026-11-23T10:01:02Z"}), "reserved_field"),
        (event(**{"oktalogger.org": "another.okta.com"}), "reserved_field"),
        (event(**{"@timestamp.x": 1}), "reserved_field"),
    ],
)
def test_an_event_that_cannot_be_stored_is_kept_whole_with_the_reason(raw: bytes, kind: str) -> None:
    rejection = rejected(raw)
    assert rejection.reason_type == kind
    assert rejection.reason
    assert rejection.event == raw


def test_an_event_that_we_fail_on_ourselves_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def mistaken(_: object) -> dict[str, object]:
        raise IndexError("list index out of range")

    monkeypatch.setattr(document, "lift", mistaken)
    rejection = rejected(event())
    assert (rejection.id, rejection.reason_type) == (UUID, "unliftable_event")
    assert "IndexError: list index out of range" in rejection.reason
    assert rejection.event == event()


def test_an_id_of_512_bytes_still_is_one() -> None:
    assert built(event(uuid="u" * 512)).document.id == "u" * 512


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_either_kind_of_line_break_is_taken_out(end: str) -> None:
    raw = f'{{"uuid": "u",{end}"published": "2026-11-23T10:01:02Z"}}'.encode()
    assert not {b"\n", b"\r"} & {bytes([byte]) for byte in built(raw).document.source}


@pytest.mark.parametrize(
    ("raw", "uuid", "published"),
    [
        (event(), UUID, datetime(2026, 11, 23, 10, 1, 2, 3000, tzinfo=UTC)),
        (b'{"uuid": "u", "published": "soon"}', "u", None),
        (b'{"uuid": 7, "published": "2026-11-23T10:00:00Z"}', None, TEN),
        (b'{"uuid": "", "published": "2026-11-23T10:00:00Z"}', None, TEN),
        (b"{}", None, None),
        (b"[1]", None, None),
        (b"{", None, None),
    ],
)
def test_the_identity_of_an_event_is_what_it_says_of_it(
    raw: bytes, uuid: str | None, published: datetime | None
) -> None:
    assert identity(raw) == (uuid, published)


@pytest.mark.parametrize("uuid", ["", 7])
def test_a_rejection_names_no_id_that_is_none(uuid: object) -> None:
    assert rejected(event(uuid=uuid)).id is None


def test_a_rejection_says_what_is_known_of_the_event() -> None:
    rejection = rejected(event(oktalogger=1))
    assert rejection.id == UUID
    assert rejection.published == "2026-11-23T10:01:02.003Z"


def test_a_text_too_long_for_the_index_is_named() -> None:
    def added(**fields: Any) -> dict[str, Any]:
        return dict(json.loads(built(event(**fields)).document.source)["oktalogger"])

    outcome = {"reason": "x" * (LONGEST_KEYWORD + 1), "result": "x" * LONGEST_KEYWORD}
    assert added(outcome=outcome, displayMessage="y" * 9000)["too_long"] == ["displayMessage", "outcome.reason"]
    assert "too_long" not in added(outcome={"reason": "x" * LONGEST_KEYWORD})


@pytest.mark.parametrize("published", ["2009-01-01T00:00:00Z", "2026-11-24T10:06:00Z"])
def test_any_time_that_okta_can_mean_is_stored(published: str) -> None:
    assert built(event(published=published)).published.isoformat() == published.replace("Z", "+00:00")


@pytest.mark.parametrize("raw", [event(), b' {"uuid":"u",\r\n"published":"2026-11-23T10:01:02Z"}\n', event() + b" "])
def test_the_event_can_be_had_again_as_okta_sent_it(raw: bytes) -> None:
    assert built(raw).event == raw


def test_a_clock_here_that_is_days_behind_rejects_nothing() -> None:
    sent = Page(
        number=1,
        events=[msgspec.Raw(event())],
        url="u",
        next_url=None,
        request_id=None,
        rate_limit=None,
        size_bytes=1,
        requests=1,
        waited_seconds=0.0,
        answered_at=NOW,
    )
    reads = Window(TEN, TEN + timedelta(minutes=5))
    page = prepare(sent, DocumentBuilder(stamp(), IndexNames()), reads, at=NOW - timedelta(days=3))
    assert (len(page.documents), page.rejections) == (1, [])
