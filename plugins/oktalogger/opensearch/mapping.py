"""Reads the mappings that a cluster has, and brings older ones to our version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from oktalogger.opensearch.errors import (
    IndexBlockedError,
    IndexConflictError,
    OpenSearchPermissionError,
    OpenSearchRequestError,
)
from oktalogger.opensearch.request import call
from oktalogger.opensearch.templates import Meta

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opensearchpy import OpenSearch

    from oktalogger.opensearch.existing import IndexState
    from oktalogger.opensearch.names import IndexNames
    from oktalogger.opensearch.templates import Template


@dataclass(frozen=True, slots=True)
class ClusterMapping:
    """The mapping of one index.

    :param index: the index
    :param version: the version that oktalogger wrote into it, 0 if there is none
    :param properties: its ``properties``
    """

    index: str
    version: int
    properties: Mapping[str, Any]


def newest_mapping(client: OpenSearch, names: IndexNames) -> ClusterMapping | None:
    """Read the mapping of the newest month, one request.

    The loader upgrades all months together, so what the newest lacks, none that is loaded into has.

    :param client: the client
    :param names: the names of the deployment
    :return: the mapping, or None if nothing was loaded yet
    :raises OpenSearchLoadError: if it cannot be read
    """
    answer = call(
        client,
        "GET",
        f"/{names.alias}/_mapping",
        doing="to read the mapping of its months",
        index=names.alias,
        params={"ignore_unavailable": "true", "allow_no_indices": "true"},
        only="*.mappings",
        # The alias comes with the first month.
        ignore=(404,),
    )
    months = [name for name in answer if names.is_month(name)]
    if not months:
        return None
    mappings = answer[max(months)]["mappings"]
    return ClusterMapping(max(months), Meta.of(mappings.get("_meta")).version, mappings.get("properties", {}))


@dataclass(frozen=True, slots=True)
class Upgrades:
    """What became of the mappings that are older than ours.

    :param done: indices whose mapping got the fields of our version
    :param impossible: indices that keep an older mapping, each with the reason; nothing can be loaded into them
    :param refused: indices whose mapping this login may not upgrade, in sentences; they are loaded into as they are
    """

    done: tuple[str, ...]
    impossible: Mapping[str, str]
    refused: tuple[str, ...]


def upgrade_mappings(
    client: OpenSearch,
    names: IndexNames,
    months: Template,
    sides: Mapping[str, Template],
    indices: Mapping[str, IndexState],
) -> Upgrades:
    """Upgrade all; one that cannot be upgraded stops nobody from loading into the others.

    :param client: the client
    :param names: the names of the deployment
    :param months: the template of the months
    :param sides: the templates of the other indices, by their names
    :param indices: as they are
    :raises OpenSearchLoadError: if OpenSearch is out of reach
    """
    done, impossible, refused = [], {}, []
    for name, index in sorted(indices.items()):
        if not index.meta.ours or not (name in sides or names.is_month(name)):
            continue
        try:
            if upgrade_mapping(client, sides.get(name, months), index):
                done.append(name)
        except (IndexBlockedError, IndexConflictError) as error:
            impossible[name] = str(error)
        except OpenSearchPermissionError as error:
            refused.append(str(error))
    return Upgrades(tuple(done), impossible, tuple(refused))


def upgrade_mapping(client: OpenSearch, template: Template, index: IndexState) -> bool:
    """Add the fields of our version to an index with an older mapping; documents already in it stay as they are.

    :param client: the client
    :param template: the template with the mapping
    :param index: the index
    :return: whether it was older
    :raises IndexConflictError: if its mapping contradicts ours
    :raises OpenSearchLoadError: if OpenSearch refuses, or is out of reach
    """
    if index.meta.version >= template.version:
        return False
    doing = f"to upgrade the mapping of {index.name} from version {index.meta.version} to {template.version}"
    try:
        call(client, "PUT", f"/{index.name}/_mapping", doing=doing, index=index.name, body=template.mappings)
    except OpenSearchRequestError as error:
        raise IndexConflictError(
            f"{error} Somebody changed that mapping so that ours does not fit any more: reindex the index under "
            "another name and delete it, then load its windows again.",
            status=error.status,
            error_type=error.error_type,
            reason=error.reason,
            index=index.name,
        ) from error
    return True
