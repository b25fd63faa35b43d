"""Plans the saved objects of OpenSearch Dashboards: index patterns, searches, charts and dashboards."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from oktalogger.opensearch.names import DEFAULT_PREFIX, IndexNames
from oktalogger.opensearch.saved_objects import SavedObject
from oktalogger.opensearch.setup.steps import Action, SetupPlan, SetupStep
from oktalogger.resources import resource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from opensearchpy import OpenSearch

    from oktalogger.opensearch.saved_objects import DashboardsClient

FILE: Final = "dashboards/saved-objects.ndjson"
PATTERN: Final = "index-pattern"
_TITLE: Final = "Okta: "
_KINDS: Final = {
    PATTERN: "index pattern",
    "search": "saved search",
    "visualization": "chart",
    "dashboard": "dashboard",
}
# What Dashboards itself and users keep in an index pattern beside what we write.
_FORMATS: Final = "fieldFormatMap"
_FIELDS: Final = "fields"


@dataclass(frozen=True, slots=True)
class FieldLinks:
    """Addresses that the values of fields lead to, with ``{{value}}`` in them, by field.

    :param events: fields of events
    :param ledger: fields of the ledger
    :param rejected: fields of rejected events
    :param matches: fields of what detections found
    """

    events: Mapping[str, str] = field(default_factory=dict)
    ledger: Mapping[str, str] = field(default_factory=dict)
    rejected: Mapping[str, str] = field(default_factory=dict)
    matches: Mapping[str, str] = field(default_factory=dict)

    def of(self, names: IndexNames) -> dict[str, Mapping[str, str]]:
        """Return them by index pattern."""
        return {
            names.alias: self.events,
            names.ledger: self.ledger,
            names.rejected: self.rejected,
            names.matches: self.matches,
        }


def field_links(*, okta: Mapping[str, str], run_url: str | None) -> FieldLinks:
    """Return where ids of Okta and of Airflow's runs lead to.

    :param okta: addresses by the event's field; empty if several orgs share the indices, or nobody knows the org's
    :param run_url: address of Airflow's runs with one id; None if nobody knows Airflow's
    """
    event = {} if "uuid" not in okta else {"uuid": okta["uuid"]}
    matched = {} if "uuid" not in okta else {"event_id": okta["uuid"]}
    run = {} if run_url is None else {"run_id": run_url}
    in_events = {} if run_url is None else {"oktalogger.run_id": run_url}
    return FieldLinks(events={**okta, **in_events}, ledger=run, rejected={**event, **run}, matches={**matched, **run})


def shipped_objects(names: IndexNames) -> tuple[SavedObject, ...]:
    """Return the package's saved objects, under the names of a deployment.

    :param names: of the deployment. With another prefix than the default all ids and titles are others, so that two
        deployments can share one Dashboards
    :raises ResourceError: if the file is missing
    """
    text = resource(FILE).read_text(encoding="utf-8")
    if names.prefix != DEFAULT_PREFIX:
        default = IndexNames()
        text = text.replace(default.matches, names.matches).replace(DEFAULT_PREFIX, names.prefix)
        text = text.replace(_TITLE, f"Okta ({names.prefix}): ")
    return tuple(msgspec.json.decode(line, type=SavedObject) for line in text.splitlines())


def plan_dashboards(client: DashboardsClient, names: IndexNames, *, links: FieldLinks | None = None) -> SetupPlan:
    """Say what has to be imported; reads only.

    An index pattern keeps what others put into it: formats of further fields, scripted fields, filters.

    :param client: the Dashboards
    :param names: the names of the deployment
    :param links: where values lead to
    :raises OpenSearchLoadError: if Dashboards cannot be asked
    """
    wanted = shipped_objects(names)
    found = client.found(one.key for one in wanted)
    linked = (links or FieldLinks()).of(names)
    planned: list[tuple[SavedObject, tuple[str, ...]]] = []
    for one in wanted:
        there = found.get(one.key)
        if one.type == PATTERN:
            one = _pattern(one, there, linked.get(one.id, {}), client.fields_of(one.id))
        planned.append((one, _differences(one, there)))
    # In one import, because Dashboards then checks that every object is there which another one names.
    whole: Callable[[OpenSearch], object] | None = partial(
        _import, client, [one for one, changes in planned if changes]
    )
    steps = []
    for one, changes in planned:
        action: Action = "unchanged" if not changes else "change" if one.key in found else "create"
        do, whole = (whole, None) if changes else (None, whole)
        steps.append(SetupStep(kind=_KINDS[one.type], name=_name(one), action=action, changes=changes, do=do))
    if client.default_pattern() is None:
        choose = partial(_choose, client, names.alias)
        said = ("+ Discover opens with it",)
        steps.append(
            SetupStep(kind="default index pattern", name=names.alias, action="create", changes=said, do=choose)
        )
    return SetupPlan(tuple(steps), (f"Saved objects: {client.url}, tenant {client.tenant}.",))


def _import(dashboards: DashboardsClient, objects: Sequence[SavedObject], _: OpenSearch) -> None:
    dashboards.import_objects(objects)


def _choose(dashboards: DashboardsClient, pattern: str, _: OpenSearch) -> None:
    dashboards.set_default_pattern(pattern)


def _pattern(
    ours: SavedObject, there: SavedObject | None, links: Mapping[str, str], fields: Iterable[Mapping[str, Any]] | None
) -> SavedObject:
    """Return an index pattern with our formats and OpenSearch's fields, and whatever else it has on the server."""
    kept = there.attributes if there else {}
    formats = (
        _json(kept.get(_FORMATS), {})
        | _json(ours.attributes.get(_FORMATS), {})
        | {
            name: {"id": "url", "params": {"urlTemplate": url, "labelTemplate": "{{value}}"}}
            for name, url in links.items()
        }
    )
    attributes = {**kept, **ours.attributes, _FORMATS: json.dumps(formats, sort_keys=True)}
    if fields is not None:
        attributes[_FIELDS] = json.dumps(_fields(fields, _json(kept.get(_FIELDS), [])))
    return msgspec.structs.replace(ours, attributes=attributes)


