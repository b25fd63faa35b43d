"""What a thief of the loader's role can do, and where it is noticed, in the words of the table in docs/security.md."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

OTHERWISE = "create a month with other settings"
REMAPPED = "create a month with another mapping"
NOTICED = (
    "make up an event",
    "store an event otherwise before it is loaded",
    OTHERWISE,
    REMAPPED,
    "overwrite an event in a month created for that",
    "call a window loaded in the ledger that is not",
    "claim more events in the ledger than there are",
    "write nonsense into the ledger",
)
"""The rows with somebody who notices; a test in test_thief.py shows each."""


@dataclass(frozen=True)
class MonthMadeOtherwise:
    """A month that the loader's role makes by itself, before a load does.

    :param what: in the words of the table
    :param said: what each load and the setup say of it
    :param body: of the request
    """

    what: str
    said: str
    body: dict[str, Any] = field(repr=False)


def settings(said: str, **values: Any) -> MonthMadeOtherwise:
    named = {f"index.{name.replace('__', '.')}": value for name, value in values.items()}
    return MonthMadeOtherwise(OTHERWISE, said, {"settings": named})


def mapping(said: str, **values: Any) -> MonthMadeOtherwise:
    return MonthMadeOtherwise(REMAPPED, said, {"mappings": values})


MONTHS = [
    settings("not append-only", append_only__enabled=False),
    settings("index.hidden=true", hidden=True),
    settings("index.refresh_interval=-1", refresh_interval="-1"),
    settings("index.refresh_interval=365d", refresh_interval="365d"),
    settings("index.blocks.read=true", blocks__read=True),
    settings("index.search.default_pipeline=blind", search__default_pipeline="blind"),
    settings("the ingest pipeline redact", final_pipeline="redact"),
    settings("index.query.default_field", query__default_field=["uuid"]),
    settings("index.analysis.analyzer.default.type", analysis={"analyzer": {"default": {"type": "keyword"}}}),
    mapping("properties.eventType.index is false", properties={"eventType": {"type": "keyword", "index": False}}),
    mapping("properties.eventType.ignore_above is 1", properties={"eventType": {"type": "keyword", "ignore_above": 1}}),
    mapping("properties.more.type is integer", properties={"more": {"type": "integer"}}),
    mapping("dynamic is true", dynamic=True),
    mapping("_source.enabled is false", _source={"enabled": False}),
    mapping("_source.excludes", _source={"excludes": ["actor"]}),
    mapping("_routing.required is true", _routing={"required": True}),
    mapping("a mapping of version 99", _meta={"managed_by": "oktalogger", "version": 99}),
    mapping(
        "properties.eventType.index is false",
        _meta={"managed_by": "oktalogger", "version": 1},
        properties={"eventType": {"type": "keyword", "index": False}},
    ),
]
