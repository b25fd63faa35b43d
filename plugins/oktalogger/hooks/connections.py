"""Gets an Airflow connection, or says what to do if there is none."""

from __future__ import annotations

from typing import Any

from oktalogger.compat import AirflowNotFoundException, BaseHook


def look_up(hook: BaseHook, conn_id: str, conn_type: str) -> Any:
    """Return a connection.

    :param hook: the hook that needs it
    :param conn_id: its id
    :param conn_type: the type that it should have, for the error
    :raises AirflowNotFoundException: if there is none. A retry may help: Airflow raises the same error if the secrets
        backend is out of reach
    """
    try:
        return hook.get_connection(conn_id)
    except AirflowNotFoundException as error:
        raise AirflowNotFoundException(
            f"There is no connection `{conn_id}`, or the secrets backend that holds it is out of reach. Make one "
            f"of the type `{conn_type}`: docs/connections.md names every field."
        ) from error
