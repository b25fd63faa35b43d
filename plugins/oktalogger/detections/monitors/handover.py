"""Hands a rule over from a monitor of an older form to one of today's: no event is judged by both, and none by neither.

The new monitor judges what is loaded from a moment on, the old one what was loaded before it. So it does not matter
when either runs, nor in which order the two are written. The old one goes once it has had the time to run again.
"""

from __future__ import annotations

import copy
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from oktalogger.detections.grouped_search import FRESH, GROUPS, INGESTED, SHIFTED_SLOTS, SLOTS
from oktalogger.window import format_instant

if TYPE_CHECKING:
    from collections.abc import Mapping

# Both monitors are written before the moment comes.
AHEAD: Final = timedelta(minutes=2)
# A document is stored, seen and judged within this time after the builder has stamped it.
GRACE: Final = timedelta(minutes=15)
# No rule looks further back, so that a floor as old as this means nothing any more.
_FLOOR_MATTERS: Final = timedelta(days=3)
_CEILING_IN_TEXT: Final = re.compile(rf" AND {re.escape(INGESTED)}:<(\d+)$")


def is_document_level(content: Mapping[str, Any]) -> bool:
    """Say whether a monitor is a document-level one."""
    return content.get("monitor_type") == "doc_level_monitor"


def is_old_form(content: Mapping[str, Any]) -> bool:
    """Say whether a monitor is of a form that no rule is rendered to any more."""
    return is_document_level(content) or GROUPS not in _aggregations(_search(content))


def with_floor(body: Mapping[str, Any], moment: datetime | None) -> dict[str, Any]:
    """Return a monitor that judges only what is loaded from a moment on.

    A threshold still counts what was loaded before; it fires only for an event loaded since.
    """
    result = copy.deepcopy(dict(body))
    if moment is None:
        return result
    clause = {"range": {INGESTED: {"gte": format_instant(moment)}}}
    search = _search(result)
    slots = _slots(search)
    for slot in slots:
        fresh = slot[FRESH]
        fresh["filter"] = {"bool": {"filter": [fresh["filter"], clause]}}
    if not slots:
        search["query"]["bool"]["filter"].append(clause)
    return result


def floor_of(content: Mapping[str, Any], *, now: datetime | None = None) -> datetime | None:
    """Return the moment from which on a monitor judges, as ``with_floor`` wrote it; ``None`` where it has none.

    :param now: leave out one that means nothing any more at this time
    """
    search = _search(content)
    slots = _slots(search)
    inside = slots[0].get(FRESH, {}).get("filter", {}) if slots else search.get("query", {})
    found = [at for clause in _clauses(inside) if (at := _instant(clause, ("gte", "from"), ("lt", "lte", "to")))]
    floor = max(found, default=None)
    return None if floor is not None and now is not None and now - floor > _FLOOR_MATTERS else floor


def with_ceiling(content: Mapping[str, Any], moment: datetime) -> dict[str, Any]:
    """Return a monitor of an older form that judges only what was loaded before a moment."""
    result = copy.deepcopy(dict(content))
    for given in result["inputs"]:
        if "doc_level_input" in given:
            for query in given["doc_level_input"]["queries"]:
                query["query"] += f" AND {INGESTED}:<{int(moment.timestamp() * 1000)}"
        else:
            clause = {"range": {INGESTED: {"lt": format_instant(moment)}}}
            query = given["search"]["query"].setdefault("query", {})
            given["search"]["query"]["query"] = {"bool": {"filter": [*([query] if query else []), clause]}}
    return result


def ceiling_of(content: Mapping[str, Any]) -> datetime | None:
    """Return the moment that ``with_ceiling`` wrote; ``None`` where there is none."""
    for given in content.get("inputs", ()):
        for query in given.get("doc_level_input", {}).get("queries", ()):
            if found := _CEILING_IN_TEXT.search(str(query.get("query", ""))):
                return datetime.fromtimestamp(int(found[1]) / 1000, UTC)
    clauses = _clauses(_search(content).get("query", {}))
    found_at = [at for clause in clauses if (at := _instant(clause, ("lt", "to"), ("gt", "gte", "from")))]
    return min(found_at, default=None)


def _search(content: Mapping[str, Any]) -> dict[str, Any]:
    inputs = content.get("inputs") or [{}]
    search: dict[str, Any] = inputs[0].get("search", {}).get("query", {})
    return search


def _aggregations(part: Mapping[str, Any]) -> dict[str, Any]:
    inner: dict[str, Any] = part.get("aggregations") or part.get("aggs") or {}
    return inner


def _slots(search: Mapping[str, Any]) -> list[dict[str, Any]]:
    groups = _aggregations(_aggregations(search).get(GROUPS, {}))
    return [_aggregations(groups[name]) for name in (SLOTS, SHIFTED_SLOTS) if name in groups]


def _clauses(query: Mapping[str, Any]) -> list[dict[str, Any]]:
    inner = query.get("bool", {}).get("filter", [])
    found: list[dict[str, Any]] = inner if isinstance(inner, list) else [inner]
    return found


def _instant(clause: Mapping[str, Any], wanted: tuple[str, ...], other: tuple[str, ...]) -> datetime | None:
    """Return the one bound of a range of the time of loading, where it is a fixed instant and has no second bound."""
    bounds = clause.get("range", {}).get(INGESTED, {})
    if any(bounds.get(key) is not None for key in other):
        return None
    value = next((bounds[key] for key in wanted if bounds.get(key) is not None), None)
    return datetime.fromisoformat(value) if isinstance(value, str) and "period_end" not in value else None
