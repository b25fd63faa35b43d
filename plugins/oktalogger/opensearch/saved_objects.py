"""Reads and imports saved objects of OpenSearch Dashboards through its own API.

Source: opensearch-project/OpenSearch-Dashboards 2.19 and 3, ``src/core/server/saved_objects/routes`` and
``ui_settings/routes``; opensearch-project/security-dashboards-plugin, ``tenant_resolver.ts``.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit
from uuid import uuid4

import msgspec

from oktalogger.opensearch.diagnosis import error_for
from oktalogger.opensearch.errors import (
    OpenSearchAuthenticationError,
    OpenSearchLoadError,
    OpenSearchRequestError,
    OpenSearchSettingsError,
    OpenSearchTlsError,
    OpenSearchUnavailableError,
)
from oktalogger.opensearch.request import repeated, send

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from opensearchpy import OpenSearch

    from oktalogger.opensearch.client import OpenSearchSettings
    from oktalogger.opensearch.diagnosis import Failure

GLOBAL_TENANT: Final = "global"
_SAVED: Final = "/api/saved_objects"
_SETTINGS: Final = "/api/opensearch-dashboards/settings"
_DEFAULT_PATTERN: Final = "defaultIndex"


class DashboardsError(OpenSearchRequestError):
    """Dashboards refused an object, or what answers is not Dashboards; the message says which and why."""


def connect(
    opensearch: OpenSearchSettings,
    *,
    api_url: str | None,
    browser_url: str | None,
    tenant: str | None,
    sleep: Callable[[float], None] = time.sleep,
) -> DashboardsClient | None:
    """Return a client of the Dashboards of a cluster, or None if nobody has said where it is.

    :param opensearch: how the cluster is reached: Dashboards takes the same user and password, or signature
    :param api_url: address for us; plain http is allowed, because somebody has written it for this
    :param browser_url: address for browsers, in its place
    :param tenant: the tenant; None for the global one
    :param sleep: waits that many seconds
    :raises OpenSearchSettingsError: if Dashboards does not take such a login, or the address for browsers is plain http
    """
    # Here, because a DAG file that imports this module makes no client.
    from oktalogger.opensearch.client import is_loopback, make_client

    url = api_url or browser_url
    if url is None:
        return None
    if opensearch.client_cert and opensearch.username is None and opensearch.http_auth is None:
        raise OpenSearchSettingsError(
            f"OpenSearch Dashboards at {url} takes no client certificate, with which this connection logs in. Use a "
            "connection with a user and a password for the setup."
        )
    if api_url is None and url.startswith("http:") and not is_loopback(urlsplit(url).hostname or ""):
        raise OpenSearchSettingsError(
            f"The address of OpenSearch Dashboards, {url}, is not https: the password would be readable on the way. "
            "If you accept that, set OKTALOGGER_DASHBOARDS_API_URL to it."
        )
    settings = replace(opensearch, url=url, client_cert=None, client_key=None, allow_http=True)
    return DashboardsClient(make_client(settings), url=url, tenant=tenant or GLOBAL_TENANT, sleep=sleep)


class SavedObject(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """One saved object, as a line of an export has it.

    :param type: ``index-pattern``, ``search``, ``visualization`` or ``dashboard``
    :param id: its id, unique among objects of its type
    :param attributes: what it says
    :param references: the objects that it names
    :param migration_version: the form in which it is written, by type
    """

    type: str
    id: str
    attributes: dict[str, Any]
    references: list[dict[str, str]] = []
    migration_version: dict[str, str] = {}

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from all others."""
        return self.type, self.id


class _Found(msgspec.Struct):
    type: str
    id: str
    attributes: dict[str, Any] = {}
    references: list[dict[str, str]] = []
    error: dict[str, Any] | None = None


class _AllFound(msgspec.Struct):
    saved_objects: list[_Found]


class _Refused(msgspec.Struct):
    type: str = ""
    id: str = ""
    error: dict[str, Any] = {}


class _Imported(msgspec.Struct, rename="camel"):
    success: bool
    errors: list[_Refused] = []


