"""Writes harmless copies of those texts of an event that alerts show, where the originals would act in a chat.

OpenSearch Alerting fills values into messages as they are. So a name like ``<!channel>`` would call everybody. Most
events have no such text, and get no copy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oktalogger.text import harmless, is_harmful

if TYPE_CHECKING:
    from collections.abc import Mapping


def shown(event: Mapping[str, Any], lifted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the harmless copies, by the line of a message that shows them; empty for most events.

    :param event: a LogEvent as decoded from Okta's JSON
    :param lifted: the fields that were lifted out of it
    """
    copies: dict[str, Any] = {}
    actor, outcome, client = (_object(event.get(key)) for key in ("actor", "outcome", "client"))
    place = _object(client.get("geographicalContext"))
    lines = {
        "message": (event.get("displayMessage"),),
        "reason": (outcome.get("reason"),),
        "actor": (actor.get("displayName"), actor.get("alternateId")),
        "from": (client.get("ipAddress"), place.get("city"), place.get("country")),
    }
    for name, values in lines.items():
        if any(type(value) is str and is_harmful(value) for value in values):
            copies[name] = " / ".join(harmless(str(value)) for value in values if value)
    targets = lifted.get("target", {}).get("any", {}).get("display_name", ())
    if any(is_harmful(name) for name in targets):
        copies["targets"] = [harmless(name) for name in targets]
    return copies


def _object(value: Any) -> Mapping[str, Any]:
    return value if type(value) is dict else {}
