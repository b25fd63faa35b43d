"""Makes an OpenSearch client from settings: TLS verified by default, each way to log in, no secret shown."""

from __future__ import annotations

import base64
import ipaddress
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests.auth
from opensearchpy import OpenSearch, RequestsHttpConnection, TransportError, Urllib3HttpConnection
from opensearchpy.serializer import TextSerializer

from oktalogger.opensearch.errors import OpenSearchSettingsError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSearchSettings:
    """Where OpenSearch is and how to log in. Secrets are not in its ``repr``.

    At most one way to log in: ``username`` with ``password``, ``http_auth``, or ``client_cert`` alone.

    :param url: ``https://host[:port][/path]``; the port is 443 for ``https`` and 9200 for ``http`` if it is left out
    :param username: for basic authentication
    :param password: for basic authentication; may hold any character
    :param ca_certs: a file (PEM) with the certificate authorities to trust instead of the usual ones
    :param client_cert: a file (PEM) with our certificate, with our key as well if ``client_key`` is not given
    :param client_key: a file (PEM) with our key, without a passphrase
    :param verify_certs: whether the server's certificate must be trusted and name the host
    :param timeout: how many seconds one request may take
    :param http_compress: whether bodies are compressed (less traffic, more CPU time)
    :param http_auth: an object that signs requests, as opensearch-py takes it: ``RequestsAWSV4SignerAuth``,
        ``Urllib3AWSV4SignerAuth``, any ``requests.auth.AuthBase``
    :param allow_http: whether ``http`` will do for a host other than this one
    :param pool_maxsize: how many connections are kept open; at least as many as there are threads that load
    :raises OpenSearchSettingsError: if these cannot work
    """

    url: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_certs: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    verify_certs: bool = True
    timeout: float = 60.0
    http_compress: bool = False
    http_auth: Any = field(default=None, repr=False)
    allow_http: bool = False
    pool_maxsize: int = 10

    def __post_init__(self) -> None:
        _check_url(self.url, allow_http=self.allow_http)
        if (self.username is None) != (self.password is None):
            raise OpenSearchSettingsError("A username and a password go together: one of them is missing.")
        if self.http_auth is not None and self.username is not None:
            raise OpenSearchSettingsError("Give either a username and password or http_auth, not both.")
        if self.client_key and not self.client_cert:
            raise OpenSearchSettingsError("client_key needs client_cert.")
        if self.ca_certs and not self.verify_certs:
            raise OpenSearchSettingsError("ca_certs says whom to trust, verify_certs=False trusts anybody: choose one.")
        if not self.timeout > 0:
            raise OpenSearchSettingsError(f"timeout has to be more than 0 seconds, not {self.timeout}.")


def _check_url(url: str, *, allow_http: bool) -> None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise OpenSearchSettingsError(f"The OpenSearch URL cannot be read: {error}.") from None
    # The URL is shown in logs, so it must not carry a password; and this message must not show it either.
    if parts.username is not None or parts.password is not None:
        raise OpenSearchSettingsError(
            "The OpenSearch URL holds a user or password; give username and password instead."
        )
    if parts.scheme not in ("http", "https") or not host:
        raise OpenSearchSettingsError(f"The OpenSearch URL {url!r} is not of the form https://host[:port][/path].")
    if parts.query or parts.fragment:
        raise OpenSearchSettingsError(f"The OpenSearch URL {url!r} must not have a query or a fragment.")
    if parts.scheme == "http" and not allow_http and not is_loopback(host):
        raise OpenSearchSettingsError(
            f"The OpenSearch URL {url!r} is not https: events and passwords would be readable on the way. "
            "Take https, or allow http explicitly (allow_http)."
        )


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Quiet:
    """Keeps opensearch-py's line per request, and its stack trace per refusal, out of the task's log.

    What fails is raised with everything that the line would say. Bodies, which are events, are never logged.
    """

    def _raise_error(self, status_code: int, raw_data: Any, content_type: str | None = None) -> None:
        try:
            super()._raise_error(status_code, raw_data, content_type)  # type: ignore[misc]
        except AttributeError:
            # opensearch-py takes any JSON for an object; a proxy may send a list.
            raise TransportError(status_code, raw_data, None) from None

    def log_request_success(self, method: str, full_url: str, path: str, body: Any, status_code: int, *_: Any) -> None:
        logger.debug("%s %s: %s", method, path, status_code)

    def log_request_fail(self, method: str, full_url: str, path: str, *_: Any, **__: Any) -> None:
        logger.debug("%s %s failed", method, path)


