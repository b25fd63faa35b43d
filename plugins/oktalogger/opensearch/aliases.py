"""The alias over the months: which of them are behind it, what else is, and how both is put right."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from oktalogger.opensearch.errors import OpenSearchLoadError, OpenSearchPermissionError
from oktalogger.opensearch.request import call

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from opensearchpy import OpenSearch

    from oktalogger.opensearch.existing import IndexState
    from oktalogger.opensearch.names import IndexNames

# Whoever writes to the alias itself is refused: no index of it is its write index.
_NOT_WRITTEN: Final = {"is_write_index": False}


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
                    _add(name, names.alias, **_NOT_WRITTEN),
                )
            )
        elif month and names.alias in state.narrowed:
            found.append(
                Repair(
                    name,
                    f"The alias {names.alias} has a filter or a routing for the month {name}, so that searches do not "
                    "find all of its events.",
                    "It gets the alias without one.",
                    _add(name, names.alias, **_NOT_WRITTEN),
                )
            )
        elif month and state.aliases[names.alias]:
            found.append(
                Repair(
                    name,
                    f"The month {name} is the write index of the alias {names.alias}, as an older oktalogger made it: "
                    "whoever writes to the alias adds to that month.",
                    "It is no longer that.",
                    _add(name, names.alias, **_NOT_WRITTEN),
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
    """Return the aliases of an index through which another month, the ledger or rejected events are written."""
    suffix = names.write_alias("")
    owners = {alias: alias.removesuffix(suffix) for alias in state.aliases if alias.endswith(suffix)}
    return sorted(
        alias
        for alias, owner in owners.items()
        if owner != state.name and (names.is_month(owner) or owner in names.side_indices)
    )


def _not_through(names: IndexNames, state: IndexState, alias: str) -> Repair:
    return Repair(
        state.name,
        f"The index {state.name} has the alias {alias}, through which another index is written: OpenSearch would not "
        "know where to put its documents.",
        "The alias is taken from it.",
        {"remove": {"index": state.name, "alias": alias}},
    )


def without_copies(
    names: IndexNames, indices: Mapping[str, IndexState], found: Iterable[Repair]
) -> dict[str, IndexState]:
    """Return the indices as they are once no copy has an alias through which another index is written.

    :param names: the names of the deployment
    :param indices: as they are
    :param found: what is to be put right
    """
    states = dict(indices)
    for repair in found:
        removed = repair.action.get("remove")
        if removed and removed["alias"] != names.alias:
            state = states[repair.index]
            aliases = {alias: how for alias, how in state.aliases.items() if alias != removed["alias"]}
            states[repair.index] = replace(state, aliases=aliases)
    return states


def alias_actions(names: IndexNames, state: IndexState) -> list[dict[str, Any]]:
    """Say what has to change for one index to be writable, and for a month to be found.

    Where the index was made from our template, nothing has to.

    :param names: the names of the deployment
    :param state: the index
    """
    wanted: list[tuple[str, dict[str, bool]]] = [(names.write_alias(state.name), {})]
    if state.name not in names.side_indices:
        wanted.append((names.alias, _NOT_WRITTEN))
    return [
        _add(state.name, alias, **how) for alias, how in wanted if alias not in state.aliases or alias in state.narrowed
    ]


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
        if error.error_type != "index_not_found_exception":
            raise
