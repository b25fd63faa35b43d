"""Reads addresses and logins of Okta and OpenSearch from environment variables, for use without Airflow."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from oktalogger.frames import forgetting_locals
from oktalogger.okta.auth import PrivateKeyJwtAuth, SswsAuth
from oktalogger.okta.client import OktaClient
from oktalogger.okta.system_log import SystemLogClient
from oktalogger.opensearch.client import OpenSearchSettings, make_client
from oktalogger.opensearch.saved_objects import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opensearchpy import OpenSearch

    from oktalogger.okta.auth import OktaAuth
    from oktalogger.okta.rate_limit import RequestGate
    from oktalogger.opensearch.saved_objects import DashboardsClient
    from oktalogger.pipeline.archive.place import ArchiveStore
    from oktalogger.settings import Settings

OKTA_URL: Final = "OKTALOGGER_OKTA_URL"
OKTA_TOKEN: Final = "OKTALOGGER_OKTA_TOKEN"  # noqa: S105
OKTA_CLIENT_ID: Final = "OKTALOGGER_OKTA_CLIENT_ID"
OKTA_PRIVATE_KEY: Final = "OKTALOGGER_OKTA_PRIVATE_KEY"
OKTA_PRIVATE_KEY_FILE: Final = "OKTALOGGER_OKTA_PRIVATE_KEY_FILE"
OKTA_KEY_ID: Final = "OKTALOGGER_OKTA_KEY_ID"
OPENSEARCH_URL: Final = "OKTALOGGER_OPENSEARCH_URL"
OPENSEARCH_USERNAME: Final = "OKTALOGGER_OPENSEARCH_USERNAME"
OPENSEARCH_PASSWORD: Final = "OKTALOGGER_OPENSEARCH_PASSWORD"  # noqa: S105
OPENSEARCH_CA_CERTS: Final = "OKTALOGGER_OPENSEARCH_CA_CERTS"
OPENSEARCH_CLIENT_CERT: Final = "OKTALOGGER_OPENSEARCH_CLIENT_CERT"
OPENSEARCH_CLIENT_KEY: Final = "OKTALOGGER_OPENSEARCH_CLIENT_KEY"
OPENSEARCH_AWS_REGION: Final = "OKTALOGGER_OPENSEARCH_AWS_REGION"
OPENSEARCH_AWS_SERVICE: Final = "OKTALOGGER_OPENSEARCH_AWS_SERVICE"
ALLOW_HTTP: Final = "OKTALOGGER_ALLOW_HTTP"
REDACTION_KEY: Final = "OKTALOGGER_REDACTION_KEY"

OKTA_VARIABLES: Final = (OKTA_URL, OKTA_TOKEN, OKTA_CLIENT_ID, OKTA_PRIVATE_KEY_FILE, OKTA_PRIVATE_KEY, OKTA_KEY_ID)
OPENSEARCH_VARIABLES: Final = (
    OPENSEARCH_URL,
    OPENSEARCH_USERNAME,
    OPENSEARCH_PASSWORD,
    OPENSEARCH_CA_CERTS,
    OPENSEARCH_CLIENT_CERT,
    OPENSEARCH_CLIENT_KEY,
    OPENSEARCH_AWS_REGION,
    OPENSEARCH_AWS_SERVICE,
)

OTHER_OPENSEARCH_VARIABLES: Final = {
    name: name.replace("OKTALOGGER_OPENSEARCH_", "OKTALOGGER_OTHER_OPENSEARCH_") for name in OPENSEARCH_VARIABLES
}
"""The variables of a second OpenSearch, from which events are taken over, by those of the first."""


class EnvironmentConfigError(ValueError):
    """A variable is missing or cannot be used; the message names it."""


@forgetting_locals()
def okta_client(
    environ: Mapping[str, str] | None = None,
    *,
    sleep: Callable[[float], None] = time.sleep,
    gate: RequestGate | None = None,
) -> SystemLogClient:
    """Make a client for the org that the environment names.

    :param environ: the environment; ``os.environ`` by default
    :param sleep: waits that many seconds
    :param gate: asked before each request
    :raises EnvironmentConfigError: if a variable is missing or contradicts another
    """
    environ = os.environ if environ is None else environ
    url = required(environ, OKTA_URL)
    allow_http = _flag(environ, ALLOW_HTTP)
    auth = _okta_auth(environ, url, allow_http=allow_http)
    try:
        return SystemLogClient(OktaClient(url, auth, gate=gate, allow_http=allow_http, sleep=sleep))
    except ValueError as error:
        raise EnvironmentConfigError(f"{OKTA_URL}: {error}") from error


@forgetting_locals()
def opensearch_client(environ: Mapping[str, str] | None = None) -> OpenSearch:
    """Make a client for the OpenSearch that the environment names.

    :param environ: the environment; ``os.environ`` by default
    :raises EnvironmentConfigError: if a variable is missing or contradicts another
    """
    settings = opensearch_settings(environ)
    try:
        return make_client(settings)
    except ValueError as error:
        raise EnvironmentConfigError(f"{OPENSEARCH_URL}: {error}") from error


def is_serverless(environ: Mapping[str, str] | None = None) -> bool:
    """Say whether the environment names a collection of Amazon OpenSearch Serverless."""
    environ = os.environ if environ is None else environ
    return bool(environ.get(OPENSEARCH_AWS_REGION)) and environ.get(OPENSEARCH_AWS_SERVICE) == "aoss"


def opensearch_settings(environ: Mapping[str, str] | None = None) -> OpenSearchSettings:
    """Return where the OpenSearch is that the environment names, and how to log in.

    :param environ: the environment; ``os.environ`` by default
    :raises EnvironmentConfigError: if a variable is missing or contradicts another
    """
    environ = os.environ if environ is None else environ
    url = required(environ, OPENSEARCH_URL)
    region = environ.get(OPENSEARCH_AWS_REGION)
    try:
        return OpenSearchSettings(
            url=url,
            username=environ.get(OPENSEARCH_USERNAME) or None,
            password=environ.get(OPENSEARCH_PASSWORD) or None,
            ca_certs=environ.get(OPENSEARCH_CA_CERTS) or None,
            client_cert=environ.get(OPENSEARCH_CLIENT_CERT) or None,
            client_key=environ.get(OPENSEARCH_CLIENT_KEY) or None,
            http_auth=_sigv4(region, environ.get(OPENSEARCH_AWS_SERVICE) or "es") if region else None,
            allow_http=_flag(environ, ALLOW_HTTP),
        )
    except ValueError as error:
        raise EnvironmentConfigError(f"{OPENSEARCH_URL}: {error}") from error


@forgetting_locals()
def dashboards_client(settings: Settings, environ: Mapping[str, str] | None = None) -> DashboardsClient:
    """Make a client for OpenSearch Dashboards, with the login of OpenSearch.

    :param settings: of the deployment, which have the address
    :param environ: the environment; ``os.environ`` by default
    :raises EnvironmentConfigError: if a variable is missing or contradicts another
    """
    login = opensearch_settings(environ)
    try:
        client = connect(
            login,
            api_url=settings.dashboards_api_url,
            browser_url=settings.dashboards_url,
            tenant=settings.dashboards_tenant,
        )
    except ValueError as error:
        raise EnvironmentConfigError(str(error)) from error
    if client is None:
        raise EnvironmentConfigError(
            "OKTALOGGER_DASHBOARDS_URL is not set. It is the address of OpenSearch Dashboards."
        )
    return client


@forgetting_locals()
def other_opensearch_client(environ: Mapping[str, str] | None = None) -> OpenSearch:
    """Make a client for the OpenSearch that holds other events; the same as the first one if none is named.

    :param environ: the environment; ``os.environ`` by default
    :raises EnvironmentConfigError: if a variable is missing or contradicts another
    """
    environ = os.environ if environ is None else environ
    if not environ.get(OTHER_OPENSEARCH_VARIABLES[OPENSEARCH_URL]):
        return opensearch_client(environ)
    own = {name: value for name, value in environ.items() if name not in OPENSEARCH_VARIABLES}
    others = {name: environ[other] for name, other in OTHER_OPENSEARCH_VARIABLES.items() if other in environ}
    return opensearch_client({**own, **others})


def archive_of(settings: Settings, *, sleep: Callable[[float], None] = time.sleep) -> ArchiveStore | None:
    """Return the archive that ``OKTALOGGER_ARCHIVE`` names; None if it names none.

    :param settings: of the deployment
    :param sleep: waits that many seconds
    :raises EnvironmentConfigError: if it names a bucket, and boto3 is missing
    """
    if settings.archive is None:
        return None
    from oktalogger.pipeline.archive.place import open_archive

    return open_archive(settings.archive, _s3_client, sleep=sleep)


def required_archive(settings: Settings) -> ArchiveStore:
    """Return the archive.

    :raises EnvironmentConfigError: if the setting names none
    """
    archive = archive_of(settings)
    if archive is None:
        raise EnvironmentConfigError("OKTALOGGER_ARCHIVE is not set. Give s3://bucket/prefix, or a folder.")
    return archive


def _s3_client() -> object:
    try:
        import boto3
        from botocore.exceptions import BotoCoreError

        from oktalogger.pipeline.archive.s3 import s3_config
    except ImportError as error:
        raise EnvironmentConfigError("OKTALOGGER_ARCHIVE names a bucket, which needs the package boto3.") from error
    try:
        return boto3.client("s3", config=s3_config())
    except BotoCoreError as error:  # no such profile, no region
        raise EnvironmentConfigError(f"There is no S3 client: {error}") from error


def _okta_auth(environ: Mapping[str, str], url: str, *, allow_http: bool) -> OktaAuth:
    token = environ.get(OKTA_TOKEN)
    client_id = environ.get(OKTA_CLIENT_ID)
    if token and client_id:
        raise EnvironmentConfigError(f"{OKTA_TOKEN} and {OKTA_CLIENT_ID} are both set. Unset the unused one.")
    if token:
        return SswsAuth(token)
    if not client_id:
        raise EnvironmentConfigError(
            f"Nothing says how to log in to Okta. Set {OKTA_TOKEN}, or {OKTA_CLIENT_ID} and {OKTA_PRIVATE_KEY_FILE}."
        )
    key = environ.get(OKTA_PRIVATE_KEY)
    path = environ.get(OKTA_PRIVATE_KEY_FILE)
    if not key and path:
        try:
            key = Path(path).read_text()
        except OSError as error:
            raise EnvironmentConfigError(f"{OKTA_PRIVATE_KEY_FILE}: {error}") from error
        except UnicodeDecodeError as error:
            raise EnvironmentConfigError(
                f"{OKTA_PRIVATE_KEY_FILE}: {path} is not text. Give a PEM or a JWK."
            ) from error
    if not key:
        raise EnvironmentConfigError(
            f"{OKTA_CLIENT_ID} needs the app's private key (PEM or JWK). "
            f"Set {OKTA_PRIVATE_KEY_FILE} or {OKTA_PRIVATE_KEY}."
        )
    return PrivateKeyJwtAuth(url, client_id, key, key_id=environ.get(OKTA_KEY_ID) or None, allow_http=allow_http)


def _sigv4(region: str, service: str) -> object:
    try:
        import boto3
    except ImportError as error:
        raise EnvironmentConfigError(f"{OPENSEARCH_AWS_REGION} is set, which needs the package boto3.") from error
    from opensearchpy import Urllib3AWSV4SignerAuth

    credentials = boto3.Session().get_credentials()
    if credentials is None:
        raise EnvironmentConfigError(f"{OPENSEARCH_AWS_REGION} is set, but there are no AWS credentials to sign with.")
    return Urllib3AWSV4SignerAuth(credentials, region, service)


def redaction_key(environ: Mapping[str, str] | None = None) -> str | None:
    """Return the key of the hashes that redaction makes, None where the environment has none.

    :param environ: the environment; ``os.environ`` by default
    """
    return (os.environ if environ is None else environ).get(REDACTION_KEY) or None


def required(environ: Mapping[str, str], name: str) -> str:
    """Return a variable's value.

    :raises EnvironmentConfigError: if it is missing
    """
    value = environ.get(name, "").strip()
    if not value:
        raise EnvironmentConfigError(f"{name} is not set.")
    return value


def _flag(environ: Mapping[str, str], name: str) -> bool:
    text = environ.get(name, "").strip().lower()
    if text not in ("", "0", "1", "false", "true", "no", "yes"):
        raise EnvironmentConfigError(f"{name}={text!r} is neither true nor false.")
    return text in ("1", "true", "yes")
