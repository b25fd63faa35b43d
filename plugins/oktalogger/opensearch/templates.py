"""Fits the index templates of ``include/opensearch`` to the names and sizes of a deployment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from oktalogger.opensearch.names import DEFAULT_PREFIX
from oktalogger.resources import resource

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oktalogger.opensearch.names import IndexNames

MANAGED_BY = "oktalogger"


@dataclass(frozen=True, slots=True)
class Template:
    """One index template in the form that it should have.

    :param name: its name on the server
    :param body: what to PUT
    :param version: the version of our mapping; a higher one replaces a lower one, never the other way round
    :param asked: the settings below ``index`` that this deployment asked for, beyond what the file says
    """

    name: str
    body: dict[str, Any]
    version: int
    asked: Mapping[str, int]

    @property
    def mappings(self) -> dict[str, Any]:
        """The mapping alone, to put into an index that has an older one."""
        mappings: dict[str, Any] = self.body["template"]["mappings"]
        return mappings


@dataclass(frozen=True, slots=True)
class Meta:
    """The mark that oktalogger leaves in ``_meta`` of its templates and mappings.

    :param managed_by: ``oktalogger`` if it is ours
    :param version: the version of the mapping, 0 if it says none
    """

    managed_by: str | None
    version: int

    @classmethod
    def of(cls, meta: Any) -> Meta:
        """Read ``_meta``, which somebody may have changed to anything."""
        if not isinstance(meta, dict):
            return cls(None, 0)
        version = meta.get("version")
        managed_by = meta.get("managed_by")
        return cls(managed_by if isinstance(managed_by, str) else None, version if isinstance(version, int) else 0)

    @property
    def ours(self) -> bool:
        """Whether oktalogger made it."""
        return self.managed_by == MANAGED_BY


def month_template(names: IndexNames, *, shards: int | None = None, replicas: int | None = None) -> Template:
    """The template of the months.

    :param names: the names of the deployment
    :param shards: primary shards of a month, by default one
    :param replicas: copies of each shard; by default 0 on one node, otherwise 1
    """
    return _load("opensearch/index-template.json", names.template, names.month_pattern, shards, replicas)


def side_template(names: IndexNames, index: str, *, replicas: int | None = None) -> Template:
    """The template of an index other than a month; see :func:`month_template`.

    :param index: one of ``names.side_indices``
    """
    kind = index.removeprefix(f"{names.prefix}-")
    return _load(f"opensearch/{kind}-index-template.json", index, index, None, replicas)


def matches_template(names: IndexNames, *, replicas: int | None = None) -> Template:
    """The template of the index of matches; see :func:`month_template`."""
    file = "opensearch/detection-matches-index-template.json"
    return _load(file, names.matches_template, names.matches, None, replicas)


def _load(file: str, name: str, pattern: str, shards: int | None, replicas: int | None) -> Template:
    body: dict[str, Any] = msgspec.json.decode(resource(file).read_bytes())
    body["index_patterns"] = [pattern]
    inner = body["template"]
    if "aliases" in inner:
        inner["aliases"] = {alias.replace(DEFAULT_PREFIX, name): how for alias, how in inner["aliases"].items()}
    wanted = {"number_of_shards": shards, "number_of_replicas": replicas}
    asked = {setting: number for setting, number in wanted.items() if number is not None}
    settings = inner["settings"]["index"]
    if replicas is not None:
        del settings["auto_expand_replicas"]
    settings.update(asked)
    return Template(name, body, int(body["version"]), asked)
