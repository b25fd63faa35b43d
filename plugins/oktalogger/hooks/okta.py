"""Makes Okta clients from an Airflow connection of the type ``okta``.

DAG files import this module each time a task starts. So it imports the clients' libraries only when it makes a client.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, unquote, urlsplit

from oktalogger.compat import BaseHook, mask_secret
from oktalogger.frames import forgetting_locals
from oktalogger.hooks.connections import in_a_test, look_up
from oktalogger.hooks.extras import ConnectionSettingsError, form_widgets, names, read_extras
from oktalogger.hooks.forms import OKTA_EXTRAS, OKTA_UI
from oktalogger.okta.errors import OktaError

if TYPE_CHECKING:
    from collections.abc import Callable

    from oktalogger.okta.auth import OktaAuth
    from oktalogger.okta.client import OktaClient
    from oktalogger.okta.rate_limit import RequestGate
    from oktalogger.okta.system_log import SystemLogClient

CONNECT_TIMEOUT = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OktaConnection:
    """The settings of an Okta org in an Airflow connection. Secrets are not in its ``repr``.

    :param org_url: address of the org, like ``https://company.okta.com``
    :param auth: ``ssws`` or ``private_key_jwt``
    """

    org_url: str = field(repr=False)  # users put a password in it, which is refused only later
    auth: str
    token: str | None = field(default=None, repr=False)
    client_id: str | None = None
    private_key: str | None = field(default=None, repr=False)
    key_id: str | None = None
    fallback_private_key: str | None = field(default=None, repr=False)
    fallback_key_id: str | None = None
    dpop: bool = False
    scopes: tuple[str, ...] = ("okta.logs.read",)
    filter: str | None = None
    q: str | None = None
    proxy: str | None = field(default=None, repr=False)
    verify: bool | str = True
    allow_http: bool = False
    timeout: float = 60.0
    page_limit: int = 1000
    admin_url: str | None = None
    redaction_key: str | None = field(default=None, repr=False)

    @property
    def org(self) -> str:
        """The org's host name, with a port of its own, by which documents name it."""
        from oktalogger.okta.origin import org_name

        return org_name(self.org_url)


