"""The one search that a rule is: what its monitor runs, what replay runs over the past, and what tests judge.

Every search groups events by one composite aggregation at the top, of a name and shape that the Alerting plugin demands
before it shows documents in messages. A rule of single events groups by org, dedup key (by default the actor) and the
hour of loading, so that a catch-up of thirty hours is one alert for each actor. A threshold groups by org and what it
counts apart.

A threshold counts in slots of ``published`` that are as long as the rule's timespan, and once more in slots shifted by
half of it, so that a burst shorter than half a timespan always lies whole in one. A slot counts only with an event in
it that is fresh: that is how a catch-up that loads hours at once does not inflate a count, how a late event completes
one, and how what has been judged is not judged again.

Which events are looked at is decided by when they were loaded, not by ``published``: so the attack that an outage of
the scheduler hid for days still alerts, and the search does not grow with the history.

What OpenSearch Alerting does to such searches (measured on the plugin of 2.19), and what is done about it here:

* It keeps each alert's bucket in an index whose mapping grows with what comes. Two monitors of the cluster that differ
  in the type of a name lose alerts without an error. So every name here begins with ``okta_``, and every key but the
  hour is text. A text that looks like a date would make its field one, so keys of free text begin with a field's name.
* ``missing_bucket`` breaks a monitor for good. A missing value is written as ``-`` by a script.
* It drops the ``offset`` of a composite aggregation's ``date_histogram`` when it stores a monitor; that of an ordinary
  ``date_histogram`` below the composite is kept.
* It searches only some of an alias's indices, chosen by the dates on which they were made, when the query has a range
  under ``must`` or ``should``; under ``filter`` it does not look (InputService.findRangeQuery, 2.19 to 3.6).
* It reads back 500 open alerts of a monitor; what is above doubles with each run. ``cells`` in place of the dedup key
  bounds them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from oktalogger.detections import slots
from oktalogger.detections.slots import PUBLISHED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from oktalogger.detections.criteria import Threshold
    from oktalogger.detections.model import CompiledDetection

# The plugin looks for documents to show only below a composite of exactly this name.
GROUPS: Final = "composite_agg"
ORG: Final = "okta_org"
ACTOR: Final = "okta_actor"
CELL: Final = "okta_cell"
HOUR: Final = "okta_hour"
GROUP: Final = "okta_group"
LAST: Final = "okta_last"
SLOTS: Final = "okta_slots"
SHIFTED_SLOTS: Final = "okta_shifted_slots"
FRESH: Final = "okta_fresh"
REACHED: Final = "okta_reached"
ORG_FIELD: Final = "oktalogger.org"
INGESTED: Final = "oktalogger.ingested_at"
NO_VALUE: Final = "-"

# OpenSearch gives up on more than 65,535 buckets; slots count as well as groups.
PAGE_OF_GROUPS: Final = 1000

_EVENT_CONDITION: Final = {
    "buckets_path": {"n": "_count"},
    "script": {"source": "params.n > 0", "lang": "painless"},
}
_THRESHOLD_CONDITION: Final = {
    "buckets_path": {"slots": f"{SLOTS}._bucket_count", "shifted": f"{SHIFTED_SLOTS}._bucket_count"},
    "script": {"source": "params.slots > 0 || params.shifted > 0", "lang": "painless"},
}

# Joins fields and their values to `(field:value)AND(field:value)`: text that reads well, that is a query of Lucene as
# it stands, and that holds no blank or quote, so that it can stand in an address. What has a meaning in either is
# written as %5C%xx, a backslash and the character. A field with several values makes a key for each; one without any
# leaves the event out, or is written as `params.absent`. `<` and `>`, which nothing escapes in a query_string, and
# characters that no eye sees (separators of lines, control and format characters: Java's types 13 to 16) become `?`,
# which stands for any one character.
_JOINED: Final = """
List keys = [''];
for (def f : params.fields) {
  List values = new ArrayList();
  if (doc.containsKey(f)) { for (def v : doc[f]) { values.add('' + v); } }
  if (values.isEmpty() && params.absent != null) { values.add(params.absent); }
  List next = new ArrayList();
  for (def v : values) {
    String given = (String) v;
    StringBuilder safe = new StringBuilder();
    for (int i = 0; i < given.length(); i++) {
      String c = given.substring(i, i + 1);
      int code = (int) given.charAt(i);
      boolean plain = code > 127 || Character.isLetterOrDigit(given.charAt(i));
      int kind = Character.getType(given.charAt(i));
      boolean unseen = code > 127 && kind >= 13 && kind <= 16;
      if (unseen || c == '<' || c == '>') { safe.append('?'); }
      else if (plain || (i > 0 && '._@-'.contains(c)) || given == params.absent) { safe.append(c); }
      else if (c == ':') { safe.append('%5C:'); }
      else { safe.append(code < 16 ? '%5C%0' : '%5C%').append(Integer.toHexString(code)); }
    }
    for (def k : keys) { next.add(k + (k == '' ? '' : 'AND') + '(' + f + ':' + safe + ')'); }
  }
  keys = next;
}
return keys;
"""
JOINED: Final = " ".join(_JOINED.split())

# Puts groups without number into a fixed number of cells, the same group always into the same.
_CELL: Final = """
String a = '';
for (def f : params.fields) { a += (!doc.containsKey(f) || doc[f].size() == 0 ? '-' : '' + doc[f].value) + ' '; }
int n = ((Number) params.cells).intValue();
int h = a.hashCode() % n;
return 'cell ' + (h < 0 ? h + n : h);
"""
CELLS: Final = " ".join(_CELL.split())


def condition(detection: CompiledDetection) -> dict[str, Any]:
    """Return the condition of a trigger on the groups of ``search_body``."""
    chosen = _EVENT_CONDITION if detection.threshold is None else _THRESHOLD_CONDITION
    return {**chosen, "parent_bucket_path": GROUPS, "gap_policy": "skip"}


def group_fields(detection: CompiledDetection) -> tuple[str, ...]:
    """Return the fields whose values make a group, in the order in which a group's key names them."""
    if detection.threshold is None:
        news = detection.first_seen.fields if detection.first_seen is not None else ()
        return tuple(dict.fromkeys((ORG_FIELD, *detection.dedup, *news)))
    return tuple(dict.fromkeys((ORG_FIELD, *detection.threshold.group_by)))