def _fields(seen: Iterable[Mapping[str, Any]], stored: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the fields that OpenSearch has, with what users added to them, and users' scripted fields."""
    before = {str(one.get("name")): one for one in stored}
    fields = [{"count": 0, "scripted": False, **before.get(str(one.get("name")), {}), **one} for one in seen]
    names = {one["name"] for one in fields}
    return fields + [dict(one) for name, one in before.items() if one.get("scripted") and name not in names]


def _differences(planned: SavedObject, there: SavedObject | None) -> tuple[str, ...]:
    """Return a line for each part of an object that an import would change."""
    if there is None:
        return ("+ does not exist yet",)
    lines = []
    for name in sorted(planned.attributes):
        before, after = there.attributes.get(name), planned.attributes.get(name)
        if name == _FIELDS:
            lines += _field_lines(_json(before, []), _json(after, []))
        elif _plain(before) != _plain(after):
            lines.append(f"+ {name}")
    by_name = {one["name"]: one for one in there.references}
    if by_name != {one["name"]: one for one in planned.references}:
        lines.append("+ references")
    return tuple(lines)


def _field_lines(before: Iterable[Mapping[str, Any]], after: Iterable[Mapping[str, Any]]) -> list[str]:
    old = {one.get("name"): one for one in before}
    new = {one.get("name"): one for one in after}
    changed = sum(old.get(name) != one for name, one in new.items())
    gone = len(old.keys() - new.keys())
    return [f"+ {changed} new or changed fields"] * bool(changed) + [f"- {gone} fields"] * bool(gone)


def _plain(value: Any) -> Any:
    """Return a value in which text that is JSON is compared by what it says; null is the same as absent."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        return _json(value, value)
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return value


def _json(text: Any, otherwise: Any) -> Any:
    """Read JSON that stands as text in an object; what a user broke counts as empty."""
    try:
        return json.loads(text) if isinstance(text, str) and text else otherwise
    except json.JSONDecodeError:
        return otherwise


def _name(one: SavedObject) -> str:
    return one.id if one.type == PATTERN else str(one.attributes.get("title", one.id))
