"""The aggregations of charts, in the form of Dashboards' ``visState.aggs``.

Source: opensearch-project/OpenSearch-Dashboards, ``src/plugins/data/common/search/aggs``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Role = Literal["metric", "segment", "group", "bucket"]
"""What an aggregation is in a chart: a value, the axis, the colours, a column of a table."""

# The id of the first metric of each chart, by which terms are ordered.
FIRST: Final = "1"


@dataclass(frozen=True, slots=True)
class Aggregation:
    """One aggregation.

    :param kind: Dashboards' name of it
    :param params: its parameters
    """

    kind: str
    params: Mapping[str, Any]

    def as_stored(self, number: int, role: Role) -> dict[str, Any]:
        """Return it as a chart has it.

        :param number: its id
        :param role: what it is there
        """
        return {"id": str(number), "enabled": True, "type": self.kind, "schema": role, "params": dict(self.params)}


def count(label: str) -> Aggregation:
    """Count documents."""
    return Aggregation("count", {"customLabel": label})


def metric(kind: Literal["sum", "min", "max", "avg", "cardinality"], field: str, label: str) -> Aggregation:
    """Calculate one value of a field."""
    return Aggregation(kind, {"field": field, "customLabel": label})


def terms(field: str, label: str, *, size: int = 10, order_by: str = FIRST) -> Aggregation:
    """Make a bucket for each value of a field.

    :param size: how many, those with the largest metric
    :param order_by: id of that metric, or ``_key`` for the order of the alphabet
    """
    params = {
        "field": field,
        "orderBy": order_by,
        "order": "asc" if order_by == "_key" else "desc",
        "size": size,
        "otherBucket": False,
        "otherBucketLabel": "Other",
        "missingBucket": False,
        "missingBucketLabel": "Missing",
        "customLabel": label,
    }
    return Aggregation("terms", params)


def over_time(field: str) -> Aggregation:
    """Make a bucket for each piece of the time range, as wide as fits the range."""
    params = {
        "field": field,
        "useNormalizedOpenSearchInterval": True,
        "scaleMetricValues": False,
        "interval": "auto",
        "drop_partials": False,
        "min_doc_count": 1,
        "extended_bounds": {},
        "customLabel": "Time",
    }
    return Aggregation("date_histogram", params)


def queries(by_label: Mapping[str, str]) -> Aggregation:
    """Make a bucket for each query, in Lucene's language."""
    filters = [{"input": {"query": query, "language": "lucene"}, "label": label} for label, query in by_label.items()]
    return Aggregation("filters", {"filters": filters})


def places(field: str) -> Aggregation:
    """Make a bucket for each piece of the map, as large as fits what is seen of it."""
    params = {
        "field": field,
        "autoPrecision": True,
        "precision": 2,
        "useGeocentroid": True,
        "isFilteredByCollar": True,
        "mapZoom": 2,
        "mapCenter": [0, 0],
    }
    return Aggregation("geohash_grid", params)
