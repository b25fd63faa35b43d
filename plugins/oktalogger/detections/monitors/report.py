"""Plans and results as text that reads well in a terminal, in CI, and in a task's log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from oktalogger.detections.exclusions import ended, ended_sentence

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from oktalogger.detections.model import CompiledDetection
    from oktalogger.detections.monitors.change import SyncPlan
    from oktalogger.detections.monitors.health import Health
    from oktalogger.detections.monitors.sync import SyncResult

_MOST_DIFFERENCES: Final = 8


def exceptions_text(detections: Iterable[CompiledDetection], today: date) -> str:
    """Return a line for each exception whose last day is over."""
    return "".join(f"WARNING: {one.file}: {ended_sentence(one)}\n" for one in ended(detections, today))


def rules_after_load(detections: Iterable[CompiledDetection]) -> tuple[str, ...]:
    """Return the names of the enabled rules that no monitor can run: a DAG runs them after each load."""
    return tuple(sorted(rule.name for rule in detections if rule.enabled and not rule.is_monitored))


def plan_text(plan: SyncPlan, health: Health | None = None, after_load: Sequence[str] = ()) -> str:
    """Return a plan as text: one line for each monitor that is not simply unchanged, and the counts.

    :param health: what is wrong with the monitors, which comes first
    :param after_load: names of the rules that run after each load, which come last
    """
    lines = [f"WARNING: {line}" for line in health.lines] if health is not None else []
    lines += [f"SWITCHED OFF by hand: {step.name}" for step in plan.switched_off]
    lines.append(steps_text(plan.as_dict()))
    if after_load:
        listed = ", ".join(after_load)
        lines.append(f"{len(after_load)} more rules run without a monitor, in okta_detections_after_load: {listed}")
    return "\n".join(lines)


def steps_text(plan: Mapping[str, Any]) -> str:
    """Return what ``SyncPlan.as_dict`` gave as text."""
    lines = [*(f"WARNING: {warning}" for warning in plan["warnings"])]
    for step in sorted(plan["steps"], key=lambda step: (step["kind"], step["name"])):
        lines.extend(_step(step))
    lines.append(counts_text(plan["counts"]))
    return "\n".join(lines)


def result_text(result: SyncResult) -> str:
    """Return what a sync did as text."""
    lines = [f"{step.kind}: {step.name}" for step in result.done]
    lines += [f"FAILED {detection_id}: {why}" for detection_id, why in sorted(result.problems.items())]
    if result.unasked:
        lines.append(f"WARNING: OpenSearch was not asked whether it can run the rules' searches: {result.unasked}")
    left = result.plan.as_dict()
    lines += [f"WARNING: {warning}" for warning in left["warnings"]]
    lines += [line for step in left["steps"] if step["kind"] in _FOR_PEOPLE for line in _step(step)]
    counts = counts_text(left["counts"])
    lines.append(f"{len(result.done)} changed with {result.writes} writes in {result.requests} requests; now {counts}")
    return "\n".join(lines)


def counts_text(counts: Mapping[str, int]) -> str:
    """Return the counts of a plan in one line, those that are 0 left out."""
    return ", ".join(f"{number} {kind}" for kind, number in counts.items() if number) or "no monitors"


_FOR_PEOPLE: Final = ("changed by hand", "copy", "kept")


def _step(step: Mapping[str, Any]) -> Iterable[str]:
    yield f"{step['kind']}: {step['name']}"
    if step["note"]:
        yield f"    {step['note']}"
    differences = step["differences"]
    for found in differences[:_MOST_DIFFERENCES]:
        yield f"    {found['path']}: files {found['files']}, server {found['server']}"
    if len(differences) > _MOST_DIFFERENCES:
        yield f"    ... and {len(differences) - _MOST_DIFFERENCES} more"