class _Urllib3Connection(_Quiet, Urllib3HttpConnection):
    pass


class _RequestsConnection(_Quiet, RequestsHttpConnection):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if kwargs.get("ca_certs") or not kwargs.get("verify_certs", True):
            # Else requests prefers REQUESTS_CA_BUNDLE of the environment to what the connection says.
            merge = self.session.merge_environment_settings
            self.session.merge_environment_settings = (  # type: ignore[method-assign]
                lambda url, proxies, stream, verify, cert: merge(url, proxies, stream, self.session.verify, cert)
            )

    def perform_request(self, *args: Any, **kwargs: Any) -> Any:
        # A redirect is a misconfigured proxy; following it would carry signed events elsewhere.
        kwargs.setdefault("allow_redirects", False)
        return super().perform_request(*args, **kwargs)


def make_client(settings: OpenSearchSettings) -> OpenSearch:
    """Make a client that repeats nothing by itself. Nothing is sent yet; close it with ``close()``.

    It may be shared between threads.

    :param settings: where and how
    :raises OpenSearchSettingsError: if a certificate's file cannot be read
    """
    for what in ("ca_certs", "client_cert", "client_key"):
        name = getattr(settings, what)
        if name and not (Path(name).is_file() or (what == "ca_certs" and Path(name).is_dir())):
            raise OpenSearchSettingsError(f"{what} names {name!r}, which is not a file that can be read.")
    parts = urlsplit(settings.url)
    secure = parts.scheme == "https"
    options: dict[str, Any] = {
        "connection_class": _connection_class(settings),
        "timeout": settings.timeout,
        "http_compress": settings.http_compress,
        "pool_maxsize": settings.pool_maxsize,
        # Else opensearch-py repeats what nobody then can count or bound, a POST whose connection was cut among it.
        "max_retries": 0,
        "retry_on_status": (),
        "retry_on_timeout": False,
        # A proxy's page, to show it; opensearch-py does not know the type, and would say no more than that.
        "serializers": {"text/html": TextSerializer()},
    }
    if settings.username is not None:
        # opensearch-py encodes as Latin-1, OpenSearch decodes as UTF-8: a password with an umlaut would not match.
        pair = f"{settings.username}:{settings.password}".encode()
        options["headers"] = {"authorization": f"Basic {base64.b64encode(pair).decode()}"}
    if settings.http_auth is not None:
        options["http_auth"] = settings.http_auth
    if secure:
        options |= {
            "use_ssl": True,
            "verify_certs": settings.verify_certs,
            "ca_certs": settings.ca_certs,
            "client_cert": settings.client_cert,
            "client_key": settings.client_key,
        }
    host = {"host": parts.hostname, "port": parts.port or (443 if secure else 9200), "scheme": parts.scheme}
    if parts.path.strip("/"):
        host["url_prefix"] = parts.path
    return OpenSearch(hosts=[host], **options)


def _connection_class(settings: OpenSearchSettings) -> type[Any]:
    if isinstance(settings.http_auth, requests.auth.AuthBase):
        return _RequestsConnection
    # opensearch-py's urllib3 connection forgets the client's certificate if it does not verify the server's.
    if settings.client_cert and not settings.verify_certs:
        return _RequestsConnection
    return _Urllib3Connection
