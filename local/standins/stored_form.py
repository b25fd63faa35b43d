"""Writes a search as the server stores it: every default filled in, everything that the server does not know left out.

The forms are those that OpenSearch 2.19.4 gave, recorded in ``tests/data``. A search that is not understood here is
refused, so that a test never passes on a form that nobody has seen.
"""

from __future__ import annotations

from typing import Any


class UnknownQueryError(Exception):
    """The search holds something whose stored form nobody has recorded."""


def stored_search(body: dict[str, Any]) -> dict[str, Any]:
    """Return the stored form of a search body."""
    stored: dict[str, Any] = {key: value for key, value in body.items() if key in ("size", "_source")}
    if "query" in body:
        stored["query"] = _query(body["query"])
    aggregations = body.get("aggregations", body.get("aggs"))
    if aggregations:
        stored["aggregations"] = {name: _aggregation(aggregation) for name, aggregation in aggregations.items()}
    return stored


def _query(query: dict[str, Any]) -> dict[str, Any]:
    if len(query) != 1:
        raise UnknownQueryError(f"query malformed, {sorted(query)}")
    ((kind, inner),) = query.items()
    if kind == "bool":
        return {"bool": _bool(inner)}
    if kind == "nested":
        return {
            "nested": {
                "query": _query(inner["query"]),
                "path": inner["path"],
                "ignore_unmapped": False,
                "score_mode": "avg",
                "boost": 1.0,
            }
        }
    if kind == "range":
        return {"range": {field: _range(bounds) for field, bounds in inner.items()}}
    if kind in ("term", "prefix"):
        return {kind: {field: {"value": _value(value, "value"), "boost": 1.0} for field, value in inner.items()}}
    if kind == "wildcard":
        return {
            kind: {
                field: {"wildcard": _value(value, "value", "wildcard"), "boost": 1.0} for field, value in inner.items()
            }
        }
    if kind == "terms":
        return {"terms": inner | {"boost": 1.0}}
    if kind == "exists":
        return {"exists": {"field": inner["field"], "boost": 1.0}}
    if kind == "match_all":
        return {"match_all": {"boost": 1.0}}
    if kind == "query_string":
        stored = {**_QUERY_STRING, **inner}
        return {"query_string": {**stored, "default_operator": str(stored["default_operator"]).lower()}}
    raise UnknownQueryError(f"unknown query [{kind}]")


def _bool(inner: dict[str, Any]) -> dict[str, Any]:
    stored: dict[str, Any] = {}
    for occur in ("must", "filter", "must_not", "should"):
        if occur in inner:
            clauses = inner[occur] if isinstance(inner[occur], list) else [inner[occur]]
            stored[occur] = [_query(clause) for clause in clauses]
    if "minimum_should_match" in inner:
        stored["minimum_should_match"] = str(inner["minimum_should_match"])
    return {**stored, "adjust_pure_negative": True, "boost": 1.0}


def _range(bounds: dict[str, Any]) -> dict[str, Any]:
    stored: dict[str, Any] = {
        "from": bounds.get("gt", bounds.get("gte", bounds.get("from"))),
        "to": bounds.get("lt", bounds.get("lte", bounds.get("to"))),
        "include_lower": bounds.get("include_lower", "gt" not in bounds),
        "include_upper": bounds.get("include_upper", "lt" not in bounds),
    }
    for key in ("format", "time_zone"):
        if key in bounds:
            stored[key] = bounds[key]
    return {**stored, "boost": 1.0}


def _value(value: Any, *keys: str) -> Any:
    return next(value[key] for key in keys if key in value) if isinstance(value, dict) else value


_QUERY_STRING = {
    "fields": [],
    "type": "best_fields",
    "default_operator": "or",
    "max_determinized_states": 10000,
    "enable_position_increments": True,
    "fuzziness": "AUTO",
    "fuzzy_prefix_length": 0,
    "fuzzy_max_expansions": 50,
    "phrase_slop": 0,
    "escape": False,
    "auto_generate_synonyms_phrase_query": True,
    "fuzzy_transpositions": True,
    "boost": 1.0,
}


