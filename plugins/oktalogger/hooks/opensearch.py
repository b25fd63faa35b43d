"""Makes an OpenSearch client from an Airflow connection of the type ``opensearch``.

DAG files import this module each time a task starts. So it imports the client's libraries only when it makes a client.
"""

from __future__ import annotations

import logging
import re
import time
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from oktalogger.compat import BaseHook, mask_secret
from oktalogger.frames import forgetting_locals
from oktalogger.hooks.connections import in_a_test, look_up
from oktalogger.hooks.extras import ConnectionSettingsError, form_widgets, names, read_extras
from oktalogger.hooks.forms import OPENSEARCH_EXTRAS, OPENSEARCH_TYPE, OPENSEARCH_UI
from oktalogger.opensearch.errors import OpenSearchLoadError

if TYPE_CHECKING:
    from collections.abc import Callable

    from opensearchpy import OpenSearch

    from oktalogger.opensearch.client import OpenSearchSettings
    from oktalogger.opensearch.names import IndexNames
    from oktalogger.opensearch.saved_objects import DashboardsClient
    from oktalogger.opensearch.store import OpenSearchStore
    from oktalogger.pipeline.ledger_store import LedgerStore
    from oktalogger.settings import Settings

log = logging.getLogger(__name__)

# search-name-id.region.es.amazonaws.com, id.region.aoss.amazonaws.com, also in China and with a dual stack (on.aws).
_AMAZON_HOST = re.compile(
    r"\.(?P<region>[a-z]{2}(?:-[a-z]+)+-\d)\.(?P<service>es|aoss)\.(?:amazonaws\.com(?:\.cn)?|on\.aws)$"
)
# The community provider's extras that would change nothing here.
_IGNORED = frozenset({"headers", "opaque_id"})


# At DEBUG these loggers write requests, signatures and AWS's answers, with session tokens and keys of assumed roles,
# which Airflow does not mask. Each is named, because a deployment may have set the level of each.
_BOTOCORE = ("botocore", "botocore.auth", "botocore.endpoint", "botocore.parsers")


