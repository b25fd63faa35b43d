"""Sends every request to OpenSearch, raises typed errors, parses answers, and repeats small requests.

Clients come from :func:`~oktalogger.opensearch.client.make_client`, which switches off opensearch-py's own retries:
what is repeated, and how often, is decided here and in ``bulk``, where it is counted. A client with retries of its own
works as well, but repeats what must not be sent twice, as the creation of a monitor.

opensearch-py's own serializer parses the answers, those of bulk requests too: msgspec in its place saves a tenth of a
second of CPU time in a million events.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar
from urllib.parse import urlencode

import msgspec
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential, wait_random

from oktalogger.frames import forgetting_locals
from oktalogger.opensearch.diagnosis import Failure, error_for, shorten
from oktalogger.opensearch.errors import (
    OpenSearchLoadError,
    OpenSearchRequestError,
    OpenSearchResponseError,
    OpenSearchUnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from opensearchpy import OpenSearch

log = logging.getLogger(__name__)

_Answer = TypeVar("_Answer")
# Seconds; shorter waits are many where OpenSearch is busy, and say nothing.
WORTH_A_LINE: Final = 1.0


class ErrorChooser(Protocol):
    """Chooses the typed error for a refusal; :func:`~oktalogger.opensearch.diagnosis.error_for` is one."""

    def __call__(self, failure: Failure, *, doing: str, index: str | None = None) -> OpenSearchLoadError:
        """Return the error."""


@dataclass(frozen=True, slots=True)
class RequestRetry:
    """How often a small request is sent, and how long apart. Waits double from half a second on.

    :param attempts: requests at most, the first included
    :param longest_wait_seconds: the longest wait between two requests, to which up to half a second is added at random
    """

    attempts: int = 3
    longest_wait_seconds: float = 2.0


AS_LONG_AS_A_BULK: Final = RequestRetry(attempts=11, longest_wait_seconds=20.0)
"""For requests that must be as patient as a bulk request: about two minutes."""


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
    headers: Mapping[str, str] | None = None,
    ignore: Collection[int] = (),
    choose_error: ErrorChooser = error_for,
) -> Any:
    """Send one request once and return its answer parsed; an empty answer is an empty object.

    :param client: the client with connections and login
    :param path: the path, with its leading slash
    :param doing: purpose of the request, for error messages: ``to make the index x``
    :param index: the index or alias concerned, for the error
    :param params: the query string
    :param only: which parts of the answer to send (``filter_path``); those of an error come in any case
    :param body: as it goes over the wire
    :param headers: further headers
    :param ignore: statuses that are not an error
    :param choose_error: chooses the typed error for a refusal
    :raises OpenSearchResponseError: if the answer is not OpenSearch's
    :raises OpenSearchLoadError: the typed error for any other failure
    """
    query = dict(params or {})
    if only is not None:
        query["filter_path"] = f"error,status,{only}"
    sent = {**({"content-type": content_type} if body is not None else {}), **(headers or {})}
    from opensearchpy import exceptions

    try:
        with forgetting_locals():
            answer = client.transport.perform_request(
                method,
                # Not as `params`: opensearch-py takes `timeout` out of those, for its own.
                f"{path}?{urlencode(query)}" if query else path,
                body=body,
                headers=sent,
                ignore=ignore,
            )
    except exceptions.SerializationError as error:
        said = error.args[0] if error.args else error
        raise _no_answer_of_opensearch(said, doing=doing, index=index) from error
    except exceptions.TransportError as error:
        raise choose_error(Failure.of(error), doing=doing, index=index) from error
    if not isinstance(answer, str):
        return answer
    if not answer:
        return {}
    try:
        return msgspec.json.decode(answer)
    except msgspec.DecodeError as error:
        raise _no_answer_of_opensearch(answer, doing=doing, index=index) from error


def _no_answer_of_opensearch(said: object, *, doing: str, index: str | None) -> OpenSearchResponseError:
    return OpenSearchResponseError(
        f"What answered when asked {doing} is not OpenSearch, or its answer was cut off: {shorten(str(said)[:200])!r} "
        "is not JSON. Check the URL, and for a proxy on the way.",
        index=index,
    )


def repeated(
    once: Callable[[], _Answer],
    *,
    retry: RequestRetry | None = None,
    only_if_not_done: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> _Answer:
    """Send a small request again while OpenSearch is not available, and return its answer.

    :param once: sends it once
    :param retry: how often, and how long apart
    :param only_if_not_done: whether it is sent again only if OpenSearch cannot have carried it out
    :param sleep: waits that many seconds
    :raises OpenSearchLoadError: what the last request raised
    """
    retry = retry or RequestRetry()
    retrying = Retrying(
        retry=retry_if_exception(
            lambda error: (
                isinstance(error, OpenSearchUnavailableError) and not (only_if_not_done and error.outcome_unknown)
            )
        ),
        stop=stop_after_attempt(retry.attempts),
        wait=wait_exponential(multiplier=0.5, max=retry.longest_wait_seconds) + wait_random(0, 0.5),
        sleep=sleep,
        before_sleep=_announce,
        reraise=True,
    )
    return retrying(once)


def _announce(state: RetryCallState) -> None:
    if state.outcome is not None and state.upcoming_sleep >= WORTH_A_LINE:
        log.warning("%s Trying again in %.1f s.", state.outcome.exception(), state.upcoming_sleep)


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
    retry: RequestRetry | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Any:
    """Send one small request that may be repeated without harm, and return its answer parsed.

    A server that is not available is asked three times within a few seconds, if ``retry`` says nothing else.

    :param body: what to send as JSON; the others as in :func:`send` and :func:`repeated`
    :raises OpenSearchLoadError: the typed error for any failure
    """
    data = None if body is None else msgspec.json.encode(body)
    return repeated(
        lambda: send(
            client, method, path, doing=doing, index=index, params=params, only=only, body=data, ignore=ignore
        ),
        retry=retry,
        sleep=sleep,
    )


def search(client: OpenSearch, indices: str, body: Mapping[str, Any], *, doing: str, may_be_absent: bool = True) -> Any:
    """Search all of some indices, or none: what a missing shard holds must not look as if it had never been there.

    OpenSearch would else answer with what the other shards hold, and call no shard failed.

    :param client: the client
    :param indices: names of indices and aliases, comma-separated
    :param body: the search
    :param doing: as in :func:`send`
    :param may_be_absent: whether an index that is not there holds nothing; else it is an error
    :raises OpenSearchUnavailableError: if a shard stays missing
    :raises OpenSearchLoadError: if it is refused, or OpenSearch stays out of reach
    """
    params = {"allow_partial_search_results": "false"}
    if may_be_absent:
        params |= {"ignore_unavailable": "true", "allow_no_indices": "true"}
    return call(client, "POST", f"/{indices}/_search", doing=doing, index=indices, params=params, body=body)


def refresh(client: OpenSearch, indices: str, *, doing: str) -> bool:
    """Make everything that was stored visible to searches.

    :param client: the client
    :param indices: names of indices and aliases, comma-separated; those that are missing are left out
    :param doing: as in :func:`send`
    :return: whether the server refreshes on request; Amazon OpenSearch Serverless does not
    :raises OpenSearchLoadError: if it is refused for another reason, or OpenSearch stays out of reach
    """
    params = {"ignore_unavailable": "true", "allow_no_indices": "true"}
    try:
        call(client, "POST", f"/{indices}/_refresh", doing=doing, index=indices, params=params)
    except OpenSearchRequestError as error:
        if error.status != 404:
            raise
        return False
    return True
