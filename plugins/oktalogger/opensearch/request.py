"""One request to OpenSearch, with typed errors, through the connections of an opensearch-py client.

The client's own ``transport.perform_request`` is not used: it retries by itself, so that nobody can count or bound
what was sent, and it parses every answer with the standard library.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec
from opensearchpy import OpenSearch, exceptions

from oktalogger.opensearch.diagnosis import Failure, error_for, shorten
from oktalogger.opensearch.errors import OpenSearchRequestError, OpenSearchResponseError, OpenSearchUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

_WAITS_SECONDS = (0.5, 2.0)
_WORTH_REPEATING = (None, 429, 502, 503, 504)


def send(
    client: OpenSearch,
    method: str,
    path: str,
    *,
    doing: str,
    index: str | None = None,
    params: Mapping[str, str] | None = None,
    only: str | None = None,
    body: bytes | None = None,
    content_type: str = "application/json",
    ignore: Collection[int] = (),
) -> str:
    """Send one request once and return the body of its answer.

    :param client: whose connections and log-in are used
    :param path: the path, with its leading slash
    :param doing: what is asked, for the message of an error: ``to make the index x``
    :param index: the index or alias concerned, for the error
    :param params: the query string
    :param only: which parts of the answer to send (``filter_path``); those of an error come in any case
    :param body: as it goes over the wire
    :param ignore: statuses that are no error
    :raises OpenSearchLoadError: the typed error for whatever went wrong
    """
    transport = client.transport
    connection = transport.get_connection()
    headers = {"content-type": content_type} if body is not None else None
    if only is not None:
        params = {**(params or {}), "filter_path": f"error,status,{only}"}
    try:
        _, _, answer = connection.perform_request(
            method, path, params=params, body=body, headers=headers, ignore=ignore
        )
    except exceptions.TransportError as error:
        if isinstance(error, exceptions.ConnectionError):
            transport.mark_dead(connection)
        raise error_for(Failure.of(error), doing=doing, index=index) from error
    transport.connection_pool.mark_live(connection)
    return str(answer)


def refresh(client: OpenSearch, indices: str, *, doing: str) -> bool:
    """Make everything that was stored visible to searches.

    :param client: the client
    :param indices: names of indices and aliases, comma-separated; those that are missing are left out
    :param doing: as in :func:`send`
    :return: whether that could be asked for: Amazon OpenSearch Serverless refreshes by itself only
    :raises OpenSearchLoadError: where it is refused for another reason, or OpenSearch stays out of reach
    """
    params = {"ignore_unavailable": "true", "allow_no_indices": "true"}
    try:
        call(client, "POST", f"/{indices}/_refresh", doing=doing, index=indices, params=params)
    except OpenSearchRequestError as error:
        if error.status != 404:
            raise
        return False
    return True


def call(
    client: OpenSearch,
    method: str,
    path: str,
    *,
    doing: str,
    index: str | None = None,
    params: Mapping[str, str] | None = None,
    only: str | None = None,
    body: object | None = None,
    ignore: Collection[int] = (),
    sleep: Callable[[float], None] = time.sleep,
) -> Any:
    """Send one small request that may be repeated without harm, and return its answer parsed.

    A server that is not available is asked three times within a few seconds.

    :param body: what to send as JSON; the others as in :func:`send`
    :raises OpenSearchLoadError: the typed error for whatever went wrong
    """
    data = None if body is None else msgspec.json.encode(body)
    for wait in (*_WAITS_SECONDS, None):
        try:
            answer = send(
                client, method, path, doing=doing, index=index, params=params, only=only, body=data, ignore=ignore
            )
            break
        except OpenSearchUnavailableError as error:
            if wait is None or error.status not in _WORTH_REPEATING:
                raise
            sleep(wait)
    try:
        return msgspec.json.decode(answer) if answer else {}
    except msgspec.DecodeError as error:
        raise OpenSearchResponseError(
            f"What answered when asked {doing} is not OpenSearch: {shorten(answer[:200])!r} is not JSON. Check the "
            "URL, and for a proxy on the way.",
            index=index,
        ) from error
