"""Names the objects of the archive, and reads these names.

A name tells what an object holds: the org, the day and hour of ``published``, the window whose load wrote it, and a
SHA-256. So a load that runs again writes the same names, and needs to list nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import quote, unquote

from oktalogger.window import Window, WindowError, hour_of

if TYPE_CHECKING:
    from collections.abc import Iterator

ObjectKind = Literal["events", "manifest", "part", "seal"]

_DAY: Final = timedelta(days=1)
_WIDE: Final = "wide"
_INSTANT: Final = r"\d{8}T\d{6}(?:\.\d{3})?Z"
_WINDOW: Final = rf"(?P<start>{_INSTANT})_(?P<end>{_INSTANT})"
_EVENTS: Final = re.compile(
    rf"events/org=(?P<org>[^/]+)/day=(?P<day>\d{{4}}-\d\d-\d\d)/hour=(?P<hour>\d\d)/"
    rf"{_WINDOW}\.(?P<sha256>[0-9a-f]{{64}})\.ndjson\.gz"
)
_MANIFEST: Final = re.compile(
    rf"manifests/org=(?P<org>[^/]+)/day=(?P<day>\d{{4}}-\d\d-\d\d|{_WIDE})/"
    rf"{_WINDOW}\.(?P<load>[a-z]+)\.(?P<sha256>[0-9a-f]{{64}})(?P<part>\.part)?\.json"
)
_SEAL: Final = re.compile(r"seals/org=(?P<org>[^/]+)/(?P<day>\d{4}-\d\d-\d\d)\.json")
FOLDERS: Final = ("events/", "manifests/", "seals/")
"""The three folders of an archive."""


@dataclass(frozen=True, slots=True)
class ObjectName:
    """What the name of an object says.

    :param name: the name itself
    :param kind: what the object holds
    :param org: the Okta org's host name
    :param sha256: the hash in the name; empty in that of a seal
    :param window: the window whose load wrote it; None for a seal
    :param hour: the hour of ``published`` of its events; for a seal, the beginning of its day; None for others
    """

    name: str
    kind: ObjectKind
    org: str
    sha256: str = ""
    window: Window | None = None
    hour: datetime | None = None


def events_name(org: str, window: Window, hour: datetime, sha256: str) -> str:
    """Name an object of events.

    :param org: the Okta org's host name
    :param window: the window whose load read them
    :param hour: the hour in which they were published, in UTC
    :param sha256: of the object's bytes
    """
    return f"{events_prefix(org, hour)}{_written(window)}.{sha256}.ndjson.gz"


def events_prefix(org: str, hour: datetime) -> str:
    """Return what the names of all events of an hour begin with."""
    return f"events/{_org(org)}/day={hour:%Y-%m-%d}/hour={hour:%H}/"


def manifest_name(org: str, window: Window, load: str, sha256: str, *, part: bool = False) -> str:
    """Name the manifest of a window, or a part of one.

    :param org: the Okta org's host name
    :param window: the window
    :param load: the kind of load that read it
    :param sha256: of what it lists; of a part, of its bytes
    :param part: whether it is a part
    """
    day = _WIDE if window.duration > _DAY else f"{window.start:%Y-%m-%d}"
    return f"{manifests_prefix(org)}day={day}/{_written(window)}.{load}.{sha256}{'.part' if part else ''}.json"


def manifests_prefix(org: str) -> str:
    """Return what the names of all manifests of an org begin with."""
    return f"manifests/{_org(org)}/"


def manifest_prefixes(org: str, within: Window) -> Iterator[str]:
    """Yield what the names of all manifests begin with whose windows may share a moment with a range."""
    day = within.start.date() - _DAY
    while day <= within.end.date():
        yield f"{manifests_prefix(org)}day={day:%Y-%m-%d}/"
        day += _DAY
    yield f"{manifests_prefix(org)}day={_WIDE}/"


def seal_name(org: str, day: datetime) -> str:
    """Name the seal of a day."""
    return f"{seals_prefix(org)}{day:%Y-%m-%d}.json"


def seals_prefix(org: str) -> str:
    """Return what the names of all seals of an org begin with."""
    return f"seals/{_org(org)}/"


def read_name(name: str) -> ObjectName | None:
    """Read the name of an object; None if it is not one that oktalogger gives."""
    if found := _EVENTS.fullmatch(name):
        return _object(name, "events", found)
    if found := _MANIFEST.fullmatch(name):
        return _object(name, "part" if found["part"] else "manifest", found)
    if found := _SEAL.fullmatch(name):
        day = _instant(found["day"], "%Y-%m-%d")
        return ObjectName(name, "seal", unquote(found["org"]), hour=day) if day else None
    return None


def day_of(instant: datetime) -> datetime:
    """Return the beginning of an instant's day, in UTC."""
    return hour_of(instant).replace(hour=0)


def _object(name: str, kind: ObjectKind, found: re.Match[str]) -> ObjectName | None:
    start, end = _read(found["start"]), _read(found["end"])
    try:
        window = Window(start, end) if start and end else None
    except WindowError:
        return None
    hour = _instant(f"{found['day']} {found['hour']}", "%Y-%m-%d %H") if kind == "events" else None
    if window is None or (kind == "events" and hour is None):
        return None
    return ObjectName(name, kind, unquote(found["org"]), found["sha256"], window, hour)


def _org(org: str) -> str:
    # A port, or an address of IPv6, has characters that are special in S3 or in a file's name.
    return f"org={quote(org, safe='')}"


def _written(window: Window) -> str:
    return "_".join(_write(instant) for instant in (window.start, window.end))


def _write(instant: datetime) -> str:
    thousandths = f".{instant.microsecond // 1000:03d}" if instant.microsecond else ""
    return f"{instant:%Y%m%dT%H%M%S}{thousandths}Z"


def _read(text: str) -> datetime | None:
    return _instant(text, "%Y%m%dT%H%M%S.%fZ" if "." in text else "%Y%m%dT%H%M%SZ")


def _instant(text: str, form: str) -> datetime | None:
    try:
        return datetime.strptime(text, form).replace(tzinfo=UTC)
    except ValueError:
        return None
