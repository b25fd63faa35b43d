"""Index templates, months and the alias over them: made where missing, upgraded where older, never taken over.

What the role of the loader needs for it: on the cluster ``indices:admin/index_template/get``, ``.../put`` and
``.../simulate_index``; on the indices ``indices:admin/get``, ``indices:admin/create``, ``indices:admin/aliases`` and
``indices:admin/mapping/put``.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from oktalogger.opensearch.aliases import (
    alias_actions,
    change_aliases,
    first_aliases,
    put_right,
    repairs,
    troubles,
)
from oktalogger.opensearch.errors import (
    IndexBlockedError,
    IndexConflictError,
    OpenSearchLoadError,
    OpenSearchPermissionError,
    OpenSearchRequestError,
    OpenSearchUnavailableError,
)
from oktalogger.opensearch.existing import (
    IndexState,
    TemplateState,
    check_indices,
    check_template,
    check_would_be_ours,
    read_indices,
    read_mapping,
    read_templates,
)
from oktalogger.opensearch.request import call
from oktalogger.opensearch.templates import Template, matches_template, month_template, side_template

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opensearchpy import OpenSearch

    from oktalogger.opensearch.names import IndexNames

log = logging.getLogger(__name__)

_RACES = 6
SchemaOutcome = Literal["made", "upgraded", "unchanged", "newer"]


@dataclass(frozen=True, slots=True)
class SchemaReport:
    """What :func:`ensure_schema` found and did.

    :param version: the version of our mapping
    :param template: what became of the template of the months; ``newer`` where the server's is newer than ours, which
        is then left alone
    :param side_templates: the same for the templates of the indices beside the months
    :param made_indices: which of these indices had to be made
    :param upgraded_indices: indices whose mapping got the fields of our version
    :param not_upgraded: indices that keep an older mapping, each with the reason, as a month that was archived
        read-only; nothing can be loaded into them
    :param ready_months: months that can be loaded into as they are; the others need :func:`ensure_month`
    :param uuids: of these months and of the indices beside them
    :param repaired: what was wrong with the alias over the months and was put right, in sentences
    :param troubles: what is wrong with it or with a month and was not, in sentences
    """

    version: int
    template: SchemaOutcome
    side_templates: Mapping[str, SchemaOutcome]
    made_indices: tuple[str, ...]
    upgraded_indices: tuple[str, ...]
    not_upgraded: Mapping[str, str]
    ready_months: frozenset[str]
    uuids: Mapping[str, str]
    repaired: tuple[str, ...]
    troubles: tuple[str, ...]


def ensure_schema(
    client: OpenSearch, names: IndexNames, *, shards: int | None = None, replicas: int | None = None
) -> SchemaReport:
    """Bring templates, existing months and the indices beside them to our version. Two requests where all is well.

    Several tasks may do this at once. A template or mapping of a newer version is left as it is.

    :param client: the client
    :param names: the names of the deployment
    :param shards: primary shards of a month to come; None leaves what the template says (1 in a new one)
    :param replicas: copies of each shard of an index to come; None leaves what the template says (in a new one 1 where
        there is a second node)
    :raises IndexConflictError: if something that is not ours is in the way; nothing of it was changed
    :raises OpenSearchLoadError: for all else
    """
    months = month_template(names, shards=shards, replicas=replicas)
    sides = {index: side_template(names, index, replicas=replicas) for index in names.side_indices}
    found = read_templates(client, names)
    for template in (months, *sides.values()):
        check_template(template, found.get(template.name))
    wanted = (names.alias, names.month_pattern, *sides, *map(names.write_alias, sides))
    indices = read_indices(client, wanted)
    check_indices(names, indices, written=sides)
    repaired, left = put_right(client, repairs(names, indices))
    if repaired:
        indices = read_indices(client, wanted)
    outcomes = {
        template.name: _ensure_template(client, names, template, found.get(template.name))
        for template in (months, *sides.values())
    }
    upgraded, not_upgraded = _upgrade_mappings(client, names, months, sides, indices)
    made = []
    for index, template in sides.items():
        if not _is_ready(names, index, indices):
            ready = _ensure_index(client, names, template, index)
            indices[index] = ready.state
            made += [index] if ready.made else []
    ready_months = frozenset(
        name
        for name in indices
        if names.is_month(name)
        and indices[name].meta.ours
        and name not in not_upgraded
        and not alias_actions(names, name, indices)
    )
    return SchemaReport(
        version=months.version,
        template=outcomes.pop(months.name),
        side_templates=outcomes,
        made_indices=tuple(made),
        upgraded_indices=upgraded,
        not_upgraded=not_upgraded,
        ready_months=ready_months,
        uuids={name: indices[name].uuid for name in (*ready_months, *sides)},
        repaired=tuple(repaired),
        troubles=(*left, *(trouble.found for trouble in troubles(names, indices))),
    )


@dataclass(frozen=True, slots=True)
class ReadyIndex:
    """An index that can be written.

    :param state: what it is
    :param made: whether it was made just now, by us
    """

    state: IndexState
    made: bool


def ensure_month(client: OpenSearch, names: IndexNames, index: str) -> ReadyIndex:
    """Make a month's index with our mapping, and see to it that the newest month is the alias's write index.

    One request where all is well; call :func:`ensure_schema` first. Several tasks may do this at once, for the same
    month and for others: the alias is changed in one atomic action from what was read just before, and whoever comes
    second reads again.

    :param client: the client
    :param names: the names of the deployment
    :param index: the name of the month's index, from :meth:`IndexNames.month_index`
    :return: what it is, and whether it was made just now
    :raises IndexConflictError: if something that is not ours is in the way; nothing of it was changed
    :raises OpenSearchLoadError: for all else
    """
    if not names.is_month(index):
        raise ValueError(f"{index} is not the index of a month under the prefix {names.prefix}.")
    return _ensure_index(client, names, month_template(names), index)


def ensure_matches_index(client: OpenSearch, names: IndexNames) -> None:
    """Make the index of matches where it is missing, and bring its mapping to our version.

    One request where all is well. It is not part of :func:`ensure_schema`, so that a load needs no right on it. It is
    written under its own name: OpenSearch itself makes it anew, after somebody deleted it, from the same template.
    An index of an older version that may not be upgraded is used as it is, because a detection that looks is worth more
    than a field that can be searched; the log says what is missing.

    :param client: the client
    :param names: the names of the deployment
    :raises IndexConflictError: if an index or a template of that name is not ours; nothing of it was changed
    :raises OpenSearchLoadError: for all else
    """
    template, index = matches_template(names), names.matches
    for _ in range(_RACES):
        state = read_mapping(client, index)
        if state is not None:
            check_indices(names, {index: state}, written=(index,))
            if state.meta.version < template.version:
                _upgrade_where_allowed(client, names, template, state)
            return
        _ensure_template(client, names, template, read_templates(client, names).get(template.name))
        check_would_be_ours(client, template, index)
        if _create(client, index, {}):
            return
    raise _lost_races(index)


def _upgrade_where_allowed(client: OpenSearch, names: IndexNames, template: Template, index: IndexState) -> None:
    try:
        _ensure_template(client, names, template, read_templates(client, names).get(template.name))
        _upgrade_mapping(client, template, index)
    except OpenSearchPermissionError as error:
        log.warning("%s keeps the mapping of version %d: %s", index.name, index.meta.version, error)


def plan_templates(
    client: OpenSearch, names: IndexNames, *, shards: int | None = None, replicas: int | None = None
) -> list[tuple[Template, SchemaOutcome]]:
    """Say what would become of each index template, and change nothing. One request.

    :param client: the client
    :param names: the names of the deployment
    :param shards: primary shards of a month to come, as in :func:`ensure_schema`
    :param replicas: copies of each shard of an index to come, likewise
    :raises IndexConflictError: if a template of somebody else has a name of ours
    :raises OpenSearchLoadError: for all else
    """
    templates = [
        month_template(names, shards=shards, replicas=replicas),
        *(side_template(names, index, replicas=replicas) for index in names.side_indices),
        matches_template(names, replicas=replicas),
    ]
    found = read_templates(client, names)
    for template in templates:
        check_template(template, found.get(template.name))
    return [(template, _outcome(template, found.get(template.name))) for template in templates]


def _outcome(template: Template, found: TemplateState | None) -> SchemaOutcome:
    if found is None:
        return "made"
    if found.meta.version > template.version:
        return "newer"
    if found.meta.version == template.version and _as_asked(template, found):
        return "unchanged"
    return "upgraded"


def _ensure_template(
    client: OpenSearch, names: IndexNames, template: Template, found: TemplateState | None
) -> SchemaOutcome:
    for _ in range(_RACES):
        check_template(template, found)
        outcome = _outcome(template, found)
        if outcome == "made" and not put_template(client, template, create=True):
            # Another task made it just now, or somebody else did.
            found = read_templates(client, names).get(template.name)
            continue
        if outcome == "upgraded":
            put_template(client, template, create=False)
        return outcome
    raise _lost_races(template.name)


def put_template(client: OpenSearch, template: Template, *, create: bool) -> bool:
    """Put an index template there.

    :param create: only where there is none of its name
    :return: False where ``create`` was asked for and there is one
    :raises IndexConflictError: if another template matches the same indices with the same priority
    :raises OpenSearchLoadError: for all else
    """
    try:
        call(
            client,
            "PUT",
            f"/_index_template/{template.name}",
            doing=f"to put the index template {template.name}",
            index=template.name,
            params={"create": "true"} if create else None,
            body=template.body,
        )
    except OpenSearchLoadError as error:
        if error.status == 400 and error.error_type == "illegal_argument_exception":
            if create and "already exists" in (error.reason or ""):
                return False
            if "same priority" in (error.reason or ""):
                raise IndexConflictError(
                    f"OpenSearch refused the index template {template.name}: {error.reason}. Another template matches "
                    "the same indices with the same priority: change its priority or patterns, or give oktalogger "
                    "another index prefix (OKTALOGGER_INDEX_PREFIX).",
                    status=error.status,
                    error_type=error.error_type,
                    reason=error.reason,
                    index=template.name,
                ) from error
        raise
    return True


def _as_asked(template: Template, found: TemplateState) -> bool:
    """Compare the settings that were asked for; who asks for none keeps what he set by hand."""
    return all(str(found.settings.get(name)) == str(value) for name, value in template.asked.items())


def _upgrade_mappings(
    client: OpenSearch,
    names: IndexNames,
    months: Template,
    sides: Mapping[str, Template],
    indices: dict[str, IndexState],
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Upgrade all; one that cannot be upgraded stops nobody from loading into the others."""
    done, not_done = [], {}
    for name, index in sorted(indices.items()):
        if not index.meta.ours or not (name in sides or names.is_month(name)):
            continue
        try:
            if _upgrade_mapping(client, sides.get(name, months), index):
                done.append(name)
        except (IndexBlockedError, IndexConflictError) as error:
            not_done[name] = str(error)
    return tuple(done), not_done


