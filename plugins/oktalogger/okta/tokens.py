"""Gets access tokens from the org for a signed assertion, bound to a key if the app demands it.

Sources: Okta, "Implement OAuth for Okta with a service app" (claims, lifetimes, algorithms) and "Configure OAuth 2.0
Demonstrating Proof-of-Possession"; RFC 9449 sections 5 and 8.
"""

from __future__ import annotations

import logging
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import jwt
import msgspec

from oktalogger.okta.answers import envelope_of, error_of, nonce_asked_for, protocol_error
from oktalogger.okta.dpop import DpopKey
from oktalogger.okta.endpoint import Advice
from oktalogger.okta.errors import OktaAuthenticationError
from oktalogger.okta.exchange import HttpRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from oktalogger.okta.exchange import Reply
    from oktalogger.okta.keys import SigningKey

log = logging.getLogger(__name__)

TOKEN_PATH: Final = "/oauth2/v1/token"  # noqa: S105 (a path)
NONCE_HEADER: Final = "DPoP-Nonce"
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASSERTION_SECONDS = 300  # Okta allows an hour; shorter is safer, and each use makes a new one
_RENEW_BEFORE_SECONDS = 300.0
# Without a proof, with one, with a nonce, and with a newer nonce if the server changed it just then.
_MAX_TURNS = 4


@dataclass(frozen=True, slots=True, repr=False)
class AccessToken:
    """A token, the end of its use, and the key that it is bound to."""

    value: str
    expires: float  # by the endpoint's clock
    key: DpopKey | None

    @property
    def authorization(self) -> str:
        """The value of the header ``Authorization``."""
        return f"{'DPoP' if self.key else 'Bearer'} {self.value}"


