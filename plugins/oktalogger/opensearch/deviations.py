"""Compares indices with their templates: settings that hide or change events, and mappings.

Who may make an index by writing to it may make it beforehand with other settings and another mapping, and OpenSearch
has no right that tells these two apart. So each load and the setup compare.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from oktalogger.opensearch.existing import flat

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oktalogger.opensearch.existing import IndexState
    from oktalogger.opensearch.names import IndexNames
    from oktalogger.opensearch.stored_templates import TemplateState
    from oktalogger.opensearch.templates import Template

_APPEND_ONLY: Final = "append_only.enabled"
_PIPELINES: Final = ("default_pipeline", "final_pipeline")
# Where and how an index is kept, and how fast: the server, ISM and administrators change these, and no search finds
# less or other documents for it. Blocks of writes make a load fail, which says so.
_KEEPING: Final = re.compile(
    r"(allocation|codec|creation_date|gc_deletes|history|indexing\.slowlog|max_\w+|merge|merging|number_of_\w+|"
    r"opendistro\.index_state_management|plugins\.index_state_management|priority|provided_name|queries|remote_store|"
    r"replication|requests|resize|routing\.(allocation|rebalance)|search\.(idle|slowlog)|soft_deletes|sort|store|"
    r"translog|unassigned|verified_before_close|version|write|auto_expand_replicas|"
    r"blocks\.(write|read_only|read_only_allow_delete|metadata))(\.|$)"
)
_DYNAMIC: Final = frozenset(
    {*_PIPELINES, "blocks.read", "hidden", "query.default_field", "refresh_interval", "search.default_pipeline"}
)
_ABSENT: Final = {"default_pipeline": "_none", "final_pipeline": "_none", "search.default_pipeline": "_none",
                  "hidden": "false", "blocks.read": "false"}  # fmt: skip
# Of dates; OpenSearch leaves it out of the mappings that it returns.
_DEFAULT_FORMAT: Final = ("format", "strict_date_optional_time||epoch_millis")
_UNIT_SECONDS: Final = {"nanos": 1e-9, "micros": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600, "d": 86400}
_LONGEST_REFRESH_SECONDS: Final = 300
_SHOWN: Final = 5
_BY_SETUP: Final = "okta_opensearch_setup puts that right."
_ANEW: Final = (
    "OpenSearch cannot change that of an index: okta_opensearch_setup makes the index anew if it is empty. If it is "
    'not, an administrator has to, as "Setting up OpenSearch" says of taking out an event.'
)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something about an index that a load does not put right.

    :param index: the index concerned
    :param found: what is wrong and what to do, in sentences
    :param settings: the settings that put it right, by their whole name; none where no setting can
    """

    index: str
    found: str
    settings: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Standard:
    """What an index has to be.

    :param version: version of its mapping
    :param settings: its settings below ``index``, by their whole name
    :param mapping: its mapping, likewise
    """

    version: int
    settings: Mapping[str, str]
    mapping: Mapping[str, str]


def standard_of(template: Template, found: TemplateState | None) -> Standard:
    """Return what the indices of a template have to be.

    :param template: our template
    :param found: the template on the server: where it is newer than ours it counts, and where an administrator gave
        it further settings these are right as well
    """
    inner = template.body["template"]
    settings = flat(inner["settings"]["index"])
    if found is None or not found.meta.ours:
        return Standard(template.version, settings, _comparable(inner["mappings"]))
    if found.meta.version > template.version:
        return Standard(found.meta.version, found.settings, _comparable(found.mappings))
    return Standard(template.version, settings | dict(found.settings), _comparable(inner["mappings"]))


def troubles(
    names: IndexNames, months: Standard, sides: Mapping[str, Standard], indices: Mapping[str, IndexState]
) -> list[Trouble]:
    """Say which of our indices are not as their templates would make them.

    :param names: the names of the deployment
    :param months: what a month has to be
    :param sides: what each other index has to be, by its name
    :param indices: as they are, read whole
    """
    found: list[Trouble] = []
    for name, state in sorted(indices.items()):
        standard = months if names.is_month(name) else sides.get(name)
        if standard is not None and state.meta.ours:
            found += _of_settings(state, standard)
            found += _of_mapping(state, standard)
    return found


def _of_settings(state: IndexState, standard: Standard) -> list[Trouble]:
    # Amazon OpenSearch Serverless tells no settings.
    if not state.uuid:
        return []
    found = []
    for key in sorted({*state.settings, *standard.settings}):
        value, wanted = state.settings.get(key), standard.settings.get(key)
        if value == wanted or _KEEPING.match(key) or (wanted is None and value == _ABSENT.get(key)):
            continue
        if key == "refresh_interval" and _soon(value):
            continue
        mend = {f"index.{key}": wanted} if key in _DYNAMIC else {}
        found.append(Trouble(state.name, f"{_said_of(state.name, key, value)} {_BY_SETUP if mend else _ANEW}", mend))
    return found


def _said_of(name: str, key: str, value: str | None) -> str:
    if key == _APPEND_ONLY:
        return f"The index {name} is not append-only (index.{key}): its events can be overwritten and deleted."
    if key in _PIPELINES:
        return (
            f"The index {name} has the ingest pipeline {value} (index.{key}), which may change or drop events while "
            "they are stored."
        )
    what = f"has index.{key}={value}" if value is not None else f"lacks the setting index.{key}"
    return f"The index {name} {what}, unlike its template: that can hide or change what searches find."


def _soon(refresh: str | None) -> bool:
    """Say whether what is stored becomes visible by itself, within minutes."""
    if refresh is None:
        return True
    parts = re.fullmatch(r"(\d+(?:\.\d+)?)(nanos|micros|ms|s|m|h|d)", refresh)
    return parts is not None and float(parts[1]) * _UNIT_SECONDS[parts[2]] <= _LONGEST_REFRESH_SECONDS


def _of_mapping(state: IndexState, standard: Standard) -> list[Trouble]:
    if not state.mapping:
        return []
    if state.meta.version > standard.version:
        said = f"has a mapping of version {state.meta.version}, and its template has {standard.version}"
        return [Trouble(state.name, f"The index {state.name} {said}: it was not made from that. {_ANEW}")]
    mapping = _comparable(state.mapping)
    other = sorted(key for key in {*mapping, *standard.mapping} if mapping.get(key) != standard.mapping.get(key))
    if state.meta.version < standard.version:
        # Fields that an older one lacks come with the upgrade; no version of ours ever took one away or changed it.
        other = [key for key in other if key in mapping]
    if not other:
        return []
    shown = ", ".join(f"{key} is {mapping.get(key, 'not there')}" for key in other[:_SHOWN])
    more = f" and {len(other) - _SHOWN} more" if len(other) > _SHOWN else ""
    return [
        Trouble(
            state.name,
            f"The index {state.name} has another mapping than its template ({shown}{more}): searches and detections "
            f"may not find its events. {_ANEW}",
        )
    ]


def _comparable(mapping: Mapping[str, Any]) -> dict[str, str]:
    leaves = flat({key: value for key, value in mapping.items() if key != "_meta"})
    return {key: value for key, value in leaves.items() if (key.rpartition(".")[2], value) != _DEFAULT_FORMAT}
