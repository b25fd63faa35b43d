"""How we log in to Okta: an API token, or OAuth 2.0 with a signed assertion (``private_key_jwt``), with DPoP or not.

Sources: Okta, "Create an API token"; "Implement OAuth for Okta with a service app"; "Configure OAuth 2.0 Demonstrating
Proof-of-Possession"; RFC 9449.
"""

from __future__ import annotations

import enum
import re
import threading
import time
from typing import TYPE_CHECKING, ClassVar

from requests.auth import AuthBase

from oktalogger.okta.answers import is_invalid_token, nonce_asked_for
from oktalogger.okta.errors import OktaConfigurationError
from oktalogger.okta.keys import known_apart, load_signing_keys
from oktalogger.okta.origin import org_origin
from oktalogger.okta.tokens import NONCE_HEADER, AccessToken, TokenEndpoint
from oktalogger.okta.transport import Reply, Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from requests import PreparedRequest

    from oktalogger.okta.keys import KeyMaterial


class Remedy(enum.Enum):
    """What may help a request that was refused: sending it again at once, logged in anew."""

    NEW_TOKEN = enum.auto()
    NEW_PROOF = enum.auto()


class OktaAuth(AuthBase):
    """A way to log in that may need the network, and may react to what Okta answers."""

    advice: ClassVar[str] = ""

    def connect(self, transport: Transport) -> None:
        """Take the client's transport, so that requests for tokens obey the same proxies, CAs and time-outs.

        :raises OktaConfigurationError: when this login belongs to another org than the client.
        """

    def heed(self, reply: Reply) -> Remedy | None:
        """Take note of an answer; return what may help if the same request is sent again, which logs in anew."""
        return None


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
        if not token.isascii() or not token.isprintable() or " " in token:
            raise OktaConfigurationError(
                "The API token holds white space or characters that no token has (it is not shown here): copy it anew."
            )
        self._token = token

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Sign a request."""
        request.headers["Authorization"] = f"SSWS {self._token}"
        return request


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
        self._origin = org_origin(org_url, allow_http=allow_http)
        client_id = client_id.strip()
        if not client_id:
            raise OktaConfigurationError("The client id is empty: put it into the connection.")
        keys = load_signing_keys(private_key, key_id=key_id)
        if fallback_key:
            keys = known_apart((*keys, *load_signing_keys(fallback_key, key_id=fallback_key_id)))
        self._endpoint = TokenEndpoint(
            self._origin,
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
        self._transport: Transport | None = None
        self._token: AccessToken | None = None
        self._nonce: str | None = None  # of the System Log; the token endpoint has its own
        self._lock = threading.Lock()

    def connect(self, transport: Transport) -> None:
        """Take the client's transport for the requests for tokens."""
        if transport.origin != self._origin:
            raise OktaConfigurationError(
                f"The login is for {self._origin}, the client for {transport.origin}: use the same org URL for both."
            )
        self._transport = transport

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Sign a request with a token that is still valid for some minutes, and with a proof where it is bound.

        :raises OktaError: when Okta gives no token.
        """
        with self._lock:
            if self._token is None or self._clock() >= self._token.expires:
                self._token = self._endpoint.fetch(self._transport or Transport(self._origin))
                if self._on_token is not None:
                    self._on_token(self._token.value)
            token, nonce = self._token, self._nonce
        request.headers["Authorization"] = token.authorization
        if token.key is not None:
            request.headers["DPoP"] = token.key.proof(
                request.method or "",
                request.url or "",
                access_token=token.value,
                nonce=nonce,
                now=self._wall_clock(),
            )
        return request

    def heed(self, reply: Reply) -> Remedy | None:
        """Keep the nonce that an answer gives, and forget a token that it calls invalid."""
        with self._lock:
            nonce = reply.headers.get(NONCE_HEADER)
            if nonce and "DPoP" in reply.request.headers:
                self._nonce = nonce
                if nonce_asked_for(reply):
                    return Remedy.NEW_PROOF
            if not is_invalid_token(reply):
                return None
            # Another thread may have renewed it already.
            if self._token and reply.request.headers.get("Authorization") == self._token.authorization:
                self._token = None
            return Remedy.NEW_TOKEN
