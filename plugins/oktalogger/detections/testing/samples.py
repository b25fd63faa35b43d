"""Makes whole documents from the events of a test case, which name only the fields that matter.

Each event is laid over an ordinary one, and then takes the way of a real event: the same builder, the same mapping.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import NAMESPACE_URL, uuid5

from oktalogger.opensearch.documents import Rejection
from oktalogger.pipeline.document import DocumentBuilder, Stamp
from oktalogger.window import Window, format_instant

if TYPE_CHECKING:
    from oktalogger.detections.rules.cases import Case
    from oktalogger.opensearch.documents import Document
    from oktalogger.opensearch.names import IndexNames
    from oktalogger.pipeline.document import LoadKind
    from oktalogger.privacy.redactor import Redactor

ORG: Final = "acme.okta.com"
_ACTOR: Final = {
    "id": "00u1ordinaryuser00001",
    "type": "User",
    "alternateId": "ordinary.user@acme.example",
    "displayName": "Ordinary User",
    "detailEntry": None,
}
_CLIENT: Final = {
    "userAgent": {
        "rawUserAgent": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.1 Safari/605",
        "os": "Mac OS 14 (Sonoma)",
        "browser": "SAFARI",
    },
    "zone": "null",
    "device": "Computer",
    "id": None,
    "ipAddress": "198.51.100.20",
    "geographicalContext": {
        "city": "Denver",
        "state": "Colorado",
        "country": "United States",
        "postalCode": "80202",
        "geolocation": {"lat": 39.75, "lon": -105.0},
    },
}
_SECURITY: Final = {"asNumber": 64500, "asOrg": "acme", "isp": "acme", "domain": "acme.example", "isProxy": False}
ORDINARY_EVENT: Final[dict[str, Any]] = {
    "actor": _ACTOR,
    "client": _CLIENT,
    "device": None,
    "authenticationContext": {
        "authenticationProvider": None,
        "credentialProvider": None,
        "credentialType": None,
        "issuer": None,
        "interface": None,
        "authenticationStep": 0,
        "rootSessionId": "idxOrdinarySession0001",
        "externalSessionId": "idxOrdinarySession0001",
    },
    "displayMessage": None,
    "outcome": {"result": "SUCCESS", "reason": None},
    "securityContext": _SECURITY,
    "severity": "INFO",
    "debugContext": {"debugData": {"requestId": "0123456789abcdef", "threatSuspected": "false"}},
    "legacyEventType": None,
    "transaction": {"type": "WEB", "id": "0123456789abcdef", "detail": {}},
    "version": "0",
    "request": {"ipChain": [{"ip": "198.51.100.20", "version": "V4", "source": None}]},
    "target": None,
}


@dataclass(frozen=True, slots=True)
class Sample:
    """One event of a test case, whole.

    :param event: as Okta would send it
    :param published: when
    :param loaded: when it is loaded
    """

    event: dict[str, Any]
    published: datetime
    loaded: datetime


def samples(case: Case, start: datetime, key: str) -> list[Sample]:
    """Make the events of a test case.

    :param start: what the case's time spans are counted from
    :param key: what makes the ids of the events different from those of other cases
    :return: in the order in which they are loaded
    """
    made: list[Sample] = []
    for step in case.steps:
        for number in range(step.repeat):
            published = start + step.after + number * step.every
            event = merged_event(ORDINARY_EVENT, numbered(step.event, number + 1))
            event["uuid"] = str(uuid5(NAMESPACE_URL, f"{key}/{len(made)}"))
            event["published"] = format_instant(published)
            made.append(Sample(event, published, published + step.loaded_after))
    return sorted(made, key=lambda sample: sample.loaded)


def documents(
    made: list[Sample],
    names: IndexNames,
    run_id: str,
    *,
    org: str = ORG,
    kind: LoadKind = "scheduled",
    redactor: Redactor | None = None,
) -> list[Document]:
    """Build the documents of events as a load does.

    :param run_id: what they say in ``oktalogger.run_id``
    :param org: what they say in ``oktalogger.org``
    :param kind: the kind of load, which decides what is historical
    :param redactor: redacts the events as a load does
    :raises ValueError: if an event cannot become a document
    """
    first = min(sample.published for sample in made)
    last = max(sample.published for sample in made)
    stamp = Stamp(org=org, window=Window(first, last + timedelta(seconds=1)), run_id=run_id, kind=kind)
    builder = DocumentBuilder(stamp, names, redactor)
    built = []
    for sample in made:
        result = builder.build(json.dumps(sample.event).encode(), sample.loaded)
        if isinstance(result, Rejection):
            raise ValueError(f"the event cannot be stored: {result.reason}")
        built.append(result.document)
    return built


def start_before(now: datetime, span: timedelta, slot: timedelta) -> datetime:
    """Return a start that lies at the beginning of a slot, early enough that the whole case is in the past.

    :param now: the present
    :param span: how long the case is
    :param slot: the length of the slots in which is counted
    """
    width = max(int(slot.total_seconds()), 1)
    latest = int((now - span - timedelta(seconds=5)).timestamp())
    return datetime.fromtimestamp(latest // width * width, UTC)


def length(case: Case) -> timedelta:
    """Return the time from a case's start to its last loading."""
    return max(step.after + (step.repeat - 1) * step.every + step.loaded_after for step in case.steps)


def merged_event(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Lay one event over another: mappings are merged, everything else is replaced."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = merged_event(below, value) if isinstance(value, dict) and isinstance(below, dict) else value
    return merged


def numbered(value: Any, number: int) -> Any:
    """Write the number of the repetition where a text says ``{n}``."""
    if isinstance(value, str):
        return value.replace("{n}", str(number))
    if isinstance(value, dict):
        return {key: numbered(item, number) for key, item in value.items()}
    if isinstance(value, list):
        return [numbered(item, number) for item in value]
    return value
