"""Maps the field names that rule writers use to the index fields that a monitor can see.

A search sees mapped scalars, and arrays of scalars, reached through objects only; it overlooks
everything else without a word. So a rule that names anything else is an error here.
"""

from __future__ import annotations

import difflib
import fnmatch
import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from oktalogger.pipeline.added_fields import LIFTED
from oktalogger.resources import resource

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

OWN: Final = "oktalogger"
_DEBUG_DATA: Final = "debugContext.debugData"

# Arrays of objects, which a search does not see, and what stands for them.
_ARRAYS: Final = {
    "target": f"`{OWN}.target.any.*`, or `{OWN}.target.<kind>.*` for the targets of one kind",
    "request.ipChain": f"`{OWN}.request_ips` for the addresses",
    "securityContext.userBehaviors": f"`{OWN}.behaviors_positive`, for example with the value 'New Device'",
    "securityContext.ipDetails.ipServiceCategories": f"`{OWN}.ip_services`",
}

# Names in Okta's own event, and the fields to use instead.
_STANDS_FOR: Final = {
    **{field.okta: f"{OWN}.{field.path}" for field in LIFTED if field.okta is not None},
    "@timestamp": "published",
}

# Fields whose values are case-sensitive.
_EXACT: Final = re.compile(r"(^|[._])(uuid|id|hash|fingerprint|ja3|ja4)$|Id$")
_NOT_EXACT: Final = re.compile(r"alternate_?id$", re.IGNORECASE)
# Fields for which Okta has one spelling per value, so that rules may use any spelling.
_UPPER: Final = frozenset({"outcome.result", "severity", f"{OWN}.risk.level", f"{OWN}.risk.previous_level"})
EVENT_TYPE: Final = "eventType"
# The values that Okta documents, of fields with few (API reference, System Log, and its event catalogue).
CODES_OF: Final[dict[str, tuple[str, ...]]] = {
    "outcome.result": (
        *("SUCCESS", "FAILURE", "SKIPPED", "ALLOW", "DENY", "CHALLENGE", "UNKNOWN", "RATE_LIMIT", "DEFERRED"),
        *("SCHEDULED", "ABANDONED", "UNANSWERED"),
    ),
    "severity": ("DEBUG", "INFO", "WARN", "ERROR"),
}
# Fields that no event is without.
ALWAYS_THERE: Final = frozenset({EVENT_TYPE, "severity", "uuid", "published", "oktalogger.org"})
_CODES: Final = frozenset({EVENT_TYPE, *_UPPER})


class FieldError(ValueError):
    """A field that a rule names cannot be used; the message says why, and what to use instead."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the index that a monitor can see.

    :param path: its name in the index
    :param type: its OpenSearch type
    :param is_countable: whether the index keeps its values for counting and grouping, not only for searching
    """

    path: str
    type: str
    is_countable: bool = True

    @property
    def is_code(self) -> bool:
        """Whether Okta has one spelling for each value, so that a rule may use any."""
        return self.path in _CODES

    @property
    def is_exact(self) -> bool:
        """Whether its values are case-sensitive, like ids and hashes."""
        if self.is_code:
            return True
        return _EXACT.search(self.path) is not None and _NOT_EXACT.search(self.path) is None

    def spell(self, text: str) -> str:
        """Write a literal value the way Okta does, if Okta has one way."""
        if self.path in _UPPER:
            return text.upper()
        if self.path == EVENT_TYPE:
            return event_types().get(text.lower(), text)
        return text


