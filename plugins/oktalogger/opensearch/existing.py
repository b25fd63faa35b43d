"""Reads the existing indices, and refuses foreign ones."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from oktalogger.opensearch.errors import IndexConflictError, IndexMissingError, OpenSearchRequestError
from oktalogger.opensearch.request import call
from oktalogger.opensearch.templates import Meta, Template

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from opensearchpy import OpenSearch

    from oktalogger.opensearch.names import IndexNames

# An index without an alias comes with an empty object, so that none goes unseen.
_MARKS = "*.aliases,*.mappings._meta,*.settings.index.uuid"
_WHOLE = "*.aliases,*.mappings,*.settings.index"
_NARROWING = frozenset({"filter", "index_routing", "search_routing"})
OTHER_PREFIX: Final = "or give oktalogger another index prefix (OKTALOGGER_INDEX_PREFIX)"


@dataclass(frozen=True, slots=True)
class IndexState:
    """One concrete index.

    :param name: its name
    :param aliases: the aliases it holds, each with whether it is the write index of that alias
    :param meta: the mark in its mapping
    :param uuid: OpenSearch's own name for it, which no second index ever gets; empty if it does not say
    :param narrowed: those of its aliases that have a filter or a routing, and so do not show all of it
    :param settings: those below ``index``, by their whole name; empty if it was not read whole
    :param mapping: its mapping, likewise
    """

    name: str
    aliases: Mapping[str, bool]
    meta: Meta
    uuid: str = ""
    narrowed: frozenset[str] = frozenset()
    settings: Mapping[str, str] = field(default_factory=dict)
    mapping: Mapping[str, Any] = field(default_factory=dict)


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return the leaves of nested JSON as text, by their whole names, as ``actor.properties.id.type``.

    So settings and mappings compare that OpenSearch returns nested otherwise than they were sent, and with text for
    numbers and truth values.
    """
    found: dict[str, str] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = value if isinstance(value, str) else json.dumps(value)
    return found


def read_indices(client: OpenSearch, wanted: Iterable[str], *, whole: bool = False) -> dict[str, IndexState]:
    """Read the concrete indices behind some names of indices and aliases, one request.

    :param wanted: names; those that do not exist are left out of the answer
    :param whole: also their settings and mappings: some ten kilobytes for each
    """
    answer = call(
        client,
        "GET",
        f"/{','.join(wanted)}",
        doing="to read the state of its indices",
        params={"ignore_unavailable": "true", "allow_no_indices": "true"},
        only=_WHOLE if whole else _MARKS,
    )
    return {name: _state(name, entry) for name, entry in answer.items()}


def _state(name: str, entry: Mapping[str, Any]) -> IndexState:
    aliases = entry.get("aliases", {})
    settings = flat(entry.get("settings", {}).get("index", {}))
    uuid = settings.pop("uuid", "")
    mapping = entry.get("mappings", {})
    return IndexState(
        name,
        {alias: bool(how.get("is_write_index")) for alias, how in aliases.items()},
        Meta.of(mapping.get("_meta")),
        uuid,
        frozenset(alias for alias, how in aliases.items() if _NARROWING & how.keys()),
        settings,
        mapping,
    )


def read_mapping(client: OpenSearch, index: str) -> IndexState | None:
    """Read the mapping of one index, one request; None if there is no such index.

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
        mapping = answer[index].get("mappings", {})
        return IndexState(index, {}, Meta.of(mapping.get("_meta")), mapping=mapping)
    others = sorted(name for name, entry in answer.items() if isinstance(entry, dict) and "mappings" in entry)
    if others:
        raise IndexConflictError(
            f"There is an alias named {index}, of {', '.join(others)}, where oktalogger keeps an index. Nothing was "
            f"changed. Remove the alias (POST _aliases, remove), {OTHER_PREFIX}.",
            index=index,
        )
    return None


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
            f"under another name and delete it, {OTHER_PREFIX}.",
            index=names.alias,
        )
    to_write = set(written)
    for index in indices.values():
        if names.alias in index.aliases and not index.meta.ours:
            raise IndexConflictError(
                f"The index {index.name} holds the alias {names.alias} but was not made by oktalogger (no "
                "_meta.managed_by in its mapping): searches and monitors on the alias would see foreign documents. "
                f"Nothing was changed. Take the alias from it (POST _aliases, remove), {OTHER_PREFIX}.",
                index=index.name,
            )
        if index.name in to_write and not index.meta.ours:
            raise IndexConflictError(
                f"The index {index.name} exists and was not made by oktalogger (no _meta.managed_by in its mapping), "
                "so its mapping is not the one that searches and detections need. Nothing was loaded. Reindex it "
                f"under another name and delete it, {OTHER_PREFIX}.",
                index=index.name,
            )
        for owner in to_write:
            alias = names.write_alias(owner)
            if index.name == alias or (alias in index.aliases and index.name != owner):
                what = "is named" if index.name == alias else "holds the alias"
                raise IndexConflictError(
                    f"The index {index.name} {what} {alias}, the alias through which oktalogger writes {owner}. "
                    f"Nothing was loaded. Take the alias from it or reindex it under another name, {OTHER_PREFIX}.",
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
        f"patterns, {OTHER_PREFIX}.",
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
