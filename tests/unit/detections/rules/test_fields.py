"""Every name that rule writers use leads to a field that monitors see, or to a sentence."""

from __future__ import annotations

import pytest

from oktalogger.detections.rules.fields import (
    Field,
    FieldError,
    FieldTable,
    event_types,
    field_table,
    nearest_event_types,
)
from oktalogger.pipeline.added_fields import ADDED, DEBUG_NAMES


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("eventType", "eventType"),
        ("eventtype", "eventType"),
        ("displaymessage", "displayMessage"),
        ("actor.alternateid", "actor.alternateId"),
        ("target.displayName", "oktalogger.target.any.display_name"),
        ("target{}.alternateId", "oktalogger.target.any.alternate_id"),
        ("target[].id", "oktalogger.target.any.id"),
        ("target[*].type", "oktalogger.target.any.type"),
        ("debugContext.debugData.requestUri", "oktalogger.debug.request_uri"),
        ("debugcontext.debugdata.behaviors", "oktalogger.debug.behaviors"),
        ("target.detailEntry.methodTypeUsed", "oktalogger.method_types"),
        ("target.changeDetails", "oktalogger.change_details"),
        ("request.ipChain.ip", "oktalogger.request_ips"),
        ("transaction.detail.requestApiTokenId", "oktalogger.api_token_id"),
        ("securityContext.risk.level", "securityContext.risk.level"),
        ("@timestamp", "published"),
    ],
)
def test_names_are_understood(name: str, path: str) -> None:
    assert field_table().resolve(name).path == path


def test_everything_that_the_pipeline_lifts_can_be_named() -> None:
    for field in ADDED:
        assert field_table().resolve(f"oktalogger.{field.path}").path == f"oktalogger.{field.path}"
    for key in DEBUG_NAMES:
        assert field_table().resolve(f"debugContext.debugData.{key}").path.startswith("oktalogger.")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("target.detailEntry.signOnModeType", "array of objects"),
        ("target", "array of objects"),
        ("target[0].id", "array of objects"),
        ("request.ipChain.source", "use `oktalogger.request_ips`"),
        ("securityContext.ipDetails.ipServiceCategories.operator", "use `oktalogger.ip_services`"),
        ("debugContext.debugData.promptingPolicy", "pipeline/added_fields.py"),
        ("client.ipAddress.keyword", "second form of `client.ipAddress`"),
        ("outcome.reason.text", "second form of `outcome.reason`"),
        ("actor", "is an object; name a field in it"),
        ("client.geographicalContext.geolocation", "point on the map"),
        ("outcome.results", "did you mean `outcome.result`"),
        ("no.such.thing", "is not a field"),
    ],
)
def test_what_a_monitor_cannot_see_is_refused(name: str, words: str) -> None:
    with pytest.raises(FieldError) as caught:
        field_table().resolve(name)
    assert words in str(caught.value)


def test_letters_differ_in_ids_and_codes_only() -> None:
    for name in (
        "actor.id",
        "uuid",
        "eventType",
        "outcome.result",
        "oktalogger.debug.dt_hash",
        "oktalogger.api_token_id",
    ):
        assert field_table().resolve(name).is_exact, name
    for name in ("actor.alternateId", "displayMessage", "oktalogger.target.user.alternate_id", "outcome.reason"):
        assert not field_table().resolve(name).is_exact, name


@pytest.mark.parametrize(
    ("name", "near"),
    [("x.countr", "client.geographicalContext.country"), ("x.asNumbr", "securityContext.asNumber")],
)
def test_of_names_that_end_alike_the_shortest_is_guessed(name: str, near: str) -> None:
    with pytest.raises(FieldError, match=rf"did you mean `{near}`\?"):
        field_table().resolve(name)


def test_what_the_index_does_not_search_is_no_field() -> None:
    table = FieldTable(
        {
            "kept": {"type": "keyword"},
            "whole": {"type": "object", "enabled": False},
            "other": {"type": "alias", "path": "kept"},
            "bare": {"dynamic": "false"},
        }
    )
    assert table.resolve("kept").is_countable
    assert Field("kept", "keyword") == table.resolve("kept")
    for name in ("whole", "other", "bare"):
        with pytest.raises(FieldError, match="is not a field of the index"):
            table.resolve(name)


def test_event_types_are_written_as_okta_writes_them() -> None:
    names = event_types()
    assert all(name and not name.startswith("#") and name == known.lower() for name, known in names.items())
    [odd] = [known for known in names.values() if known != known.lower()][:1]
    assert Field("eventType", "keyword").spell(odd.upper()) == odd
    assert Field("eventType", "keyword").spell("No.Such.Type") == "No.Such.Type"
    assert Field("displayMessage", "keyword").spell(odd.upper()) == odd.upper()
    assert Field("outcome.result", "keyword").spell("failure") == "FAILURE"


def test_at_most_two_event_types_are_guessed() -> None:
    assert nearest_event_types("user.session.starts") == ["user.session.start", "user.device_session.start"]
    assert len(nearest_event_types("user.account.update")) == 2
    assert nearest_event_types("nothing at all") == []
