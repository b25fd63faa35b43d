"""Names and lines: what is written can be read back, byte for byte, and says whose it is."""

from __future__ import annotations

import gzip
import zlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oktalogger.pipeline.archive.errors import ArchiveDamagedError
from oktalogger.pipeline.archive.lines import compress, events_of
from oktalogger.pipeline.archive.object_names import (
    events_name,
    manifest_name,
    manifest_prefixes,
    read_name,
    seal_name,
)
from oktalogger.pipeline.archive.records import Manifest, Seal, decode, manifest_body, read_manifest
from oktalogger.window import Window

TEN = datetime(2026, 11, 23, 10, tzinfo=UTC)
WINDOW = Window(TEN, TEN + timedelta(minutes=5))
SHA = "a" * 64


@given(st.lists(st.binary() | st.binary().map(lambda text: b"{" + text)))
def test_events_come_back_byte_for_byte_whatever_they_are(events: list[bytes]) -> None:
    assert events_of(compress(events), "x") == events


def test_what_is_written_is_plain_lines_that_anybody_can_read_and_the_same_every_time() -> None:
    events = [b'{"uuid": "a", "x": "\xff"}', b'{"uuid":\n"b"}', b"[1]"]
    body = compress(events)
    lines = gzip.decompress(body).split(b"\n")
    assert lines[0] == events[0]
    assert lines[1].startswith(b'"base64:')
    assert lines[3:] == [b""]
    assert body == compress(events)
    assert body[4:8] == b"\0\0\0\0", "no time in the header"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda body: body[:-1],
        lambda body: body[: len(body) // 2],
        lambda body: b"",
        lambda body: body + b"x",
        lambda body: body[:20] + bytes([body[20] ^ 1]) + body[21:],
        lambda body: zlib.compress(b'{"a":1}\n'),
        lambda body: gzip.compress(b'{"a":1}'),
        lambda body: gzip.compress(b"what\n"),
        lambda body: gzip.compress(b'"base64:!"\n'),
    ],
)
def test_what_was_cut_off_or_changed_is_an_error(spoil: object) -> None:
    body = compress([b'{"uuid": "%d"}' % number for number in range(50)])
    with pytest.raises(ArchiveDamagedError, match="the-name"):
        events_of(spoil(body), "the-name")  # type: ignore[operator]


@pytest.mark.parametrize("org", ["company.okta.com", "127.0.0.1:8090", "[::1]:8090", "..", "a/b", "%41"])
def test_a_name_says_what_it_was_made_of(org: str) -> None:
    odd = Window(TEN + timedelta(milliseconds=250), TEN + timedelta(days=2))
    for window in (WINDOW, odd):
        events = read_name(events_name(org, window, TEN, SHA))
        assert events is not None
        assert (events.kind, events.org, events.window, events.hour, events.sha256) == ("events", org, window, TEN, SHA)
        for part in (False, True):
            manifest = read_name(manifest_name(org, window, "backfill", SHA, part=part))
            assert manifest is not None
            assert (manifest.kind, manifest.org, manifest.window) == ("part" if part else "manifest", org, window)
    seal = read_name(seal_name(org, TEN))
    assert seal is not None
    assert (seal.kind, seal.org, seal.hour) == ("seal", org, TEN.replace(hour=0))
    assert ".." not in events_name(org, WINDOW, TEN, SHA).split("/")
    assert len(events_name(org, WINDOW, TEN, SHA).split("/")) == 5


@pytest.mark.parametrize(
    "name",
    [
        "events/org=o/day=2026-11-23/hour=24/20261123T100000Z_20261123T100500Z." + SHA + ".ndjson.gz",
        "events/org=o/day=2026-11-23/hour=10/20261123T100500Z_20261123T100000Z." + SHA + ".ndjson.gz",
        "events/org=o/day=2026-11-23/hour=10/20261123T100000Z_20261123T100500Z." + SHA[1:] + ".ndjson.gz",
        "events/org=o/day=2026-02-30/hour=10/20261123T100000Z_20261123T100500Z." + SHA + ".ndjson.gz",
        "seals/org=o/2026-13-01.json",
        "other/org=o/2026-11-01.json",
    ],
)
def test_other_names_are_not_ours(name: str) -> None:
    assert read_name(name) is None


def test_a_manifest_is_found_from_every_hour_of_its_window() -> None:
    for length in (timedelta(minutes=5), timedelta(hours=24), timedelta(hours=25), timedelta(days=90)):
        window = Window(TEN, TEN + length)
        name = manifest_name("o", window, "manual", SHA)
        for hour in (window.start, window.start + length / 2, window.end - timedelta(hours=0.5)):
            prefixes = list(manifest_prefixes("o", Window(hour, hour + timedelta(hours=1))))
            assert any(name.startswith(prefix) for prefix in prefixes)


MANIFEST = Manifest(
    org="o", kind="manual", window_start=TEN, window_end=WINDOW.end, reads_from=TEN, events=1, run_id="r", completed=TEN
)


def test_a_manifest_has_the_same_name_whoever_reads_the_same() -> None:
    other = Manifest(**{f: getattr(MANIFEST, f) for f in MANIFEST.__struct_fields__} | {"run_id": "x", "began": TEN})
    more = Manifest(**{f: getattr(MANIFEST, f) for f in MANIFEST.__struct_fields__} | {"events": 2})
    assert other.name == MANIFEST.name != more.name


def test_each_byte_of_a_manifest_counts() -> None:
    body = manifest_body(MANIFEST)
    assert read_manifest(body, MANIFEST.name).run_id == "r"
    for place in range(len(body)):
        changed = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
        with pytest.raises(ArchiveDamagedError):
            read_manifest(changed, MANIFEST.name)


def test_a_newer_format_is_refused_with_what_to_do() -> None:
    with pytest.raises(ArchiveDamagedError, match="use a newer one"):
        decode(b'{"version": 2}', Seal, "x")