class OktaHook(BaseHook):
    """
    Reads the System Log of one Okta org, and its other list endpoints.

    The connection holds the org's address as host and the API token as password, or, for an OAuth 2.0 service app, the
    extras ``client_id`` and ``private_key``. All extras are in :data:`oktalogger.hooks.forms.OKTA_EXTRAS`.

    Making the hook reads nothing and connects nowhere. It looks the connection up when it first needs it.

    .. seealso:: https://developer.okta.com/docs/reference/system-log-query/

    :param okta_conn_id: Airflow connection to the org
    :param sleep: waits between requests, in seconds; operators give a wait that ends when the task is killed
    :param gate: asked before each request, for instance a rate budget
    """

    conn_name_attr = "okta_conn_id"
    default_conn_name = "okta_default"
    conn_type = "okta"
    hook_name = "Okta"

    def __init__(
        self,
        okta_conn_id: str = default_conn_name,
        *,
        sleep: Callable[[float], None] = time.sleep,
        gate: RequestGate | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.okta_conn_id = okta_conn_id
        self._sleep = sleep
        self._gate = gate

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the form's additional fields (Airflow 2.11 and 3.0; later lines read the provider info)."""
        return form_widgets(OKTA_EXTRAS)

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return labels and hints of the form's usual fields (Airflow 2.11 and 3.0; later: provider info)."""
        return {name.replace("-", "_"): value for name, value in OKTA_UI.items()}

    @cached_property
    def settings(self) -> OktaConnection:
        """The connection's settings.

        :raises ConnectionSettingsError: if it cannot be used
        """
        with forgetting_locals():
            return read_okta_connection(look_up(self, self.okta_conn_id, self.conn_type))

    @cached_property
    def api(self) -> OktaClient:
        """The client of any list endpoint, made once: users, groups, apps. Close it, or use it as a context manager.

        The login asks for the connection's ``scopes``. Endpoints other than the System Log need scopes of their own.

        :raises ConnectionSettingsError: if the connection cannot be used
        :raises OktaConfigurationError: if the org's address or the key cannot be used
        """
        if self.settings.verify is False:
            self.log.warning(
                "The connection %s turns the verification of TLS off (`verify`): whoever stands between can read "
                "Okta's token and change events. Give the path of a CA bundle instead.",
                self.okta_conn_id,
            )
        return self._make_client()

    @cached_property
    def client(self) -> SystemLogClient:
        """The System Log client, made once. Close it, or use the hook's :meth:`get_conn` as a context manager.

        :raises ConnectionSettingsError: if the connection cannot be used
        :raises OktaConfigurationError: if the org's address or the key cannot be used
        """
        from oktalogger.okta.system_log import SystemLogClient

        return SystemLogClient(self.api)

    def get_conn(self) -> SystemLogClient:
        """Return :attr:`client`."""
        return self.client

    def test_connection(self) -> tuple[bool, str]:
        """Ask Okta for one event. Return whether that worked, and a sentence that says what to do if not."""
        from oktalogger.okta.system_log import SystemLogClient

        try:
            with SystemLogClient(self._make_client()) as client:
                client.check()
        except (OktaError, ConnectionSettingsError) as error:
            return False, in_a_test(str(error), self.okta_conn_id)
        return True, f"The System Log of {self.settings.org} can be read."

    def _make_client(self) -> OktaClient:
        from oktalogger.okta.client import OktaClient

        settings = self.settings
        with forgetting_locals():
            return OktaClient(
                settings.org_url,
                self._auth(settings),
                timeout=(CONNECT_TIMEOUT, settings.timeout),
                gate=self._gate,
                verify=settings.verify,
                proxies={"http": settings.proxy, "https": settings.proxy} if settings.proxy else None,
                user_agent="apache-airflow",
                allow_http=settings.allow_http,
                sleep=self._sleep,
            )

    @staticmethod
    def _auth(settings: OktaConnection) -> OktaAuth:
        from oktalogger.okta.auth import PrivateKeyJwtAuth, SswsAuth

        if settings.auth == "ssws":
            return SswsAuth(settings.token or "")
        return PrivateKeyJwtAuth(
            settings.org_url,
            settings.client_id or "",
            settings.private_key or "",
            key_id=settings.key_id,
            fallback_key=settings.fallback_private_key,
            fallback_key_id=settings.fallback_key_id,
            dpop=settings.dpop,
            on_token=mask_secret,
            scopes=settings.scopes,
            allow_http=settings.allow_http,
        )


def read_okta_connection(conn: Any) -> OktaConnection:
    """Read an Airflow connection, and have Airflow mask its secrets in logs.

    :param conn: an Airflow ``Connection``
    :raises ConnectionSettingsError: if it cannot be used
    """
    from oktalogger.okta.keys import secret_parts

    conn_id = conn.conn_id
    values, unknown = read_extras(conn_id, conn.extra_dejson, OKTA_EXTRAS)
    token = (conn.password or "").strip() or None
    key = values.get("private_key")
    secrets = [token, values.get("redaction_key"), *proxy_secrets(values.get("proxy"))]
    for one in (key, values.get("fallback_private_key")):
        secrets += secret_parts(one) if one else []
    for secret in filter(None, secrets):
        mask_secret(secret)
    if unknown:
        # Nobody else reads connections of this type, so an unknown extra is a typing error. Ignored, a misspelt
        # filter or `verify` would have no effect.
        raise ConnectionSettingsError(
            f"The connection `{conn_id}` has unknown extras: {', '.join(unknown)}. Known are: {names(OKTA_EXTRAS)}."
        )
    if "proxy" in values:
        _check_proxy(conn_id, values["proxy"])
    auth = values.pop("auth", None) or ("private_key_jwt" if key else "ssws")
    if auth == "ssws" and token is None:
        raise ConnectionSettingsError(
            f"The connection `{conn_id}` has no API token: put it into the password, or give the extras `client_id` "
            "and `private_key` of an OAuth 2.0 service app."
        )
    if auth == "private_key_jwt" and not (key and values.get("client_id")):
        missing = "private_key" if values.get("client_id") else "client_id"
        raise ConnectionSettingsError(f"The connection `{conn_id}` logs in by private_key_jwt but has no `{missing}`.")
    return OktaConnection(org_url=_org_url(conn), auth=auth, token=token, **values)


def proxy_secrets(proxy: str | None) -> list[str]:
    """Return the password in a proxy's address, as written and with its %-codes decoded.

    :param proxy: the address, with or without scheme; an address that cannot be read counts as secret as a whole
    """
    if not proxy:
        return []
    try:
        password = _split_proxy(proxy).password
    except ValueError:
        return [proxy]
    return sorted({password, unquote(password)}) if password else []


def _check_proxy(conn_id: str, proxy: str) -> None:
    try:
        usable = bool(_split_proxy(proxy).hostname) and _split_proxy(proxy).port != 0
    except ValueError:
        usable = False
    if not usable:
        # Without the address: if it cannot be read, its password may be anywhere in it.
        raise ConnectionSettingsError(
            f"The extra `proxy` of the connection `{conn_id}` is not an address. Write it like "
            "http://user:password@proxy.example.com:3128, with %-codes for special characters in user and password."
        )


def _split_proxy(proxy: str) -> SplitResult:
    return urlsplit(proxy if "://" in proxy else f"http://{proxy}")


def _org_url(conn: Any) -> str:
    host = (conn.host or "").strip().rstrip("/")
    if not host:
        raise ConnectionSettingsError(
            f"The connection `{conn.conn_id}` has no host: give the org's address, like https://company.okta.com."
        )
    if "://" not in host:
        # `okta://host` in an environment variable, and `https` in the field that Airflow calls schema.
        host = f"{conn.schema if conn.schema in ('http', 'https') else 'https'}://{host}"
    try:
        urlsplit(host)
    except ValueError as error:  # without the address: there may be a password in it
        raise ConnectionSettingsError(
            f"The host of the connection `{conn.conn_id}` is not an address. Write it like https://company.okta.com."
        ) from error
    return f"{host}:{conn.port}" if conn.port and not re.search(r":\d+$", host) else host
