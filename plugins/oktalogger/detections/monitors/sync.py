"""Makes OpenSearch have the monitors that the rules say, and repairs what an earlier run left half done.

Each round reads all monitors, plans, and carries the plan out one monitor at a time. A conflict, or a request whose
outcome nobody knows, is never guessed about: the next round reads again and plans again. So the last round is always
one that read everything and found nothing to do, a run that was killed is repaired by the next one, and a run with
nothing to do sends no write.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from oktalogger.detections.monitors.api import MonitorConflictError, MonitorMissingError, MonitorRefusedError
from oktalogger.detections.monitors.change import ChangeKind, SyncPlan, Wanted, check_deletions
from oktalogger.detections.monitors.channels import resolve_channels
from oktalogger.detections.monitors.handover import floor_of
from oktalogger.detections.monitors.plan import make_plan
from oktalogger.detections.monitors.render import render_monitor
from oktalogger.detections.monitors.trial import monitor_refusals
from oktalogger.opensearch.errors import IndexMissingError, OpenSearchPermissionError, OpenSearchUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from oktalogger.detections.model import CompiledDetection, MonitorSettings, RenderedMonitor
    from oktalogger.detections.monitors.api import AlertingClient
    from oktalogger.detections.monitors.change import MonitorChange
    from oktalogger.detections.monitors.stored import Owner
    from oktalogger.opensearch.names import IndexNames

logger = logging.getLogger(__name__)

_ROUNDS: Final = 8
_PAUSE_SECONDS: Final = 2.0


class SyncIncompleteError(Exception):
    """The sync ended before OpenSearch had all monitors as the rules say. The message says which, and why.

    :param message: whole sentences for the log
    :param result: what was done all the same
    """

    def __init__(self, message: str, result: SyncResult) -> None:
        super().__init__(message)
        self.result = result


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncOptions:
    """How a sync is to go.

    :param delete_share: part of our monitors, 0 to 1, that may be deleted without a confirmation
    :param confirm_deletions: whether a person said that the rest may be deleted too
    :param put_back: ids of rules whose monitors become what the rules say, whatever was changed by hand; or ``all``
    :param only: ids of rules to deal with; ``None`` deals with all
    :param keep_orphans: whether monitors without a rule stay, because rules that cannot be used were left out
    :param try_first: whether OpenSearch is asked about a monitor's search, and tries the monitor by a dry run, before
        it is stored
    """

    delete_share: float = 0.2
    confirm_deletions: bool = False
    put_back: frozenset[str] = frozenset()
    only: frozenset[str] | None = None
    keep_orphans: bool = False
    try_first: bool = True

    @property
    def wanted(self) -> Wanted:
        """What the plan has to know of it."""
        return Wanted.of(self.put_back, keep_orphans=self.keep_orphans)


@dataclass(slots=True)
class SyncResult:
    """What a sync did.

    :param plan: what the last reading of the server showed
    :param done: the steps that were carried out, in order
    :param problems: what could not be done, by the rule's id
    :param rounds: how often the server was read
    :param requests: requests sent
    :param writes: those that create, update or delete
    :param unasked: why OpenSearch could not be asked about searches before they were stored; empty if it was
    """

    plan: SyncPlan
    done: list[MonitorChange] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    rounds: int = 0
    requests: int = 0
    writes: int = 0
    unasked: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "done": [step.as_dict() for step in self.done],
            "problems": dict(self.problems),
            "left": self.plan.as_dict(),
            "rounds": self.rounds,
            "requests": self.requests,
            "writes": self.writes,
            "unasked": self.unasked,
        }


def render_all(
    client: AlertingClient, detections: Iterable[CompiledDetection], names: IndexNames, settings: MonitorSettings
) -> list[RenderedMonitor]:
    """Make the monitors of all detections that Alerting can run, with the channels that they name.

    :param client: the cluster, asked for its channels
    :param detections: the compiled rules
    :param names: the index names to use
    :param settings: what monitors of this deployment have in common
    :raises ChannelError: if a channel is missing, disabled, or not the only one of its name
    :raises OpenSearchLoadError: if channels cannot be read
    """
    rules = [rule for rule in detections if rule.is_monitored]
    ids = resolve_channels(client, (name for rule in rules for name in rule.channels_under(settings)))
    return [render_monitor(rule, names=names, channel_ids=ids, settings=settings) for rule in rules]


def plan_sync(
    client: AlertingClient, rendered: Iterable[RenderedMonitor], owner: Owner, options: SyncOptions | None = None
) -> SyncPlan:
    """Read the server and say what a sync would do. Nothing is written.

    :param client: the cluster
    :param rendered: one monitor for each rule
    :param owner: whose monitors are looked after
    :param options: how the sync would go
    :raises OpenSearchLoadError: if the server cannot be read
    :raises ValueError: if two rules have one id
    """
    options = options or SyncOptions()
    plan = make_plan(rendered, client.monitors(), owner, options.wanted)
    return plan if options.only is None else plan.only(options.only)


def apply_sync(
    client: AlertingClient,
    rendered: Iterable[RenderedMonitor],
    owner: Owner,
    options: SyncOptions | None = None,
    *,
    on_step: Callable[[MonitorChange], None] | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> SyncResult:
    """Make the server have the monitors that the rules say.

    :param client: the cluster
    :param rendered: one monitor for each rule
    :param owner: whose monitors are looked after
    :param options: how
    :param on_step: told after each step that was carried out
    :param sleep: waits before the server is read again after something failed
    :return: what was done; what people changed by hand is in its plan
    :raises PlanRefusedError: if too much would be deleted; nothing was written
    :raises SyncIncompleteError: if something could not be done, or the server dropped part of a monitor
    :raises OpenSearchLoadError: if the server cannot be read
    :raises ValueError: if two rules have one id
    """
    options = options or SyncOptions()
    run = _Run(client, list(rendered), owner, options, on_step, sleep)
    for _ in range(_ROUNDS):
        if run.round():
            return run.finish()
        if run.troubled:
            sleep(_PAUSE_SECONDS)
    left = {step.detection_id: f"{step.kind}: {run.last_trouble.get(step.detection_id, '')}" for step in run.left}
    run.result.problems |= left
    return run.finish()


class _Run:
    def __init__(
        self,
        client: AlertingClient,
        rendered: list[RenderedMonitor],
        owner: Owner,
        options: SyncOptions,
        on_step: Callable[[MonitorChange], None] | None,
        sleep: Callable[[float], None],
    ) -> None:
        self._client = client
        self._rendered = rendered
        self._owner = owner
        self._options = options
        self._on_step = on_step
        self._sleep = sleep
        self._rewrite = set(options.wanted.rewrite)
        self._before = (client.requests, client.writes)
        self.result = SyncResult(SyncPlan(()))
        self.last_trouble: dict[str, str] = {}
        self.troubled = False

    @property
    def left(self) -> tuple[MonitorChange, ...]:
        """What is still to be done, refused monitors left out."""
        return tuple(step for step in self.result.plan.changes if step.detection_id not in self.result.problems)

    def round(self) -> bool:
        """Read, plan, and carry out; say whether there was nothing left to do."""
        self.troubled = False
        self.result.rounds += 1
        wanted = replace(self._options.wanted, rewrite=frozenset(self._rewrite))
        plan = make_plan(self._rendered, self._client.monitors(), self._owner, wanted)
        check_deletions(plan, share=self._options.delete_share, confirmed=self._options.confirm_deletions)
        self.result.plan = plan if self._options.only is None else plan.only(self._options.only)
        for step in self.left:
            self._carry_out(step)
        return not self.left

    def finish(self) -> SyncResult:
        """Count, and raise where not everything is as it should be."""
        result = self.result
        result.requests = self._client.requests - self._before[0]
        result.writes = self._client.writes - self._before[1]
        for step in result.plan.of(ChangeKind.UNCHANGED):
            if step.differences:
                dropped = "; ".join(str(difference) for difference in step.differences[:5])
                result.problems[step.detection_id] = f"The server did not keep all of {step.name!r}: {dropped}."
        if result.problems:
            lines = "\n".join(f"  {detection_id}: {why}" for detection_id, why in sorted(result.problems.items()))
            raise SyncIncompleteError(
                f"{len(result.problems)} of {len(self._rendered)} monitors are not as their rules say. All others "
                f"are. Run it again after mending the cause.\n{lines}",
                result,
            )
        return result

    def _carry_out(self, step: MonitorChange) -> None:
        try:
            self._write(step)
        except MonitorRefusedError as error:
            self.result.problems[step.detection_id] = str(error)
            return
        except (MonitorConflictError, MonitorMissingError) as error:
            self._trouble(step, error)
            return
        except OpenSearchUnavailableError as error:
            # The server may have stored the monitor and failed to store its queries, which nothing would show.
            if step.kind in (ChangeKind.UPDATE, ChangeKind.PUT_BACK) and error.outcome_unknown:
                self._rewrite.add(step.detection_id)
            self._trouble(step, error)
            return
        self._rewrite.discard(step.detection_id)
        self.result.done.append(step)
        if self._on_step is not None:
            self._on_step(step)

    def _trouble(self, step: MonitorChange, error: Exception) -> None:
        self.troubled = True
        self.last_trouble[step.detection_id] = str(error)
        logger.warning("%s of %s did not succeed and is planned again: %s", step.kind, step.name, error)

    def _write(self, step: MonitorChange) -> None:
        if step.rendered is not None and step.kind in (ChangeKind.CREATE, ChangeKind.UPDATE, ChangeKind.PUT_BACK):
            if self._options.try_first:
                self._try(step.rendered)
            version = step.stored.version + 1 if step.stored else 1
            if step.stored is None:
                self._client.create(self._owner.body_to_send(step.rendered, version=version, floor=step.moment))
            else:
                floor = floor_of(step.stored.content, now=datetime.now(UTC))
                self._client.update(step.stored, self._owner.body_to_send(step.rendered, version=version, floor=floor))
        elif step.stored is not None and step.kind == ChangeKind.HAND_OVER:
            self._client.update(step.stored, self._owner.body_of_old(step.stored, step.moment))
        elif step.stored is not None:
            self._client.delete(step.stored)

    def _try(self, rendered: RenderedMonitor) -> None:
        if problems := self._asked(rendered):
            raise MonitorRefusedError(f"{rendered.place}: {'; '.join(problems)}")
        if problems := self._client.dry_run(rendered.body):
            raise MonitorRefusedError(f"{rendered.place}: a dry run of {rendered.name!r} failed: {' '.join(problems)}")

    def _asked(self, rendered: RenderedMonitor) -> tuple[str, ...]:
        if self.result.unasked:
            return ()
        try:
            return monitor_refusals(self._client.opensearch, rendered.body, sleep=self._sleep)
        except OpenSearchPermissionError as error:
            # Monitors made before this question existed were stored by users without the right to ask it.
            self.result.unasked = str(error)
            logger.warning("OpenSearch was not asked whether it can run the rules' searches: %s", error)
        except IndexMissingError:
            logger.info("%r reads an index that is not there yet, which Alerting refuses by itself.", rendered.name)
        return ()
