"""Writes a snapshot as text and reads it again.

It is written by columns, because most of it repeats, and compressed: 90 days of hours and 5,000 findings fit into
200 kB.
"""

from __future__ import annotations

import base64
import zlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from oktalogger.ui.snapshot import KINDS, STATES, LedgerRun, PageFinding, PageHour, RuleText, Snapshot, Standing
from oktalogger.window import HOUR, Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

VERSION: Final = 1
LARGEST: Final = 200_000
"""Bytes of a packed snapshot at most."""
LETTERS: Final = "WLFRMDUOEN-"
"""Stands for each of the states."""
_COLUMNS: Final = ("events", "expected", "late", "rejected", "drifted")
_FINDING: Final = ("rule", "who", "last", "length", "events", "found", "told", "state", "run")
# How many findings keep their example, and their run, where not all can.
_STEPS: Final = ((500, None), (100, None), (0, None), (0, 500), (0, 0))


def as_columns(snapshot: Snapshot) -> dict[str, Any]:
    """Return a snapshot as plain JSON values, as the page reads them. Instants are seconds since 1970."""
    hours = snapshot.hours
    rule_ids = sorted({finding.rule for finding in snapshot.findings})
    places = {rule_id: place for place, rule_id in enumerate(rule_ids)}
    names = _Names()
    return {
        "version": VERSION,
        "org": snapshot.org,
        "conn_id": snapshot.conn_id,
        "made_at": _seconds(snapshot.made_at),
        "counted_at": _seconds(snapshot.counted_at),
        "since": _seconds(hours[0].start) if hours else 0,
        "states": "".join(LETTERS[STATES.index(hour.state)] for hour in hours),
        **{name: [getattr(hour, name) for hour in hours] for name in _COLUMNS},
        "kinds": {kind: [hour.kinds[place] for hour in hours] for place, kind in enumerate(KINDS)},
        "details": {str(place): found for place, hour in enumerate(hours) if (found := _details(hour))},
        "standing": _standing(snapshot.standing),
        "rules": [[rule_id, *_rule(snapshot.rules.get(rule_id))] for rule_id in rule_ids],
        "findings": _findings(snapshot.findings, places, names),
        "names": names.listed,
        "examples": {str(place): one.example for place, one in enumerate(snapshot.findings) if one.example},
        "left_out": snapshot.left_out,
        "problems": list(snapshot.problems),
        "ailing": list(snapshot.ailing),
        "notes": list(snapshot.notes),
        "unasked": list(snapshot.unasked),
        "asked_since": None if snapshot.asked_since is None else _seconds(snapshot.asked_since),
        "console_url": snapshot.console_url,
        "events_url": snapshot.events_url,
    }


def of_columns(values: Mapping[str, Any]) -> Snapshot:
    """Return the snapshot that :func:`as_columns` was given.

    :raises ValueError: if another version wrote it
    """
    if values.get("version") != VERSION:
        raise ValueError(f"a snapshot of version {values.get('version')!r}, and this release reads {VERSION}")
    rules = {one[0]: RuleText(**dict(zip(RuleText.__slots__, one[1:], strict=True))) for one in values["rules"]}
    return Snapshot(
        org=values["org"],
        conn_id=values["conn_id"],
        made_at=_instant(values["made_at"]),
        counted_at=_instant(values["counted_at"]),
        hours=tuple(_hours(values)),
        standing=_standing_of(values["standing"]),
        rules=rules,
        findings=tuple(_findings_of(values)),
        left_out=values["left_out"],
        problems=tuple(values["problems"]),
        ailing=tuple(values["ailing"]),
        notes=tuple(values["notes"]),
        unasked=tuple(values["unasked"]),
        asked_since=None if values["asked_since"] is None else _instant(values["asked_since"]),
        console_url=values["console_url"],
        events_url=values["events_url"],
    )


def pack(snapshot: Snapshot) -> str:
    """Return a snapshot as text: JSON, compressed by zlib, in base64. Equal snapshots give equal texts."""
    return base64.b64encode(zlib.compress(msgspec.json.encode(as_columns(snapshot)), 9)).decode()


def unpack(text: str) -> Snapshot:
    """Return the snapshot that :func:`pack` was given.

    :raises ValueError: if the text is not one, or another version wrote it
    """
    try:
        values = msgspec.json.decode(zlib.decompress(base64.b64decode(text, validate=True)))
    except (ValueError, zlib.error, msgspec.DecodeError) as error:
        raise ValueError(f"not a snapshot: {error}") from error
    return of_columns(values)


