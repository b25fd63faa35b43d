"""The kinds of saved objects, and the form in which OpenSearch Dashboards 2.19 and 3 store each.

Sources: opensearch-project/OpenSearch-Dashboards, ``server/saved_objects`` of the plugins data, discover,
visualizations and dashboard: attributes and migrations of each type.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tools.dashboards.charts import Chart

PREFIX: Final = "okta-system-log"
TITLE: Final = "Okta: "
# An object of the newest migration of its type is stored as it is; an older one would be migrated, a newer one refused.
MIGRATIONS: Final = {"index-pattern": "7.6.0", "search": "7.9.3", "visualization": "7.10.0", "dashboard": "7.9.3"}
# From 7.3 on a panel is not migrated.
PANEL_VERSION: Final = "7.10.0"
COLUMNS: Final = 48
INDEX_REF: Final = "kibanaSavedObjectMeta.searchSourceJSON.index"

Kind = Literal["index-pattern", "search", "visualization", "dashboard"]


def compact(value: Any) -> str:
    """Write the JSON that stands as text inside an object."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def slug(title: str) -> str:
    """Derive the last part of an id from a title."""
    return re.sub(r"[^a-z0-9]+", "-", re.sub("['&]", "", title.lower())).strip("-")


def reference(name: str, kind: Kind, id: str) -> dict[str, str]:
    """Return what a saved object says of another one that it names."""
    return {"name": name, "type": kind, "id": id}


def saved(kind: Kind, id: str, attributes: Mapping[str, Any], references: list[dict[str, str]]) -> dict[str, Any]:
    """Return one line of an export."""
    return {
        "type": kind,
        "id": id,
        "attributes": dict(attributes),
        "references": references,
        "migrationVersion": {kind: MIGRATIONS[kind]},
    }


def search_source(query: str, **more: Any) -> dict[str, str]:
    """Return the query of a search or a chart, in Lucene's language, which OpenSearch reads itself."""
    source = {"query": {"query": query, "language": "lucene"}, "filter": [], "indexRefName": INDEX_REF, **more}
    return {"searchSourceJSON": compact(source)}


@dataclass(frozen=True, slots=True)
class Pattern:
    """An index pattern. Its id is the name of its index, because the links from Airflow name it so.

    :param index: the index or alias
    :param time: the field of the time picker
    :param formats: how to show fields, by their names
    """

    index: str
    time: str
    formats: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def saved_object(self) -> dict[str, Any]:
        """Return the line of the file."""
        attributes = {
            "title": self.index,
            "timeFieldName": self.time,
            "fieldFormatMap": compact({name: dict(value) for name, value in self.formats.items()}),
        }
        return saved("index-pattern", self.index, attributes, [])


@dataclass(frozen=True, slots=True)
class Search:
    """A saved search, which also is a panel with the documents themselves.

    :param title: its name
    :param pattern: where it looks
    :param query: for what, in Lucene's language
    :param columns: the fields to show beside the time
    :param words: what it shows, in a sentence
    """

    title: str
    pattern: Pattern
    query: str
    columns: tuple[str, ...]
    words: str

    @property
    def id(self) -> str:
        """The object's id."""
        return f"{PREFIX}-search-{slug(self.title)}"

    @property
    def kind(self) -> Kind:
        """The type of the saved object."""
        return "search"

    def saved_object(self) -> dict[str, Any]:
        """Return the line of the file."""
        attributes = {
            "title": TITLE + self.title,
            "description": self.words,
            "hits": 0,
            "columns": list(self.columns),
            "sort": [[self.pattern.time, "desc"]],
            "version": 1,
            "kibanaSavedObjectMeta": search_source(self.query, highlightAll=True, version=True),
        }
        return saved("search", self.id, attributes, [reference(INDEX_REF, "index-pattern", self.pattern.index)])


@dataclass(frozen=True, slots=True)
class Panel:
    """A chart or search on a dashboard.

    :param shown: what
    :param width: of 48 columns
    :param height: in rows of about 20 pixels
    """

    shown: Chart | Search
    width: int = 24
    height: int = 12


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A dashboard: rows of panels.

    :param title: its name
    :param words: what it shows, in a sentence
    :param since: where its time range begins, up to now
    :param rows: panels beside each other, of one height, 48 columns together
    """

    title: str
    words: str
    since: str
    rows: tuple[tuple[Panel, ...], ...]

    @property
    def id(self) -> str:
        """The object's id."""
        return f"{PREFIX}-dashboard-{slug(self.title)}"

    @property
    def shown(self) -> list[Chart | Search]:
        """What its panels show."""
        return [panel.shown for row in self.rows for panel in row]

    def saved_object(self) -> dict[str, Any]:
        """Return the line of the file.

        :raises ValueError: if a row does not fit
        """
        panels: list[dict[str, Any]] = []
        references: list[dict[str, str]] = []
        top = 0
        for row in self.rows:
            if sum(panel.width for panel in row) != COLUMNS or len({panel.height for panel in row}) != 1:
                raise ValueError(f"A row of {self.title!r} has not {COLUMNS} columns of one height.")
            left = 0
            for panel in row:
                number = len(panels)
                place = {"x": left, "y": top, "w": panel.width, "h": panel.height, "i": str(number)}
                panels.append(
                    {
                        "version": PANEL_VERSION,
                        "gridData": place,
                        "panelIndex": str(number),
                        "embeddableConfig": {},
                        "panelRefName": f"panel_{number}",
                    }
                )
                references.append(reference(f"panel_{number}", panel.shown.kind, panel.shown.id))
                left += panel.width
            top += row[0].height
        attributes = {
            "title": TITLE + self.title,
            "description": self.words,
            "hits": 0,
            "version": 1,
            "panelsJSON": compact(panels),
            "optionsJSON": compact({"hidePanelTitles": False, "useMargins": True}),
            "timeRestore": True,
            "timeFrom": self.since,
            "timeTo": "now",
            "refreshInterval": {"pause": True, "value": 0},
            "kibanaSavedObjectMeta": {
                "searchSourceJSON": compact({"query": {"query": "", "language": "lucene"}, "filter": []})
            },
        }
        return saved("dashboard", self.id, attributes, references)
