"""What is left of an event, a match and a rejected event once a person is taken out."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from oktalogger.opensearch.names import IndexNames
from oktalogger.opensearch.templates import month_template
from oktalogger.pipeline.document import Built, DocumentBuilder, Stamp
from oktalogger.pipeline.drift import fit
from oktalogger.pipeline.erasure import Person, is_erased, known_of, without, without_event, without_texts
from oktalogger.window import Window
from tests.unit.privacy import events

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
PERSON = Person("00u1", (events.MAIL,), (events.NAME,))
STAMP = Stamp("o", Window(NOW - timedelta(days=10), NOW), "r", "scheduled")


def document(**fields: Any) -> dict[str, Any]:
    built = DocumentBuilder(STAMP, IndexNames()).build(events.raw(**fields), NOW)
    assert isinstance(built, Built)
    fitted = fit(built.event, month_template(IndexNames()).mappings["properties"], "")
    source: dict[str, Any] = json.loads((built.document if fitted is None else built.with_event(fitted)).source)
    return source


def erased(source: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(without(PERSON, source, NOW))
    return made


def names_the_person(value: Any) -> bool:
    text = json.dumps(value, ensure_ascii=False).lower()
    return any(one.lower() in text for one in ("00u1", events.MAIL, events.NAME, json.dumps(events.NAME)[1:-1]))


def test_nothing_of_the_person_is_left() -> None:
    before = document()
    after = erased(before)
    assert names_the_person(before)
    assert not names_the_person(after)
    assert after["uuid"] == before["uuid"]
    assert after["outcome"]["reason"] == "Bad password of erased"
    for key in ("org", "ingested_at", "run_id", "window_start", "load_kind", "historical"):
        assert after["oktalogger"][key] == before["oktalogger"][key]
    assert is_erased(after)
    assert not is_erased(before)
    text = json.dumps(after)
    for value in (events.ADDRESS, events.AGENT, events.CITY, events.DEVICE, events.SECRET_NOTE):
        assert value not in text, "it could tell who it was"
    assert events.OTHER in text, "the others stay"


def test_of_what_others_did_only_the_person_goes() -> None:
    actor = {"id": "00uAdmin", "type": "User", "alternateId": "admin@corp.example", "displayName": "Admin"}
    target = {"id": "00u1", "type": "User", "alternateId": events.MAIL, "displayName": events.NAME, "x": {"y": 1}}
    after = erased(document(actor=actor, target=[target], displayMessage=f"Reset {events.NAME}"))
    assert after["actor"] == actor
    assert after["client"]["ipAddress"] == events.ADDRESS
    assert after["target"] == [{"id": "erased", "type": "User", "alternateId": "erased", "displayName": "erased"}]
    assert after["displayMessage"] == "Reset erased"
    assert after["oktalogger"]["target"]["any"]["id"] == ["erased"]


def test_parts_that_did_not_fit_are_searched_and_kept_apart() -> None:
    actor = {"id": "00uAdmin", "type": "User", "alternateId": "admin@corp.example"}
    before = document(actor=actor, outcome=f"not an object: {events.MAIL}", securityContext={"isProxy": "no"})
    assert len(before["oktalogger"]["unmapped"]) == 2
    after = erased(before)
    parts = {part["path"]: part["text"] for part in after["oktalogger"]["unmapped"]}
    assert parts == {"/outcome": '"not an object: erased"', "/securityContext/isProxy": '"no"'}
    assert "outcome" not in after
    assert after["oktalogger"]["drifted"] == before["oktalogger"]["drifted"]


def test_doing_it_again_changes_nothing_but_the_time() -> None:
    once = erased(document())
    assert erased(once) == once


def test_a_person_is_known_by_what_events_say_of_the_id() -> None:
    other = {"id": "00u2", "alternateId": "x@y.example", "displayName": "X"}
    nobody = {"id": "00u1", "alternateId": "unknown", "displayName": "erased"}
    found = known_of("00u1", [document(), {"target": [other, nobody]}], ["old@corp.example"])
    assert found == Person("00u1", ("old@corp.example", events.MAIL), (events.NAME,))


@pytest.mark.parametrize("text", ["00U1", events.MAIL.upper(), "zoe.planted%40corp.example"])
def test_it_is_found_however_it_is_written(text: str) -> None:
    assert PERSON.is_named_in({"deep": [{"text": f"see {text}!"}]})
    assert not PERSON.is_named_in({"text": events.NAME}), "others may have the same name"


def test_a_rejected_event_goes_and_its_reason_stays() -> None:
    kept = {"uuid": "u", "part": 1}
    source = {"event": f"{{{events.MAIL}", "event_base64": "eA==", "reason": f"no: {events.MAIL}", **kept}
    after = json.loads(without_event(PERSON, source, NOW))
    assert after == {"event": "", "reason": "no: erased", **kept, "erased": "2026-11-29T12:00:00Z"}


def test_texts_of_a_match_are_replaced() -> None:
    match = {"example": f"by {events.MAIL}", "group": [f"actor.alternateId={events.MAIL}"], "events": 3}
    assert without_texts(PERSON, match) == {"example": "by erased", "group": ["actor.alternateId=erased"], "events": 3}
