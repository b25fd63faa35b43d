"""A document-level monitor as the Alerting plugin runs it: its query percolated, under renamed fields.

The plugin copies the source index's mapping into an index of queries, renames every leaf field by a suffix of index and
monitor, renames the fields in the query's text by searching the text for ``name:``, and renames the fields of each new
document in the same way (DocLevelMonitorQueries and TransportDocLevelMonitorFanOutAction, 2.19 and 3.4). Most ways in
which a monitor silently never fires lie in that text search, so it is done here as it is done there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opensearchpy import OpenSearch

    from oktalogger.detections.model import CompiledDetection


def percolated(
    client: OpenSearch,
    index: str,
    mappings: Mapping[str, Any],
    detections: Sequence[CompiledDetection],
    documents: Sequence[tuple[str, dict[str, Any]]],
) -> dict[str, set[str]]:
    """Run the detections' queries over documents.

    :param index: a name that nobody else uses; removed at the end
    :param mappings: of the source index
    :param documents: id and source of each
    :return: by the detection's id, the ids of the documents that it matches
    """
    suffix = "_okta-system-log_monitor1"
    renamed, paths = _renamed(mappings["properties"], suffix)
    properties = {**renamed, "query": {"type": "percolator"}, "detection_id": {"type": "keyword"}}
    body = {
        "settings": {"number_of_replicas": 0, "index.mapping.total_fields.limit": 2000},
        "mappings": {"dynamic": False, "properties": properties},
    }
    client.indices.create(index=index, body=body)
    try:
        for detection in detections:
            text = _as_stored(detection.query, paths, suffix)
            source = {"detection_id": detection.id, "query": {"query_string": {"query": text, "fields": []}}}
            client.index(index=index, body=source)
        client.indices.refresh(index=index)
        found: dict[str, set[str]] = {detection.id: set() for detection in detections}
        for start in range(0, len(documents), 200):
            batch = documents[start : start + 200]
            query = {"percolate": {"field": "query", "documents": [_document(source, suffix) for _, source in batch]}}
            answer = client.search(index=index, body={"size": 1000, "query": {"bool": {"filter": [query]}}})
            assert not answer["_shards"]["failed"], answer["_shards"]
            for hit in answer["hits"]["hits"]:
                slots = hit["fields"]["_percolator_document_slot"]
                found[hit["_source"]["detection_id"]] |= {batch[int(slot)][0] for slot in slots}
        return found
    finally:
        client.indices.delete(index=index)


def _renamed(properties: Mapping[str, Any], suffix: str, above: str = "") -> tuple[dict[str, Any], list[str]]:
    result: dict[str, Any] = {}
    paths: list[str] = []
    for name, mapping in properties.items():
        if "type" in mapping and mapping["type"] not in ("nested", "object"):
            given = dict(mapping)
            if "path" in given:
                given["path"] += suffix
            result[f"{name}{suffix}"] = given
            paths.append(f"{above}{name}")
        elif mapping.get("properties"):
            inner, more = _renamed(mapping["properties"], suffix, f"{above}{name}.")
            result[name] = {"properties": inner}
            paths += more
    return result, paths


def _as_stored(query: str, paths: Sequence[str], suffix: str) -> str:
    for path in paths:
        query = _exists_as_stored(query, path, suffix)
        query = query.replace(f"{path}:", f"{path}{suffix}:")
    return query


def _exists_as_stored(query: str, path: str, suffix: str) -> str:
    segments = []
    for segment in re.split(r"\s+", query.replace("_exists_: ", "_exists_:")):
        if "_exists_:" in segment and segment.strip("()").split(":", 1)[1] == path:
            segments.append(segment.replace(path, f"{path}{suffix}"))
        else:
            segments.append(segment)
    return " ".join(segments)


def _document(source: Mapping[str, Any], suffix: str) -> dict[str, Any]:
    # Lists are leaves to the plugin, whatever they hold.
    return {
        name if isinstance(value, dict) else f"{name}{suffix}": _document(value, suffix)
        if isinstance(value, dict)
        else value
        for name, value in source.items()
    }
