"""What a run was given (`conf`), held against the params that its DAG takes."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from oktalogger.compat import AirflowFailException

if TYPE_CHECKING:
    from oktalogger.compat import Context


def refuse_unknown_params(context: Context) -> None:
    """Fail the task at once where the run was given what it would leave aside.

    Airflow takes any key in a run's `conf`, so a misspelt one would end in a green run that did something else. It is
    for ``pre_execute`` of a DAG's first task.

    :param context: of the running task
    :raises AirflowFailException: where `conf` has a key that is no param of the DAG, or Airflow did not make the run's
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
