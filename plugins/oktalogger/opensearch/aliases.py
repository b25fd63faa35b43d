"""The alias over the months: which of them are behind it, what else is, and how both is put right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from oktalogger.opensearch.errors import OpenSearchLoadError, OpenSearchPermissionError
from oktalogger.opensearch.request import call

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from opensearchpy import OpenSearch

    from oktalogger.opensearch.existing import IndexState
    from oktalogger.opensearch.names import IndexNames

_APPEND_ONLY = "append_only.enabled"
_PIPELINES = ("default_pipeline", "final_pipeline")


@dataclass(frozen=True, slots=True)
class Repair:
    """Something about the aliases that is put right.

    :param index: the index concerned
    :param found: what is wrong, in a sentence
    :param done: what is done about it
    :param action: the same, as ``_aliases`` takes it
    """

    index: str
    found: str
    done: str
    action: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.found} {self.done}"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something about an index that only an administrator can put right.

    :param index: the index concerned
    :param found: what is wrong and what to do, in sentences
    """

    index: str
    found: str


def repairs(names: IndexNames, indices: Mapping[str, IndexState]) -> list[Repair]:
    """Say what has to change so that exactly our months are behind the alias, all of them, and whole.

    :param names: the names of the deployment
    :param indices: as read for the alias and for the names of the months
    """
    found = []
    for name, state in sorted(indices.items()):
        month = names.is_month(name) and state.meta.ours
        if month and names.alias not in state.aliases:
            found.append(
                Repair(
                    name,
                    f"The month {name} is not behind the alias {names.alias}, so that no search finds its events.",
                    "It gets the alias.",
                    _add(name, names.alias, is_write_index=False),
                )
            )
        elif month and names.alias in state.narrowed:
            found.append(
                Repair(
                    name,
                    f"The alias {names.alias} has a filter or a routing for the month {name}, so that searches do not "
                    "find all of its events.",
                    "It gets the alias without one.",
                    _add(name, names.alias, is_write_index=state.aliases[names.alias]),
                )
            )
        elif not month and names.alias in state.aliases:
            found.append(
                Repair(
                    name,
                    f"The index {name} is behind the alias {names.alias}, and is no month of oktalogger: searches and "
                    "detections find its documents beside those of the months, as a rule each event twice.",
                    "The alias is taken from it; its documents stay.",
                    {"remove": {"index": name, "alias": names.alias}},
                )
            )
        found += [_not_through(names, state, alias) for alias in _foreign_write_aliases(names, state)]
    return found


def _foreign_write_aliases(names: IndexNames, state: IndexState) -> list[str]:
    """Return the aliases of an index through which another month is written."""
    suffix = names.write_alias("")
    return sorted(
        alias
        for alias in state.aliases
        if alias.endswith(suffix) and names.is_month(owner := alias.removesuffix(suffix)) and owner != state.name
    )


def _not_through(names: IndexNames, state: IndexState, alias: str) -> Repair:
    return Repair(
        state.name,
        f"The index {state.name} has the alias {alias}, through which a month is written: OpenSearch would not know "
        "where to put its events.",
        "The alias is taken from it.",
        {"remove": {"index": state.name, "alias": alias}},
    )


def troubles(names: IndexNames, indices: Mapping[str, IndexState]) -> list[Trouble]:
    """Say which months have settings that a month must not have, and that only an administrator can change.

    :param names: the names of the deployment
    :param indices: as read for the alias and for the names of the months
    """
    found = []
    for name, state in sorted(indices.items()):
        # Amazon OpenSearch Serverless tells no settings.
        if not names.is_month(name) or not state.meta.ours or not state.uuid:
            continue
        if state.settings.get(_APPEND_ONLY) != "true":
            found.append(
                Trouble(
                    name,
                    f"The month {name} is not append-only (index.{_APPEND_ONLY}): its events can be overwritten and "
                    "deleted. OpenSearch cannot change that of an index: make the month anew from its template, as "
                    '"Setting up OpenSearch" says of taking out an event.',
                )
            )
        for setting in _PIPELINES:
            if (pipeline := state.settings.get(setting, "_none")) != "_none":
                found.append(
                    Trouble(
                        name,
                        f"The month {name} has the ingest pipeline {pipeline} (index.{setting}), which may change or "
                        "drop events while they are stored: set it to _none.",
                    )
                )
    return found


def first_aliases(names: IndexNames, index: str) -> dict[str, Any]:
    """Return the aliases that an index is made with."""
    aliases: dict[str, Any] = {names.write_alias(index): {}}
    if index not in names.side_indices:
        # Not yet the write index: whether it is the newest is decided from what is there afterwards.
        aliases[names.alias] = {"is_write_index": False}
    return aliases


def alias_actions(names: IndexNames, index: str, indices: Mapping[str, IndexState]) -> list[dict[str, Any]]:
    """Say what has to change for one index to be writable, and for the newest month to be the write index."""
    actions: list[dict[str, Any]] = []
    write_alias = names.write_alias(index)
    if write_alias not in indices[index].aliases or write_alias in indices[index].narrowed:
        actions.append(_add(index, write_alias))
    if index in names.side_indices:
        return actions
    months = [state for state in indices.values() if names.is_month(state.name) and state.meta.ours]
    newest = max(state.name for state in months)
    for state in months:
        is_write = state.aliases.get(names.alias)
        if state.name == newest and not is_write:
            actions.append(_add(newest, names.alias, is_write_index=True))
        elif state.name != newest and (is_write or (is_write is None and state.name == index)):
            actions.append(_add(state.name, names.alias, is_write_index=False))
    return actions


def _add(index: str, alias: str, **how: bool) -> dict[str, Any]:
    return {"add": {"index": index, "alias": alias, **how}}


def put_right(client: OpenSearch, found: Iterable[Repair]) -> tuple[list[str], list[str]]:
    """Do what can be done.

    :param client: the client
    :param found: what is to be put right
    :return: what was put right, and what was not because this login may not, in sentences
    :raises OpenSearchLoadError: if OpenSearch is out of reach
    """
    done, left = [], []
    for repair in found:
        try:
            change_aliases(
                client, [repair.action], doing=f"to change the aliases of {repair.index}", index=repair.index
            )
        except OpenSearchPermissionError as error:
            left.append(f"{repair.found} This login may not change that ({error.reason}): run okta_opensearch_setup.")
        else:
            done.append(str(repair))
    return done, left


def change_aliases(client: OpenSearch, actions: Iterable[Mapping[str, Any]], *, doing: str, index: str) -> None:
    """Change aliases in one atomic action; losing a race is not an error, the caller reads again.

    :param client: the client
    :param actions: as ``_aliases`` takes them
    :param doing: what is asked, for the message of an error
    :param index: the index concerned, for the error
    :raises OpenSearchLoadError: if it is refused, or OpenSearch is out of reach
    """
    try:
        call(client, "POST", "/_aliases", doing=doing, index=index, body={"actions": list(actions)})
    except OpenSearchLoadError as error:
        lost = "more than one write index" in (error.reason or "") or error.error_type == "index_not_found_exception"
        if not lost:
            raise
