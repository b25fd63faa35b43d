"""Tells what started a run, and refuses params that its DAG does not take."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final, cast, get_args

from oktalogger.compat import AirflowFailException
from oktalogger.pipeline.document import LoadKind
from oktalogger.pipeline.live import LONGEST_TRY

if TYPE_CHECKING:
    from oktalogger.compat import Context

FORM_ZONE: Final = "The form takes the time zone that the UI shows."
"""For the description of a param with a date picker."""
# A run that an asset (a dataset) starts is as live as one that the clock starts; all others somebody started by hand.
_LIVE: Final = frozenset({"scheduled", "asset_triggered", "dataset_triggered"})
# Made for a data interval each, so that no other window may take its place.
_FIXED: Final = frozenset({"scheduled", "backfill"})


def is_fixed(context: Context) -> bool:
    """Return whether the run was made for its data interval: the schedule and backfills make runs so."""
    return _run_type(context) in _FIXED


def before_load(context: Context) -> None:
    """Do what stands before a load of the DAG that the clock starts: for ``pre_execute``.

    A live try gets less time than one that somebody started, which may read a wide range.

    :param context: of the running task
    :raises AirflowFailException: as :func:`refuse_unknown_params`
    """
    refuse_unknown_params(context)
    if load_kind(None, context) == "scheduled":
        # Airflow reads it after this.
        context["task"].execution_timeout = LONGEST_TRY


def load_kind(given: str | None, context: Context) -> LoadKind:
    """Return what kind of load a run is.

    :param given: what the operator was told, if anything
    :param context: of the running task
    :raises AirflowFailException: if there is no such kind
    """
    if given is not None:
        if given not in get_args(LoadKind):
            raise AirflowFailException(f"kind={given!r} is none of {', '.join(get_args(LoadKind))}.")
        return cast("LoadKind", given)
    name = _run_type(context)
    if name == "backfill":
        return "backfill"
    return "scheduled" if name in _LIVE else "manual"


def _run_type(context: Context) -> str:
    kind = context["dag_run"].run_type
    return str(getattr(kind, "value", kind))


def refuse_unknown_params(context: Context) -> None:
    """Fail the task at once where the run was given what it would leave aside.

    Airflow takes any key in a run's `conf`, so a misspelt one would end in a green run that did something else. It is
    for ``pre_execute`` of a DAG's first task.

    :param context: of the running task
    :raises AirflowFailException: if `conf` has a key that is not a param of the DAG, or Airflow did not make the run's
        params of it; the message names them
    """
    given = getattr(context["dag_run"], "conf", None) or {}
    params = list(context["dag"].params)
    unknown = sorted(name for name in given if name not in params)
    if unknown:
        close = difflib.get_close_matches(unknown[0], params, n=1)
        hint = f" Did you mean `{close[0]}`?" if close else ""
        takes = ", ".join(f"`{name}`" for name in params) or "none"
        raise AirflowFailException(
            f"Unknown params in the run's conf: {', '.join(f'`{name}`' for name in unknown)}.{hint} "
            f"This DAG takes {takes}. Start a new run without the unknown ones."
        )
    taken = context["params"]
    ignored = sorted(name for name, value in given.items() if taken[name] != value)
    if ignored:
        raise AirflowFailException(
            f"Airflow left aside what the run's conf says of {', '.join(f'`{name}`' for name in ignored)}: its setting "
            "core.dag_run_conf_overrides_params is off. Switch it on, then start a new run."
        )
