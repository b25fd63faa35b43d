"""Monitors side by side, although the server writes a monitor anew when it stores it.

``{"term": {"a": "b"}}`` comes back as ``{"term": {"a": {"value": "b", "boost": 1.0}}}``, ``gt`` as ``from`` with
``include_lower``, and so on. Whether a monitor is up to date is never judged by this (the marker's hash and version
say that): it serves to show people what is different, and to find what the server dropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# What the server adds to a monitor, or what is not part of what a rule says.
_NOT_COMPARED: Final = frozenset(
    {
        "schema_version",
        "enabled_time",
        "last_update_time",
        "data_sources",
        "delete_query_index_in_every_run",
        "should_create_single_alert_for_findings",
        "owner",
        "user",
        "rbac_roles",
        "metadata",
        "target",
        "associated_workflows",
        "ui_metadata",
    }
)

# Values that mean the same as their absence, wherever they stand. Seen in answers of OpenSearch 2.19 and 3.x.
_DEFAULTS: Final[dict[str, tuple[Any, ...]]] = {
    "boost": (1.0,),
    "adjust_pure_negative": (True,),
    "ignore_unmapped": (False,),
    "case_insensitive": (False,),
    "missing_bucket": (False,),
    "missing_order": ("default",),
    "gap_policy": ("skip",),
    "fan_out_enabled": (True,),
    "query_field_names": ([],),
    "fields": ([],),
    "tags": ([],),
    "description": ("",),
    "throttle_enabled": (False,),
    "default_operator": ("or",),
    "max_determinized_states": (10000,),
    "enable_position_increments": (True,),
    "fuzziness": ("AUTO",),
    "fuzzy_prefix_length": (0,),
    "fuzzy_max_expansions": (50,),
    "phrase_slop": (0,),
    "escape": (False,),
    "auto_generate_synonyms_phrase_query": (True,),
    "fuzzy_transpositions": (True,),
    "max_expansions": (50,),
    "prefix_length": (0,),
    "zero_terms_query": ("NONE",),
    "lenient": (False,),
    "flags_value": (255,),
    "keyed": (False,),
    "shard_min_doc_count": (0,),
    "show_term_doc_count_error": (False,),
    "lang": ("painless",),
    "order": ("asc", {"_key": "asc"}, [{"_count": "desc"}, {"_key": "asc"}]),
    "offset": (0,),
    "size": (10,),
    "from": (0,),
    "version": (False,),
    "seq_no_primary_term": (False,),
    "explain": (False,),
    "operator": ("or",),
    "type": ("best_fields",),
}
_BOUNDS: Final = {"gt": ("from", False), "gte": ("from", True), "lt": ("to", False), "lte": ("to", True)}
_RENAMED: Final = {"aggs": "aggregations"}
_LISTS: Final = frozenset({"must", "filter", "must_not", "should"})
_NOTHING: Final = object()


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where two monitors differ.

    :param path: where, as ``triggers[0].document_level_trigger.severity``
    :param files: what the rule files say; ``None`` where they say nothing
    :param server: what the server has; ``None`` where it has nothing
    """

    path: str
    files: Any
    server: Any

    def __str__(self) -> str:
        return f"{self.path}: files {_short(self.files)}, server {_short(self.server)}"

    def as_dict(self) -> dict[str, str]:
        """Return it as text, each value cut to a readable length."""
        return {"path": self.path, "files": _short(self.files), "server": _short(self.server)}


def normal(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a monitor in a form in which one that was sent and one that was read can be compared."""
    kept = {key: value for key, value in body.items() if key not in _NOT_COMPARED}
    return {key: _simple(value) for key, value in kept.items()}


def differences(files: Mapping[str, Any], server: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Return where two monitors differ in what they do.

    :param files: the monitor as rendered
    :param server: the monitor as read
    """
    return tuple(_walk("", normal(files), normal(server)))


def dropped(sent: Mapping[str, Any], stored: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Return what was sent and is missing or different in what was stored; what the server added is left out.

    The server drops what it does not know without a word: ``offset`` in a composite ``date_histogram`` is an example.
    """
    return tuple(found for found in differences(sent, stored) if found.files is not None)


def _simple(value: Any) -> Any:
    if isinstance(value, list):
        return [_simple(item) for item in value]
    if not isinstance(value, dict):
        return value
    simple: dict[str, Any] = {}
    for key, given in value.items():
        inner = _canonical(key, given)
        if key in _BOUNDS:
            bound, inclusive = _BOUNDS[key]
            simple[bound] = {"at": _simple(inner), "inclusive": inclusive}
        elif key in ("from", "to") and "include_lower" in value:
            if inner is not None:
                inclusive = value["include_lower" if key == "from" else "include_upper"]
                simple[key] = {"at": _simple(inner), "inclusive": inclusive}
        elif key not in ("include_lower", "include_upper") and not _is_default(key, inner):
            simple[str(_RENAMED.get(key, key))] = _simple(inner)
    # {"value": x} and, in a wildcard query, {"wildcard": x} say no more than x.
    if len(simple) == 1:
        ((key, inner),) = simple.items()
        if key == "value" or (key in ("wildcard", "query") and not isinstance(inner, dict)):
            return inner
    return simple


def _canonical(key: str, value: Any) -> Any:
    """Bring the short forms that a search may be written in to the one that the server writes."""
    if key in _LISTS and isinstance(value, dict):
        return [value]
    if key == "date_histogram":
        return {"min_doc_count": 0, **value}
    if key == "terms" and ("field" in value or "script" in value):
        return {"min_doc_count": 1, **value}
    if key == "_source" and isinstance(value, list):
        return {"includes": value, "excludes": []}
    if key == "minimum_should_match":
        return str(value)
    if key in ("default_operator", "operator") and isinstance(value, str):
        return value.lower()
    if key == "sort":
        entries = value if isinstance(value, list) else [value]
        return [_sort_entry(entry) for entry in entries]
    return value


def _sort_entry(entry: Any) -> Any:
    if isinstance(entry, str):
        return {entry: {"order": "asc"}}
    return {name: {"order": order} if isinstance(order, str) else order for name, order in entry.items()}


def _is_default(key: str, value: Any) -> bool:
    if isinstance(value, bool):
        return any(value is default for default in _DEFAULTS.get(key, ()))
    return any(value == default and not isinstance(default, bool) for default in _DEFAULTS.get(key, ()))


def _walk(path: str, files: Any, server: Any) -> Iterator[Difference]:
    if isinstance(files, dict) and isinstance(server, dict):
        for key in sorted(files.keys() | server.keys()):
            yield from _walk(f"{path}.{key}" if path else key, files.get(key, _NOTHING), server.get(key, _NOTHING))
    elif isinstance(files, list) and isinstance(server, list):
        for at in range(max(len(files), len(server))):
            ours = files[at] if at < len(files) else _NOTHING
            theirs = server[at] if at < len(server) else _NOTHING
            yield from _walk(f"{path}[{at}]", ours, theirs)
    elif files != server and not (_empty(files) and _empty(server)):
        yield Difference(path, None if files is _NOTHING else files, None if server is _NOTHING else server)


def _empty(value: Any) -> bool:
    return value is _NOTHING or value is None or value == []


def _short(value: Any) -> str:
    if value is None:
        return "nothing"
    text = repr(value)
    return text if len(text) <= 160 else text[:157] + "..."
