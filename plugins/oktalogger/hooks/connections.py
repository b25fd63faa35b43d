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
            f"of the type `{conn_type}`, or `generic` if the UI does not offer that: docs/connections.md names every "
            "field."
        ) from error


def in_a_test(message: str, conn_id: str) -> str:
    """Return a message for the button "Test", behind which Airflow gives the connection a random id.

    :param message: names the connection by that id
    :param conn_id: that id
    """
    return message.replace(f"The connection `{conn_id}`", "This connection").replace(
        f"the connection `{conn_id}`", "this connection"
    )
