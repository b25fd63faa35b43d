"""Checks of OpenSearch Dashboards: whether it answers, and has the index patterns that links lead to."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from oktalogger.checks.model import Asked, Check, Verdict, not_asked, note, ok, wrong
from oktalogger.checks.sentences import of_opensearch, one_sentence
from oktalogger.opensearch.diagnosis import SETUP_DAG
from oktalogger.opensearch.errors import (
    OpenSearchAuthenticationError,
    OpenSearchUnavailableError,
)
from oktalogger.opensearch.saved_objects import DashboardsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from oktalogger.checks.sentences import Places
    from oktalogger.opensearch.names import IndexNames
    from oktalogger.opensearch.saved_objects import DashboardsClient

_PATTERN: Final = "index-pattern"
# What servers answer that know nothing of saved objects; None: an answer of another shape.
_FOREIGN: Final = frozenset({None, 400, 404, 405, 501})


@dataclass(frozen=True, kw_only=True)
class Dashboards:
    """A Dashboards to ask.

    :param client: makes its client, with the login of OpenSearch; it returns None if nobody has said where it is
    :param patterns: ids of the index patterns that links lead to
    :param places: where to correct what is wrong
    """

    client: Callable[[], DashboardsClient | None]
    patterns: tuple[str, ...]
    places: Places

    @cached_property
    def asked(self) -> Asked[tuple[DashboardsClient | None, frozenset[str]]]:
        """The client, and those of the index patterns that are there."""
        return Asked(self._found)

    def _found(self) -> tuple[DashboardsClient | None, frozenset[str]]:
        client = self.client()
        if client is None:
            return None, frozenset()
        try:
            return client, frozenset(id for _, id in client.found((_PATTERN, one) for one in self.patterns))
        finally:
            client.close()


def patterns_of(names: IndexNames, main: str | None = None) -> tuple[str, ...]:
    """Return the ids of the index patterns that links lead to.

    :param names: the names of the deployment
    :param main: the id of the pattern of the events, if the connection names one
    """
    return (main or names.alias, names.rejected)


def _answers(dashboards: Dashboards) -> Verdict:
    error = dashboards.asked.error
    if error is not None:
        return _refused(dashboards, error)
    client, _ = dashboards.asked.fact
    if client is None:
        return note(
            "No address of OpenSearch Dashboards is known, so there are no links: set OKTALOGGER_DASHBOARDS_URL."
        )
    return ok(f"OpenSearch Dashboards answers at {client.url}.")


def _refused(dashboards: Dashboards, error: Exception) -> Verdict:
    places = dashboards.places
    if isinstance(error, OpenSearchAuthenticationError) or getattr(error, "status", None) == 403:
        return not_asked(f"OpenSearch Dashboards does not let {places.login} in, so it was not asked.", error)
    if isinstance(error, DashboardsError) and error.status in _FOREIGN:
        return wrong(
            f"What answers at {places.host} is not OpenSearch Dashboards: correct that address, which ends in "
            "/_dashboards on Amazon OpenSearch Service.",
            error,
        )
    if isinstance(error, OpenSearchUnavailableError):
        return wrong(of_opensearch(error, f"The address in {places.host}", places), error)
    return wrong(one_sentence(str(error)), error)


def _patterns(dashboards: Dashboards) -> Verdict:
    client, there = dashboards.asked.fact
    if client is None:
        return ok("Without Dashboards there are no index patterns.")
    missing = [pattern for pattern in dashboards.patterns if pattern not in there]
    if missing:
        return wrong(
            f"Dashboards has no index pattern with the id {', '.join(missing)}, to which links lead: run the DAG "
            f"{SETUP_DAG}, or `python -m oktalogger setup --dashboards`."
        )
    return ok(f"The index patterns that links lead to are there: {', '.join(dashboards.patterns)}.")


CHECKS: Final[tuple[Check[Dashboards], ...]] = (
    Check("dashboards", _answers),
    Check("index patterns", _patterns, after=("dashboards",)),
)
