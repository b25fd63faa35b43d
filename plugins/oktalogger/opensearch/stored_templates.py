"""Brings the index templates on the server to our version; refuses foreign ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from oktalogger.opensearch.errors import IndexConflictError, OpenSearchLoadError, OpenSearchUnavailableError
from oktalogger.opensearch.existing import OTHER_PREFIX, flat
from oktalogger.opensearch.request import call
from oktalogger.opensearch.templates import Meta, Template, matches_template, month_template, side_template

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opensearchpy import OpenSearch

    from oktalogger.opensearch.names import IndexNames

SchemaOutcome = Literal["made", "upgraded", "unchanged", "newer"]
RACES: Final = 6


@dataclass(frozen=True, slots=True)
class TemplateState:
    """One index template on the server.

    :param meta: the mark in it
    :param settings: its settings below ``index``, by their whole name, values as text, as the server keeps them
    :param mappings: the mapping that it gives
    """

    meta: Meta
    settings: Mapping[str, str]
    mappings: Mapping[str, Any]


def read_templates(client: OpenSearch, names: IndexNames) -> dict[str, TemplateState]:
    """Read the index templates that have our names, one request."""
    answer = call(
        client,
        "GET",
        f"/_index_template/{names.prefix}*",
        doing="to read its index templates",
        only=(
            "index_templates.name,index_templates.index_template._meta,"
            "index_templates.index_template.template.settings.index,"
            "index_templates.index_template.template.mappings"
        ),
        # An empty list comes with 404.
        ignore=(404,),
    )
    found = {}
    for entry in answer.get("index_templates", ()):
        body = entry.get("index_template", {})
        inner = body.get("template", {})
        settings = inner.get("settings", {}).get("index", {})
        found[entry["name"]] = TemplateState(Meta.of(body.get("_meta")), flat(settings), inner.get("mappings", {}))
    return found


def check_template(template: Template, found: TemplateState | None) -> None:
    """Refuse a template of ours that is somebody else's.

    :raises IndexConflictError: if it has not our mark
    """
    if found is not None and not found.meta.ours:
        raise IndexConflictError(
            f"The index template {template.name} exists and was not made by oktalogger (its _meta.managed_by is "
            f"{found.meta.managed_by!r}). Nothing was changed. Rename or delete that template, {OTHER_PREFIX}.",
            index=template.name,
        )


def plan_templates(
    client: OpenSearch, names: IndexNames, *, shards: int | None = None, replicas: int | None = None
) -> list[tuple[Template, SchemaOutcome]]:
    """Say what would become of each index template, and change nothing. One request.

    :param client: the client
    :param names: the names of the deployment
    :param shards: primary shards of a month to come; None leaves what the template says
    :param replicas: copies of each shard of an index to come, likewise
    :raises IndexConflictError: if a template of somebody else has a name of ours
    :raises OpenSearchLoadError: for all else
    """
    templates = [
        month_template(names, shards=shards, replicas=replicas),
        *(side_template(names, index, replicas=replicas) for index in names.side_indices),
        matches_template(names, replicas=replicas),
    ]
    found = read_templates(client, names)
    for template in templates:
        check_template(template, found.get(template.name))
    return [(template, _outcome(template, found.get(template.name))) for template in templates]


def ensure_template(
    client: OpenSearch, names: IndexNames, template: Template, found: TemplateState | None
) -> SchemaOutcome:
    """Put a template where it is missing, or older than ours.

    :param client: the client
    :param names: the names of the deployment
    :param template: the template to have
    :param found: the one that is there
    :raises IndexConflictError: if somebody else's is in the way
    :raises OpenSearchLoadError: for all else
    """
    for _ in range(RACES):
        check_template(template, found)
        outcome = _outcome(template, found)
        if outcome == "made" and not put_template(client, template, create=True):
            # Another task made it just now, or somebody else did.
            found = read_templates(client, names).get(template.name)
            continue
        if outcome == "upgraded":
            put_template(client, template, create=False)
        return outcome
    raise lost_races(template.name)


def _outcome(template: Template, found: TemplateState | None) -> SchemaOutcome:
    if found is None:
        return "made"
    if found.meta.version > template.version:
        return "newer"
    if found.meta.version == template.version and _as_asked(template, found):
        return "unchanged"
    return "upgraded"


def _as_asked(template: Template, found: TemplateState) -> bool:
    """Compare the settings that were asked for; who asks for none keeps what he set by hand."""
    return all(str(found.settings.get(name)) == str(value) for name, value in template.asked.items())


def put_template(client: OpenSearch, template: Template, *, create: bool) -> bool:
    """Put an index template there.

    :param create: only where there is none of its name
    :return: False where ``create`` was asked for and there is one
    :raises IndexConflictError: if another template matches the same indices with the same priority
    :raises OpenSearchLoadError: for all else
    """
    try:
        call(
            client,
            "PUT",
            f"/_index_template/{template.name}",
            doing=f"to put the index template {template.name}",
            index=template.name,
            params={"create": "true"} if create else None,
            body=template.body,
        )
    except OpenSearchLoadError as error:
        if error.status == 400 and error.error_type == "illegal_argument_exception":
            if create and "already exists" in (error.reason or ""):
                return False
            if "same priority" in (error.reason or ""):
                raise IndexConflictError(
                    f"OpenSearch refused the index template {template.name}: {error.reason}. Another template matches "
                    "the same indices with the same priority: change its priority or patterns, or give oktalogger "
                    "another index prefix (OKTALOGGER_INDEX_PREFIX).",
                    status=error.status,
                    error_type=error.error_type,
                    reason=error.reason,
                    index=template.name,
                ) from error
        raise
    return True


def lost_races(name: str) -> OpenSearchUnavailableError:
    """Return the error for something that others keep changing while it is being set up."""
    return OpenSearchUnavailableError(
        f"Others kept changing {name} while oktalogger was setting it up, {RACES} times in a row: try again.",
        index=name,
    )
