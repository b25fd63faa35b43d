"""Checks of what Airflow must have: the pool of the tasks that call Okta. It asks no Airflow itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from oktalogger.checks.model import Check, Verdict, not_asked, note, ok, wrong

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class PoolAnswer:
    """What Airflow says of a pool.

    :param exists: whether it is there; None if Airflow could not be asked
    :param slots: how many slots it has; None if Airflow does not tell
    :param why: why it could not be asked, as a sentence
    """

    exists: bool | None
    slots: int | None = None
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Pool:
    """A pool to ask for.

    :param name: ``OKTALOGGER_POOL``
    :param ask: asks Airflow
    """

    name: str
    ask: Callable[[str], PoolAnswer]


def _pool(pool: Pool) -> Verdict:
    answer = pool.ask(pool.name)
    if answer.exists is None:
        return not_asked(answer.why)
    create = f"`airflow pools set {pool.name} 4 'Tasks that ask Okta'`"
    if not answer.exists:
        return wrong(f"No task can start in the pool `{pool.name}`, most likely because it is missing: run {create}.")
    if answer.slots is None:
        return ok(f"Tasks start in the pool `{pool.name}`.")
    if answer.slots == 0:
        return wrong(f"The pool `{pool.name}` has no slot, so that no load ever starts: run {create}.")
    if 0 < answer.slots < 2:
        return note(
            f"The pool `{pool.name}` has one slot, so that a live load waits while a backfill or reconcile reads: run "
            f"{create}."
        )
    return ok(f"The pool `{pool.name}` is there.")


CHECKS: Final[tuple[Check[Pool], ...]] = (Check("pool", _pool),)
