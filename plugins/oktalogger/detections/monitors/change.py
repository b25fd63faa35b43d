"""Describes what is to be done about monitors: kinds of changes, a plan of them, and what a person asked for."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from oktalogger.detections.model import RenderedMonitor
    from oktalogger.detections.monitors.compare import Difference
    from oktalogger.detections.monitors.stored import StoredMonitor


class ChangeKind(StrEnum):
    """What is to be done about one monitor, or why nothing is."""

    CREATE = "create"
    HAND_OVER = "hand over"
    UPDATE = "update"
    PUT_BACK = "put back"
    DELETE = "delete"
    DUPLICATE = "delete duplicate"
    UNCHANGED = "unchanged"
    EDITED = "changed by hand"
    KEPT = "kept"
    COPY = "copy"


CHANGES: Final = (
    ChangeKind.CREATE,
    ChangeKind.HAND_OVER,
    ChangeKind.UPDATE,
    ChangeKind.PUT_BACK,
    ChangeKind.DUPLICATE,
    ChangeKind.DELETE,
)
"""The kinds that write, in the order in which they are carried out: what detects comes before what no longer does."""


class PlanRefusedError(Exception):
    """The plan would delete more than is allowed without a confirmation. Nothing was written."""


@dataclass(frozen=True, slots=True)
class MonitorChange:
    """One monitor in a plan.

    :param kind: what is to be done
    :param detection_id: the rule's id
    :param name: the monitor's name
    :param stored: the monitor on the server; ``None`` for a create
    :param rendered: what the rule says; ``None`` where the rule is gone
    :param differences: where files and server differ
    :param note: why, in a sentence for people
    :param moment: where a monitor takes over from one of an older form: which of the two judges an event is decided by
        whether it is loaded before this
    """

    kind: ChangeKind
    detection_id: str
    name: str
    stored: StoredMonitor | None = None
    rendered: RenderedMonitor | None = None
    differences: tuple[Difference, ...] = ()
    note: str = ""
    moment: datetime | None = None

    @property
    def is_switched_off(self) -> bool:
        """Whether somebody switched off on the server what the rule has on."""
        is_on = self.rendered is not None and self.rendered.body.get("enabled") is True
        return is_on and self.stored is not None and self.stored.content.get("enabled") is False

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values for people and for XCom; bodies are left out."""
        return {
            "kind": str(self.kind),
            "detection_id": self.detection_id,
            "name": self.name,
            "monitor_id": self.stored.id if self.stored else None,
            "note": self.note,
            "differences": [difference.as_dict() for difference in self.differences],
        }


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person asked for beside what the rules say.

    :param put_back: ids of rules whose monitors become what the rules say, whatever was changed by hand
    :param put_back_all: the same for every rule
    :param rewrite: ids of rules whose monitors are written again although they look right
    :param keep_orphans: whether monitors without a rule stay, because rules that cannot be used were left out
    :param is_marker_hidden: whether our marker cannot be seen, so that renewing it would go on for ever
    """

    put_back: frozenset[str] = frozenset()
    put_back_all: bool = False
    rewrite: frozenset[str] = frozenset()
    keep_orphans: bool = False
    is_marker_hidden: bool = False

    @classmethod
    def of(cls, put_back: Iterable[str], *, keep_orphans: bool = False) -> Wanted:
        """Read what a person gave as ``put_back``: ids of rules, or the word ``all``.

        A rule that is named is written again even if its monitor looks right, because an update that died half-way
        on the server can leave a monitor that looks right without the queries that it runs.
        """
        ids = frozenset(put_back)
        return cls(ids, "all" in ids, ids - {"all"}, keep_orphans=keep_orphans)

    def overrides(self, detection_id: str) -> bool:
        """Whether what was changed by hand may be overwritten."""
        return self.put_back_all or detection_id in self.put_back


@dataclass(frozen=True, slots=True)
class SyncPlan:
    """What is to be done.

    :param steps: one for each of our monitors, and for each rule
    :param foreign: how many monitors are not ours
    :param warnings: what a person should look at, in sentences
    """

    steps: tuple[MonitorChange, ...]
    foreign: int = 0
    warnings: tuple[str, ...] = ()

    @property
    def changes(self) -> tuple[MonitorChange, ...]:
        """The steps that write, in order."""
        return tuple(step for kind in CHANGES for step in self.steps if step.kind == kind)

    @property
    def counts(self) -> dict[str, int]:
        """How many steps there are of each kind, and how many monitors are foreign."""
        by_kind = Counter(step.kind for step in self.steps)
        return {**{str(kind): by_kind[kind] for kind in ChangeKind}, "foreign": self.foreign}

    @property
    def switched_off(self) -> tuple[MonitorChange, ...]:
        """The steps of monitors that somebody switched off by hand: nobody detects what their rules look for."""
        return tuple(step for step in self.steps if step.kind == ChangeKind.EDITED and step.is_switched_off)

    @property
    def wanted(self) -> tuple[StoredMonitor, ...]:
        """The monitors on the server that rules have now."""
        return tuple(step.stored for step in self.steps if step.stored is not None and step.rendered is not None)

    def of(self, *kinds: ChangeKind) -> tuple[MonitorChange, ...]:
        """Return the steps of these kinds."""
        return tuple(step for step in self.steps if step.kind in kinds)

    def only(self, detection_ids: frozenset[str]) -> SyncPlan:
        """Return the part of the plan that concerns these rules."""
        return SyncPlan(tuple(step for step in self.steps if step.detection_id in detection_ids), self.foreign)

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values: the counts, and every step but those that are unchanged without a note."""
        shown = [step.as_dict() for step in self.steps if step.kind != ChangeKind.UNCHANGED or step.differences]
        return {"counts": self.counts, "steps": shown, "warnings": list(self.warnings)}


def check_deletions(plan: SyncPlan, *, share: float, confirmed: bool = False) -> None:
    """Stop a plan that deletes too much, as an empty folder or a broken checkout would.

    Duplicates do not count: their rule keeps its monitor.

    :param share: part of our monitors, 0 to 1, that may be deleted without a confirmation
    :param confirmed: whether a person said that they are to be deleted
    :raises PlanRefusedError: if it deletes more
    """
    deleted = {step.detection_id: step.name for step in plan.of(ChangeKind.DELETE)}
    ours = {step.detection_id for step in plan.steps if step.stored is not None and step.kind != ChangeKind.COPY}
    if confirmed or len(deleted) <= share * len(ours):
        return
    names = ", ".join(list(deleted.values())[:5]) + (", ..." if len(deleted) > 5 else "")
    raise PlanRefusedError(
        f"The plan deletes the monitors of {len(deleted)} of {len(ours)} rules, more than the share of {share:.0%} "
        f"that goes without a confirmation: {names}. Nothing was written. Are all rule files there? If these are to "
        "go, run it again with confirm_deletions."
    )
