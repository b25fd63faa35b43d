"""Reads the mapping that a cluster has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from oktalogger.opensearch.request import call
from oktalogger.opensearch.templates import Meta

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opensearchpy import OpenSearch

    from oktalogger.opensearch.names import IndexNames


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
