"""Holds what is known of the cluster while its checks run: each question is sent once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from oktalogger.checks.model import Asked
from oktalogger.opensearch.diagnosis import plugin_missing
from oktalogger.opensearch.errors import OpenSearchRequestError
from oktalogger.opensearch.request import call

if TYPE_CHECKING:
    from collections.abc import Callable

    from opensearchpy import OpenSearch

    from oktalogger.checks.sentences import Places
    from oktalogger.opensearch.names import IndexNames
    from oktalogger.settings import Settings

_AUTHINFO: Final = "/_plugins/_security/authinfo"
BLOCKS: Final = ("read_only_allow_delete", "read_only", "write")
"""The settings below ``index.blocks`` that refuse documents."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the security plugin takes us for.

    :param user: the user's name; None if there is no security plugin
    :param backend_roles: the roles that the login brings along; on AWS the ARN of the IAM role
    :param roles: the roles of OpenSearch that are mapped to it
    """

    user: str | None
    backend_roles: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()

    @property
    def member(self) -> str:
        """What an administrator maps to a role."""
        return f"the backend role {self.backend_roles[0]}" if self.backend_roles else f"the user {self.user}"


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A cluster to ask.

    :param name: the id of its connection, or the variable with its address
    :param url: its address, asked for when the connection can be used; it may raise ``unusable``
    :param client: its client, likewise; it repeats nothing by itself
    :param names: the names of the deployment
    :param settings: of the deployment
    :param places: where to correct what is wrong
    :param serverless: whether it is a collection of Amazon OpenSearch Serverless
    :param unusable: errors of a connection that cannot be used
    """

    name: str
    url: Callable[[], str]
    client: Callable[[], OpenSearch]
    names: IndexNames
    settings: Settings
    places: Places
    serverless: Callable[[], bool] = lambda: False
    unusable: tuple[type[Exception], ...] = ()

    @cached_property
    def hello(self) -> Asked[dict[str, Any]]:
        """What the server says of itself."""
        return Asked(lambda: self.get("/", "to tell its version"))

    @cached_property
    def identity(self) -> Asked[Identity]:
        """Who it takes us for."""
        return Asked(self._identity)

    @cached_property
    def indices(self) -> Asked[dict[str, Any]]:
        """The blocks of the deployment's indices."""
        names = self.names
        only = ",".join(f"*.settings.index.blocks.{block}" for block in BLOCKS)
        path = f"/{names.alias},{names.month_pattern},{names.rejected},{names.ledger}"
        lenient = {"ignore_unavailable": "true", "allow_no_indices": "true"}
        return Asked(lambda: self.get(path, "to show its indices", only=f"{only},*.settings.index.uuid", **lenient))

    def get(self, path: str, doing: str, *, only: str | None = None, **params: str) -> Any:
        """Read something.

        :param path: where
        :param doing: what is asked, to follow "refused" in a sentence
        :param only: which parts of the answer to send
        :param params: the query string
        :raises OpenSearchLoadError: where it is refused
        """
        return call(self.client(), "GET", path, doing=doing, params=params, only=only)

    def _identity(self) -> Identity:
        try:
            answer = self.get(_AUTHINFO, "to tell this user's roles")
        except OpenSearchRequestError as error:
            if plugin_missing(error):
                return Identity(None)
            raise
        return Identity(answer["user_name"], tuple(answer.get("backend_roles") or ()), tuple(answer.get("roles") or ()))
