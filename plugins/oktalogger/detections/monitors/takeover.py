"""Decides what becomes of a rule's monitors of older forms, once the rule is rendered to a newer one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oktalogger.detections.monitors.change import ChangeKind, MonitorChange
from oktalogger.detections.monitors.handover import AHEAD, GRACE, ceiling_of, floor_of, is_document_level
from oktalogger.window import format_instant

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from oktalogger.detections.model import RenderedMonitor
    from oktalogger.detections.monitors.stored import StoredMonitor


def take_over(
    rendered: RenderedMonitor,
    old: Sequence[StoredMonitor],
    current: Sequence[StoredMonitor],
    *,
    others_need_queries: bool,
    now: datetime,
) -> list[MonitorChange]:
    """Decide what is to be done: make the new monitor, hand over to it, and remove the old one once it has judged all.

    :param rendered: what the rule says
    :param old: its monitors of older forms, none of which a person changed
    :param current: its monitors of the newest form
    :param others_need_queries: whether monitors that are not ours are document-level ones
    :param now: the present
    """
    ceilings = [at for monitor in old if (at := ceiling_of(monitor.content))]
    if not current:
        note = "It takes over from a monitor of an older form."
        moment = min(ceilings, default=now + AHEAD)
        create = MonitorChange(
            ChangeKind.CREATE, rendered.detection_id, rendered.name, None, rendered, note=note, moment=moment
        )
        return [create, *(_wait(rendered, monitor) for monitor in old)]
    floor = next((at for monitor in current if (at := floor_of(monitor.content))), now)
    return [_step(rendered, monitor, floor, others_need_queries=others_need_queries, now=now) for monitor in old]


def _step(
    rendered: RenderedMonitor, old: StoredMonitor, floor: datetime, *, others_need_queries: bool, now: datetime
) -> MonitorChange:
    ceiling = ceiling_of(old.content)
    kind, moment = ChangeKind.HAND_OVER, None
    if ceiling is None:
        moment = floor
        note = "An older form: it is to judge only what was loaded before another monitor took over."
    elif now < ceiling + GRACE:
        return _wait(rendered, old)
    elif is_document_level(old.content) and others_need_queries:
        # The last monitor of a query index takes the index with it, and with the newest of several goes the alias that
        # every document-level monitor of the cluster needs.
        note = (
            "An older form. It is only switched off: others here have document-level monitors, and deleting ours could "
            "take away the index that theirs keep their queries in."
        )
        kind = ChangeKind.HAND_OVER if old.content.get("enabled") else ChangeKind.KEPT
    else:
        note, kind = "An older form, which another monitor has taken over from.", ChangeKind.DUPLICATE
    return MonitorChange(kind, rendered.detection_id, rendered.name, old, note=note, moment=moment)


def _wait(rendered: RenderedMonitor, old: StoredMonitor) -> MonitorChange:
    ceiling = ceiling_of(old.content)
    until = f", which still judges what was loaded before {format_instant(ceiling)}" if ceiling else ""
    note = f"An older form{until}. A later run removes it."
    return MonitorChange(ChangeKind.KEPT, rendered.detection_id, rendered.name, old, note=note)
