"""How we log in to Okta: an API token, or OAuth 2.0 with a signed assertion (``private_key_jwt``).

Sources: Okta, "Create an API token"; "Implement OAuth for Okta with a service app" (claims, lifetimes, algorithms).
"""

from __future__ import annotations

import re
import threading
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import jwt
import msgspec
from requests.auth import AuthBase

from oktalogger.okta.answers import error_of, is_invalid_token, protocol_error
from oktalogger.okta.errors import OktaConfigurationError
from oktalogger.okta.keys import SigningKey, load_signing_key
from oktalogger.okta.origin import org_origin
from oktalogger.okta.transport import Reply, Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from requests import PreparedRequest

_TOKEN_PATH = "/oauth2/v1/token"  # noqa: S105 (a path)
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASSERTION_SECONDS = 300  # Okta allows an hour; short, because one is made for each use
_RENEW_BEFORE_SECONDS = 300.0


class OktaAuth(AuthBase):
    """A way to log in that may need the network, and may react to what Okta answers."""

    advice: ClassVar[str] = ""

    def connect(self, transport: Transport) -> None:
        """Take the client's transport, so that requests for tokens obey the same proxies, CAs and time-outs.

        :raises OktaConfigurationError: when this login belongs to another org than the client.
        """

    def can_renew_after(self, reply: Reply) -> bool:
        """Take note of an answer; return whether the same request, logged in anew, may succeed."""
        return False


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


@dataclass(frozen=True, slots=True, repr=False)
class _AccessToken:
    value: str
    expires: float  # by the auth's clock


class PrivateKeyJwtAuth(OktaAuth):
    """An OAuth 2.0 service app that proves itself with its private key. For several threads at once.

    The access token lives an hour; it is fetched with the first request, renewed before it expires, and once more
    when Okta says that it is not valid.

    :param org_url: the org's address; the token is asked from its own authorization server.
    :param client_id: the app's client id.
    :param private_key: the app's private key: PEM text, or a JWK as mapping or JSON text; RSA or EC.
    :param key_id: the key's id (``kid``) on the app's page; a JWK's own by default.
    :param scopes: what to ask for.
    :param allow_http: accept ``http`` for a host that is not this machine.
    :param clock: seconds that only ever grow.
    :param wall_clock: seconds since the epoch, for the assertion's claims.
    :raises OktaConfigurationError: when the key cannot be used, or something is missing.
    """

    advice = (
        "Check client id, private key and key id in the connection against the app's page in the Admin Console, and "
        "that the app is active."
    )

    def __init__(
        self,
        org_url: str,
        client_id: str,
        private_key: str | Mapping[str, Any],
        *,
        key_id: str | None = None,
        scopes: Sequence[str] = ("okta.logs.read",),
        allow_http: bool = False,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._origin = org_origin(org_url, allow_http=allow_http)
        self._client_id = client_id.strip()
        if not self._client_id:
            raise OktaConfigurationError("The client id is empty: put it into the connection.")
        self._key: SigningKey = load_signing_key(private_key, key_id=key_id)
        self._scopes = tuple(scopes)
        self._clock = clock
        self._wall_clock = wall_clock
        self._transport: Transport | None = None
        self._token: _AccessToken | None = None
        self._lock = threading.Lock()

    def connect(self, transport: Transport) -> None:
        """Take the client's transport for the requests for tokens."""
        if transport.origin != self._origin:
            raise OktaConfigurationError(
                f"The login is for {self._origin}, the client for {transport.origin}: use the same org URL for both."
            )
        self._transport = transport

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Sign a request with a token that is still valid for some minutes.

        :raises OktaError: when Okta gives no token.
        """
        with self._lock:
            if self._token is None or self._clock() >= self._token.expires:
                self._token = self._fetch()
            request.headers["Authorization"] = _bearer(self._token)
            return request

    def can_renew_after(self, reply: Reply) -> bool:
        """Forget the token when the answer says that it is not valid."""
        if not is_invalid_token(reply):
            return False
        with self._lock:
            # Another thread may have renewed it already.
            if self._token and reply.request.headers.get("Authorization") == _bearer(self._token):
                self._token = None
        return True

    def _fetch(self) -> _AccessToken:
        transport = self._transport or Transport(self._origin)
        about = f"access token for client {self._client_id}"
        form = {
            "grant_type": "client_credentials",
            "scope": " ".join(self._scopes),
            "client_assertion_type": _ASSERTION_TYPE,
            "client_assertion": self._assertion(),
        }
        asked = self._clock()
        reply = transport.send("POST", self._origin + _TOKEN_PATH, data=form, about=about)
        if reply.status != 200:
            raise error_of(reply, about=about, login_advice=self.advice)
        try:
            grant = msgspec.json.decode(reply.body, type=_Grant)
        except msgspec.DecodeError as error:
            raise protocol_error(reply, "something that holds no access token", about) from error
        # A token is used until some minutes before its end; a short-lived one until half its life.
        return _AccessToken(
            grant.access_token, asked + max(grant.expires_in - _RENEW_BEFORE_SECONDS, grant.expires_in / 2)
        )

    def _assertion(self) -> str:
        now = int(self._wall_clock())
        claims = {
            "iss": self._client_id,
            "sub": self._client_id,
            "aud": self._origin + _TOKEN_PATH,
            "iat": now,
            "exp": now + _ASSERTION_SECONDS,
            "jti": str(uuid.uuid4()),  # Okta refuses an assertion that it has seen
        }
        headers = {"kid": self._key.key_id} if self._key.key_id else None
        return jwt.encode(claims, self._key.key, algorithm=self._key.algorithm, headers=headers)


def _bearer(token: _AccessToken) -> str:
    return f"Bearer {token.value}"


class _Grant(msgspec.Struct):
    access_token: str
    expires_in: float = 3600.0