def _upgrade_mapping(client: OpenSearch, template: Template, index: IndexState) -> bool:
    """Add the fields of our version to an index with an older mapping; documents already in it stay as they are."""
    if index.meta.version >= template.version:
        return False
    doing = f"to upgrade the mapping of {index.name} from version {index.meta.version} to {template.version}"
    try:
        call(client, "PUT", f"/{index.name}/_mapping", doing=doing, index=index.name, body=template.mappings)
    except OpenSearchRequestError as error:
        raise IndexConflictError(
            f"{error} Somebody changed that mapping so that ours does not fit any more: reindex the index under "
            "another name and delete it, then load its windows again.",
            status=error.status,
            error_type=error.error_type,
            reason=error.reason,
            index=index.name,
        ) from error
    return True


def _ensure_index(client: OpenSearch, names: IndexNames, template: Template, index: str) -> ReadyIndex:
    made = False
    for _ in range(_RACES):
        indices = read_indices(client, (names.alias, index, names.write_alias(index)))
        check_indices(names, indices, written=(index,))
        if index not in indices:
            check_would_be_ours(client, template, index)
            made = _create(client, index, first_aliases(names, index)) or made
            continue
        actions = alias_actions(names, index, indices)
        if not actions:
            _upgrade_mapping(client, template, indices[index])
            return ReadyIndex(indices[index], made)
        change_aliases(client, actions, doing=f"to give {index} its aliases", index=index)
    raise _lost_races(index)


def _is_ready(names: IndexNames, index: str, indices: dict[str, IndexState]) -> bool:
    return index in indices and not alias_actions(names, index, indices)


def _create(client: OpenSearch, index: str, aliases: dict[str, Any]) -> bool:
    """Make an index from its template, with its aliases; False where somebody was faster."""
    try:
        call(client, "PUT", f"/{index}", doing=f"to make the index {index}", index=index, body={"aliases": aliases})
    except IndexConflictError as error:
        if error.error_type != "resource_already_exists_exception":
            raise
        return False
    return True


def _lost_races(name: str) -> OpenSearchUnavailableError:
    return OpenSearchUnavailableError(
        f"Others kept changing {name} while oktalogger was setting it up, {_RACES} times in a row: try again.",
        index=name,
    )