class OpenSearchHook(BaseHook):
    """
    Connects to OpenSearch by a connection of the type ``oktalogger_opensearch``, or the community's ``opensearch``.

    The hook verifies the server's certificate and uses plain http to this machine only, unless the connection says
    otherwise (``verify_certs``, ``use_ssl``). Logins: user and password, a client certificate, or SigV4 with the
    credentials of the Amazon provider, which are renewed while the hook lives. All extras are in
    :data:`oktalogger.hooks.forms.OPENSEARCH_EXTRAS`; others are logged and ignored.

    The type is a new one, because two providers with one type end in a warning and in whichever comes first. It has a
    form for every login, and Airflow's button "Test" asks this class. For the type ``opensearch`` Airflow asks the
    community provider, which cannot answer.

    Making the hook reads nothing and connects nowhere.

    :param opensearch_conn_id: Airflow connection to OpenSearch
    :param role_arn: IAM role to assume with the connection's credentials, if it logs in by SigV4
    :param sleep: waits between requests, in seconds; operators give a wait that ends when the task is killed
    """

    conn_name_attr = "opensearch_conn_id"
    default_conn_name = "opensearch_default"
    conn_type = OPENSEARCH_TYPE
    hook_name = "OpenSearch (oktalogger)"

    def __init__(
        self,
        opensearch_conn_id: str = default_conn_name,
        *,
        role_arn: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.opensearch_conn_id = opensearch_conn_id
        self.role_arn = role_arn
        self._sleep = sleep

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Return the form's additional fields (Airflow 2.11 and 3.0; later lines read the provider info)."""
        return form_widgets(OPENSEARCH_EXTRAS)

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return labels and hints of the form's usual fields (Airflow 2.11 and 3.0; later: provider info)."""
        return {name.replace("-", "_"): value for name, value in OPENSEARCH_UI.items()}

    @cached_property
    def _connection(self) -> tuple[OpenSearchSettings, dict[str, Any]]:
        with forgetting_locals():
            return self._read_connection()

    def _read_connection(self) -> tuple[OpenSearchSettings, dict[str, Any]]:
        conn = look_up(self, self.opensearch_conn_id, self.conn_type)
        values, unknown = read_extras(conn.conn_id, conn.extra_dejson, OPENSEARCH_EXTRAS)
        if conn.password:
            mask_secret(conn.password)
        if odd := [name for name in unknown if name not in _IGNORED]:
            # Not an error, unlike Okta's: the community provider may use the same connection.
            log.warning(
                "The connection %s has extras that this hook does not know and ignores: %s. It knows: %s.",
                conn.conn_id,
                ", ".join(odd),
                names(OPENSEARCH_EXTRAS),
            )
        return _settings(conn, values, self.role_arn), values

    @cached_property
    def settings(self) -> OpenSearchSettings:
        """The connection's settings.

        :raises ConnectionSettingsError: if it cannot be used
        :raises OpenSearchSettingsError: likewise
        """
        return self._connection[0]

    @cached_property
    def client(self) -> OpenSearch:
        """The client of opensearch-py, made once; close it with ``close()``.

        It does not retry: the first failure raises.
        """
        from oktalogger.opensearch.client import make_client

        if not self.settings.verify_certs:
            log.warning(
                "The connection %s turns the verification of TLS off (`verify_certs`): whoever stands between can read "
                "the login and change events. Give the authority's certificate in `ca_certs` instead.",
                self.opensearch_conn_id,
            )
        with forgetting_locals():
            return make_client(self.settings)

    def get_conn(self) -> OpenSearch:
        """Return :attr:`client`."""
        return self.client

    def store(
        self, index_names: IndexNames, *, shards: int | None = None, replicas: int | None = None
    ) -> OpenSearchStore:
        """Return the store: it makes the indices and bulk-creates documents, each once, however often it tries.

        :param index_names: the names of the indices to load into
        :param shards: primary shards of an index to come
        :param replicas: copies of each shard of an index to come
        """
        from oktalogger.opensearch.store import OpenSearchStore

        return OpenSearchStore(self.client, index_names, shards=shards, replicas=replicas, sleep=self._sleep)

    def ledger(self, index_names: IndexNames) -> LedgerStore:
        """Return the ledger of a deployment. The store's ``prepare`` makes the ledger's index.

        :param index_names: the names of the deployment
        """
        from oktalogger.pipeline.ledger_store import LedgerStore

        return LedgerStore(self.client, index_names)

    @property
    def dashboards_url(self) -> str | None:
        """Address of OpenSearch Dashboards, if the connection has one."""
        return self._connection[1].get("dashboards_url")

    def dashboards(self, settings: Settings) -> DashboardsClient | None:
        """Return a client of OpenSearch Dashboards with this connection's login, or None if its address is not known.

        :param settings: of the deployment, which may have the address
        :raises OpenSearchSettingsError: if Dashboards does not take such a login, or the address is plain http and
            meant for browsers
        """
        from oktalogger.opensearch.saved_objects import connect

        values = self._connection[1]
        return connect(
            self.settings,
            api_url=values.get("dashboards_api_url") or settings.dashboards_api_url,
            browser_url=self.dashboards_url or settings.dashboards_url,
            tenant=settings.dashboards_tenant,
            sleep=self._sleep,
        )

    @property
    def dashboards_index_pattern(self) -> str | None:
        """Id of the index pattern in Dashboards, if the connection has one."""
        return self._connection[1].get("dashboards_index_pattern")

    @property
    def serverless(self) -> bool:
        """Whether this is a collection of Amazon OpenSearch Serverless."""
        return getattr(self.settings.http_auth, "service", None) == "aoss"

    def test_connection(self) -> tuple[bool, str]:
        """Ask the cluster for its version. Return whether that worked, and a sentence that says what to do if not."""
        from oktalogger.opensearch.request import call

        doing = "while testing the connection"
        try:
            if self.serverless:
                # It has no `GET /`.
                call(self.client, "GET", "/_cat/indices", doing=doing, params={"format": "json"}, sleep=self._sleep)
                return True, f"OpenSearch Serverless answers at {self.settings.url}."
            answer = call(self.client, "GET", "/", doing=doing, sleep=self._sleep)
        except (OpenSearchLoadError, ConnectionSettingsError) as error:
            return False, in_a_test(str(error), self.opensearch_conn_id)
        version = answer.get("version", {}) if isinstance(answer, dict) else {}
        if version.get("distribution") != "opensearch":
            return False, (
                f"What answers at {self.settings.url} is not OpenSearch"
                f"{' but Elasticsearch' if 'build_flavor' in version else ''}. Check host, port and `url_prefix`."
            )
        return True, f"OpenSearch {version.get('number')} answers at {self.settings.url}."


def _settings(conn: Any, values: dict[str, Any], role_arn: str | None) -> OpenSearchSettings:
    from oktalogger.opensearch.client import OpenSearchSettings

    host, port, secure, allow_http = _address(conn, values)
    amazon = _AMAZON_HOST.search(host.lower())
    auth = values.get("auth") or _default_auth(conn, values, amazon is not None)
    login: dict[str, Any] = {}
    if auth == "basic":
        if not (conn.login and conn.password):
            raise ConnectionSettingsError(f"The connection `{conn.conn_id}` needs login and password for auth=basic.")
        login = {"username": conn.login, "password": conn.password}
    elif auth == "sigv4":
        login = {"http_auth": _sigv4(conn.conn_id, values, amazon, role_arn)}
    elif auth == "certificate" and not values.get("client_cert"):
        raise ConnectionSettingsError(f"The connection `{conn.conn_id}` needs `client_cert` for auth=certificate.")
    return OpenSearchSettings(
        url=f"{'https' if secure else 'http'}://{host}{f':{port}' if port else ''}{_path(values)}",
        allow_http=allow_http,
        verify_certs=values.get("verify_certs", True),
        ca_certs=values.get("ca_certs"),
        client_cert=values.get("client_cert"),
        client_key=values.get("client_key"),
        timeout=values.get("timeout", 60.0),
        http_compress=values.get("http_compress", False),
        **login,
    )


def _address(conn: Any, values: dict[str, Any]) -> tuple[str, int | None, bool, bool]:
    """Return host, port, whether to use TLS, and whether plain http to another machine is allowed."""
    host = (conn.host or "").strip().rstrip("/")
    if not host:
        raise ConnectionSettingsError(f"The connection `{conn.conn_id}` has no host.")
    in_host, separator, rest = host.partition("://")
    if separator:
        host = rest
    if "@" in host:
        # Split at its colon, the user's name would become the host, and the password would be sent to it.
        raise ConnectionSettingsError(
            f"The host of the connection `{conn.conn_id}` holds a user: give the host alone, and user and password in "
            "the fields for them."
        )
    host, _, port_in_host = host.partition(":") if host.count(":") == 1 else (host, "", "")
    port = conn.port or (int(port_in_host) if port_in_host.isdigit() else None)
    plain = values.get("use_ssl") is False or values.get("scheme") == "http"
    named = in_host if separator else conn.schema if conn.schema in ("http", "https") else "https"
    return host, port, named == "https" and not plain, plain


def _path(values: dict[str, Any]) -> str:
    prefix = (values.get("url_prefix") or "").strip("/")
    return f"/{prefix}" if prefix else ""


def _default_auth(conn: Any, values: dict[str, Any], is_amazon: bool) -> str:
    if conn.login:
        return "basic"
    if values.get("client_cert"):
        return "certificate"
    if is_amazon or values.get("aws_conn_id"):
        return "sigv4"
    return "none"


def _sigv4(conn_id: str, values: dict[str, Any], amazon: re.Match[str] | None, role_arn: str | None) -> Any:
    """Return a signer that asks for the credentials at each request, so that renewed ones are used."""
    region = values.get("region") or (amazon["region"] if amazon else None)
    service = values.get("service") or (amazon["service"] if amazon else "es")
    if not region:
        raise ConnectionSettingsError(
            f"The connection `{conn_id}` logs in by sigv4, but its host names no region: give the extra `region`."
        )
    try:
        # Imported here: other logins need neither boto3 nor the Amazon provider.
        from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook
        from opensearchpy import Urllib3AWSV4SignerAuth
    except ImportError as error:
        raise ConnectionSettingsError(
            f"The connection `{conn_id}` logs in by sigv4, which needs apache-airflow-providers-amazon: {error}."
        ) from error
    aws_hook: AwsGenericHook[Any] = AwsGenericHook(
        aws_conn_id=values.get("aws_conn_id"), region_name=region, client_type="sts"
    )
    session = aws_hook.get_session(region_name=region)
    credentials = session.get_credentials()
    if credentials is not None and role_arn is not None:
        credentials = _assumed(session, credentials, role_arn, region)
    if credentials is None:
        raise ConnectionSettingsError(
            f"The connection `{conn_id}` logs in by sigv4, but there are no AWS credentials here: give the worker a "
            "role, or name an AWS connection in the extra `aws_conn_id`."
        )
    for noisy in _BOTOCORE:
        logging.getLogger(noisy).setLevel(logging.INFO)
    return Urllib3AWSV4SignerAuth(credentials, region, service)


def _assumed(session: Any, credentials: Any, role_arn: str, region: str) -> Any:
    """Return credentials of another role, fetched at the first request and renewed before they expire."""
    from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials

    fetcher = AssumeRoleCredentialFetcher(
        # The regional endpoint, because it may be the only one in reach within a VPC.
        client_creator=partial(session.client, region_name=region),
        source_credentials=credentials,
        role_arn=role_arn,
        extra_args={"RoleSessionName": "oktalogger"},
    )
    return DeferredRefreshableCredentials(refresh_using=fetcher.fetch_credentials, method="assume-role")
