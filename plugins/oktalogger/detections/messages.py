"""The messages of alerts: Mustache templates that OpenSearch Alerting fills in.

Alerting fetches only the fields that stand as ``{{_source.…}}`` between the tags of ``sample_documents``, and exactly
in this spelling: of a group's events the five newest and the five oldest. It tells no message how many there are. A
threshold has no documents to show, because its slots are sub-aggregations of its groups; its key tells which group it
is, and is the query that finds the group's events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from oktalogger.detections.grouped_search import INGESTED, group_fields
from oktalogger.okta.origin import admin_host
from oktalogger.urls import discover_url, system_log_url

if TYPE_CHECKING:
    from oktalogger.detections.model import CompiledDetection, MonitorSettings

# A list is shown by a section, whose tags Alerting does not take for a field: the section that is never shown is there
# to make it fetch the field.
_TARGETS: Final = "_source.oktalogger.target.any.display_name"
_SHOWN: Final = "_source.oktalogger.shown"


def _listed(field: str) -> str:
    return f"{{{{#{field}}}}}{{{{.}}}}; {{{{/{field}}}}}{{{{#never}}}}{{{{{field}}}}}{{{{/never}}}}"


def _safe(name: str, original: str, *, copy: str | None = None) -> str:
    """Return the part of a template that shows the harmless copy of a text, or else the text.

    :param name: what the copy is called, as in :mod:`oktalogger.pipeline.shown`
    :param original: the template of the text as Okta sent it
    :param copy: the template of the copy, by default one value; it shows nothing where there is no copy
    """
    field = f"{_SHOWN}.{name}"
    return f"{copy or f'{{{{{field}}}}}'}{{{{^{field}}}}}{original}{{{{/{field}}}}}"


_PLACE: Final = "client.geographicalContext"
_EVENT_LINES: Final = (
    "Time: {{_source.published}}",
    "Org: {{_source.oktalogger.org}}",
    f"Event: {{{{_source.eventType}}}} ({_safe('message', '{{_source.displayMessage}}')})",
    f"Outcome: {{{{_source.outcome.result}}}} {_safe('reason', '{{_source.outcome.reason}}')}",
    f"Actor: {_safe('actor', '{{_source.actor.displayName}} ({{_source.actor.alternateId}})')}",
    "From: "
    + _safe(
        "from",
        f"{{{{_source.client.ipAddress}}}} {{{{_source.{_PLACE}.city}}}} {{{{_source.{_PLACE}.country}}}}",
    ),
    f"Targets: {_safe('targets', _listed(_TARGETS), copy=_listed(f'{_SHOWN}.targets'))}",
    "Event id: {{_source.uuid}}",
)
_SAMPLES: Final = "{{#sample_documents}}"
_END_OF_SAMPLES: Final = "{{/sample_documents}}"
# Stands in an address for tags that would be escaped there.
_FILLED_IN: Final = "FILLEDIN"
_BEGAN: Final = "ALERTBEGAN"
_UUID: Final = "{{_source.uuid}}"
_ERROR_LINE: Final = "{{#ctx.error}}The monitor failed, so alerts may be missing: {{ctx.error}}\n{{/ctx.error}}"


def subject(detection: CompiledDetection) -> str:
    """Return the template of a message's subject."""
    return _literal(f"[Okta, {detection.severity}] {detection.title}")


def body(detection: CompiledDetection, settings: MonitorSettings) -> str:
    """Return the template of a message: what happened, what it means, what to do."""
    happened = _events(detection, settings) if detection.threshold is None else _groups(detection, settings)
    return f"{subject(detection)}\n{_ERROR_LINE}\n{happened}\n{_literal(about(detection))}"


