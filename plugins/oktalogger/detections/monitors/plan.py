"""Plans the steps that give OpenSearch the monitors of the rules. Decides from values, without any I/O.

A monitor is ours by its marker in ``ui_metadata``, or, because an edit in Dashboards throws the marker away, by its
name. What a person changed is neither overwritten nor deleted until that is asked for, and what is not ours is never
touched.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from oktalogger.detections.model import MONITOR_PREFIX, source_hash
from oktalogger.detections.monitors.change import ChangeKind, MonitorChange, SyncPlan, Wanted
from oktalogger.detections.monitors.compare import Difference, differences, dropped, normal
from oktalogger.detections.monitors.handover import floor_of, is_document_level, is_old_form, with_floor
from oktalogger.detections.monitors.stored import Marker
from oktalogger.detections.monitors.takeover import take_over

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from oktalogger.detections.model import RenderedMonitor
    from oktalogger.detections.monitors.stored import Owner, StoredMonitor


def make_plan(
    rendered: Iterable[RenderedMonitor],
    stored: Iterable[StoredMonitor],
    owner: Owner,
    wanted: Wanted | None = None,
    *,
    now: datetime | None = None,
) -> SyncPlan:
    """Compare what the rules say with what the server has.

    :param rendered: one monitor for each rule
    :param stored: every monitor on the server
    :param owner: whose monitors are looked after
    :param wanted: what else was asked for
    :param now: the present
    :raises ValueError: if two rules have one id
    """
    wanted = wanted or Wanted()
    now = now or datetime.now(UTC)
    desired = _by_id(owner.own(monitor) for monitor in rendered)
    found: dict[str, _Group] = {detection_id: _Group() for detection_id in desired}
    by_trigger = {key: detection_id for detection_id, one in desired.items() for key in _identity(one.body)}
    foreign: list[StoredMonitor] = []
    bare = 0
    for monitor in stored:
        marker = owner.marker(monitor)
        by_name = owner.id_by_name(monitor)
        detection_id = by_name or (marker.detection_id if marker else _id_by_trigger(monitor, by_trigger))
        if detection_id is None:
            foreign.append(monitor)
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
        old = _split_off_old(group, desired.get(detection_id), wanted)
        if group.named or not old:
            steps.extend(_steps(detection_id, group, desired.get(detection_id), wanted))
        if old:
            current = [seen.monitor for seen in group.named]
            others = any(is_document_level(monitor.content) for monitor in foreign)
            steps.extend(take_over(desired[detection_id], old, current, others_need_queries=others, now=now))
    warnings = [_HIDDEN] if hidden else []
    on = [one for one in desired.values() if one.body.get("enabled")]
    if on and not any(one.channels for one in on):
        warnings.append(_NOBODY)
    return SyncPlan(tuple(steps), len(foreign), tuple(warnings))


def _id_by_trigger(monitor: StoredMonitor, by_trigger: Mapping[tuple[str, str], str]) -> str | None:
    """Recognise a monitor of ours that Dashboards' form has renamed and stripped of its marker."""
    if Marker.of(monitor) is not None or monitor.name.startswith(MONITOR_PREFIX.rstrip(": ")):
        return None
    return next((by_trigger[key] for key in _identity(monitor.content) if key in by_trigger), None)


def _identity(body: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Say by what a monitor is recognised whose name and marker an edit took away: a trigger's id, and what it reads.

    Two deployments on one cluster have the same rules, and read different indices.
    """
    indices = [",".join(inner.get("indices", ())) for given in body.get("inputs", ()) for inner in given.values()]
    for trigger in body.get("triggers", ()):
        for inner in trigger.values():
            yield str(inner.get("id")), ";".join(indices)


def _split_off_old(group: _Group, rendered: RenderedMonitor | None, wanted: Wanted) -> list[StoredMonitor]:
    """Take the monitors of an older form out of a group. One that a person changed stays what the rule has."""
    if rendered is None or is_old_form(rendered.body):
        return []
    override = wanted.overrides(rendered.detection_id)
    old = [seen for seen in group.named if is_old_form(seen.monitor.content) and (override or not seen.is_by_hand)]
    group.named = [seen for seen in group.named if seen not in old]
    return [seen.monitor for seen in old]


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
        return differences(self.expected, self.monitor.content) if self.rendered else ()

    @property
    def expected(self) -> dict[str, Any]:
        """What the rule says, with the moment from which on this very monitor judges."""
        return with_floor(self.rendered.body, floor_of(self.monitor.content)) if self.rendered else {}

    @property
    def is_by_hand(self) -> bool:
        """Whether a person changed something, told without the rule, which is of another form."""
        if self.untouched:
            return False
        return self.marker is None or self.marker.content != source_hash(normal(self.monitor.content))

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
        candidates = (seen for seen in group.renamed if seen.marker is None or seen.written_since)
        renamed = sorted(candidates, key=lambda seen: seen.monitor.age)
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
        missing = dropped(seen.expected, seen.monitor.content)
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
_NOBODY: Final = (
    "Nobody is told of any alert: no rule names a channel, and OKTALOGGER_DETECTION_CHANNELS is empty. Alerts are seen "
    "only by who opens the page of alerts in OpenSearch Dashboards."
)
