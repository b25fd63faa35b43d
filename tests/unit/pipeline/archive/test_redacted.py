"""An archive of events from which something is taken out, and one that keeps Okta's own bytes."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oktalogger.okta.system_log import SystemLogQuery
from oktalogger.opensearch.names import IndexNames
from oktalogger.pipeline.archive.folder import FolderStore
from oktalogger.pipeline.archive.noted import AsArchived, noted
from oktalogger.pipeline.document import DocumentBuilder, Stamp
from oktalogger.pipeline.load import LoadPlan
from oktalogger.pipeline.recorded_load import load_and_record
from oktalogger.pipeline.restore import restoring
from oktalogger.privacy.policy import read_policy
from oktalogger.privacy.redactor import Redactor
from oktalogger.window import HOUR, Window
from tests.unit.pipeline.loading import MemoryStore, ScriptedSource
from tests.unit.pipeline.test_continuity import NOON, ORG
from tests.unit.pipeline.test_recorded_load import Told

if TYPE_CHECKING:
    from pathlib import Path

WHOLE = Window(NOON, NOON + HOUR)
EVENT: dict[str, Any] = {
    "uuid": "u-1",
    "published": NOON.isoformat(),
    "eventType": "user.session.start",
    "actor": {"id": "00u1", "type": "User", "displayName": "Jane Miller", "alternateId": "jane.miller@example.com"},
    "client": {"ipAddress": "198.51.100.7"},
}
NAMELESS = {name: value for name, value in EVENT.items() if name != "uuid"}
REDACTOR = Redactor(read_policy("names=hash,mail=drop,addresses=network"), "k" * 16)


def load(store: FolderStore, *, redact_archive: bool) -> MemoryStore:
    documents = MemoryStore()
    events = [msgspec.Raw(json.dumps(event).encode()) for event in (EVENT, NAMELESS)] + [msgspec.Raw(b'{"cut')]
    plan = LoadPlan(Stamp(ORG, WHOLE, "run", "manual"), keeps=None, redactor=REDACTOR, redact_archive=redact_archive)
    load_and_record(ScriptedSource([events]), documents, Told(), plan, archive=store)
    return documents


def restore(store: FolderStore) -> MemoryStore:
    documents = MemoryStore()
    one = restoring(store, ORG, WHOLE, "restore")
    plan = LoadPlan(one.stamp, keeps=None, redactor=AsArchived(REDACTOR))
    load_and_record(one.source, documents, Told(), plan)
    return documents


def event_of(documents: MemoryStore) -> Any:
    [document] = documents.documents.values()
    source = json.loads(document.source)
    return {name: value for name, value in source.items() if name != "oktalogger"}, source["oktalogger"]["redacted"]


def archived(folder: Path) -> bytes:
    return b"".join(gzip.decompress(path.read_bytes()) for path in sorted(folder.rglob("*.ndjson.gz")))


@pytest.mark.parametrize("redact_archive", [True, False])
def test_a_restore_brings_back_what_the_load_stored(tmp_path: Path, redact_archive: bool) -> None:
    store = FolderStore(tmp_path)
    first = load(store, redact_archive=redact_archive)
    second = restore(store)
    assert event_of(second) == event_of(first)
    assert "actor.alternateId=drop" in event_of(first)[1]
    assert sorted(one.event for one in second.rejected) == sorted(one.event for one in first.rejected)
    assert len(first.rejected) == 2
    text = archived(tmp_path)
    names = [b"Jane Miller", b"jane.miller@example.com", b"198.51.100.7"]
    assert [name in text for name in names] == [not redact_archive] * 3


def test_an_exempt_archive_has_oktas_own_bytes(tmp_path: Path) -> None:
    load(FolderStore(tmp_path), redact_archive=False)
    lines = archived(tmp_path).splitlines()
    assert lines[:2] == [json.dumps(event).encode() for event in (EVENT, NAMELESS)]
    page = next(restoring(FolderStore(tmp_path), ORG, WHOLE, "x").source.pages(SystemLogQuery(NOON, NOON + HOUR)))
    assert bytes(page.events[2]) == b'{"cut'


@given(st.dictionaries(st.text(), st.none() | st.text() | st.lists(st.text())), st.lists(st.text(), max_size=3))
def test_a_note_comes_off_again_and_leaves_the_event(event: dict[str, Any], done: list[str]) -> None:
    body = json.dumps(event).encode()
    found = AsArchived(None).redact(noted(body, done))
    assert (found.event, found.done) == (body, tuple(done))
    assert json.loads(noted(body, done))["oktalogger"] == {"redacted": done}


def test_an_event_of_oktas_is_not_taken_for_one_with_a_note() -> None:
    sent = b'{"uuid":"u","x":",\\"oktalogger\\":{\\"redacted\\":[]}}"}'
    assert AsArchived(None).redact(sent).event == sent
    built = DocumentBuilder(Stamp(ORG, WHOLE, "r", "restore"), IndexNames(), AsArchived(REDACTOR)).build(sent, NOON)
    assert built
