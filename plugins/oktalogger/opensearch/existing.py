"""Reads the existing templates and indices in two small requests, and refuses foreign ones."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from oktalogger.opensearch.errors import IndexConflictError, IndexMissingError, OpenSearchRequestError
from oktalogger.opensearch.request import call
from oktalogger.opensearch.templates import Meta, Template

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from opensearchpy import OpenSearch

    from oktalogger.opensearch.names import IndexNames

_SETTINGS = ("index.uuid", "index.append_only.enabled", "index.default_pipeline", "index.final_pipeline")
_NARROWING = frozenset({"filter", "index_routing", "search_routing"})
_OTHER_PREFIX = "or give oktalogger another index prefix (OKTALOGGER_INDEX_PREFIX)"


@dataclass(frozen=True, slots=True)
class IndexState:
    """One concrete index.

    :param name: its name
    :param aliases: the aliases it holds, each with whether it is the write index of that alias
    :param meta: the mark in its mapping
    :param uuid: OpenSearch's own name for it, which no second index ever gets; empty if it does not say
    :param narrowed: those of its aliases that have a filter or a routing, and so do not show all of it
    :param settings: those below ``index`` that decide what becomes of its documents
    """

    name: str
    aliases: Mapping[str, bool]
    meta: Meta
    uuid: str = ""
    narrowed: frozenset[str] = frozenset()
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TemplateState:
    """One index template on the server.

    :param meta: the mark in it
    :param settings: its settings below ``index``, values as text, as the server keeps them
    """

    meta: Meta
    settings: Mapping[str, Any]


def read_templates(client: OpenSearch, names: IndexNames) -> dict[str, TemplateState]:
    """Read the index templates that have our names, one request."""
    answer = call(
        client,
        "GET",
        f"/_index_template/{names.prefix}*",
        doing="to read its index templates",
        only=(
            "index_templates.name,index_templates.index_template._meta,"
            "index_templates.index_template.template.settings.index"
        ),
        # An empty list comes with 404.
        ignore=(404,),
    )
    found = {}
    for entry in answer.get("index_templates", ()):
        body = entry.get("index_template", {})
        settings = body.get("template", {}).get("settings", {}).get("index", {})
        found[entry["name"]] = TemplateState(Meta.of(body.get("_meta")), settings)
    return found


def read_indices(client: OpenSearch, wanted: Iterable[str]) -> dict[str, IndexState]:
    """Read the concrete indices behind some names of indices and aliases, one request.

    :param wanted: names; those that do not exist are left out of the answer
    """
    answer = call(
        client,
        "GET",
        f"/{','.join(wanted)}",
        doing="to read the state of its indices",
        params={"ignore_unavailable": "true", "allow_no_indices": "true"},
        # An index without an alias comes with an empty object, so that none goes unseen.
        only="*.aliases,*.mappings._meta," + ",".join(f"*.settings.{setting}" for setting in _SETTINGS),
    )
    return {name: _state(name, entry) for name, entry in answer.items()}


def _state(name: str, entry: Mapping[str, Any]) -> IndexState:
    aliases = entry.get("aliases", {})
    settings = dict(entry.get("settings", {}).get("index", {}))
    # A group of settings comes as an object.
    if isinstance(append_only := settings.pop("append_only", None), dict):
        settings["append_only.enabled"] = append_only.get("enabled", "false")
    return IndexState(
        name,
        {alias: bool(how.get("is_write_index")) for alias, how in aliases.items()},
        Meta.of(entry.get("mappings", {}).get("_meta")),
        settings.pop("uuid", ""),
        frozenset(alias for alias, how in aliases.items() if _NARROWING & how.keys()),
        settings,
    )


def read_mapping(client: OpenSearch, index: str) -> IndexState | None:
    """Read the mark in the mapping of one index, one request; None if there is no such index.

    It needs no right but that on mappings, and says nothing of the index's aliases.

    :raises IndexConflictError: if the name is that of an alias
    """
    answer = call(
        client,
        "GET",
        f"/{index}/_mapping",
        doing=f"to read the mapping of {index}",
        index=index,
        only="*.mappings",
        ignore=(404,),
    )
    if index in answer:
        return IndexState(index, {}, Meta.of(answer[index].get("mappings", {}).get("_meta")))
    others = sorted(name for name, entry in answer.items() if isinstance(entry, dict) and "mappings" in entry)
    if others:
        raise IndexConflictError(
            f"There is an alias named {index}, of {', '.join(others)}, where oktalogger keeps an index. Nothing was "
            f"changed. Remove the alias (POST _aliases, remove), {_OTHER_PREFIX}.",
            index=index,
        )
    return None


def check_template(template: Template, found: TemplateState | None) -> None:
    """Refuse a template of ours that is somebody else's.

    :raises IndexConflictError: if it has not our mark
    """
    if found is not None and not found.meta.ours:
        raise IndexConflictError(
            f"The index template {template.name} exists and was not made by oktalogger (its _meta.managed_by is "
            f"{found.meta.managed_by!r}). Nothing was changed. Rename or delete that template, {_OTHER_PREFIX}.",
            index=template.name,
        )


def check_indices(names: IndexNames, indices: Mapping[str, IndexState], *, written: Iterable[str]) -> None:
    """Refuse what is in the way of our alias and of the indices that are to be written.

    :param indices: as read for the alias, the indices to be written and their write aliases
    :param written: the indices to be written
    :raises IndexConflictError: naming what is in the way, and what to do
    """
    if names.alias in indices:
        raise IndexConflictError(
            f"There is an index named {names.alias}, where oktalogger keeps an alias over its months; as a rule some "
            "other tool wrote there before and OpenSearch made the index by itself. Nothing was changed. Reindex it "
            f"under another name and delete it, {_OTHER_PREFIX}.",
            index=names.alias,
        )
    to_write = set(written)
    for index in indices.values():
        if names.alias in index.aliases and not index.meta.ours:
            raise IndexConflictError(
                f"The index {index.name} holds the alias {names.alias} but was not made by oktalogger (no "
                "_meta.managed_by in its mapping): searches and monitors on the alias would see foreign documents. "
                f"Nothing was changed. Take the alias from it (POST _aliases, remove), {_OTHER_PREFIX}.",
                index=index.name,
            )
        if index.name in to_write and not index.meta.ours:
            raise IndexConflictError(
                f"The index {index.name} exists and was not made by oktalogger (no _meta.managed_by in its mapping), "
                "so its mapping is not the one that searches and detections need. Nothing was loaded. Reindex it "
                f"under another name and delete it, {_OTHER_PREFIX}.",
                index=index.name,
            )
        for owner in to_write:
            alias = names.write_alias(owner)
            if index.name == alias or (alias in index.aliases and index.name != owner):
                what = "is named" if index.name == alias else "holds the alias"
                raise IndexConflictError(
                    f"The index {index.name} {what} {alias}, the alias through which oktalogger writes {owner}. "
                    f"Nothing was loaded. Take the alias from it or reindex it under another name, {_OTHER_PREFIX}.",
                    index=index.name,
                )


def check_would_be_ours(client: OpenSearch, template: Template, index: str) -> None:
    """Ask OpenSearch which template an index would be made from, before it is made.

    :raises IndexConflictError: if it would be somebody else's, naming the one that wins
    :raises IndexMissingError: if ours is gone or older; setting up the schema again mends that
    """
    try:
        answer = call(
            client,
            "POST",
            f"/_index_template/_simulate_index/{index}",
            doing=f"to say which template {index} would be made from",
            only="template.mappings._meta",
        )
    except OpenSearchRequestError as error:
        if error.status != 404:
            raise
        # Amazon OpenSearch Serverless cannot say; there the index is looked at when it is made, before it is loaded.
        return
    meta = Meta.of(answer.get("template", {}).get("mappings", {}).get("_meta"))
    if meta.ours and meta.version >= template.version:
        return
    winners = _winners(client, template, index)
    if not winners:
        raise IndexMissingError(
            f"OpenSearch would not make {index} from oktalogger's index template {template.name}: that is gone, or "
            "older than this version of oktalogger. The next run puts it there again.",
            index=index,
        )
    raise IndexConflictError(
        f"The index template {' or '.join(winners)} wins over oktalogger's template {template.name} "
        f"(priority {template.body['priority']}) for the index {index}, which would then not have the mapping "
        "that searches and detections need. Nothing was made. Give that template a lower priority or narrower index "
        f"patterns, {_OTHER_PREFIX}.",
        index=index,
    )


def _winners(client: OpenSearch, template: Template, index: str) -> list[str]:
    """Name the templates that come before ours."""
    answer = call(
        client,
        "GET",
        "/_index_template",
        doing="to list its index templates",
        only=(
            "index_templates.name,index_templates.index_template.index_patterns,index_templates.index_template.priority"
        ),
    )
    found = []
    for entry in answer.get("index_templates", ()):
        body = entry.get("index_template", {})
        priority = body.get("priority", 0)
        matches = any(_matches(pattern, index) for pattern in body.get("index_patterns", ()))
        if matches and entry["name"] != template.name and priority >= template.body["priority"]:
            found.append(f"{entry['name']} (priority {priority})")
    return found


def _matches(pattern: str, index: str) -> bool:
    """OpenSearch's patterns know ``*`` only."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), index) is not None