class FieldTable:
    """The fields of the index, by every name that rules may use.

    :param properties: the ``properties`` of a mapping
    """

    def __init__(self, properties: Mapping[str, Any]) -> None:
        types = dict(_leaves(properties))
        self._hidden = {path for path in types if _array_above(path)}
        self._types = types
        self._not_countable = {path for path, mapping in _mappings(properties) if mapping.get("doc_values") is False}
        self._by_name = {path.lower(): path for path in types if path not in self._hidden}
        self._by_name |= {name.lower(): path for name, path in _STANDS_FOR.items() if path in types}

    def resolve(self, name: str) -> Field:
        """Find the field that a rule means. Case does not matter, because public rules had it wrong for years.

        :param name: as the rule writes it, without modifiers
        :raises FieldError: if a monitor cannot see such a field, or there is none
        """
        plain = re.sub(r"\{\}|\[\*?\]", "", name.strip())
        path = self._by_name.get(plain.lower())
        if path is None:
            raise FieldError(self._why_not(name, plain))
        kind = self._types[path]
        if kind == "geo_point":
            raise FieldError(
                f"`{name}` is a point on the map, which a query text cannot compare; use the city or country"
            )
        return Field(path, kind, path not in self._not_countable)

    def resolve_countable(self, name: str) -> Field:
        """Find a field that a threshold groups by, or whose values it counts.

        OpenSearch refuses the whole search if the index does not keep the field's values, so the monitor would fail
        each time.

        :param name: as the rule writes it
        :raises FieldError: if there is no such field, or its values are not kept
        """
        field = self.resolve(name)
        if not field.is_countable:
            raise FieldError(
                f"`{name}` can be searched, but not counted or grouped by: to be small, the index keeps no "
                "`doc_values` of it; use another field, or make it countable in pipeline/added_fields.py"
            )
        return field

    def _why_not(self, name: str, plain: str) -> str:
        lower = plain.lower()
        if lower.startswith(_DEBUG_DATA.lower() + "."):
            return (
                f"`{name}` is not indexed: Okta's debugData holds more keys than an index may have, so only some are "
                f"lifted out of it{self._nearest(lower)}; to add one, name its key in pipeline/added_fields.py (see "
                "docs/extending.md)"
            )
        for path in self._types:
            if lower.startswith(path.lower() + ".") and self._types[path] != "alias":
                return f"`{name}` is a second form of `{path}`, which a search cannot see; use `{path}`"
        if (array := _array_above(re.sub(r"\[\d+\]", "", plain))) is not None:
            return f"`{name}` lies in `{array}`, an array of objects, which a search overlooks; use {_ARRAYS[array]}"
        inside = [path for path in self._by_name.values() if path.lower().startswith(lower + ".")]
        if inside:
            return f"`{name}` is an object; name a field in it, like `{min(inside, key=len)}`"
        return f"`{name}` is not a field of the index{self._nearest(lower)}"

    def _nearest(self, lower: str) -> str:
        last = lower.rpartition(".")[2]
        by_last = {name.rpartition(".")[2]: name for name in sorted(self._by_name, key=len, reverse=True)}
        near = difflib.get_close_matches(last, by_last, n=1, cutoff=0.75)
        return f" (did you mean `{self._by_name[by_last[near[0]]]}`?)" if near else ""


@lru_cache(maxsize=1)
def field_table() -> FieldTable:
    """Return the table of the index template that comes with this package."""
    template = json.loads(resource("opensearch/index-template.json").read_text(encoding="utf-8"))
    return FieldTable(template["template"]["mappings"]["properties"])


@lru_cache(maxsize=1)
def event_types() -> dict[str, str]:
    """Return the event types of Okta's published catalogue, by their names in small letters."""
    from importlib.resources import files

    lines = files("oktalogger.detections.rules").joinpath("event_types.txt").read_text(encoding="utf-8").splitlines()
    return {line.lower(): line for line in lines if line and not line.startswith("#")}


def is_spelled_by_okta(pattern: str) -> bool:
    """Say whether a pattern of an event type matches the same types in any other case."""
    known = event_types()
    found = {known[name] for name in fnmatch.filter(known, pattern.lower())}
    return found == set(fnmatch.filter(known.values(), pattern))


def nearest_event_types(text: str) -> list[str]:
    """Return the known event types that look most like a text, at most two."""
    known = event_types()
    return [known[name] for name in difflib.get_close_matches(text.lower(), known, n=2, cutoff=0.75)]


def _leaves(properties: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for path, mapping in _mappings(properties):
        if "type" in mapping and mapping.get("enabled", True) and mapping["type"] != "alias":
            yield path, mapping["type"]


def _mappings(properties: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, mapping in properties.items():
        if "properties" in mapping:
            yield from _mappings(mapping["properties"], f"{above}{name}.")
        else:
            yield f"{above}{name}", mapping


def _array_above(path: str) -> str | None:
    lower = path.lower()
    for array in _ARRAYS:
        if lower == array.lower() or lower.startswith(array.lower() + "."):
            return array
    return None
