"""Gives each kind of load its share of Okta's rate limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from oktalogger.okta.rate_budget import Share

if TYPE_CHECKING:
    from oktalogger.pipeline.document import LoadKind
    from oktalogger.settings import Settings

# These can wait, and live loads cannot.
PATIENT_KINDS: Final[frozenset[LoadKind]] = frozenset({"backfill", "reconcile"})


def share_of(kind: LoadKind, settings: Settings, *, part: float | None = None) -> Share:
    """Return the share of a kind of load.

    :param kind: what kind of load it is
    :param settings: of the deployment
    :param part: instead of the settings' part of the limit
    :raises ValueError: if ``part`` is not over 0 up to 1
    """
    tasks = settings.okta_tasks
    if kind not in PATIENT_KINDS:
        return Share(settings.live_share if part is None else part, tasks=tasks)
    return Share(
        settings.backfill_share if part is None else part,
        among=settings.backfill_tasks if kind == "backfill" else 1,
        reserve=settings.live_reserve,
        tasks=tasks,
        paced=True,
    )
