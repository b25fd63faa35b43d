"""How a refused event is kept."""

from __future__ import annotations

import base64
import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from oktalogger.opensearch.documents import Rejection
from oktalogger.opensearch.rejected import rejection_documents


def parts(event: bytes, identity: str | None = "u", size: int = 1024) -> list[tuple[str, dict[str, Any]]]:
    rejection = Rejection(identity, "some_type", "some reason", event, "2026-11-23T10:00:00.000Z", "okta-2026-11")
    made = rejection_documents(rejection, index="okta-rejected", context={"org": "o"}, part_bytes=size)
    return [(document.id, json.loads(document.source)) for document in made]


def test_one_document_with_everything() -> None:
    ((_, source),) = parts(b'{"uuid": "u"}')
    assert source.pop("at").endswith("+00:00")
    assert source == {
        "org": "o", "uuid": "u", "published": "2026-11-23T10:00:00.000Z", "intended_index": "okta-2026-11",
        "reason_type": "some_type", "reason": "some reason", "part": 1, "parts": 1, "event": '{"uuid": "u"}',
    }  # fmt: skip


def test_the_id_comes_from_the_content() -> None:
    assert parts(b"x")[0][0] == parts(b"x")[0][0]
    assert parts(b"x", None)[0][0] == parts(b"x", "u")[0][0]
    assert parts(b"x")[0][0] != parts(b"y")[0][0]
    assert len({identity for identity, _ in parts(b"x" * 5000)}) == 5


def test_two_events_that_say_one_id_are_both_kept() -> None:
    first, second = b'{"uuid": "u", "n": 1}', b'{"uuid": "u", "n": 2}'
    assert parts(first)[0][0] != parts(second)[0][0]


def test_an_id_that_ends_like_a_part_of_another_takes_no_place() -> None:
    long = parts(b'{"uuid": "u"}' + b" " * 5000, "u")
    other = parts(b'{"uuid": "u-2"}', "u-2")
    assert other[0][0] not in {identity for identity, _ in long}


def test_each_org_keeps_its_own() -> None:
    rejection = Rejection(None, "t", "r", b"[1]", None, None)
    ids = {
        document.id
        for org in ("a.okta.com", "b.okta.com")
        for document in rejection_documents(rejection, index="i", context={"org": org}, part_bytes=1024)
    }
    assert len(ids) == 2


@given(st.text(), st.integers(4, 40))
def test_text_is_whole_after_cutting(text: str, size: int) -> None:
    pieces = [source for _, source in parts(text.encode(), size=size)]
    assert "".join(piece["event"] for piece in pieces) == text
    assert not any("event_base64" in piece for piece in pieces)


@given(st.binary(), st.integers(4, 40))
@example(b"\xbf" * 9, 4)
def test_bytes_are_whole_after_cutting(data: bytes, size: int) -> None:
    pieces = [source for _, source in parts(data, size=size)]
    whole = b"".join(
        base64.b64decode(piece["event_base64"]) if "event_base64" in piece else piece["event"].encode()
        for piece in pieces
    )
    assert whole == data
    assert [piece["part"] for piece in pieces] == list(range(1, pieces[0]["parts"] + 1))
