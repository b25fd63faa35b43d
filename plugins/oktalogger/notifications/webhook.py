"""Posts alerts as JSON to the address in an Airflow connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oktalogger.compat import AirflowException, BaseHook, BaseNotifier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oktalogger.compat import Context


class WebhookNotifier(BaseNotifier):
    """
    Posts ``{"text": ...}`` to a webhook, as Slack, Mattermost, Google Chat and many others accept it.

    :param http_conn_id: Airflow connection of the type ``http``. The path of the webhook stands in the host or, because
        it is as secret as a password, in the connection's password
    :param text: the text to post (templated)
    :param timeout: seconds to wait for the answer
    """

    template_fields: Sequence[str] = ("http_conn_id", "text")

    def __init__(
        self, *, http_conn_id: str = "http_default", text: str = "{{ alert.text }}", timeout: float = 10.0
    ) -> None:
        super().__init__()
        self.http_conn_id = http_conn_id
        self.text = text
        self.timeout = timeout

    def notify(self, context: Context) -> None:
        """Post the text.

        :raises AirflowException: if the webhook did not accept it; the message leaves out the address, which is secret
        """
        import requests

        try:
            answer = requests.post(self._url(), json={"text": self.text}, timeout=self.timeout, allow_redirects=False)
        except requests.RequestException as error:
            raise AirflowException(
                f"The webhook of {self.http_conn_id} did not answer: {type(error).__name__}."
            ) from None
        if not 200 <= answer.status_code < 300:  # a redirect, which is not followed, delivers nothing
            raise AirflowException(f"The webhook of {self.http_conn_id} refused with HTTP {answer.status_code}.")

    def _url(self) -> str:
        connection: Any = BaseHook.get_connection(self.http_conn_id)
        host = (connection.host or "").strip().rstrip("/")
        if not host:
            raise AirflowException(f"The connection {self.http_conn_id} has no host.")
        if "://" not in host:
            host = f"{connection.schema or 'https'}://{host}"
        port = f":{connection.port}" if connection.port else ""
        path = (connection.password or "").strip()
        return f"{host}{port}{'/' + path.lstrip('/') if path else ''}"
