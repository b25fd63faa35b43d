"""The same seed makes the same events, whichever slice is asked for, and the slices are what they claim to be."""

from __future__ import annotations

import collections
import hashlib
import json
import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from local.simulator import world
from local.simulator.process import ROOT, python
from local.simulator.world import Lateness, Oddities, Timeline, World, company, lateness, oddities, scenes
from local.simulator.world.event import DAY, MINUTE, SECOND, instant, microseconds, stream, timestamp

if TYPE_CHECKING:
    from collections.abc import Callable

TEN = datetime(2026, 11, 23, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)


def _digest(events: list[world.Event]) -> str:
    return hashlib.sha256(b"".join(event.body for event in events)).hexdigest()


def test_any_slice_is_the_same() -> None:
    odd = Oddities(0.05, oddities.KINDS)
    whole = list(world.events(3, 40, TEN, TEN + HOUR, oddities=odd))
    pieces: list[world.Event] = []
    for start, seconds in ((0, 7), (7, 1793), (1800, 59), (1859, 1741)):
        begin = TEN + timedelta(seconds=start)
        pieces += world.events(3, 40, begin, begin + timedelta(seconds=seconds), oddities=odd)
    assert pieces == whole
    backwards = [World(3, 40, odd=odd).minute(microseconds(TEN) // MINUTE + number) for number in reversed(range(60))]
    assert [event for minute in reversed(backwards) for event in minute] == whole


def test_another_process_makes_the_same_events() -> None:
    script = (
        "import hashlib; from datetime import *; from local.simulator import world;"
        "t = datetime(2026, 11, 23, 10, tzinfo=UTC); found = world.events(3, 40, t, t + timedelta(hours=1));"
        "print(hashlib.sha256(b''.join(event.body for event in found)).hexdigest())"
    )
    elsewhere = {"PYTHONHASHSEED": "12345", "PYTHONPATH": "."}
    command = [python(), "-c", script]
    done = subprocess.run(command, cwd=ROOT, env=elsewhere, capture_output=True, check=True)
    assert done.stdout.decode().strip() == _digest(list(world.events(3, 40, TEN, TEN + HOUR)))


def test_seeds_differ_and_uuids_are_unique() -> None:
    one, two = (list(world.events(seed, 60, TEN, TEN + HOUR)) for seed in (1, 2))
    assert not {event.uuid for event in one} & {event.uuid for event in two}
    assert len({event.uuid for event in one}) == len(one) > 2000


def test_lateness_changes_nothing_but_lateness() -> None:
    plain, late = (
        list(world.events(1, 60, TEN, TEN + HOUR, lateness=some)) for some in (lateness.AT_ONCE, Lateness(2, 0.1, 7200))
    )
    assert [event.body for event in plain] == [event.body for event in late]
    assert all(event.persisted_us == event.published_us for event in plain)
    delays = sorted((event.persisted_us - event.published_us) / SECOND for event in late)
    tail = [delay for delay in delays if delay > 10]
    assert 0.07 < len(tail) / len(delays) < 0.13
    assert delays[0] >= 0
    assert 3600 < delays[-1] <= 7200


def test_the_rate_is_the_mean_over_a_week() -> None:
    monday = datetime(2026, 11, 16, tzinfo=UTC)
    hours = collections.Counter[int]()
    for event in world.events(4, 20, monday, monday + timedelta(days=7)):
        hours[(event.published_us - microseconds(monday)) // (60 * MINUTE)] += 1
    assert sum(hours.values()) / (7 * 24 * 60) == pytest.approx(20, rel=0.03)
    night, morning, sunday = hours[4], hours[24 + 14], hours[6 * 24 + 14]
    assert night < morning / 3
    assert sunday < morning / 3


def test_scenes_are_as_long_as_their_weights_say() -> None:
    people = company.found(1)
    for scene, _, mean in scenes.SCENES:
        lengths = []
        for number in range(400):
            rng = stream("length", scene.__name__, number)
            person = rng.choice(people.everybody)
            seat = person.seats[0 if rng.random() < 0.62 else 1]
            lengths.append(len(list(scene(scenes.Stage(rng, people, person, seat, "idx")))))
        assert sum(lengths) / len(lengths) == pytest.approx(mean, rel=0.06), scene.__name__


def test_events_look_like_okta_s() -> None:
    found = list(world.events(5, 600, TEN, TEN + HOUR / 6))
    sizes = [len(event.body) for event in found]
    assert 2500 < sum(sizes) / len(sizes) < 3500
    kinds = collections.Counter[str]()
    for event in found:
        body = event.json()
        kinds[body["eventType"]] += 1
        assert body["uuid"] == event.uuid
        assert body["published"] == timestamp(event.published_us)
        assert {"actor", "client", "outcome", "target", "transaction", "debugContext", "request"} <= set(body)
        assert body["authenticationContext"]["authenticationStep"] == 0
    assert len(kinds) > 20
    assert [kind for kind, _ in kinds.most_common(2)] == ["user.authentication.sso", "policy.evaluate_sign_on"]
    published = [event.published_us for event in found]
    assert published == sorted(published)


def test_debug_data_speaks_three_dialects() -> None:
    for event in world.events(5, 600, TEN, TEN + HOUR / 6):
        debug = event.json()["debugContext"]["debugData"]
        if "behaviors" in debug:
            assert debug["behaviors"].startswith("{New Geo-Location=NEGATIVE, New Device=")
            assert debug["risk"].startswith("{")
            assert json.loads(debug["logOnlySecurityData"])["behaviors"]["New Device"] in ("POSITIVE", "NEGATIVE")
            return
    pytest.fail("no event with behaviors")


def test_background_never_does_what_a_story_does() -> None:
    for event in world.events(6, 2000, TEN, TEN + HOUR / 2):
        body = event.json()
        names = [target["displayName"] for target in body["target"] or ()]
        assert not (body["eventType"] == "group.user_membership.add" and "Admins" in names)
        assert not (body["eventType"] == "user.session.access_admin_app" and body["outcome"]["result"] != "SUCCESS")


@pytest.mark.parametrize("kind", oddities.KINDS)
def test_each_oddity_is_what_it_says(kind: str) -> None:
    odd = Oddities(1.0, (kind,))
    found = list(world.events(8, 60, TEN, TEN + HOUR / 30, oddities=odd))
    plain = list(world.events(8, 60, TEN, TEN + HOUR / 30))
    if kind in ("half-surrogate", "deep", "absurd-published", "out-of-order"):
        return  # below
    bodies = [event.json() for event in found]
    if kind == "duplicate":
        assert [event.body for event in found[::2]] == [event.body for event in found[1::2]]
        assert [event.oddity for event in found[:2]] == [None, "duplicate"]
        assert len({event.uuid for event in found}) == len(plain) == len(found) / 2
        return
    if kind == "burst":
        return
    assert {event.uuid for event in found} == {event.uuid for event in plain}
    assert all(event.oddity == kind for event in found)
    checks: dict[str, Callable[[dict[str, Any]], bool]] = {
        "target-null": lambda body: body["target"] is None,
        "target-empty": lambda body: body["target"] == [],
        "target-absent": lambda body: "target" not in body,
        "null-text": lambda body: body["client"]["ipAddress"] == body["client"]["zone"] == "null",
        "client-empty": lambda body: body["client"] == {},
        "unknown-fields": lambda body: "newInThisRelease" in body,
        "unknown-values": lambda body: body["outcome"]["result"] == "POSTPONED",
        "number-for-text": lambda body: body["version"] == 0,
        "large-asn": lambda body: body["securityContext"]["asNumber"] > 2**31,
        "debug-objects": lambda body: isinstance(body["debugContext"]["debugData"]["risk"], dict),
        "huge": lambda body: len(body["debugContext"]["debugData"]["url"].encode()) > 32_766,
        "poison": lambda body: body["@timestamp"] == body["published"],
        "drift": lambda body: (
            not (
                isinstance(body["actor"], dict)
                and isinstance(body["outcome"], dict)
                and body["securityContext"]["isProxy"] in (True, False, None)
                and not isinstance(body["outcome"]["reason"], dict)
            )
        ),
        "fraction-0": lambda body: len(body["published"]) == 20,
        "fraction-6": lambda body: len(body["published"]) == 27,
    }
    assert all(checks[kind](body) for body in bodies)
    for event, body in zip(found, bodies, strict=True):
        assert microseconds(datetime.fromisoformat(body["published"])) == event.published_us


@pytest.mark.parametrize("kind", ["half-surrogate", "deep"])
def test_what_no_parser_reads(kind: str) -> None:
    found = list(world.events(8, 60, TEN, TEN + HOUR / 30, oddities=Oddities(1.0, (kind,))))
    assert len(found) > 50
    for event in found:
        assert event.oddity == kind
        with pytest.raises((msgspec.DecodeError, RecursionError)):
            msgspec.json.decode(event.body)


def test_what_was_published_when_there_was_no_okta() -> None:
    found = list(world.events(8, 60, TEN, TEN + HOUR / 30, oddities=Oddities(1.0, ("absurd-published",))))
    assert {event.json()["published"][:4] for event in found} == {"0001", "1970", "9999"}
    assert all(TEN <= event.published < TEN + HOUR for event in found)


def test_events_out_of_order_are_listed_elsewhere_and_each_once_whatever_the_pages() -> None:
    timeline = Timeline(World(8, 60, odd=Oddities(0.3, ("out-of-order",))), start_us=0)
    since, until = microseconds(TEN), microseconds(TEN + HOUR)
    wanted = [event for some in timeline.everything(since, until) for event in some]

    def listed(page: int) -> list[str]:
        after, uuids = None, []
        while some := [event for part in timeline.published(since, until, until + DAY, after=after) for event in part]:
            uuids += [event.uuid for event in some[:page]]
            after = some[:page][-1].place
        return uuids

    found = listed(10**6)
    assert found == listed(200)
    assert sorted(found) == sorted(event.uuid for event in wanted)
    behind = {event.uuid: event.published for event in wanted}
    in_order = sorted(found, key=lambda uuid: behind[uuid])
    displaced = [abs(found.index(uuid) - place) for place, uuid in enumerate(in_order)]
    assert max(displaced) > 500


def test_a_burst_is_a_thousand_events_in_one_millisecond() -> None:
    told = list(world.events(1, 0, TEN, TEN + HOUR, stories=[("same-millisecond", TEN)]))
    assert len({event.uuid for event in told}) == 1000
    assert {event.published for event in told} == {TEN}
    like = next(iter(world.events(1, 60, TEN, TEN + HOUR)))
    crowd = oddities.burst(like, stream(1, "crowd"))
    assert len({event.uuid for event in crowd}) == 1000
    assert {msgspec.json.decode(event.body)["published"] for event in crowd} == {timestamp(like.published_us)}


def test_instants() -> None:
    us = microseconds(TEN) + 123_456
    assert [timestamp(us, digits) for digits in (0, 3, 6)] == [
        "2026-11-23T10:00:00Z",
        "2026-11-23T10:00:00.123Z",
        "2026-11-23T10:00:00.123456Z",
    ]
    assert instant(us) == TEN + timedelta(microseconds=123_456)
    with pytest.raises(ValueError, match="no time zone"):
        microseconds(datetime(2026, 11, 23))


@pytest.mark.parametrize("text", ["soon", "usual=-1", "share=2,usual=1", "longest=3", "usual"])
def test_bad_lateness_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"lateness|could not"):
        lateness.parse(text)


@pytest.mark.parametrize("text", ["2", "0.1:nonsense", "x"])
def test_bad_oddities_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"oddities|could not"):
        oddities.parse(text)