def _aggregation(aggregation: dict[str, Any]) -> dict[str, Any]:
    inner = aggregation.get("aggregations", aggregation.get("aggs"))
    kinds = [key for key in aggregation if key not in ("aggs", "aggregations", "meta")]
    if len(kinds) != 1:
        raise UnknownQueryError(f"aggregation malformed, {kinds}")
    kind = kinds[0]
    stored = {kind: _AGGREGATIONS[kind](aggregation[kind])} if kind in _AGGREGATIONS else None
    if stored is None:
        raise UnknownQueryError(f"Unknown aggregation type [{kind}]")
    if inner:
        stored["aggregations"] = {name: _aggregation(value) for name, value in inner.items()}
    return stored


def _composite(inner: dict[str, Any]) -> dict[str, Any]:
    sources = []
    for source in inner["sources"]:
        ((name, definition),) = source.items()
        ((kind, options),) = definition.items()
        if kind == "terms":
            kept = {key: value for key, value in options.items() if key in ("field", "script", "value_type")}
            if "script" in kept:
                kept["script"] = {"lang": "painless", **kept["script"]}
        elif kind == "date_histogram":
            # `offset` is honoured by a search and lost when a monitor is stored.
            kept = {
                key: value for key, value in options.items() if key in ("field", "fixed_interval", "calendar_interval")
            }
        else:
            raise UnknownQueryError(f"composite source [{kind}]")
        sources.append({name: {kind: {**kept, "missing_bucket": options.get("missing_bucket", False), "order": "asc"}}})
    return {"size": inner.get("size", 10), "sources": sources}


def _top_hits(inner: dict[str, Any]) -> dict[str, Any]:
    stored: dict[str, Any] = {"from": 0, "size": 3, "version": False, "seq_no_primary_term": False, "explain": False}
    stored |= {key: value for key, value in inner.items() if key in ("size", "from")}
    if isinstance(inner.get("_source"), list):
        stored["_source"] = {"includes": inner["_source"], "excludes": []}
    elif "_source" in inner:
        stored["_source"] = inner["_source"]
    if "sort" in inner:
        sort = inner["sort"] if isinstance(inner["sort"], list) else [inner["sort"]]
        stored["sort"] = [
            {field: {"order": order if isinstance(order, str) else order["order"]}}
            for entry in sort
            for field, order in entry.items()
        ]
    return stored


def _terms(inner: dict[str, Any]) -> dict[str, Any]:
    return {
        "size": 10,
        "min_doc_count": 1,
        "shard_min_doc_count": 0,
        "show_term_doc_count_error": False,
        "order": [{"_count": "desc"}, {"_key": "asc"}],
        **inner,
    }


def _date_histogram(inner: dict[str, Any]) -> dict[str, Any]:
    return {"offset": 0, "order": {"_key": "asc"}, "keyed": False, "min_doc_count": 0, **inner}


def _bucket_selector(inner: dict[str, Any]) -> dict[str, Any]:
    return {"gap_policy": "skip", **inner, "script": {"lang": "painless", **inner["script"]}}


def _percentiles(inner: dict[str, Any]) -> dict[str, Any]:
    # OpenSearch's AbstractPercentilesAggregationBuilder.doXContentBody.
    return {"keyed": True, "tdigest": {"compression": 100.0}, **inner}


_AGGREGATIONS: dict[str, Any] = {
    "avg": dict,
    "bucket_selector": _bucket_selector,
    "date_histogram": _date_histogram,
    "composite": _composite,
    "filter": _query,
    "cardinality": dict,
    "value_count": dict,
    "min": dict,
    "percentiles": _percentiles,
    "sum": dict,
    "max": dict,
    "terms": _terms,
    "top_hits": _top_hits,
}
