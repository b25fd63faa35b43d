"""The saved objects of Dashboards hold together: what each names is there, and what a chart calculates can be.

Sources of what Dashboards wants: the schemas of its chart types (``histogram.ts``, ``line.ts``, ``tile_map_type.js``,
``metric_vis_type.ts``, ``table_vis_type.ts``), ``dashboard/common/migrate_to_730_panels.ts``, and the types of fields
that its aggregations take.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from oktalogger.opensearch.names import IndexNames
from oktalogger.opensearch.setup.dashboards import PATTERN, shipped_objects
from oktalogger.resources import resource

NAMES = IndexNames()
OBJECTS = {one.key: one for one in shipped_objects(NAMES)}
TEMPLATES = {
    NAMES.alias: "index-template",
    NAMES.ledger: "ledger-index-template",
    NAMES.rejected: "rejected-index-template",
    NAMES.matches: "detection-matches-index-template",
}
# How many aggregations a chart takes in each role, and at least.
ROLES: dict[str, dict[str, tuple[int, int]]] = {
    "metric": {"metric": (1, 99), "group": (0, 1)},
    "table": {"metric": (1, 99), "bucket": (0, 99)},
    "histogram": {"metric": (1, 99), "segment": (0, 1), "group": (0, 3)},
    "line": {"metric": (1, 99), "segment": (0, 1), "group": (0, 3)},
    "tile_map": {"metric": (1, 1), "segment": (1, 1)},
    "markdown": {},
}
NUMBERS = {"long", "integer", "double", "byte"}
TAKES = {
    "terms": {"keyword", "ip", "boolean", "date", *NUMBERS},
    "date_histogram": {"date"},
    "geohash_grid": {"geo_point"},
    "cardinality": {"keyword", "ip", "boolean", "date", *NUMBERS},
    "sum": NUMBERS,
    "avg": NUMBERS,
    "min": {"date", *NUMBERS},
    "max": {"date", *NUMBERS},
}


def of(kind: str) -> list[Any]:
    return [pytest.param(one, id=one.id) for one in OBJECTS.values() if one.type == kind]


def mapped(pattern: str) -> dict[str, dict[str, Any]]:
    """Return the fields of an index."""
    body = json.loads(resource(f"opensearch/{TEMPLATES[pattern]}.json").read_text())
    found: dict[str, dict[str, Any]] = {}

    def walk(properties: dict[str, Any], above: str) -> None:
        for name, field in properties.items():
            if "properties" in field:
                walk(field["properties"], f"{above}{name}.")
            else:
                found[above + name] = field

    walk(body["template"]["mappings"]["properties"], "")
    return found


def pattern_of(one: Any) -> str:
    [named] = [ref["id"] for ref in one.references if ref["type"] == PATTERN]
    return str(named)


def texts(value: Any, name: str = "") -> list[tuple[str, str]]:
    """Return every text below a value, with the key that it stands under."""
    if isinstance(value, dict):
        return [found for key, inner in value.items() for found in texts(inner, key)]
    if isinstance(value, list):
        return [found for inner in value for found in texts(inner, name)]
    if isinstance(value, str) and name.endswith("JSON"):
        return texts(json.loads(value))
    return [(name, value)] if isinstance(value, str) else []


@pytest.mark.parametrize("one", [pytest.param(one, id=one.id) for one in OBJECTS.values()])
def test_what_an_object_names_is_there_under_that_name(one: Any) -> None:
    named = Counter(text for key, text in texts(one.attributes) if key.endswith("RefName"))
    assert named == Counter(ref["name"] for ref in one.references)
    assert all((ref["type"], ref["id"]) in OBJECTS for ref in one.references)


@pytest.mark.parametrize("one", of(PATTERN))
def test_an_index_pattern_has_its_time_and_the_fields_that_it_formats(one: Any) -> None:
    fields = mapped(one.id)
    assert one.attributes["title"] == one.id
    assert fields[one.attributes["timeFieldName"]]["type"] == "date"
    assert json.loads(one.attributes["fieldFormatMap"]).keys() <= fields.keys()


def test_there_is_an_index_pattern_for_each_index() -> None:
    assert {id for kind, id in OBJECTS if kind == PATTERN} == TEMPLATES.keys()


@pytest.mark.parametrize("one", of("search"))
def test_a_search_shows_fields_that_are_there(one: Any) -> None:
    fields = mapped(pattern_of(one))
    assert set(one.attributes["columns"]) <= fields.keys()
    assert {field for field, _ in one.attributes["sort"]} <= fields.keys()


@pytest.mark.parametrize("one", of("visualization"))
def test_a_chart_calculates_what_its_type_and_the_fields_allow(one: Any) -> None:
    state = json.loads(one.attributes["visState"])
    assert state["title"] == one.attributes["title"]
    roles = Counter(agg["schema"] for agg in state["aggs"])
    limits = ROLES[state["type"]]
    assert roles.keys() <= limits.keys()
    assert all(low <= roles[role] <= high for role, (low, high) in limits.items())
    assert [agg["id"] for agg in state["aggs"]] == [str(number + 1) for number in range(len(state["aggs"]))]
    fields = mapped(pattern_of(one)) if one.references else {}
    metrics = {agg["id"] for agg in state["aggs"] if agg["schema"] == "metric"}
    for agg in state["aggs"]:
        if agg["type"] in TAKES:
            field = fields[agg["params"]["field"]]
            assert field["type"] in TAKES[agg["type"]], agg
            assert field.get("doc_values") is not False, agg
        else:
            assert agg["type"] in ("count", "filters")
        if agg["type"] == "terms":
            assert agg["params"]["orderBy"] in {*metrics, "_key"}
    shown = {series["data"]["id"] for series in state["params"].get("seriesParams", ())}
    assert not shown or shown == metrics


@pytest.mark.parametrize("one", of("dashboard"))
def test_the_panels_of_a_dashboard_lie_beside_each_other(one: Any) -> None:
    panels = json.loads(one.attributes["panelsJSON"])
    taken: Counter[tuple[int, int]] = Counter()
    for panel in panels:
        place = panel["gridData"]
        assert place["x"] + place["w"] <= 48
        assert place["i"] == panel["panelIndex"]
        assert tuple(map(int, panel["version"].split("."))) >= (7, 3), "Dashboards would migrate it as an old one"
        taken.update(
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        )
    assert set(taken.values()) == {1}
    assert len({panel["panelIndex"] for panel in panels}) == len(panels)
    height = max(y for _, y in taken) + 1
    assert len(taken) == 48 * height, "a hole between panels"


def test_every_chart_and_search_is_on_a_dashboard() -> None:
    shown = {(ref["type"], ref["id"]) for one in OBJECTS.values() if one.type == "dashboard" for ref in one.references}
    assert {key for key in OBJECTS if key[0] in ("search", "visualization")} == shown
