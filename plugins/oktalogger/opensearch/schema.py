"""Index templates, months and the alias over them: made where missing, upgraded where older, never taken over.

What a load needs for it once the setup has put the templates: on the cluster ``indices:admin/index_template/get`` and
``.../simulate_index``; on the indices ``indices:admin/get`` and ``indices:admin/create``. The templates bring the
aliases. Who loads without the setup needs ``indices:admin/index_template/put`` as well, and for upgrades
``indices:admin/mapping/put``.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oktalogger.opensearch.aliases import alias_actions, change_aliases, put_right, repairs, without_copies
from oktalogger.opensearch.deviations import standard_of, troubles
from oktalogger.opensearch.errors import IndexConflictError, OpenSearchPermissionError
from oktalogger.opensearch.existing import (
    IndexState,
    check_indices,
    check_would_be_ours,
    read_indices,
    read_mapping,
)
from oktalogger.opensearch.mapping import upgrade_mapping, upgrade_mappings
from oktalogger.opensearch.request import call
from oktalogger.opensearch.stored_templates import (
    RACES,
    check_template,
    ensure_template,
    lost_races,
    read_templates,
)
from oktalogger.opensearch.templates import Template, matches_template, month_template, side_template

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opensearchpy import OpenSearch

    from oktalogger.opensearch.names import IndexNames
    from oktalogger.opensearch.stored_templates import SchemaOutcome, TemplateState

log = logging.getLogger(__name__)


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
    :param troubles: what is wrong with it or with an index and was not, in sentences
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
    indices = read_indices(client, wanted, whole=True)
    wrong_aliases = repairs(names, indices)
    check_indices(names, without_copies(names, indices, wrong_aliases), written=sides)
    repaired, left = put_right(client, wrong_aliases)
    if repaired:
        indices = read_indices(client, wanted, whole=True)
    outcomes = {
        template.name: ensure_template(client, names, template, found.get(template.name))
        for template in (months, *sides.values())
    }
    upgrades = upgrade_mappings(client, names, months, sides, indices)
    made = []
    for index, template in sides.items():
        if index not in indices or alias_actions(names, indices[index]):
            ready = _ensure_index(client, names, template, index)
            indices[index] = ready.state
            made += [index] if ready.made else []
    ready_months = frozenset(
        name
        for name, state in indices.items()
        if names.is_month(name)
        and state.meta.ours
        and name not in upgrades.impossible
        and not alias_actions(names, state)
    )
    wrong = troubles(
        names,
        standard_of(months, found.get(months.name)),
        {index: standard_of(template, found.get(template.name)) for index, template in sides.items()},
        indices,
    )
    return SchemaReport(
        version=months.version,
        template=outcomes.pop(months.name),
        side_templates=outcomes,
        made_indices=tuple(made),
        upgraded_indices=upgrades.done,
        not_upgraded=upgrades.impossible,
        ready_months=ready_months,
        uuids={name: indices[name].uuid for name in (*ready_months, *sides)},
        repaired=tuple(repaired),
        troubles=(*left, *upgrades.refused, *(trouble.found for trouble in wrong)),
    )


@dataclass(frozen=True, slots=True)
class ReadyIndex:
    """An index that can be written.

    :param state: what it is
    :param made: whether it was made just now, by us
    :param troubles: what is wrong with it nevertheless, in sentences
    """

    state: IndexState
    made: bool
    troubles: tuple[str, ...] = ()


def ensure_month(client: OpenSearch, names: IndexNames, index: str) -> ReadyIndex:
    """Make a month's index from our template, or see that it is as that would make it.

    One request where all is well; call :func:`ensure_schema` first. Several tasks may do this at once, for the same
    month and for others.

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


def ensure_side_index(client: OpenSearch, names: IndexNames, index: str) -> ReadyIndex:
    """Make the ledger or the index of rejected events, as :func:`ensure_month` makes a month.

    :param index: one of ``names.side_indices``
    :raises IndexConflictError: if something that is not ours is in the way; nothing of it was changed
    :raises OpenSearchLoadError: for all else
    """
    return _ensure_index(client, names, side_template(names, index), index)


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
    for _ in range(RACES):
        state = read_mapping(client, index)
        if state is not None:
            check_indices(names, {index: state}, written=(index,))
            if state.meta.version < template.version:
                _upgrade_where_allowed(client, names, template, state)
            for trouble in _troubles_of(client, names, template, state):
                log.warning("%s", trouble)
            return
        ensure_template(client, names, template, read_templates(client, names).get(template.name))
        check_would_be_ours(client, template, index)
        if _create(client, index):
            return
    raise lost_races(index)


def _upgrade_where_allowed(client: OpenSearch, names: IndexNames, template: Template, index: IndexState) -> None:
    try:
        ensure_template(client, names, template, read_templates(client, names).get(template.name))
        upgrade_mapping(client, template, index)
    except OpenSearchPermissionError as error:
        log.warning("%s keeps the mapping of version %d: %s", index.name, index.meta.version, error)


def _ensure_index(client: OpenSearch, names: IndexNames, template: Template, index: str) -> ReadyIndex:
    made = False
    for _ in range(RACES):
        indices = read_indices(client, (names.alias, index, names.write_alias(index)), whole=True)
        check_indices(names, indices, written=(index,))
        if index not in indices:
            check_would_be_ours(client, template, index)
            made = _create(client, index) or made
            continue
        state = indices[index]
        if actions := alias_actions(names, state):
            change_aliases(client, actions, doing=f"to give {index} its aliases", index=index)
            continue
        refused: tuple[str, ...] = ()
        try:
            upgrade_mapping(client, template, state)
        except OpenSearchPermissionError as error:
            refused = (str(error),)
        return ReadyIndex(state, made, (*refused, *_troubles_of(client, names, template, state)))
    raise lost_races(index)


def _troubles_of(client: OpenSearch, names: IndexNames, template: Template, state: IndexState) -> tuple[str, ...]:
    """Compare one index with its template; with that on the server only where it is not as ours says."""

    def compared(found: TemplateState | None) -> tuple[str, ...]:
        standard = standard_of(template, found)
        wrong = troubles(names, standard, {state.name: standard}, {state.name: state})
        return tuple(trouble.found for trouble in wrong)

    return compared(None) and compared(read_templates(client, names).get(template.name))


def _create(client: OpenSearch, index: str) -> bool:
    """Make an index as its template says, aliases included; False where somebody was faster."""
    try:
        call(client, "PUT", f"/{index}", doing=f"to make the index {index}", index=index)
    except IndexConflictError as error:
        if error.error_type != "resource_already_exists_exception":
            raise
        return False
    return True
