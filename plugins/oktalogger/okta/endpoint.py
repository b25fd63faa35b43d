"""Describes Okta's list endpoints: their paths, and what a person can do when they refuse a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """Advice for each kind of refusal.

    :param wanted: the answer that was expected, such as ``page of events``.
    :param login: what to do when Okta refuses the credentials.
    :param scope: what to do when a scope is missing.
    :param permission: what to do when Okta knows the caller and denies access.
    :param request: what to do when Okta refuses the request.
    """

    wanted: str
    login: str
    scope: str
    permission: str
    request: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One of Okta's list endpoints. Each answers with a JSON array and with a ``Link`` to the next page.

    :param path: the path, such as ``/api/v1/users``.
    :param items: what it lists, in the plural, for messages.
    :param scope: the OAuth 2.0 scope that it demands.
    :param permission: what an admin role must allow; completes "a role that may ...".
    :param max_limit: the largest ``limit`` that it takes.
    :param parameters: the parts of a request that a user can change, for the message of a refusal.
    :param beginning: the place to start again from when Okta refuses a page link.
    """

    path: str
    items: str
    scope: str
    permission: str
    max_limit: int
    parameters: str = "its parameters"
    beginning: str = "at the first page"

    def url(self, origin: str, parameters: Mapping[str, str]) -> str:
        """Return the URL of the first page.

        :param origin: the org's ``scheme://host``.
        :param parameters: the query's parameters, unescaped.
        :raises ValueError: if ``limit`` is more than the endpoint takes.
        """
        limit = int(parameters.get("limit", self.max_limit))
        if not 1 <= limit <= self.max_limit:
            raise ValueError(f"limit is {limit}; Okta takes 1 to {self.max_limit}")
        query = urlencode(parameters, quote_via=quote)
        return f"{origin}{self.path}?{query}" if query else f"{origin}{self.path}"

    def advice(self, *, login: str) -> Advice:
        """Return what to do about each kind of refusal.

        :param login: what to do when Okta refuses the credentials, which depends on the kind of login.
        """
        return Advice(
            wanted=f"page of {self.items}",
            login=login,
            scope=f"Grant the app the scope {self.scope} on its page in the Admin Console (tab Okta API Scopes), and "
            "name it among the scopes of the connection.",
            permission=f"Give the admin who made the token, or the app, an admin role that may {self.permission}, and "
            "check the network zones that the token or app is bound to.",
            request=f"Change the request ({self.parameters}): as it is, it cannot succeed.",
        )
