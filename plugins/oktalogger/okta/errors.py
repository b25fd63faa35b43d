"""What can go wrong between us and Okta, one class for each thing that a person would do about it.

Every message says what happened, to what, in Okta's own words where Okta spoke, and what to do. None holds a token, a
key or the user part of a URL. ``retryable`` answers one question for whoever runs the load: can the same request
succeed later if nobody changes anything?
"""

from __future__ import annotations

from typing import ClassVar, Literal

from oktalogger.text import printable


class OktaError(Exception):
    """Base of every error that this package raises about Okta.

    :param message: what happened, and to what.
    :param advice: what to do about it.
    """

    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, advice: str = "") -> None:
        message = printable(message)  # it has words of a server in it
        super().__init__(message)
        self.message = message
        self.advice = advice
        self.patience = ""

    def __str__(self) -> str:
        return " ".join(part for part in (self.message, self.patience, self.advice) if part)

    def gave_up(self, requests: int, waited_seconds: float) -> None:
        """Note how much was tried before this error was let out."""
        self.patience = (
            f"Gave up after {requests} request{'s' * (requests != 1)} and {waited_seconds:.0f} s of waiting."
        )


class OktaConfigurationError(OktaError, ValueError):
    """A setting cannot work: the org's URL, the token's shape, the private key."""


class OktaApiError(OktaError):
    """Okta answered with an error.

    :param message: what happened, and to what, with Okta's words.
    :param advice: what to do about it.
    :param status: the HTTP status.
    :param code: Okta's ``errorCode`` (``E0000011``), or the OAuth ``error`` (``invalid_client``).
    :param summary: Okta's ``errorSummary``, or the OAuth ``error_description``; empty when the answer held none.
    :param causes: the ``errorSummary`` of each of Okta's ``errorCauses``.
    :param request_id: ``X-Okta-Request-Id``, which Okta's support asks for.
    :param url: what was asked for, without user and password.
    """

    def __init__(
        self,
        message: str,
        *,
        advice: str = "",
        status: int = 0,
        code: str | None = None,
        summary: str = "",
        causes: tuple[str, ...] = (),
        request_id: str | None = None,
        url: str = "",
    ) -> None:
        super().__init__(message, advice=advice)
        self.status = status
        self.code = code
        self.summary = summary
        self.causes = causes
        self.request_id = request_id
        self.url = url


class OktaAuthenticationError(OktaApiError):
    """Okta does not accept who we say we are: a wrong or expired token, a wrong key."""


class OktaPermissionError(OktaApiError):
    """Okta knows us and says no: the admin role is missing, or the network zone is wrong."""


class OktaScopeError(OktaPermissionError):
    """The OAuth app was not granted a scope that the endpoint demands."""


class OktaRequestError(OktaApiError):
    """Okta understood the request and refuses it as it is: a bad filter, ``since`` over 180 days ago, a wrong path."""


class OktaCursorError(OktaRequestError):
    """Okta refuses a ``next`` link, saved earlier or just given: begin again at the window's start."""

    retryable = True


class OktaRateLimitError(OktaApiError):
    """429 until the bound on waiting was reached.

    ``kind`` is ``"rate"`` (too many requests in this minute) or ``"concurrency"`` (too many at the same moment).
    ``reset_in_seconds`` is how long the rate window still lasted by Okta's own clock, where Okta said so.
    """

    retryable = True
    kind: Literal["rate", "concurrency"] = "rate"
    reset_in_seconds: float | None = None


class OktaServerError(OktaApiError):
    """5xx, still there after the retries."""

    retryable = True


class OktaConnectionError(OktaError):
    """No whole answer came: refused, reset, timed out, or cut off; still so after the retries."""

    retryable = True


class OktaUnknownHostError(OktaConnectionError):
    """The org's host name does not exist. Most often a typing mistake, so no retry is tried."""

    retryable = False


class OktaCertificateError(OktaConnectionError):
    """The server's certificate cannot be verified, which does not heal by itself."""

    retryable = False


class OktaProtocolError(OktaError):
    """Something answered that is not Okta's API: HTML, a redirect, JSON of another shape. A proxy or a wrong host."""


class OktaPagingError(OktaError):
    """Paging cannot go on without the risk of missing events or of reading for ever."""


class OktaForeignLinkError(OktaPagingError):
    """A ``next`` link leads away from the org's own origin. It is not followed: the token would go with it."""


class OktaPageLimitError(OktaPagingError):
    """More pages than the page cap allows."""


class OktaPagingStuckError(OktaPagingError):
    """Pages contradict each other, or hold nothing new for ever. Okta's index may settle: a later run can succeed."""

    retryable = True
