"""Logs in to Okta: by an API token, or by OAuth 2.0 with a signed assertion (``private_key_jwt``), with DPoP or not.

Each login is a generator: it yields the requests to send and takes their answers, so that the whole flow stands in one
place, needs no network of its own, and passes through the proxies, CAs and time-outs of whoever sends.

Sources: Okta, "Create an API token"; "Implement OAuth for Okta with a service app"; "Configure OAuth 2.0 Demonstrating
Proof-of-Possession"; RFC 9449.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from oktalogger.okta.answers import is_invalid_token, nonce_asked_for
from oktalogger.okta.errors import OktaConfigurationError
from oktalogger.okta.keys import known_apart, load_signing_keys
from oktalogger.okta.origin import org_origin
from oktalogger.okta.tokens import NONCE_HEADER, AccessToken, TokenEndpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from oktalogger.okta.exchange import HttpRequest, Reply
    from oktalogger.okta.keys import KeyMaterial

log = logging.getLogger(__name__)


@dataclass(slots=True)
class LoginAttempts:
    """What the login has tried for one request, the request's retries included.

    :param token_renewed: a refused token was replaced; it is not replaced a second time.
    """

    token_renewed: bool = False


class OktaAuth(ABC):
    """A way to log in.

    ``advice`` says what to do when Okta refuses the credentials. ``origin`` is the org that the login belongs to, None
    when it suits any.
    """

    advice: ClassVar[str]
    origin: str | None = None

    @abstractmethod
    def flow(self, request: HttpRequest, attempts: LoginAttempts) -> Generator[HttpRequest, Reply, None]:
        """Yield the requests to send for one request, in order; each ``yield`` takes the answer.

        The answer to the last one yielded is the answer to ``request``.

        :param request: the request to log in for.
        :param attempts: what was tried for it before; this method updates it.
        :raises OktaError: when Okta gives no token.
        """


class SswsAuth(OktaAuth):
    """An API token, sent as ``Authorization: SSWS ...``. It has the rights of the admin who made it.

    :param token: the token as Okta showed it.
    :raises OktaConfigurationError: when it is empty or cannot be a token.
    """

    advice = (
        "Check the API token in the connection: a token dies 30 days after its last use and with the admin who made "
        "it. Make a new one in the Admin Console under Security > API > Tokens."
    )

    def __init__(self, token: str) -> None:
        token = re.sub(r"^SSWS(\s+|$)", "", token.strip())  # people copy it with the word that goes before it
        if not token:
            raise OktaConfigurationError("The API token is empty: put it into the connection.")
        if token[0] in "'\"" or token[-1] in "'\"":
            raise OktaConfigurationError("The API token stands in quotes (it is not shown here): give it without them.")
        if not token.isascii() or not token.isprintable() or " " in token:
            raise OktaConfigurationError(
                "The API token holds white space or characters that no token has (it is not shown here): copy it anew."
            )
        self._token = token

    def flow(self, request: HttpRequest, attempts: LoginAttempts) -> Generator[HttpRequest, Reply, None]:
        """Yield the request with the token, once."""
        yield request.signed_by(lambda: {"Authorization": f"SSWS {self._token}"})


class PrivateKeyJwtAuth(OktaAuth):
    """An OAuth 2.0 service app that proves itself with its private key. For several threads at once.

    The access token lives an hour; it is fetched with the first request, renewed before it expires, and once more
    when Okta says that it is not valid. An app that demands DPoP is noticed: its tokens are bound to a key that is made
    here anew for each token, and every request carries a proof of its own.

    :param org_url: the org's address; the token is asked from its own authorization server.
    :param client_id: the app's client id.
    :param private_key: the app's private key, or several, in any form of :mod:`oktalogger.okta.keys`.
    :param key_id: the key's id (``kid``) on the app's page; a JWK's own by default. Of several, the one to try first.
    :param fallback_key: a further key, tried when Okta refuses those before it.
    :param fallback_key_id: its id.
    :param scopes: what to ask for.
    :param dpop: take no token that is not bound to a key.
    :param allow_http: accept ``http`` for a host that is not this machine.
    :param on_token: told of each access token before its first use, so that logs can hide it.
    :param clock: seconds that only ever grow.
    :param wall_clock: seconds since the epoch, for the claims.
    :raises OktaConfigurationError: when a key cannot be used, or something is missing.
    """

    advice = (
        "Check client id, private key and key id in the connection against the app's page in the Admin Console, and "
        "that the app is active."
    )

    def __init__(
        self,
        org_url: str,
        client_id: str,
        private_key: KeyMaterial,
        *,
        key_id: str | None = None,
        fallback_key: KeyMaterial | None = None,
        fallback_key_id: str | None = None,
        scopes: Sequence[str] = ("okta.logs.read",),
        dpop: bool = False,
        allow_http: bool = False,
        on_token: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.origin = org_origin(org_url, allow_http=allow_http)
        client_id = client_id.strip()
        if not client_id:
            raise OktaConfigurationError("The client id is empty: put it into the connection.")
        keys = load_signing_keys(private_key, key_id=key_id)
        if fallback_key:
            keys = known_apart((*keys, *load_signing_keys(fallback_key, key_id=fallback_key_id)))
        self._endpoint = TokenEndpoint(
            self.origin,
            client_id,
            keys,
            scopes,
            bound=dpop,
            advice=self.advice,
            clock=clock,
            wall_clock=wall_clock,
        )
        self._on_token = on_token
        self._clock = clock
        self._wall_clock = wall_clock
        self._token: AccessToken | None = None
        self._nonce: str | None = None  # of the API; the token endpoint has its own
        self._lock = threading.Lock()

    def flow(self, request: HttpRequest, attempts: LoginAttempts) -> Generator[HttpRequest, Reply, None]:
        """Yield the request with a valid token, after the requests that get one, and again where that can help.

        A proof that Okta refuses for want of a nonce is made anew with that nonce, and a token that Okta calls invalid
        is replaced, each once.

        :raises OktaError: when Okta gives no token.
        """
        nonce_taken = False
        while True:
            token = yield from self._valid_token()
            reply = yield request.signed_by(partial(self._headers, request, token))
            if token.key is not None:
                self._nonce = reply.headers.get(NONCE_HEADER) or self._nonce
                if nonce_asked_for(reply) and not nonce_taken:
                    nonce_taken = True
                    continue
            if not is_invalid_token(reply):
                return
            self._forget(token)
            if attempts.token_renewed:
                return
            attempts.token_renewed = True
            log.info("Okta refused the access token (%s %s): getting a new one.", reply.status, reply.request_id)

    def _valid_token(self) -> Generator[HttpRequest, Reply, AccessToken]:
        with self._lock:  # threads wait for the one that is getting a token
            if self._token is None or self._clock() >= self._token.expires:
                self._token = yield from self._endpoint.fetch()
                if self._on_token is not None:
                    self._on_token(self._token.value)
            return self._token

    def _headers(self, request: HttpRequest, token: AccessToken) -> dict[str, str]:
        headers = {"Authorization": token.authorization}
        if token.key is not None:
            headers["DPoP"] = token.key.proof(
                request.method, request.url, access_token=token.value, nonce=self._nonce, now=self._wall_clock()
            )
        return headers

    def _forget(self, refused: AccessToken) -> None:
        with self._lock:
            if self._token is refused:  # else another thread has replaced it already
                self._token = None
