"""Checks of OpenSearch Dashboards: whether it answers, and has the index patterns that links lead to.

Source: opensearch-project/OpenSearch-Dashboards, ``src/core/server/saved_objects/routes``: ``GET
/api/saved_objects/TYPE/ID`` answers 404 for an object that is not there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from oktalogger.checks.model import Check, Verdict, not_asked, note, ok, wrong
from oktalogger.checks.sentences import of_opensearch
from oktalogger.opensearch.diagnosis import SETUP_DAG
from oktalogger.opensearch.errors import (
    OpenSearchAuthenticationError,
    OpenSearchLoadError,
    OpenSearchPermissionError,
    OpenSearchUnavailableError,
)
from oktalogger.opensearch.request import call

if TYPE_CHECKING:
    from collections.abc import Callable

    from opensearchpy import OpenSearch

    from oktalogger.checks.sentences import Places
    from oktalogger.opensearch.names import IndexNames


@dataclass(frozen=True, kw_only=True)
class Dashboards:
    """A Dashboards to ask.

    :param url: its address; None if nobody has said
    :param client: a client of that address, with the login of OpenSearch
    :param patterns: ids of the index patterns that links lead to
    :param places: where to correct what is wrong
    """

    url: str | None
    client: Callable[[], OpenSearch]
    patterns: tuple[str, ...]
    places: Places


def patterns_of(names: IndexNames, main: str | None = None) -> tuple[str, ...]:
    """Return the ids of the index patterns that links lead to.

    :param names: the names of the deployment
    :param main: the id of the pattern of the events, if the connection names one
    """
    return (main or names.alias, names.rejected)


def _answers(dashboards: Dashboards) -> Verdict:
    if dashboards.url is None:
        return note(
            "No address of OpenSearch Dashboards is known, so links lead nowhere: set OKTALOGGER_DASHBOARDS_URL."
        )
    try:
        status = call(dashboards.client(), "GET", "/api/status", doing="to tell its status")
    except (OpenSearchAuthenticationError, OpenSearchPermissionError) as error:
        return not_asked(f"{dashboards.url} does not let {dashboards.places.login} in, so it was not asked.", error)
    except OpenSearchUnavailableError as error:
        return wrong(of_opensearch(error, dashboards.url, dashboards.places), error)
    except OpenSearchLoadError as error:
        return wrong(_no_dashboards(dashboards), error)
    if not isinstance(status, dict) or "version" not in status:
        return wrong(_no_dashboards(dashboards))
    return ok(f"OpenSearch Dashboards answers at {dashboards.url}.")


def _no_dashboards(dashboards: Dashboards) -> str:
    return (
        f"What answers at {dashboards.url} is not OpenSearch Dashboards: correct {dashboards.places.host}, which ends "
        "in /_dashboards on Amazon OpenSearch Service."
    )


def _patterns(dashboards: Dashboards) -> Verdict:
    if dashboards.url is None:
        return ok("Without Dashboards there are no index patterns.")
    missing = [pattern for pattern in dashboards.patterns if not _has(dashboards, pattern)]
    if missing:
        return wrong(
            f"Dashboards has no index pattern with the id {', '.join(missing)}, to which links lead: run the DAG "
            f"{SETUP_DAG}, or make it by hand as docs/troubleshooting.md says."
        )
    return ok(f"The index patterns that links lead to are there: {', '.join(dashboards.patterns)}.")


def _has(dashboards: Dashboards, pattern: str) -> bool:
    answer = call(
        dashboards.client(),
        "GET",
        f"/api/saved_objects/index-pattern/{quote(pattern, safe='')}",
        doing=f"to show the index pattern {pattern}",
        ignore=(404,),
    )
    return isinstance(answer, dict) and answer.get("id") == pattern


CHECKS: Final[tuple[Check[Dashboards], ...]] = (
    Check("dashboards", _answers),
    Check("index patterns", _patterns, after=("dashboards",)),
)