def fit(snapshot: Snapshot, most: int = LARGEST) -> tuple[Snapshot, str]:
    """Leave out what the page needs least until a packed snapshot is small enough: examples, runs, then old findings.

    :param snapshot: the snapshot
    :param most: bytes of the packed snapshot
    :return: what is left, and the same packed
    :raises ValueError: if it is too large without a finding
    """
    for examples, runs in _STEPS:
        smaller = replace(snapshot, findings=_shortened(snapshot.findings, examples, runs))
        if len(packed := pack(smaller)) <= most:
            return smaller, packed
    while smaller.findings:
        kept = len(smaller.findings) * 3 // 4
        smaller = replace(
            smaller,
            findings=smaller.findings[:kept],
            left_out=smaller.left_out + len(smaller.findings) - kept,
        )
        if len(packed := pack(smaller)) <= most:
            return smaller, packed
    raise ValueError(f"a snapshot of {len(packed):,} bytes without a finding, and {most:,} are the most")


def _shortened(findings: Sequence[PageFinding], examples: int, runs: int | None) -> tuple[PageFinding, ...]:
    return tuple(
        replace(
            one,
            example=one.example if place < examples else "",
            run_id=one.run_id if runs is None or place < runs else "",
        )
        for place, one in enumerate(findings)
    )


class _Names:
    """Gives each name a number, in the order in which they come."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}

    def place(self, name: str) -> int:
        return self._places.setdefault(name, len(self._places))

    @property
    def listed(self) -> list[str]:
        return list(self._places)


def _findings(findings: Sequence[PageFinding], places: Mapping[str, int], names: _Names) -> dict[str, list[Any]]:
    """Return findings by columns; ``last`` says how long before the finding above it, which compresses best."""
    lasts = [_seconds(one.last) for one in findings]
    return {
        "rule": [places[one.rule] for one in findings],
        "who": [[names.place(name) for name in one.who] for one in findings],
        "last": [above - last for above, last in zip([0, *lasts], lasts, strict=False)],
        "length": [last - _seconds(one.first) for one, last in zip(findings, lasts, strict=True)],
        "events": [one.events for one in findings],
        "found": [_seconds(one.found_at) - last for one, last in zip(findings, lasts, strict=True)],
        "told": [[names.place(name) for name in one.told] for one in findings],
        "state": [names.place(one.state) for one in findings],
        "run": [names.place(one.run_id) for one in findings],
    }


def _findings_of(values: Mapping[str, Any]) -> Iterator[PageFinding]:
    names, rules, columns = values["names"], values["rules"], values["findings"]
    last = 0
    for place, (rule, who, before, length, events, found, told, state, run) in enumerate(
        zip(*(columns[name] for name in _FINDING), strict=True)
    ):
        last -= before
        yield PageFinding(
            rule=rules[rule][0],
            who=tuple(names[one] for one in who),
            first=_instant(last - length),
            last=_instant(last),
            events=events,
            found_at=_instant(last + found),
            told=tuple(names[one] for one in told),
            state=names[state],
            run_id=names[run],
            example=values["examples"].get(str(place), ""),
        )


def _rule(rule: RuleText | None) -> tuple[str, ...]:
    if rule is None:
        return ("", "", "", "The rule no longer exists.", "")
    return (rule.name, rule.title, rule.severity, rule.about, rule.query)


def _details(hour: PageHour) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if hour.lateness:
        found["lateness"] = hour.lateness
    if hour.missing:
        found["missing"] = [[_seconds(gap.start), _seconds(gap.end)] for gap in hour.missing]
    if hour.runs:
        found["runs"] = [[run.kind, run.run_id, run.url, run.state, run.error] for run in hour.runs]
    return found


def _hours(values: Mapping[str, Any]) -> Sequence[PageHour]:
    since = _instant(values["since"])
    found = []
    for place, letter in enumerate(values["states"]):
        details = values["details"].get(str(place), {})
        found.append(
            PageHour(
                start=since + place * HOUR,
                state=STATES[LETTERS.index(letter)],
                **{name: values[name][place] for name in _COLUMNS},
                lateness=details.get("lateness", 0.0),
                missing=tuple(Window(_instant(start), _instant(end)) for start, end in details.get("missing", ())),
                runs=tuple(
                    LedgerRun(kind=kind, run_id=run_id, url=url, state=state, error=error)
                    for kind, run_id, url, state, error in details.get("runs", ())
                ),
                kinds=tuple(values["kinds"][kind][place] for kind in KINDS),
            )
        )
    return found


def _standing(standing: Standing) -> dict[str, Any]:
    return {
        "newest": None if standing.newest is None else _seconds(standing.newest),
        "lateness": dict(standing.lateness),
        "lateness_of_a_day": standing.lateness_of_a_day,
        "rate": dict(standing.rate),
        "rejected": dict(standing.rejected),
        "done": {name: _seconds(at) for name, at in standing.done.items()},
    }


def _standing_of(values: Mapping[str, Any]) -> Standing:
    return Standing(
        **{
            **values,
            "newest": None if values["newest"] is None else _instant(values["newest"]),
            "done": {name: _instant(at) for name, at in values["done"].items()},
        }
    )


def _seconds(instant: datetime) -> int:
    return int(instant.timestamp() // 1)


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
