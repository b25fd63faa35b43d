"""How long Okta keeps the System Log. Source: Okta, "System Log query": events are kept for 90 days."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

KEEPS: Final = timedelta(days=90)