def group_values(key: Mapping[str, Any]) -> dict[str, str]:
    """Return the values of a group by their fields, out of the key of its bucket."""
    values = {ORG_FIELD: str(key[ORG])} if ORG in key else {}
    if CELL in key:
        values["cell"] = str(key[CELL])
    joined = str(key.get(GROUP, key.get(ACTOR, "")))
    for part in joined.removeprefix("(").removesuffix(")").split(")AND("):
        if part:
            field, _, value = part.partition(":")
            values[field] = _unescaped(value)
    return values


def _unescaped(value: str) -> str:
    """Take away what the script put in front of characters that mean something to Lucene or in an address."""
    head, *rest = value.split("%5C")
    return head + "".join(part if part.startswith(":") else unquote(part[:3]) + part[3:] for part in rest)


def search_body(
    detection: CompiledDetection,
    *,
    query: str,
    looked_at: Mapping[str, Any],
    fresh: Mapping[str, Any] | None = None,
    least_fresh: int = 1,
    hour_of: str = INGESTED,
    after: Mapping[str, Any] | None = None,
    more: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Write the search of a rule.

    :param detection: the rule
    :param query: the query_string that selects the events, ``detection.query`` or ``detection.selection``
    :param looked_at: a query clause for the events that are looked at
    :param fresh: a query clause for the events that are fresh; a threshold needs it, another rule has no use for it
    :param least_fresh: how many fresh events a slot of a threshold must hold
    :param hour_of: the time field whose periods keep the groups of a rule of single events apart
    :param after: the key of the last group of the page before
    :param more: further aggregations inside each group, or inside each slot of a threshold
    :return: the body; the groups of a threshold hold the slots in which it was reached, often none
    :raises ValueError: if a threshold comes without ``fresh``
    """
    threshold = detection.threshold
    if threshold is None:
        sources = _sources(detection, hour_of)
        # Alerting sorts the documents that a message shows by this; anything but a plain field hides them.
        inside: dict[str, Any] = {LAST: {"max": {"field": PUBLISHED}}, **(more or {})}
    else:
        if fresh is None:
            raise ValueError(f"{detection.title} is a threshold, whose search must be told what is fresh")
        sources = [{GROUP: _joined(group_fields(detection), absent=None)}]
        half = threshold.seconds * 1000 // 2
        inside = {
            SLOTS: _slots(threshold, 0, fresh, least_fresh, more),
            SHIFTED_SLOTS: _slots(threshold, half, fresh, least_fresh, more),
        }
    composite: dict[str, Any] = {"size": PAGE_OF_GROUPS, "sources": sources}
    if after is not None:
        composite["after"] = dict(after)
    return {
        "size": 0,
        "query": {"bool": {"filter": [{"query_string": {"query": query}}, dict(looked_at)]}},
        "aggregations": {GROUPS: {"composite": composite, "aggregations": inside}},
    }


def _sources(detection: CompiledDetection, hour_of: str) -> list[dict[str, Any]]:
    if detection.first_seen is not None:
        # What lacks a value has nothing that could be new.
        return [{GROUP: _joined(group_fields(detection), absent=None)}]
    if detection.absence is not None:
        return [{GROUP: _joined(group_fields(detection), absent=NO_VALUE)}]
    return _event_sources(detection, hour_of)


def _event_sources(detection: CompiledDetection, hour_of: str) -> list[dict[str, Any]]:
    sources: list[dict[str, Any]] = [{ORG: {"terms": {"field": ORG_FIELD}}}]
    fields = [field for field in group_fields(detection) if field != ORG_FIELD]
    if detection.cells is not None:
        sources.append({CELL: _scripted(CELLS, {"fields": fields, "cells": detection.cells})})
    elif fields:
        sources.append({ACTOR: _joined(fields, absent=NO_VALUE)})
    minutes = detection.period_minutes
    interval = f"{minutes}m" if minutes % 60 else f"{minutes // 60}h"
    return [*sources, {HOUR: {"date_histogram": {"field": hour_of, "fixed_interval": interval}}}]


def _joined(fields: Sequence[str], *, absent: str | None) -> dict[str, Any]:
    return _scripted(JOINED, {"fields": list(fields), **({} if absent is None else {"absent": absent})})


def _scripted(source: str, params: Mapping[str, Any]) -> dict[str, Any]:
    return {"terms": {"script": {"lang": "painless", "source": source, "params": dict(params)}}}


def _slots(
    threshold: Threshold, offset: int, fresh: Mapping[str, Any], least_fresh: int, more: Mapping[str, Any] | None
) -> dict[str, Any]:
    inside: dict[str, Any] = {FRESH: {"filter": dict(fresh)}, **(more or {})}
    inside |= slots.measured(threshold)
    inside[REACHED] = slots.reached(threshold, fresh=f"{FRESH}._count", least_fresh=least_fresh)
    # Every default is written out, because that is how the server stores it, and the two are compared.
    histogram = {
        "field": PUBLISHED,
        "fixed_interval": f"{threshold.seconds}s",
        "offset": offset,
        "order": {"_key": "asc"},
        "keyed": False,
        "min_doc_count": 1,
    }
    return {"date_histogram": histogram, "aggregations": inside}