def _events(detection: CompiledDetection, settings: MonitorSettings) -> str:
    lines = [*_EVENT_LINES]
    if settings.dashboards_url:
        lines.append(f"Dashboards: {_discover_url(settings.dashboards_url, f'uuid:{_UUID}', 'now-90d')}")
    hosts = settings.okta_orgs or ("{{_source.oktalogger.org}}",)
    for host in hosts:
        which = f" of {host}" if len(hosts) > 1 else ""
        found = system_log_url(_console_url(host), search=f'uuid eq "{_UUID}"')
        lines.append(f"Okta System Log{which}: {found}")
    listed = "\n".join(lines)
    by = ", ".join(group_fields(detection))
    head = f"One alert for each {by}, every {_span(detection.period_minutes * 60)}. Its newest and oldest events:"
    all_of_them = ""
    if settings.dashboards_url:
        url = _discover_url(settings.dashboards_url, f"uuid:({_FILLED_IN})", "now-180d")
        url = url.replace(_FILLED_IN, f"{_SAMPLES}{_UUID}%20{_END_OF_SAMPLES}")
        every = _alerts_url(settings.dashboards_url, detection, settings.window_hours)
        all_of_them = f"These events in Dashboards: {url}\nHow many there are, all that the rule found: {every}\n"
    return (
        f"{head}\n{{{{#ctx.newAlerts}}}}Since: {{{{start_time}}}}\n{_SAMPLES}\n{listed}\n{_END_OF_SAMPLES}\n"
        f"{all_of_them}{{{{/ctx.newAlerts}}}}"
    )


def _groups(detection: CompiledDetection, settings: MonitorSettings) -> str:
    threshold = detection.threshold
    if threshold is None:
        raise ValueError(f"{detection.title} has no threshold")
    lines = [
        _literal(f"{'What' if threshold.parts else 'How many'}: {threshold.wanted} within {_span(threshold.seconds)}."),
        "{{#ctx.newAlerts}}Who: {{bucket_keys}}",
        "Seen: {{start_time}}",
    ]
    if settings.dashboards_url:
        # The key is a query; in front of it stands what the rule looks for.
        url = _alerts_url(settings.dashboards_url, detection, settings.lookback_hours, f" AND {_FILLED_IN}")
        url = url.replace(_FILLED_IN, "{{bucket_keys}}")
        lines.append(f"These events in Dashboards, from where and when: {url}")
    lines += [f"Okta System Log of {host}: {system_log_url(_console_url(host))}" for host in settings.okta_orgs]
    return "\n".join(lines) + "\n{{/ctx.newAlerts}}\n"


def _alerts_url(dashboards_url: str, detection: CompiledDetection, hours: int, more: str = "") -> str:
    """Return the address of what a rule had found when an alert began, whenever somebody opens it."""
    loaded = f"{INGESTED}:[{_BEGAN}||-{hours}h TO {_BEGAN}]"
    url = _discover_url(dashboards_url, f"{detection.query} AND {loaded}{more}", "now-180d")
    return url.replace(_BEGAN, "{{start_time}}")


def about(detection: CompiledDetection) -> str:
    """Return what a rule says to people: what it finds, what to do, what else looks like it."""
    parts = [detection.description]
    if detection.runbook:
        parts.append(f"What to do:\n{detection.runbook}")
    if detection.false_positives:
        parts.append("Harmless when:\n" + "\n".join(f"- {text}" for text in detection.false_positives))
    if detection.tactics:
        parts.append("Tactics: " + ", ".join(tactic.replace("-", " ") for tactic in detection.tactics))
    if detection.attack:
        # One a line: a comma behind an address becomes part of the link.
        parts.append(
            "ATT&CK:\n" + "\n".join(f"- {technique} {_attack_url(technique)}" for technique in detection.attack)
        )
    if detection.references:
        parts.append("References:\n" + "\n".join(f"- {text}" for text in detection.references))
    parts.append(f"Severity: {detection.severity}. Rule: {detection.file} [{detection.id}]")
    return "\n\n".join(part for part in parts if part)


def _discover_url(dashboards_url: str, lucene: str, since: str) -> str:
    return discover_url(dashboards_url, lucene, since=since, language="lucene")


def _console_url(host: str) -> str:
    """Return the address of an org's Admin Console; from a custom domain, Okta leads on there."""
    return f"https://{admin_host(host) or host}"


def _attack_url(technique: str) -> str:
    return f"https://attack.mitre.org/techniques/{technique.replace('.', '/')}/"


def _span(seconds: int) -> str:
    for size, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds % size == 0:
            return f"{seconds // size} {name}{'s' if seconds != size else ''}"
    return f"{seconds} seconds"


def _literal(text: str) -> str:
    # A rule's text is not a template.
    return text.replace("{{", "{ {")
