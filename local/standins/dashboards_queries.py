"""The search that OpenSearch Dashboards sends for a saved search or a chart, as its source says.

Sources: opensearch-project/OpenSearch-Dashboards, ``src/plugins/data/common/search/aggs`` (``toDsl`` of the
configurations, ``write`` of each type's parameters) and ``opensearch_query/from_lucene``. Only what our objects use.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

METRICS = ("sum", "min", "max", "avg", "cardinality")


def search_body(
    saved: Mapping[str, Any], *, time_field: str, since: datetime, until: datetime, interval: str = "1h"
) -> dict[str, Any]:
    """Return the body of the search.

    :param saved: a saved object of the type ``search`` or ``visualization``
    :param time_field: of its index pattern
    :param since: start of the time picker's range
    :param until: its end
    :param interval: what Dashboards makes of ``auto``
    """
    attributes = saved["attributes"]
    source = json.loads(attributes["kibanaSavedObjectMeta"]["searchSourceJSON"])
    span = {"gte": since.isoformat(), "lte": until.isoformat(), "format": "strict_date_optional_time"}
    query = {"bool": {"must": [_lucene(source["query"])], "filter": [{"range": {time_field: span}}]}}
    if saved["type"] == "search":
        sort = [{field: {"order": order, "unmapped_type": "boolean"}} for field, order in attributes["sort"]]
        return {"size": 500, "sort": sort, "query": query, "version": True}
    aggs = json.loads(attributes["visState"])["aggs"]
    return {"size": 0, "query": query, "aggs": aggregations(aggs, interval=interval)}


def aggregations(aggs: Sequence[Mapping[str, Any]], *, interval: str) -> dict[str, Any]:
    """Return the aggregations of a chart: each bucket within the one before it, the metrics within the last."""
    buckets = [agg for agg in aggs if agg["schema"] != "metric"]
    metrics = {agg["id"]: agg for agg in aggs if agg["schema"] == "metric"}
    inner = {
        id: {agg["type"]: {"field": agg["params"]["field"]}} for id, agg in metrics.items() if agg["type"] in METRICS
    }
    result: dict[str, Any] = dict(inner)
    for agg in reversed(buckets):
        ordering = {agg["params"]["orderBy"]} if agg["type"] == "terms" else set()
        written = {agg["type"]: _params(agg, metrics, interval)}
        within = {**{id: inner[id] for id in ordering & inner.keys()}, **result}
        if agg["type"] == "geohash_grid":
            within["centroid"] = {"geo_centroid": {"field": agg["params"]["field"]}}
        result = {agg["id"]: {**written, **({"aggs": within} if within else {})}}
    return result


def _params(agg: Mapping[str, Any], metrics: Mapping[str, Any], interval: str) -> dict[str, Any]:
    params = agg["params"]
    if agg["type"] == "terms":
        ordered = metrics.get(params["orderBy"])
        key = "_count" if ordered and ordered["type"] == "count" else params["orderBy"]
        return {"field": params["field"], "size": params["size"], "order": {key: params["order"]}}
    if agg["type"] == "date_histogram":
        return {"field": params["field"], "fixed_interval": interval, "time_zone": "UTC", "min_doc_count": 1}
    if agg["type"] == "filters":
        return {"filters": {one["label"]: _lucene(one["input"]) for one in params["filters"]}}
    if agg["type"] == "geohash_grid":
        return {"field": params["field"], "precision": params["precision"]}
    raise ValueError(f"no translation for the aggregation {agg['type']}")


def _lucene(query: Mapping[str, str]) -> dict[str, Any]:
    if query["language"] != "lucene":
        raise ValueError(f"no translation for the query language {query['language']}")
    if not query["query"]:
        return {"match_all": {}}
    return {"query_string": {"query": query["query"], "analyze_wildcard": True, "time_zone": "UTC"}}
