"""Plans the steps that give OpenSearch the monitors of the rules. Decides from values, without any I/O.

A monitor is ours by its marker in ``ui_metadata``, or, because an edit in Dashboards throws the marker away, by its
name. What a person changed is neither overwritten nor deleted until that is asked for, and what is not ours is never
touched.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from oktalogger.detections.model import source_hash
from oktalogger.detections.monitors.compare import Difference, differences, dropped, normal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from oktalogger.detections.model import RenderedMonitor
    from oktalogger.detections.monitors.stored import Marker, Owner, StoredMonitor


class ChangeKind(StrEnum):
    """What is to be done about one monitor, or why nothing is."""

    CREATE = "create"
    UPDATE = "update"
    PUT_BACK = "put back"
    DELETE = "delete"
    DUPLICATE = "delete duplicate"
    UNCHANGED = "unchanged"
    EDITED = "changed by hand"
    KEPT = "kept"
    COPY = "copy"


CHANGES: Final = (ChangeKind.CREATE, ChangeKind.UPDATE, ChangeKind.PUT_BACK, ChangeKind.DUPLICATE, ChangeKind.DELETE)
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
    """

    kind: ChangeKind
    detection_id: str
    name: str
    stored: StoredMonitor | None = None
    rendered: RenderedMonitor | None = None
    differences: tuple[Difference, ...] = ()
    note: str = ""

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
    :raises PlanRefusedError: where it deletes more
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


def make_plan(
    rendered: Iterable[RenderedMonitor], stored: Iterable[StoredMonitor], owner: Owner, wanted: Wanted | None = None
) -> SyncPlan:
    """Compare what the rules say with what the server has.

    :param rendered: one monitor for each rule
    :param stored: every monitor on the server
    :param owner: whose monitors are looked after
    :param wanted: what else was asked for
    :raises ValueError: where two rules have one id
    """
    wanted = wanted or Wanted()
    desired = _by_id(owner.own(monitor) for monitor in rendered)
    found: dict[str, _Group] = {detection_id: _Group() for detection_id in desired}
    foreign = 0
    bare = 0
    for monitor in stored:
        marker = owner.marker(monitor)
        by_name = owner.id_by_name(monitor)
        detection_id = by_name or (marker.detection_id if marker else None)
        if detection_id is None:
            foreign += 1
            continue
        bare += by_name is not None and "ui_metadata" not in monitor.content
        if marker is not None and marker.detection_id != detection_id:
            marker = None
        group = found.setdefault(detection_id, _Group())
        (group.named if by_name else group.renamed).append(_Seen(monitor, marker, desired.get(detection_id)))
    named = sum(len(group.named) for group in found.values())
    if hidden := named > 0 and bare == named:
        wanted = replace(wanted, is_marker_hidden=True)
    steps: list[MonitorChange] = []
    for detection_id, group in found.items():
        steps.extend(_steps(detection_id, group, desired.get(detection_id), wanted))
    return SyncPlan(tuple(steps), foreign, (_HIDDEN,) if hidden else ())


@dataclass(slots=True)
class _Group:
    named: list[_Seen] = field(default_factory=list)
    renamed: list[_Seen] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Seen:
    monitor: StoredMonitor
    marker: Marker | None
    rendered: RenderedMonitor | None

    @property
    def untouched(self) -> bool:
        """Whether the last write was ours."""
        return self.marker is not None and self.marker.version == self.monitor.version

    @property
    def written_since(self) -> bool:
        """Whether somebody wrote this very monitor after us. A copy of it begins again at version 1."""
        return self.marker is not None and self.monitor.version > self.marker.version

    @property
    def current(self) -> bool:
        """Whether the last write was ours and of what the rule says now."""
        return self.untouched and self.rendered is not None and self.hash == self.rendered.source_hash

    @property
    def hash(self) -> str:
        return self.marker.hash if self.marker else ""

    def differences(self) -> tuple[Difference, ...]:
        return differences(self.rendered.body, self.monitor.content) if self.rendered else ()

    @property
    def edited(self) -> bool:
        """Whether a person changed something. Written anew with the same content does not count."""
        if self.untouched:
            return False
        if self.marker is not None and self.marker.content == source_hash(normal(self.monitor.content)):
            return False
        return self.rendered is None or bool(self.differences())


def _by_id(rendered: Iterable[RenderedMonitor]) -> dict[str, RenderedMonitor]:
    desired: dict[str, RenderedMonitor] = {}
    for monitor in rendered:
        if monitor.detection_id in desired:
            raise ValueError(f"Two rules have the id {monitor.detection_id}.")
        desired[monitor.detection_id] = monitor
    return desired


