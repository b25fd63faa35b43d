"""Adds oddities of real System Log events that no schema promises, each seen in public reports of Okta's users."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from local.simulator.world.event import MINUTE, SECOND, Event, timestamp

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

HUGE = 40_000
"""Characters of an over-long string; a keyword term may have 32,766 bytes."""
BURST = 1000
DEEP = 1500
"""Levels of an event that no usual parser follows to its end."""
FURTHEST_US = 20 * MINUTE
"""How far from its place an event out of order is listed at most."""


@dataclass(frozen=True, slots=True)
class Oddities:
    """How many events are odd, and in which ways.

    :param share: share of events, 0 to 1
    :param kinds: names out of ``KINDS``
    """

    share: float = 0.0
    kinds: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        unknown = set(self.kinds) - set(KINDS)
        if not 0 <= self.share <= 1 or unknown:
            raise ValueError(
                f"oddities: a share within 0..1 and kinds out of {', '.join(KINDS)}; not {unknown or self}"
            )


def _target_null(event: dict[str, Any], _: random.Random) -> None:
    event["target"] = None


def _target_empty(event: dict[str, Any], _: random.Random) -> None:
    event["target"] = []


def _target_absent(event: dict[str, Any], _: random.Random) -> None:
    del event["target"]


def _null_text(event: dict[str, Any], _: random.Random) -> None:
    event["client"].update(ipAddress="null", zone="null")


def _client_empty(event: dict[str, Any], _: random.Random) -> None:
    event["client"] = {}


def _unknown_fields(event: dict[str, Any], rng: random.Random) -> None:
    event["newInThisRelease"] = {"level": rng.randrange(9), "notes": ["one", {"two": None}], "Dotted.Key": "x"}
    event["actor"]["aliases"] = [{"source": "HR", "id": rng.randrange(10**6)}]


def _unknown_values(event: dict[str, Any], _: random.Random) -> None:
    event["outcome"] = {"result": "POSTPONED", "reason": None}
    event["severity"] = "NOTICE"
    event["actor"]["type"] = "AiAgent"


def _number_for_text(event: dict[str, Any], _: random.Random) -> None:
    event["version"] = 0
    if event["client"].get("geographicalContext"):
        event["client"]["geographicalContext"]["postalCode"] = 94107


def _large_asn(event: dict[str, Any], _: random.Random) -> None:
    event["securityContext"].update(asNumber=4_200_000_001, isProxy=False)


def _debug_objects(event: dict[str, Any], _: random.Random) -> None:
    event["debugContext"]["debugData"].update(
        logOnlySecurityData={"risk": {"level": "LOW"}, "behaviors": {"New Device": "NEGATIVE"}},
        risk={"level": "MEDIUM", "reasons": ["Anomalous Device"]},
        threatSuspected=False,
        tunnels=[{"anonymous": True, "operator": "unknown", "type": "VPN"}],
        threshold=15,
    )


def _huge(event: dict[str, Any], rng: random.Random) -> None:
    text = f"https://login.example/?state={rng.getrandbits(64):016x}" + "é%20" * (HUGE // 4)
    event["debugContext"]["debugData"]["url"] = text
    event["displayMessage"] = "x" * HUGE


def _drift(event: dict[str, Any], rng: random.Random) -> None:
    # Parts that a typed mapping refuses: a value where an object stands, and a boolean that is none.
    rng.choice((_drift_actor, _drift_proxy, _drift_outcome, _drift_reason, _drift_behaviors))(event)


def _drift_actor(event: dict[str, Any]) -> None:
    event["actor"] = "system@okta.com"


def _drift_proxy(event: dict[str, Any]) -> None:
    event["securityContext"]["isProxy"] = "perhaps"


def _drift_outcome(event: dict[str, Any]) -> None:
    event["outcome"] = "SUCCESS"


def _drift_reason(event: dict[str, Any]) -> None:
    event["outcome"]["reason"] = {"code": "VERIFICATION_ERROR", "details": ["one", {"two": 2}]}


def _drift_behaviors(event: dict[str, Any]) -> None:
    event["securityContext"].update(isProxy="null", userBehaviors="New Device")


def _absurd_published(event: dict[str, Any], rng: random.Random) -> None:
    event["published"] = rng.choice(
        ("0001-01-01T00:00:00.000Z", "1970-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z")
    )


def _mark(event: dict[str, Any], _: random.Random) -> None:
    event["debugContext"]["debugData"]["broken"] = _HERE


_HERE = "put in here what no encoder writes"
_UNENCODABLE = {
    "half-surrogate": rb'"\ud83d"',
    "deep": b"[" * DEEP + b"]" * DEEP,
}


def _poison(event: dict[str, Any], _: random.Random) -> None:
    # The name of an alias in the mapping: no document may have a field of that name.
    event["@timestamp"] = event["published"]


_CHANGES: dict[str, Callable[[dict[str, Any], random.Random], None]] = {
    "target-null": _target_null, "target-empty": _target_empty, "target-absent": _target_absent,
    "null-text": _null_text, "client-empty": _client_empty, "unknown-fields": _unknown_fields,
    "unknown-values": _unknown_values, "number-for-text": _number_for_text, "large-asn": _large_asn,
    "debug-objects": _debug_objects, "huge": _huge, "drift": _drift, "poison": _poison,
    "absurd-published": _absurd_published, "half-surrogate": _mark, "deep": _mark,
}  # fmt: skip
KINDS = (*_CHANGES, "duplicate", "fraction-0", "fraction-6", "burst", "out-of-order")
"""Every way to be odd. ``burst`` crowds a thousand events into one millisecond, once in 50,000 odd events."""
UNREADABLE = ("half-surrogate", "deep")
"""What no parser reads."""
UNSTORABLE = ("poison", "absurd-published", *UNREADABLE)
"""What no loader can make a document of."""
HARMLESS = tuple(kind for kind in KINDS if kind not in ("drift", "out-of-order", *UNSTORABLE))
NONE = Oddities()


def parse(text: str) -> Oddities:
    """Read the command line's form: ``0.02``, or ``0.02:poison,duplicate``.

    :raises ValueError: saying what is wrong
    """
    share, _, names = text.partition(":")
    return Oddities(float(share), tuple(names.split(",")) if names else HARMLESS)


def _reencode(event: Event, kind: str, change: Callable[[dict[str, Any]], None]) -> Event:
    value = event.json()
    change(value)
    body = msgspec.json.encode(value)
    if kind in _UNENCODABLE:
        body = body.replace(b'"%b"' % _HERE.encode(), _UNENCODABLE[kind])
    return event._replace(body=body, oddity=kind)


def _shift(event: Event, to_us: int, digits: int, kind: str) -> Event:
    moved = to_us - event.published_us
    text = timestamp(to_us, digits)
    changed = _reencode(event, kind, lambda value: value.update(published=text))
    return changed._replace(published_us=to_us, persisted_us=event.persisted_us + moved)


def _odd(event: Event, kind: str, rng: random.Random) -> list[Event]:
    if kind == "duplicate":
        return [event, event._replace(oddity="duplicate")]
    if kind == "fraction-0":
        return [_shift(event, event.published_us // 10**6 * 10**6, 0, kind)]
    if kind == "fraction-6":
        return [_shift(event, event.published_us + rng.randrange(1000), 6, kind)]
    if kind == "out-of-order":
        away = rng.choice((-1, 1)) * int(SECOND * (FURTHEST_US / SECOND) ** rng.random())
        return [event._replace(oddity=kind, listed_us=event.published_us + away)]
    return [_reencode(event, kind, lambda value: _CHANGES[kind](value, rng))]


def burst(like: Event, rng: random.Random, count: int = BURST) -> list[Event]:
    """As many events as asked for, all in the millisecond of the one given, each with its own uuid."""
    value = like.json()
    made = []
    for _ in range(count):
        text = f"{rng.getrandbits(128):032x}"
        value["uuid"] = f"{text[:8]}-{text[8:12]}-4{text[13:16]}-8{text[17:20]}-{text[20:]}"
        made.append(like._replace(uuid=value["uuid"], body=msgspec.json.encode(value), oddity="burst"))
    return made


def distort(events: list[Event], odd: Oddities, rng: random.Random) -> list[Event]:
    """Make the due share of a minute's events odd, and put them in order again, numbered anew."""
    result: list[Event] = []
    for event in events:
        if rng.random() >= odd.share:
            result.append(event)
            continue
        kind = odd.kinds[int(rng.random() * len(odd.kinds))]
        if kind == "burst":
            result.extend(burst(event, rng) if rng.random() < 0.001 else [event])
        else:
            result.extend(_odd(event, kind, rng))
    result.sort(key=lambda event: event.published_us)
    return [event._replace(seq=number) for number, event in enumerate(result)]
