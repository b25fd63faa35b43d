"""The months and the alias over them in the plan of a setup: what is put right, and what somebody has to do by hand."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from oktalogger.opensearch.aliases import Repair, change_aliases, repairs, troubles
from oktalogger.opensearch.existing import check_indices, read_indices
from oktalogger.opensearch.setup.steps import SetupPlan, SetupStep

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

    from oktalogger.opensearch.names import IndexNames


def plan_indices(client: OpenSearch, names: IndexNames) -> SetupPlan:
    """Say what has to be put right about the months and their alias; reads only.

    :param client: the client of an administrator
    :param names: the names of the deployment
    :raises IndexConflictError: if an index that oktalogger did not make holds the alias
    :raises OpenSearchLoadError: for all else
    """
    indices = read_indices(client, (names.alias, names.month_pattern))
    check_indices(names, indices, written=())
    steps = [
        SetupStep(
            kind="alias of",
            name=repair.index,
            action="change",
            changes=(f"- {repair.found}", f"+ {repair.done}"),
            do=partial(_do, repair),
        )
        for repair in repairs(names, indices)
    ]
    steps += [
        SetupStep(kind="index", name=trouble.index, action="by hand", changes=(trouble.found,))
        for trouble in troubles(names, indices)
    ]
    return SetupPlan(tuple(steps))


def _do(repair: Repair, client: OpenSearch) -> None:
    change_aliases(client, [repair.action], doing=f"to change the aliases of {repair.index}", index=repair.index)
