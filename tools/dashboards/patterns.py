"""Declares the index patterns: one for each index that people look at."""

from __future__ import annotations

from typing import Any, Final

from tools.dashboards.objects import PREFIX, Pattern


def _duration(unit: str) -> dict[str, Any]:
    return {"id": "duration", "params": {"inputFormat": unit, "outputFormat": "humanize"}}


_SECONDS: Final = _duration("seconds")
_LATENESS: Final = {f"lateness.{name}": _SECONDS for name in ("max", "p50", "p95", "p99", "late_max", "missed_max")}

EVENTS: Final = Pattern(PREFIX, "published", {"oktalogger.lateness_ms": _duration("milliseconds")})
LEDGER: Final = Pattern(
    f"{PREFIX}-ledger",
    "window_start",
    {
        **_LATENESS,
        "counts.waited_seconds": _SECONDS,
        "counts.seconds": _SECONDS,
        # The address is in the document, so the link works whichever Airflow it is.
        "run_url": {"id": "url", "params": {"labelTemplate": "log of the run"}},
    },
)
REJECTED: Final = Pattern(f"{PREFIX}-rejected", "at")
MATCHES: Final = Pattern("okta-detection-matches", "first")

PATTERNS: Final = (EVENTS, LEDGER, REJECTED, MATCHES)
