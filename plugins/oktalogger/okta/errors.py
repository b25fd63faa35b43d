"""Defines the errors of talking to Okta: one class for each thing that a person would do about it.

Every message says what happened, to what, in Okta's own words if Okta answered, and what to do. None holds a token, a
key or the user part of a URL. ``retryable`` says whether the same request can succeed later if nobody changes anything.
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
        """Add to the message how often and how long the request was retried."""
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
    :param url: the request's URL, without user and password.
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
    """Okta refuses the credentials: a wrong or expired token, a wrong key."""


class OktaPermissionError(OktaApiError):
    """Okta accepts the credentials and denies access: the admin role is missing, or the network zone is wrong."""


class OktaScopeError(OktaPermissionError):
    """The OAuth app was not granted a scope that the endpoint demands."""


class OktaRequestError(OktaApiError):
    """Okta understood the request and refuses it: a bad filter, ``since`` over 180 days ago, a wrong path."""


class OktaCursorError(OktaRequestError):
    """Okta refuses a ``next`` link, saved or new: begin again at the window's start."""

    retryable = True


class OktaRateLimitError(OktaApiError):
    """Okta kept answering 429 until the longest wait had passed.

    ``kind`` is ``"rate"`` (too many requests in this minute) or ``"concurrency"`` (too many at the same moment).
    ``reset_in_seconds`` is the time until the rate limit resets, by Okta's own clock, if Okta named it.
    """

    retryable = True
    kind: Literal["rate", "concurrency"] = "rate"
    reset_in_seconds: float | None = None


class OktaServerError(OktaApiError):
    """Okta answered 5xx to every retry."""

    retryable = True


class OktaConnectionError(OktaError):
    """No complete answer came, even after retries: refused, reset, timed out or cut off."""

    retryable = True


class OktaUnknownHostError(OktaConnectionError):
    """The org's host name does not exist. Not retried, because it is usually a typing mistake."""

    retryable = False


class OktaCertificateError(OktaConnectionError):
    """The server's certificate cannot be verified. Not retried, because a retry cannot help."""

    retryable = False


class OktaProtocolError(OktaError):
    """Something other than Okta's API answered, such as a proxy or a wrong host: HTML, a redirect, other JSON."""


class OktaPagingError(OktaError):
    """Paging cannot go on: it might miss events or never end."""


class OktaForeignLinkError(OktaPagingError):
    """A ``next`` link leads away from the org's own origin. It is not followed, because the token would go there."""


class OktaPageLimitError(OktaPagingError):
    """There are more pages than the page cap allows."""


class OktaPagingStuckError(OktaPagingError):
    """Pages contradict each other, or bring nothing new. Okta's index may settle, so a later run can succeed."""

    retryable = True
