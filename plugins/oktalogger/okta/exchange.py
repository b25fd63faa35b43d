"""Holds one HTTP request and its answer as plain values, independent of the library that sends them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

from oktalogger.okta.origin import without_user

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import urllib3


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request to the org. Its ``repr`` holds no header and no form, because these hold secrets.

    :param url: sent unchanged.
    :param headers: further headers.
    :param form: a form to post.
    :param sign: makes the login headers when the request is sent, because a DPoP proof holds the time.
    :param about: what the request is for, for error messages.
    :param for_login: this request gets an access token. It does not count against the rate limit of the endpoint.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)
    sign: Callable[[], Mapping[str, str]] | None = field(default=None, repr=False)
    about: str = ""
    for_login: bool = False

    def signed_by(self, sign: Callable[[], Mapping[str, str]]) -> Self:
        """Return the same request with a login."""
        return replace(self, sign=sign)

    def __str__(self) -> str:
        """Describe the request for a message: method, URL without query and user, and purpose."""
        shown = f"{self.method} {without_user(self.url).partition('?')[0]}"
        return f"{shown} ({self.about})" if self.about else shown


@dataclass(frozen=True, slots=True)
class Reply:
    """One complete answer, and the request as it was sent. ``headers`` keeps repeated lines apart (``getlist``)."""

    request: HttpRequest
    status: int
    headers: urllib3.HTTPHeaderDict
    body: bytes

    @property
    def url(self) -> str:
        """The request's URL, as it was sent."""
        return self.request.url

    @property
    def request_id(self) -> str | None:
        """Okta's id of the request, which its support asks for."""
        return self.headers.get("X-Okta-Request-Id")
