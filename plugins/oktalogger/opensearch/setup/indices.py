"""Plans what the setup does about the indices: aliases, mappings and settings put right, months made ahead.

What an administrator makes, no thief of the loader's role can make beforehand with other settings.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from oktalogger.opensearch.aliases import Repair, change_aliases, repairs, without_copies
from oktalogger.opensearch.deviations import Standard, Trouble, standard_of, troubles
from oktalogger.opensearch.diagnosis import SETUP_DAG
from oktalogger.opensearch.errors import IndexConflictError
from oktalogger.opensearch.existing import IndexState, check_indices, read_indices
from oktalogger.opensearch.mapping import upgrade_mapping
from oktalogger.opensearch.request import call
from oktalogger.opensearch.schema import ensure_matches_index, ensure_month, ensure_side_index
from oktalogger.opensearch.setup.steps import SetupPlan, SetupStep
from oktalogger.opensearch.stored_templates import read_templates
from oktalogger.opensearch.templates import Template, matches_template, month_template, side_template

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opensearchpy import OpenSearch

    from oktalogger.opensearch.names import IndexNames

MONTHS_AHEAD: Final = 3
"""How many months a setup makes beforehand."""
MOST_MONTHS_AHEAD: Final = 24
"""More would be shards that nobody needs for years."""
# Okta keeps its events for so long: a backfill loads them.
_BACK: Final = timedelta(days=90)
_SLOW_LOG: Final = ("search.slowlog.", "indexing.slowlog.")
_BLOCKS: Final = ("blocks.write", "blocks.read_only", "blocks.read_only_allow_delete", "blocks.metadata")


def plan_indices(
    client: OpenSearch, names: IndexNames, *, months_ahead: int | None = None, now: datetime | None = None
) -> SetupPlan:
    """Say what has to be done about the months, the other indices, and the alias; reads only.

    :param client: the client of an administrator
    :param names: the names of the deployment
    :param months_ahead: how many months to make beforehand, with the current one and those that Okta still keeps; None
        makes no month
    :param now: the time, in UTC
    :raises IndexConflictError: if an index that oktalogger did not make is in the way
    :raises OpenSearchLoadError: for all else
    """
    return _Planner(client, names).plan(months_ahead, now or datetime.now(UTC))


def find_troubles(client: OpenSearch, names: IndexNames) -> tuple[str, ...]:
    """Say what is wrong with the alias, the months and the indices beside them; the loader's rights are enough.

    :param client: the client
    :param names: the names of the deployment
    :return: what is wrong and what to do, in sentences
    :raises IndexConflictError: if an index that oktalogger did not make is in the way
    :raises OpenSearchLoadError: for all else
    """
    found = read_templates(client, names)
    months = month_template(names)
    sides = {index: side_template(names, index) for index in names.side_indices}
    wanted = (names.alias, names.month_pattern, *sides, *map(names.write_alias, sides))
    indices = read_indices(client, wanted, whole=True)
    check_indices(names, indices, written=())
    wrong = troubles(
        names,
        standard_of(months, found.get(months.name)),
        {index: standard_of(template, found.get(template.name)) for index, template in sides.items()},
        indices,
    )
    return (
        *(
            f"{repair.found.rstrip('.')}: run the DAG {SETUP_DAG}, which puts it right."
            for repair in repairs(names, indices)
        ),
        *(trouble.found for trouble in wrong),
    )


def months_needed(names: IndexNames, now: datetime, ahead: int) -> list[str]:
    """Return the months that loads may write to from now on, oldest first.

    :param names: the names of the deployment
    :param now: the time, in UTC
    :param ahead: how many months after the current one
    """
    first, last = now - _BACK, now.year * 12 + now.month - 1 + ahead
    return [
        names.month_index(datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC))
        for number in range(first.year * 12 + first.month - 1, last + 1)
    ]


@dataclass(frozen=True, slots=True)
class _Ours:
    """What our indices have to be.

    :param templates: by index; months have that of ``""``
    :param standards: likewise
    """

    templates: Mapping[str, Template]
    standards: Mapping[str, Standard]


class _Planner:
    """Plans for one deployment, as the client sees it."""

    def __init__(self, client: OpenSearch, names: IndexNames) -> None:
        self._client = client
        self._names = names

    def plan(self, months_ahead: int | None, now: datetime) -> SetupPlan:
        names, ours = self._names, self._ours()
        sides = [index for index in ours.templates if index]
        written = (*sides, *map(names.write_alias, names.side_indices))
        indices = read_indices(self._client, (names.alias, names.month_pattern, *written), whole=True)
        wrong_aliases = repairs(names, indices)
        check_indices(names, without_copies(names, indices, wrong_aliases), written=sides)
        wanted = sides + ([] if months_ahead is None else months_needed(names, now, months_ahead))
        missing = [index for index in wanted if index not in indices]
        steps = [_repair(repair) for repair in wrong_aliases]
        for name, state in sorted(indices.items()):
            if state.meta.ours and (name in sides or names.is_month(name)):
                steps += self._of_index(ours, state)
        steps += [self._make(index) for index in missing]
        return SetupPlan(tuple(steps))

    def _ours(self) -> _Ours:
        names = self._names
        templates = {
            "": month_template(names),
            **{index: side_template(names, index) for index in names.side_indices},
            names.matches: matches_template(names),
        }
        found = read_templates(self._client, names)
        return _Ours(templates, {index: standard_of(one, found.get(one.name)) for index, one in templates.items()})

    def _of_index(self, ours: _Ours, state: IndexState) -> Iterator[SetupStep]:
        key = state.name if state.name in ours.templates else ""
        template, standard = ours.templates[key], ours.standards[key]
        wrong = troubles(self._names, ours.standards[""], ours.standards, {state.name: state})
        mendable = [trouble for trouble in wrong if trouble.settings]
        others = [trouble for trouble in wrong if not trouble.settings]
        if others and _never_written(self._client, state.name):
            yield self._anew(state, others)
            return
        yield from (_mend(trouble) for trouble in mendable)
        yield from (_by_hand(trouble) for trouble in others)
        archived = any(state.settings.get(block) == "true" for block in _BLOCKS)
        if state.meta.version < standard.version and not others and not archived:
            yield SetupStep(
                kind="index",
                name=state.name,
                action="change",
                changes=(f"+ mapping of version {template.version}",),
                do=partial(_upgrade, template, state),
            )
        slow = {key: value for key, value in standard.settings.items() if key.startswith(_SLOW_LOG)}
        lacking = {f"index.{key}": value for key, value in slow.items() if key not in state.settings}
        if lacking and state.uuid and not archived:
            yield SetupStep(
                kind="slow log of",
                name=state.name,
                action="change",
                changes=tuple(f"+ {key}: {value}" for key, value in sorted(lacking.items())),
                do=partial(_put_settings, state.name, lacking),
            )

    def _make(self, index: str) -> SetupStep:
        return SetupStep(
            kind="index",
            name=index,
            action="create",
            changes=("+ made from its template, before anybody else can make it otherwise",),
            do=partial(_ensure, self._names, index),
        )

    def _anew(self, state: IndexState, wrong: list[Trouble]) -> SetupStep:
        return SetupStep(
            kind="index",
            name=state.name,
            action="change",
            changes=(
                *(f"- {trouble.found}" for trouble in wrong),
                "+ Nothing was ever stored in it: it is deleted, and made anew from its template.",
            ),
            do=partial(_make_anew, self._names, state.name),
        )


def _repair(repair: Repair) -> SetupStep:
    return SetupStep(
        kind="alias of",
        name=repair.index,
        action="change",
        changes=(f"- {repair.found}", f"+ {repair.done}"),
        do=partial(_change_aliases, repair),
    )


def _mend(trouble: Trouble) -> SetupStep:
    done = ", ".join(f"{key} becomes {'the default' if value is None else value}"
                     for key, value in trouble.settings.items())  # fmt: skip
    return SetupStep(
        kind="index",
        name=trouble.index,
        action="change",
        changes=(f"- {trouble.found}", f"+ {done}"),
        do=partial(_put_settings, trouble.index, trouble.settings),
    )


def _by_hand(trouble: Trouble) -> SetupStep:
    return SetupStep(kind="index", name=trouble.index, action="by hand", changes=(trouble.found,))


def _change_aliases(repair: Repair, client: OpenSearch) -> None:
    change_aliases(client, [repair.action], doing=f"to change the aliases of {repair.index}", index=repair.index)


def _put_settings(index: str, settings: Mapping[str, Any], client: OpenSearch) -> None:
    doing = f"to change the settings of {index}"
    call(client, "PUT", f"/{index}/_settings", doing=doing, index=index, body=dict(settings))


def _upgrade(template: Template, state: IndexState, client: OpenSearch) -> None:
    upgrade_mapping(client, template, state)


def _ensure(names: IndexNames, index: str, client: OpenSearch) -> None:
    if index == names.matches:
        ensure_matches_index(client, names)
    elif index in names.side_indices:
        ensure_side_index(client, names, index)
    else:
        ensure_month(client, names, index)


def _make_anew(names: IndexNames, index: str, client: OpenSearch) -> None:
    """Replace an index that nothing was ever stored in; a load that writes meanwhile finds its identity changed."""
    if not _never_written(client, index):
        raise IndexConflictError(
            f"Somebody wrote to {index} just now, so it was left as it is. Run the setup again: it says what to do.",
            index=index,
        )
    call(client, "DELETE", f"/{index}", doing=f"to delete the empty index {index}", index=index)
    _ensure(names, index, client)


def _never_written(client: OpenSearch, index: str) -> bool:
    """Say whether no document was ever stored in an index: no shard has given a sequence number."""
    answer = call(
        client,
        "GET",
        f"/{index}/_stats/docs",
        doing=f"to show whether anything was stored in {index}",
        index=index,
        params={"level": "shards"},
        only="indices.*.shards.*.seq_no.max_seq_no",
    )
    copies = [
        copy
        for entry in answer.get("indices", {}).values()
        for shard in entry.get("shards", {}).values()
        for copy in shard
    ]
    return bool(copies) and all(copy["seq_no"]["max_seq_no"] == -1 for copy in copies)
