"""The charts, in the form of Dashboards' ``visState``.

Sources: opensearch-project/OpenSearch-Dashboards, the defaults in ``histogram.ts`` and ``line.ts`` of the plugin
vis_type_vislib, ``metric_vis_type.ts``, ``table_vis_type.ts``, ``tile_map_type.js`` and ``markdown_vis.ts``. These
types are in 2.19 and 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tools.dashboards.objects import INDEX_REF, PREFIX, TITLE, compact, reference, saved, search_source, slug

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tools.dashboards.aggregations import Aggregation, Role
    from tools.dashboards.objects import Kind, Pattern

AXIS = "ValueAxis-1"


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart.

    :param title: its name
    :param form: Dashboards' type
    :param pattern: what it counts; none for a text
    :param query: which of it, in Lucene's language
    :param params: how it looks
    :param aggregations: what it calculates, each with its role; the first is a metric
    """

    title: str
    form: str
    pattern: Pattern | None
    query: str
    params: Mapping[str, Any]
    aggregations: tuple[tuple[Role, Aggregation], ...] = ()

    @property
    def id(self) -> str:
        """The object's id."""
        return f"{PREFIX}-chart-{slug(self.title)}"

    @property
    def kind(self) -> Kind:
        """The type of the saved object."""
        return "visualization"

    def saved_object(self) -> dict[str, Any]:
        """Return the line of the file."""
        title = TITLE + self.title
        state = {
            "title": title,
            "type": self.form,
            "aggs": [one.as_stored(number, role) for number, (role, one) in enumerate(self.aggregations, 1)],
            "params": dict(self.params),
        }
        source = search_source(self.query) if self.pattern else {"searchSourceJSON": "{}"}
        references = [reference(INDEX_REF, "index-pattern", self.pattern.index)] if self.pattern else []
        attributes = {
            "title": title,
            "description": "",
            "version": 1,
            "uiStateJSON": "{}",
            "visState": compact(state),
            "kibanaSavedObjectMeta": source,
        }
        return saved("visualization", self.id, attributes, references)


def numbers(
    title: str, pattern: Pattern, query: str, metrics: Sequence[Aggregation], by: Aggregation | None = None
) -> Chart:
    """Show large numbers: each metric, for each bucket."""
    params = {
        "type": "metric",
        "addTooltip": True,
        "addLegend": False,
        "metric": {
            "percentageMode": False,
            "useRanges": False,
            "colorSchema": "Green to Red",
            "metricColorMode": "None",
            "colorsRange": [{"from": 0, "to": 10000}],
            "labels": {"show": True},
            "invertColors": False,
            "style": {"bgFill": "#000", "bgColor": False, "labelColor": False, "subText": "", "fontSize": 28},
        },
    }
    split: list[tuple[Role, Aggregation]] = [("group", by)] if by else []
    return Chart(title, "metric", pattern, query, params, (*_metrics(metrics), *split))


def table(
    title: str, pattern: Pattern, query: str, metrics: Sequence[Aggregation], rows: Sequence[Aggregation]
) -> Chart:
    """Show a table: a row for each bucket, a column for each metric."""
    params = {
        "perPage": 10,
        "showPartialRows": False,
        "showMetricsAtAllLevels": False,
        "showTotal": False,
        "totalFunc": "sum",
        "percentageCol": "",
    }
    buckets: list[tuple[Role, Aggregation]] = [("bucket", row) for row in rows]
    return Chart(title, "table", pattern, query, params, (*_metrics(metrics), *buckets))


def bars(
    title: str,
    pattern: Pattern,
    query: str,
    metrics: Sequence[Aggregation],
    along: Aggregation,
    by: Aggregation | None = None,
) -> Chart:
    """Show stacked bars along an axis, in a colour for each bucket."""
    return _axes(title, "histogram", pattern, query, metrics, along, by)


def lines(
    title: str,
    pattern: Pattern,
    query: str,
    metrics: Sequence[Aggregation],
    along: Aggregation,
    by: Aggregation | None = None,
) -> Chart:
    """Show a line for each metric along an axis."""
    return _axes(title, "line", pattern, query, metrics, along, by)


def world_map(title: str, pattern: Pattern, query: str, metric: Aggregation, where: Aggregation) -> Chart:
    """Show circles on a map of the world."""
    params = {
        "colorSchema": "Yellow to Red",
        "mapType": "Scaled Circle Markers",
        "isDesaturated": True,
        "addTooltip": True,
        "heatClusterSize": 1.5,
        "legendPosition": "bottomright",
        "mapZoom": 2,
        "mapCenter": [20, 0],
        "wms": {"enabled": False, "options": {"format": "image/png", "transparent": True}},
    }
    return Chart(title, "tile_map", pattern, query, params, (("metric", metric), ("segment", where)))


def note(title: str, text: str) -> Chart:
    """Show a text in Markdown."""
    return Chart(title, "markdown", None, "", {"fontSize": 12, "openLinksInNewTab": True, "markdown": text})


def _metrics(metrics: Sequence[Aggregation]) -> list[tuple[Role, Aggregation]]:
    return [("metric", one) for one in metrics]


def _axes(
    title: str,
    form: Literal["histogram", "line"],
    pattern: Pattern,
    query: str,
    metrics: Sequence[Aggregation],
    along: Aggregation,
    by: Aggregation | None,
) -> Chart:
    series = [
        {
            "show": True,
            "type": form,
            "mode": "stacked" if form == "histogram" else "normal",
            "data": {"label": metric.params["customLabel"], "id": str(number)},
            "valueAxis": AXIS,
            "drawLinesBetweenPoints": True,
            "lineWidth": 2,
            "showCircles": True,
        }
        for number, metric in enumerate(metrics, 1)
    ]
    params = {
        "type": form,
        "grid": {"categoryLines": False},
        "categoryAxes": [
            {
                "id": "CategoryAxis-1",
                "type": "category",
                "position": "bottom",
                "show": True,
                "style": {},
                "scale": {"type": "linear"},
                "labels": {"show": True, "filter": True, "truncate": 100},
                "title": {},
            }
        ],
        "valueAxes": [
            {
                "id": AXIS,
                "name": "LeftAxis-1",
                "type": "value",
                "position": "left",
                "show": True,
                "style": {},
                "scale": {"type": "linear", "mode": "normal"},
                "labels": {"show": True, "rotate": 0, "filter": False, "truncate": 100},
                "title": {"text": metrics[0].params["customLabel"] if len(metrics) == 1 else ""},
            }
        ],
        "seriesParams": series,
        "addTooltip": True,
        "addLegend": True,
        "legendPosition": "right",
        "times": [],
        "addTimeMarker": False,
        "labels": {"show": False},
        "thresholdLine": {"show": False, "value": 10, "width": 1, "style": "full", "color": "#E7664C"},
    }
    split: list[tuple[Role, Aggregation]] = [("group", by)] if by else []
    return Chart(title, form, pattern, query, params, (*_metrics(metrics), ("segment", along), *split))
