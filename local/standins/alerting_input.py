"""Reads the monitors that are sent to the stand-in: stored as the plugin stores them, or refused as it refuses them."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from local.standins.alerting_answers import ADDED, Answer, now_ms, refusal, stored_trigger
from local.standins.stored_form import UnknownQueryError, stored_search

if TYPE_CHECKING:
    from collections.abc import Collection

MOST_TRIGGERS = 10
_KEPT = ("type", "monitor_type", "name", "enabled", "schedule", "inputs", "triggers", "ui_metadata", "owner")


def parsed_monitor(body: dict[str, Any], there: Collection[str]) -> dict[str, Any] | Answer:
    """Return a monitor as the plugin stores it, or its refusal.

    :param there: indices and aliases that there are
    """
    content = {key: copy.deepcopy(value) for key, value in body.items() if key in _KEPT}
    if "schedule" not in content:
        return refusal(400, "Monitor schedule is null", "java.lang.IllegalArgumentException")
    if len(content.get("triggers", ())) > MOST_TRIGGERS:
        reason = f"Monitors can only support up to {MOST_TRIGGERS} triggers."
        return refusal(400, reason, "java.lang.IllegalArgumentException")
    if "data_sources" in body and body["data_sources"] != ADDED["data_sources"]:
        return refusal(400, "Custom Data Sources are not allowed.", "java.lang.IllegalArgumentException")
    if content["schedule"].get("period", {}).get("interval", 1) <= 0:
        reason = "Interval is not allowed to be 0 or negative"
        return refusal(400, reason, "java.lang.IllegalArgumentException")
    try:
        content["inputs"] = [_input(one) for one in content["inputs"]]
    except UnknownQueryError as error:
        return refusal(500, str(error), "org.opensearch.core.common.ParsingException")
    indices = [name for one in content["inputs"] for inner in one.values() for name in inner["indices"]]
    if content["monitor_type"] == "doc_level_monitor" and any("." in name or "*" in name for name in indices):
        reason = "Index patterns are not supported for doc level monitors."
        return refusal(400, reason, "java.lang.IllegalArgumentException")
    if missing := [name for name in indices if name not in there]:
        reason = f"Configured indices are not found: [{missing[0]}]"
        return refusal(404, reason, "org.opensearch.index.IndexNotFoundException", f"no such index [{missing[0]}]")
    content["triggers"] = [stored_trigger(one) for one in content.get("triggers", [])]
    content["last_update_time"] = now_ms()
    return content | ADDED


def _input(one: dict[str, Any]) -> dict[str, Any]:
    ((kind, inner),) = one.items()
    if kind == "search":
        return {"search": {"indices": inner["indices"], "query": stored_search(inner["query"])}}
    if kind == "doc_level_input":
        queries = [{"fields": [], "tags": [], **query, "query_field_names": []} for query in inner["queries"]]
        kept = {"description": inner.get("description", ""), "indices": inner["indices"], "queries": queries}
        return {"doc_level_input": {**kept, "fan_out_enabled": True}}
    raise UnknownQueryError(f"unknown input [{kind}]")
