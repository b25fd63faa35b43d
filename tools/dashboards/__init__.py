"""Makes ``include/dashboards/saved-objects.ndjson``, the saved objects of OpenSearch Dashboards, from declarations.

``make generate`` writes the file. Each module declares what one dashboard shows; ``objects`` knows the form that
Dashboards stores. Ids derive from names, so that an import replaces an object and never doubles it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tools.dashboards import administration, findings, patterns, pipeline, sign_ins

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE: Final = Path("include/dashboards/saved-objects.ndjson")
DASHBOARDS: Final = (sign_ins.DASHBOARD, administration.DASHBOARD, findings.DASHBOARD, pipeline.DASHBOARD)


def saved_objects() -> list[dict[str, Any]]:
    """Return all objects, each after those that it refers to.

    :raises ValueError: if two objects have the same name
    """
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for one in _all():
        key = (one["type"], one["id"])
        if found.setdefault(key, one) != one:
            raise ValueError(f"Two different objects are the {key[0]} {key[1]}: give one of them another name.")
    return list(found.values())


def text() -> str:
    """Return the file's text: one object a line, as Dashboards exports and imports it."""
    return "".join(json.dumps(one, ensure_ascii=False, sort_keys=True) + "\n" for one in saved_objects())


def _all() -> Iterator[dict[str, Any]]:
    for pattern in patterns.PATTERNS:
        yield pattern.saved_object()
    for dashboard in DASHBOARDS:
        for panel in dashboard.shown:
            yield panel.saved_object()
        yield dashboard.saved_object()