class DashboardsClient:
    """Talks to one OpenSearch Dashboards.

    :param client: a client whose address is that of Dashboards, with a login that Dashboards takes
    :param url: that address, for messages
    :param tenant: the tenant of the security plugin to read and write; Dashboards without tenants ignores it
    :param sleep: waits that many seconds
    """

    def __init__(
        self,
        client: OpenSearch,
        *,
        url: str,
        tenant: str = GLOBAL_TENANT,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = url
        self.tenant = tenant
        self._client = client
        self._sleep = sleep

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def found(self, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], SavedObject]:
        """Return those of these objects that are there.

        :param wanted: type and id of each
        :raises OpenSearchLoadError: if Dashboards cannot be asked
        """
        body = [{"type": kind, "id": id} for kind, id in wanted]
        answer = self._ask("POST", f"{_SAVED}/_bulk_get", "to read saved objects", body=msgspec.json.encode(body))
        found = {}
        for one in self._read(answer, _AllFound).saved_objects:
            if one.error is None:
                found[one.type, one.id] = SavedObject(one.type, one.id, one.attributes, one.references)
            elif one.error.get("statusCode") != 404:
                raise DashboardsError(
                    f"OpenSearch Dashboards at {self.url} cannot read the {one.type} {one.id}: "
                    f"{one.error.get('message', one.error)}"
                )
        return found

    def import_objects(self, objects: Sequence[SavedObject]) -> None:
        """Import objects, which replace those with the same ids.

        Dashboards checks references first, and imports nothing if one is missing.

        :raises DashboardsError: if Dashboards refuses one, with its reason
        :raises OpenSearchLoadError: if Dashboards cannot be asked
        """
        lines = b"\n".join(msgspec.json.encode(one) for one in objects)
        boundary = uuid4().hex
        body = (
            (
                f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="oktalogger.ndjson"\r\n'
                "Content-Type: application/ndjson\r\n\r\n"
            ).encode()
            + lines
            + f"\r\n--{boundary}--\r\n".encode()
        )
        answer = self._ask(
            "POST",
            f"{_SAVED}/_import",
            "to import saved objects",
            params={"overwrite": "true"},
            body=body,
            content_type=f"multipart/form-data; boundary={boundary}",
        )
        imported = self._read(answer, _Imported)
        if not imported.success:
            why = "; ".join(f"{one.type} {one.id}: {_why(one.error)}" for one in imported.errors[:5])
            raise DashboardsError(
                f"OpenSearch Dashboards at {self.url} refused {len(imported.errors)} of {len(objects)} saved objects. "
                f"{why or 'It does not say why.'}"
            )

    def default_pattern(self) -> str | None:
        """Return the id of the index pattern with which Discover opens; None if nobody has chosen one.

        :raises OpenSearchLoadError: if Dashboards cannot be asked
        """
        answer = self._ask("GET", _SETTINGS, "to read its settings")
        chosen: Mapping[str, Any] = answer.get("settings", {}).get(_DEFAULT_PATTERN, {})
        return chosen.get("userValue") or None

    def set_default_pattern(self, id: str) -> None:
        """Choose the index pattern with which Discover opens.

        :raises OpenSearchLoadError: if Dashboards refuses
        """
        path = f"{_SETTINGS}/{_DEFAULT_PATTERN}"
        self._ask("POST", path, "to choose the default index pattern", body=msgspec.json.encode({"value": id}))

    def fields_of(self, pattern: str) -> list[dict[str, Any]] | None:
        """Return the fields that Dashboards sees behind an index pattern; None if there is no index yet.

        :raises OpenSearchLoadError: if Dashboards cannot be asked
        """
        metas = "&".join(f"meta_fields={name}" for name in ("_source", "_id", "_type", "_index", "_score"))
        path = f"/api/index_patterns/_fields_for_wildcard?pattern={quote(pattern, safe='')}&{metas}"
        answer = self._ask("GET", path, f"for the fields of {pattern}", ignore=(404,))
        fields: list[dict[str, Any]] | None = answer.get("fields") if isinstance(answer, dict) else None
        return fields

    def _ask(
        self,
        method: str,
        path: str,
        doing: str,
        *,
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = "application/json",
        ignore: tuple[int, ...] = (),
    ) -> Any:
        # Without the first header Dashboards refuses every change; without the second it takes the user's own tenant.
        headers = {"osd-xsrf": "true", "securitytenant": self.tenant}
        return repeated(
            lambda: send(
                self._client,
                method,
                path,
                doing=doing,
                params=params,
                body=body,
                content_type=content_type,
                headers=headers,
                ignore=ignore,
                choose_error=self._error,
            ),
            sleep=self._sleep,
        )

    def _read(self, answer: Any, shape: type[Any]) -> Any:
        try:
            return msgspec.convert(answer, shape)
        except msgspec.ValidationError as error:
            raise DashboardsError(
                f"What answers at {self.url} is not OpenSearch Dashboards 2.19 or 3: {error}. Check the address."
            ) from error

    def _error(self, failure: Failure, *, doing: str, index: str | None = None) -> OpenSearchLoadError:
        facts: dict[str, Any] = {"status": failure.status, "error_type": failure.error_type, "reason": failure.reason}
        where = f"OpenSearch Dashboards at {self.url}"
        general = error_for(failure, doing=doing, index=index)
        if isinstance(general, OpenSearchTlsError):
            return OpenSearchTlsError(f"{where} was asked {doing}. {general}", **facts)
        if failure.status in (301, 302, 303, 307):
            return OpenSearchAuthenticationError(
                f"{where} was asked {doing} and sends to a login page, so it does not take this login. Use a user and "
                "a password that Dashboards takes, or on AWS the role of an administrator.",
                **facts,
            )
        if failure.status == 401:
            return OpenSearchAuthenticationError(
                f"{where} refuses the login when asked {doing} ({failure.said}). It takes the user and password of "
                "OpenSearch, or on AWS a signature.",
                **facts,
            )
        if failure.status == 403:
            return DashboardsError(
                f"{where} was asked {doing}, which this user may not do in the tenant {self.tenant!r} "
                f"({failure.said}). Use an administrator, or another tenant (OKTALOGGER_DASHBOARDS_TENANT).",
                **facts,
            )
        if failure.status is None or failure.status in (429, 502, 503, 504):
            return OpenSearchUnavailableError(
                f"{where} does not answer when asked {doing} ({failure.said}). If it has another address from here "
                "than from a browser, set OKTALOGGER_DASHBOARDS_API_URL.",
                **facts,
            )
        if failure.status in (404, 405) or (failure.status == 400 and "no handler found" in failure.reason):
            return DashboardsError(
                f"What answers at {self.url} is not OpenSearch Dashboards ({failure.said}). Its address is not that of "
                "OpenSearch; on Amazon OpenSearch Service it ends in /_dashboards.",
                **facts,
            )
        return DashboardsError(f"{where} was asked {doing} and refused ({failure.said}).", **facts)


def _why(error: Mapping[str, Any]) -> str:
    """Say why one object was refused, from Dashboards' machine-readable reason."""
    if error.get("type") == "missing_references":
        named = ", ".join(f"{one.get('type')} {one.get('id')}" for one in error.get("references", ()))
        return f"it names objects that do not exist: {named}"
    return str(error.get("message") or error.get("type") or error)