class TokenEndpoint:
    """Gets access tokens for one service app.

    If Okta answers that the app must use DPoP, all later requests do (see ``bound``). If Okta refuses one of the app's
    keys, the next is tried, so that keys can be changed while loads run. The key that worked last is tried first the
    next time.

    :param origin: the org's ``scheme://host``.
    :param client_id: the app's client id.
    :param keys: the app's private keys, the preferred one first.
    :param scopes: OAuth scopes to ask for.
    :param bound: accept only tokens that are bound to a key, and send proofs from the first request on.
    :param advice: what to do when every key is refused.
    :param clock: monotonic seconds.
    :param wall_clock: seconds since the epoch, for the claims.
    """

    def __init__(
        self,
        origin: str,
        client_id: str,
        keys: Sequence[SigningKey],
        scopes: Sequence[str],
        *,
        bound: bool = False,
        advice: str = "",
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._url = origin + TOKEN_PATH
        self._client_id = client_id
        self._about = f"access token for client {client_id}"
        self._keys = tuple(keys)
        self._scopes = tuple(scopes)
        self._must_be_bound = bound
        self._proves = bound
        self._advice = Advice(
            wanted="access token",
            login=advice,
            scope=f"Grant the app the scopes that it asks for ({', '.join(scopes)}) on its page in the Admin Console "
            "(tab Okta API Scopes), or name others in the connection.",
            permission="Check that the app is active, and the network zones that it is bound to.",
            request="Check client id and scopes in the connection.",
        )
        self._clock = clock
        self._wall_clock = wall_clock
        self._nonce: str | None = None

    def fetch(self) -> Generator[HttpRequest, Reply, AccessToken]:
        """Yield each request for a new token, take its answer, and return the token.

        :raises OktaError: if Okta gives none.
        """
        refusals: list[tuple[SigningKey, OktaAuthenticationError]] = []
        for key in self._keys:
            try:
                token = yield from self._ask(key)
            except OktaAuthenticationError as error:
                if error.code != "invalid_client":
                    raise
                refusals.append((key, error))
                continue
            for refused, refusal in refusals:
                log.warning(
                    "Okta refuses the %s of client %s (%s) and accepts the %s. If the refused one is new, add its "
                    "public key to the app in Okta. If it is an old one, remove it from the connection.",
                    refused,
                    self._client_id,
                    refusal.summary or refusal.code,
                    key,
                )
            self._keys = (key, *(other for other in self._keys if other is not key))
            return token
        first = refusals[0][1]
        if len(refusals) > 1:
            others = "; ".join(f"the {key}: {other.summary or other.code}" for key, other in refusals[1:])
            first.patience = f"Okta refuses the connection's other keys as well ({others})."
        raise first

    def _ask(self, signing_key: SigningKey) -> Generator[HttpRequest, Reply, AccessToken]:
        """Ask with one of the app's keys, again until Okta accepts the proof."""
        proving_key = DpopKey.generate() if self._proves else None
        for turn in range(1, _MAX_TURNS + 1):
            asked = self._clock()
            reply = yield self._request(signing_key, proving_key)
            self._nonce = reply.headers.get(NONCE_HEADER) or self._nonce
            if reply.status == 200:
                return self._token(reply, proving_key, asked)
            if turn < _MAX_TURNS:
                if proving_key is None and _asks_for_proof(reply):
                    log.debug("The app %s demands DPoP: asking with a proof.", self._client_id)
                    self._proves, proving_key = True, DpopKey.generate()
                    continue
                if proving_key is not None and nonce_asked_for(reply):
                    continue
            break
        raise error_of(reply, self._advice)

    def _request(self, signing_key: SigningKey, proving_key: DpopKey | None) -> HttpRequest:
        form = {
            "grant_type": "client_credentials",
            "scope": " ".join(self._scopes),
            "client_assertion_type": _ASSERTION_TYPE,
            "client_assertion": self._assertion(signing_key),
        }
        headers = {}
        if proving_key is not None:
            headers["DPoP"] = proving_key.proof("POST", self._url, nonce=self._nonce, now=self._wall_clock())
        return HttpRequest("POST", self._url, headers=headers, form=form, about=self._about, for_login=True)

    def _assertion(self, signing_key: SigningKey) -> str:
        now = int(self._wall_clock())
        claims = {
            "iss": self._client_id,
            "sub": self._client_id,
            "aud": self._url,
            "iat": now,
            "exp": now + _ASSERTION_SECONDS,
            "jti": str(uuid.uuid4()),  # Okta refuses an assertion that it has seen before
        }
        headers = {"kid": signing_key.key_id} if signing_key.key_id else None
        return jwt.encode(claims, signing_key.key, algorithm=signing_key.algorithm, headers=headers)

    def _token(self, reply: Reply, proving_key: DpopKey | None, asked: float) -> AccessToken:
        try:
            grant = msgspec.json.decode(reply.body, type=_Grant)
        except msgspec.DecodeError as error:
            raise protocol_error(reply, "something that holds no access token") from error
        kind = grant.token_type.lower()
        if kind not in ("bearer", "dpop") or (kind == "dpop" and proving_key is None):
            raise protocol_error(reply, f"an access token of a kind that was not asked for ({kind[:20]})")
        if kind == "bearer" and self._must_be_bound:
            raise OktaAuthenticationError(
                f"Okta gave client {self._client_id} an access token that is not bound to a key, and the connection "
                "asks for DPoP.",
                advice="Check what answers in Okta's place, or remove `dpop` from the connection.",
            )
        # A token is used until some minutes before it expires; a short-lived one for half its life.
        expires = asked + max(grant.expires_in - _RENEW_BEFORE_SECONDS, grant.expires_in / 2)
        return AccessToken(grant.access_token, expires, proving_key if kind == "dpop" else None)


def _asks_for_proof(reply: Reply) -> bool:
    envelope = envelope_of(reply)
    return reply.status in (400, 401) and (
        envelope.code in ("invalid_dpop_proof", "use_dpop_nonce") or "DPoP proof" in envelope.summary
    )


class _Grant(msgspec.Struct):
    access_token: str
    token_type: str = "Bearer"  # noqa: S105
    expires_in: float = 3600.0