def _steps(detection_id: str, group: _Group, rendered: RenderedMonitor | None, wanted: Wanted) -> list[MonitorChange]:
    override = wanted.overrides(detection_id)
    if not group.named and rendered is not None:
        renamed = sorted((seen for seen in group.renamed if seen.written_since), key=lambda seen: seen.monitor.age)
        group.named.extend(renamed[:1])
    copies = [_copy(detection_id, seen) for seen in group.renamed if seen not in group.named]
    if not group.named:
        if rendered is None:
            return copies
        return [
            MonitorChange(ChangeKind.CREATE, detection_id, rendered.name, rendered=rendered, note="The rule is new."),
            *copies,
        ]
    # What a person changed is kept before what is up to date, and that before the rest; then the oldest.
    keep, *others = sorted(group.named, key=lambda seen: (not seen.edited, not seen.current, seen.monitor.age))
    extra = [_duplicate(detection_id, seen, keep, override=override) for seen in others]
    if rendered is None:
        orphans = (_orphan(detection_id, seen, override=override, keep=wanted.keep_orphans) for seen in group.named)
        return [*orphans, *copies]
    return [_kept(keep, rendered, wanted), *extra, *copies]


def _kept(seen: _Seen, rendered: RenderedMonitor, wanted: Wanted) -> MonitorChange:
    rewrite = rendered.detection_id in wanted.rewrite

    def step(kind: ChangeKind, found: Sequence[Difference], note: str = "") -> MonitorChange:
        return MonitorChange(kind, rendered.detection_id, rendered.name, seen.monitor, rendered, tuple(found), note)

    if seen.current and not rewrite:
        missing = dropped(rendered.body, seen.monitor.content)
        return step(ChangeKind.UNCHANGED, missing, "The server did not keep all that was sent." if missing else "")
    found = seen.differences()
    if wanted.is_marker_hidden and not found and not rewrite:
        return step(ChangeKind.UNCHANGED, found)
    if seen.edited and not wanted.overrides(rendered.detection_id):
        note = "Somebody changed it on the server"
        if seen.marker is not None and seen.hash != rendered.source_hash:
            note += ", and its rule has changed since"
        return step(ChangeKind.EDITED, found, note + ". It stays as it is until put_back is asked for.")
    if seen.edited:
        return step(ChangeKind.PUT_BACK, found, "Somebody changed it on the server; put_back was asked for.")
    if seen.marker is not None and seen.hash != rendered.source_hash:
        return step(ChangeKind.UPDATE, found, "The rule has changed.")
    if rewrite:
        return step(ChangeKind.UPDATE, found, "An earlier write may have been carried out by half.")
    return step(ChangeKind.UPDATE, found, "Written by somebody else with the same content; our marker is renewed.")


def _duplicate(detection_id: str, seen: _Seen, keep: _Seen, *, override: bool) -> MonitorChange:
    monitor = seen.monitor
    if (seen.edited or _is_changed_copy(seen, keep)) and not override:
        note = "A second monitor of its rule, changed by hand. It stays until put_back is asked for."
        return MonitorChange(ChangeKind.EDITED, detection_id, monitor.name, monitor, None, seen.differences(), note)
    return MonitorChange(
        ChangeKind.DUPLICATE, detection_id, monitor.name, monitor, note="Its rule has another monitor already."
    )


def _is_changed_copy(seen: _Seen, keep: _Seen) -> bool:
    """Whether somebody made it from a monitor of ours through the API and changed it on the way.

    It has our marker, and begins at version 1 as ours did: only its content gives it away.
    """
    if not seen.untouched:
        return False
    if keep.untouched:
        return seen.hash == keep.hash and bool(differences(keep.monitor.content, seen.monitor.content))
    return seen.current and bool(seen.differences())


def _orphan(detection_id: str, seen: _Seen, *, override: bool, keep: bool) -> MonitorChange:
    monitor = seen.monitor
    if keep:
        note = "It has no rule among those that can be used, and some were left out: it may be one of theirs."
        return MonitorChange(ChangeKind.KEPT, detection_id, monitor.name, monitor, note=note)
    if seen.edited and not override:
        note = "Its rule is gone, but somebody changed it on the server. It stays until put_back is asked for."
        return MonitorChange(ChangeKind.EDITED, detection_id, monitor.name, monitor, note=note)
    return MonitorChange(ChangeKind.DELETE, detection_id, monitor.name, monitor, note="Its rule is gone.")


def _copy(detection_id: str, seen: _Seen) -> MonitorChange:
    note = "It carries our marker under another name: somebody copied or renamed it. It is never touched."
    return MonitorChange(ChangeKind.COPY, detection_id, seen.monitor.name, seen.monitor, note=note)


_HIDDEN: Final = (
    "No monitor of ours came back with `ui_metadata`. OpenSearch shows it only to a client that calls itself "
    "OpenSearch-Dashboards, as we do: a proxy on the way probably changes the header User-Agent. Until that is mended "
    "a monitor whose rule changes looks as if it had been changed by hand."
)
