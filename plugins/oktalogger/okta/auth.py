"""Logs in to Okta by an API token, or by OAuth 2.0 with a signed assertion (``private_key_jwt``), with or without DPoP.

Each login is a generator: it yields the requests to send and receives their answers. So the whole flow is in one place,
and uses the proxies, CAs and time-outs of the client that sends.

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
    """The login's attempts for one request and its retries.

    :param token_renewed: a refused token was replaced; it is not replaced a second time.
    """

    token_renewed: bool = False


class OktaAuth(ABC):
    """A way to log in.

    ``advice`` says what to do when Okta refuses the credentials. ``origin`` is the org that the login belongs to, or
    None if it works for any.
    """

    advice: ClassVar[str]
    origin: str | None = None

    @abstractmethod
    def flow(self, request: HttpRequest, attempts: LoginAttempts) -> Generator[HttpRequest, Reply, None]:
        """Yield the requests to send for one request, in order; each ``yield`` returns the answer.

        The answer to the last one yielded is the answer to ``request``.

        :param request: the request to log in for.
        :param attempts: the attempts made for it so far; this method updates them.
        :raises OktaError: if Okta gives no token.
        """


class SswsAuth(OktaAuth):
    """An API token, sent as ``Authorization: SSWS ...``. It has the rights of the admin who made it.

    :param token: the token as Okta showed it.
    :raises OktaConfigurationError: if it is empty or cannot be a token.
    """

    advice = (
        "Check the API token in the connection: a token dies 30 days after its last use and with the admin who made "
        "it. Make a new one in the Admin Console under Security > API > Tokens."
    )

    def __init__(self, token: str) -> None:
        token = re.sub(r"^SSWS(\s+|$)", "", token.strip())  # users copy the token with this word before it
        if not token:
            raise OktaConfigurationError("The API token is empty: put it into the connection.")
        if token[0] in "'\"" or token[-1] in "'\"":
            raise OktaConfigurationError("The API token stands in quotes (it is not shown here): give it without them.")
        if not token.isascii() or not token.isprintable() or " " in token:
            raise OktaConfigurationError(
                "The API token holds white space or characters that no token has (it is not shown here): copy it again."
            )
        self._token = token

    def flow(self, request: HttpRequest, attempts: LoginAttempts) -> Generator[HttpRequest, Reply, None]:
        """Yield the request with the token, once."""
        yield request.signed_by(lambda: {"Authorization": f"SSWS {self._token}"})


class PrivateKeyJwtAuth(OktaAuth):
    """An OAuth 2.0 service app that logs in with its private key. Safe for several threads.

    The access token lives an hour. The first request fetches it; it is renewed before it expires, and when Okta says
    that it is invalid. If the app demands DPoP, each token is bound to a new key, and every request carries a proof of
    its own.

    :param org_url: the org's address; the token is asked from its own authorization server.
    :param client_id: the app's client id.
    :param private_key: the app's private key, or several, in any form of :mod:`oktalogger.okta.keys`.
    :param key_id: the key's id (``kid``) on the app's page; a JWK's own by default. Of several, the one to try first.
    :param fallback_key: a further key, tried when Okta refuses those before it.
    :param fallback_key_id: its id.
    :param scopes: OAuth scopes to ask for.
    :param dpop: accept only tokens that are bound to a key.
    :param allow_http: accept ``http`` for a host that is not this machine.
    :param on_token: called with each access token before its first use, so that logs can mask it.
    :param clock: monotonic seconds.
    :param wall_clock: seconds since the epoch, for the claims.
    :raises OktaConfigurationError: if a key cannot be used, or something is missing.
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
        self._nonce: str | None = None  # the API's; the token endpoint has its own
        self._lock = threading.Lock()

    def flow(self, request: HttpRequest, attempts: LoginAttempts) -> Generator[HttpRequest, Reply, None]:
        """Yield the requests that get a token, then the request with it, and once more if that can help.

        If Okta asks for a nonce, the request is sent again with it. If Okta calls the token invalid, it is sent again
        with a new token. Each happens once.

        :raises OktaError: if Okta gives no token.
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
        with self._lock:  # the others wait for the thread that gets a token
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
            if self._token is refused:  # otherwise another thread has replaced it already
                self._token = None
